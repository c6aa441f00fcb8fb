"""Bytes to a checked ONNX model with static shapes and finite weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, checker, helper, inliner, numpy_helper, shape_inference

from assay_prover.errors import ModelError
from assay_prover.frontend.registry import supported_operators

MAX_MODEL_BYTES = 2 << 30
"""Protobuf's own limit; weights in external files are refused, a bundle must hold all of its model."""

LARGEST_TENSOR = 1 << 27
"""Elements of one tensor, a gigabyte of integers: a few bytes of a file may name any shape."""

REAL_TYPES = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16})

ARITHMETIC = frozenset({"Range", "AffineGrid", "BlackmanWindow", "HammingWindow", "HannWindow"})
"""Of constants as a rule, hence folded as they are; their definitions are loops."""

WHOLE_TYPES = frozenset(
    {
        TensorProto.BOOL,
        TensorProto.INT8,
        TensorProto.INT16,
        TensorProto.INT32,
        TensorProto.INT64,
        TensorProto.UINT8,
        TensorProto.UINT16,
        TensorProto.UINT32,
        TensorProto.UINT64,
    }
)


def read_model(source: Path | bytes) -> bytes:
    """The file's bytes.

    Raises:
        ModelError: no such file, or too large.
    """
    if isinstance(source, bytes):
        return source
    try:
        if source.stat().st_size > MAX_MODEL_BYTES:
            raise ModelError(f"{source}: larger than 2 GiB")
        return source.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {source}: {error.strerror}") from error


def load_model(data: bytes) -> tuple[onnx.ModelProto, list[str]]:
    """Parse, check, make the batch axis 1, infer shapes and check every weight.

    Returns the model, of one input and one output, and notes about what was left out of it.

    Raises:
        ModelError: not an ONNX model, invalid, dynamic beyond the batch axis, too large, or with NaN or
            infinite weights.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ModelError("not an ONNX model: the file is corrupt or truncated") from error
    if not model.graph.node or not model.opset_import:
        raise ModelError("not an ONNX model: it has no nodes or no operator set")
    _refuse_external_data(model)
    _drop_initializer_inputs(model)
    try:
        checker.check_model(model)
        notes = _keep_one_output(model)
        _fix_batch(model)
        model = _inline(model)
        inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        raise ModelError(f"invalid ONNX model: {_first_line(error)}") from error
    _check_sizes(inferred)
    _check_finite(inferred)
    return inferred, notes


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _refuse_external_data(model: onnx.ModelProto) -> None:
    """Wherever a tensor stands: a stranger's model must not name files of this machine."""
    inner = (tensor for function in model.functions for tensor in _tensors(function.node))
    for tensor in (*model.graph.initializer, *_tensors(model.graph.node), *inner):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(f"weight {tensor.name!r} lies in another file; save the model as one file")


def _tensors(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    """Those that nodes hold, and the nodes of their own graphs."""
    for node in nodes:
        for part in node.attribute:
            yield from (part.t, *part.tensors)
            for body in (part.g, *part.graphs):
                yield from body.initializer
                yield from _tensors(body.node)


def _check_sizes(model: onnx.ModelProto) -> None:
    graph = model.graph
    for value in (*graph.input, *graph.value_info, *graph.output):
        elements = prod(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        if elements > LARGEST_TENSOR:
            raise ModelError(f"tensor {value.name!r} has {elements} elements; {LARGEST_TENSOR} is the limit")


def _drop_initializer_inputs(model: onnx.ModelProto) -> None:
    """Before IR version 4 initialisers were inputs too; the model becomes one of version 4."""
    model.ir_version = max(model.ir_version, 4)
    names = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in names]
    if len(inputs) != 1:
        raise ModelError(
            f"the model must have one input, it has {len(inputs)} ({', '.join(v.name for v in inputs)}); "
            "make constants of the others, or cut them from one vector with Split"
        )
    del model.graph.input[:]
    model.graph.input.extend(inputs)


def _keep_one_output(model: onnx.ModelProto) -> list[str]:
    """Of a classifier's label and scores the label stays; then drop the nodes that nothing reads."""
    graph = model.graph
    outputs = list(graph.output)
    notes = []
    if len(outputs) > 1:
        kinds = [o.type.tensor_type.elem_type if o.type.HasField("tensor_type") else None for o in outputs]
        scores = {TensorProto.FLOAT, TensorProto.DOUBLE, None}
        if len(outputs) != 2 or kinds[0] not in WHOLE_TYPES | {TensorProto.STRING} or kinds[1] not in scores:
            raise ModelError(
                f"the model must have one output, it has {len(outputs)} "
                f"({', '.join(value.name for value in outputs)}); keep the one to prove, for instance with "
                "onnx.utils.extract_model, or join them with Concat"
            )
        notes.append(
            f"of the outputs {outputs[0].name!r} (the label) and {outputs[1].name!r} (the scores) the label "
            "is proven; cut the model before its classifier's label to prove the scores"
        )
        del graph.output[1:]
    needed = {graph.output[0].name}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            needed.update(captured(node))
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    return notes


def _inline(model: onnx.ModelProto) -> onnx.ModelProto:
    """The file's own functions, and operators that ONNX defines by simpler ones and nothing here lowers."""
    known = set(supported_operators())
    if not model.functions and all(node.op_type in known for node in model.graph.node):
        return model
    # bodies may depend on types
    model = shape_inference.infer_shapes(model, data_prop=True)
    model.graph.value_info.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in model.graph.initializer
    )
    kept = [(domain, name) for domain in ("", "ai.onnx.ml") for name in sorted(known | ARITHMETIC)]
    try:
        inlined = inliner.inline_selected_functions(model, kept, exclude=True, inline_schema_functions=True)
    except RuntimeError as error:
        if model.functions:
            raise ModelError(f"the model's functions cannot be inlined: {_first_line(error)}") from error
        inlined = model  # the node is refused by name when it is its turn
    del inlined.graph.value_info[:]
    return inlined


def captured(node: onnx.NodeProto) -> set[str]:
    """Names that a node's own graphs (If, Loop) take from outside."""
    found: set[str] = set()
    for part in node.attribute:
        for body in (*([part.g] if part.HasField("g") else []), *part.graphs):
            made = {tensor.name for tensor in body.initializer} | {value.name for value in body.input}
            made |= {name for inner in body.node for name in inner.output}
            read = {name for inner in body.node for name in (*inner.input, *captured(inner)) if name}
            found |= (read | {value.name for value in body.output}) - made
    return found


def _fix_batch(model: onnx.ModelProto) -> None:
    """A symbolic first axis of the input becomes 1; stale shapes of other tensors are inferred anew."""
    (value,) = model.graph.input
    kind = value.type.tensor_type
    if kind.elem_type not in REAL_TYPES | WHOLE_TYPES:
        raise ModelError(f"input {value.name!r} must be a tensor of real or whole numbers or truth values")
    if not kind.HasField("shape"):
        raise ModelError(f"input {value.name!r} declares no shape; export the model with a fixed one")
    for axis, dim in enumerate(kind.shape.dim):
        if not dim.HasField("dim_value") or dim.dim_value < 1:
            if axis:
                raise ModelError(
                    f"axis {axis} of input {value.name!r} is dynamic ({dim.dim_param or '?'}); "
                    "export the model with a fixed shape"
                )
            dim.dim_value = 1
    del model.graph.value_info[:]
    for output in model.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.ClearField("shape")


def _check_finite(model: onnx.ModelProto) -> None:
    """Minus infinity may be a mask before a Softmax, if it is added or chosen there."""
    masking = {"Add", "Where", "Cast", "Slice", "Reshape", "Expand", "Unsqueeze", "Identity", "Concat"}
    others = {name for node in model.graph.node if node.op_type not in masking for name in node.input}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        if tensor.name in others or not (array[~np.isfinite(array)] == -np.inf).all():
            raise ModelError(f"weight {tensor.name!r} holds NaN or infinity")
