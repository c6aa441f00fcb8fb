"""onnxruntime as the judge: the imported graph must compute what the file computes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi import onnxruntime_pybind11_state as state

from assay_prover.errors import ModelError
from assay_prover.frontend.inputs_outputs import Part, keep_output
from assay_prover.graph.graph import FloatGraph
from assay_prover.graph.maps import Float64Array

ort.disable_telemetry_events()  # for a program that loaded it before this package could say so

TOLERANCE = 1e-3
"""float32 kernels differ from float64 by their rounding; relative to the outputs' span."""

HALF_TOLERANCE = 2e-2
"""The same for models that compute in float16."""

STEP_TOLERANCE = 1.5 / 255
"""The same for models of 8-bit integers: one least step, by which runtimes differ from each other, since they
round products of scales in float32 in orders of their own."""

REFUSALS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception)),
)
"""onnxruntime's errors have no base of their own."""

JUDGED_SAMPLES = 32


def run_onnx(data: bytes, graph: FloatGraph, samples: Float64Array) -> Float64Array:
    """The file's own answers, `[n, outputs]`, at the tensor that the graph's output stands for.

    Raises:
        ModelError: onnxruntime refuses the file.
    """
    model = onnx.ModelProto.FromString(data)
    kinds = {
        value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        for value in model.graph.input
    }
    named = {tensor.name for tensor in model.graph.initializer}
    fed = [value.name for value in model.graph.input if value.name not in named]
    asked = [value.name for value in model.graph.output]
    if asked != [graph.onnx_output] or fed != [name for name, _ in _parts(graph)]:
        keep_output(model, graph.onnx_output)
        data = model.SerializeToString()
    quantised = _is_quantised(model)
    del model  # as large as the file
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if quantised:
        # optimisations replace quantised nodes by kernels that round otherwise
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = _session(data, options)
        answers = [
            np.ravel(session.run([graph.onnx_output], _feeds(graph, sample, kinds))[0]) for sample in samples
        ]
        if graph.classes:
            answers = [np.array([graph.classes.index(name) for name in answer]) for answer in answers]
    except REFUSALS as error:
        raise ModelError(f"onnxruntime refuses the model: {str(error).splitlines()[0]}") from error
    return np.stack(answers).astype(np.float64)


def _session(data: bytes, options: ort.SessionOptions) -> ort.InferenceSession | ReferenceEvaluator:
    """onnxruntime's, or onnx's own of a model for whose types onnxruntime lacks an operator."""
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except state.NotImplemented:
        return ReferenceEvaluator(onnx.ModelProto.FromString(data))


def _is_quantised(model: onnx.ModelProto) -> bool:
    """Whether onnxruntime's quantiser made integers of it."""
    return any(
        node.op_type == "QuantizeLinear" or node.op_type.startswith("QLinear") for node in model.graph.node
    )


def _is_half(model: onnx.ModelProto) -> bool:
    weights = {tensor.data_type for tensor in model.graph.initializer}
    ends = {value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)}
    return onnx.TensorProto.FLOAT16 in weights | ends


def _parts(graph: FloatGraph) -> tuple[Part, ...]:
    """The file's inputs."""
    return graph.parts or ((graph.input, graph.input_shape),)


def _feeds(
    graph: FloatGraph, sample: Float64Array, kinds: Mapping[str, np.dtype[Any]]
) -> dict[str, NDArray[Any]]:
    """One sample as the file's inputs take it."""
    parts = _parts(graph)
    cuts = np.split(sample.ravel(), np.cumsum([prod(shape) for _, shape in parts])[:-1])
    return {
        name: cut.reshape(shape).astype(kinds[name]) for (name, shape), cut in zip(parts, cuts, strict=True)
    }


def check_import(data: bytes, graph: FloatGraph, samples: Float64Array, is_label: bool) -> float:
    """Largest difference between the imported graph and onnxruntime, as a part of the outputs' span.

    Raises:
        ModelError: they differ by more than rounding, so that a proof would be about another function.
    """
    judged = samples[:JUDGED_SAMPLES]
    theirs = run_onnx(data, graph, judged)
    ours = graph.run(judged, [graph.output])[graph.output].reshape(len(judged), -1)
    if not np.isfinite(theirs).all() or not np.isfinite(ours).all():
        raise ModelError("the network answers NaN or infinity on an input of the declared range")
    if is_label:
        # a tie or near-tie may fall either way in float32
        difference = float((ours != theirs).mean())
        allowed = 0.1
    else:
        span = max(float(np.ptp(theirs)), float(np.abs(theirs).max()), 1e-9)
        difference = float(np.abs(ours - theirs).max()) / span
        allowed = TOLERANCE
        if difference > allowed:
            model = onnx.ModelProto.FromString(data)
            if _is_half(model):
                allowed = HALF_TOLERANCE
            elif _is_quantised(model):
                allowed = STEP_TOLERANCE
    if difference > allowed:
        raise ModelError(
            f"the imported network differs from onnxruntime by {difference:.2%} of its output span: "
            "an operator is lowered wrongly, please report the model"
        )
    return difference
