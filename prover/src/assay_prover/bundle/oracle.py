"""onnxruntime as the judge: the imported graph must compute what the file computes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort

from assay_prover.errors import ModelError
from assay_prover.frontend.graph import FloatGraph
from assay_prover.frontend.maps import Float64Array

TOLERANCE = 1e-3
"""float32 kernels differ from float64 by their rounding; relative to the outputs' span."""

JUDGED_SAMPLES = 32


def run_onnx(data: bytes, graph: FloatGraph, samples: Float64Array) -> Float64Array:
    """The file's own answers, `[n, outputs]`, at the tensor that the graph's output stands for.

    Raises:
        ModelError: onnxruntime refuses the file.
    """
    model = onnx.ModelProto.FromString(data)
    (declared,) = (value for value in model.graph.input if value.name == graph.input)
    kind = onnx.helper.tensor_dtype_to_np_dtype(declared.type.tensor_type.elem_type)
    if graph.onnx_output not in {output.name for output in model.graph.output}:
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(graph.onnx_output))
        data = model.SerializeToString()
    del model, declared  # as large as the file
    options = ort.SessionOptions()
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        answers = [
            np.ravel(session.run([graph.onnx_output], {graph.input: sample.astype(kind)})[0])
            for sample in samples
        ]
        if graph.classes:
            answers = [np.array([graph.classes.index(name) for name in answer]) for answer in answers]
    except (ort.capi.onnxruntime_pybind11_state.OrtException, RuntimeError, ValueError) as error:
        raise ModelError(f"onnxruntime refuses the model: {str(error).splitlines()[0]}") from error
    return np.stack(answers).astype(np.float64)


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
        raise ModelError(
            f"the imported network differs from onnxruntime by {difference:.2%} of its output span: "
            "an operator is lowered wrongly, please report the model"
        )
    return difference
