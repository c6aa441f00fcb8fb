"""Bytes to a checked ONNX model with static shapes and finite weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import checker, numpy_helper, shape_inference

from assay_prover.errors import ModelError

MAX_MODEL_BYTES = 2 << 30
"""Protobuf's own limit; weights in external files are refused, a bundle must hold all of its model."""


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


def load_model(data: bytes) -> onnx.ModelProto:
    """Parse, check, make the batch axis 1, infer shapes and check every weight.

    Raises:
        ModelError: not an ONNX model, invalid, dynamic beyond the batch axis, or with NaN or infinite
            weights.
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
        _fix_batch(model)
        inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        raise ModelError(f"invalid ONNX model: {_first_line(error)}") from error
    _check_finite(inferred)
    return inferred


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _refuse_external_data(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(f"weight {tensor.name!r} lies in another file; save the model as one file")


def _drop_initializer_inputs(model: onnx.ModelProto) -> None:
    """Before IR version 4 initialisers were listed among the inputs too."""
    names = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in names]
    if len(inputs) != 1:
        raise ModelError(f"the model must have one input, it has {len(inputs)}")
    if len(model.graph.output) != 1:
        raise ModelError(f"the model must have one output, it has {len(model.graph.output)}")
    del model.graph.input[:]
    model.graph.input.extend(inputs)


def _fix_batch(model: onnx.ModelProto) -> None:
    """A symbolic first axis of the input becomes 1; stale shapes of other tensors are inferred anew."""
    (value,) = model.graph.input
    kind = value.type.tensor_type
    if kind.elem_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
        raise ModelError(f"input {value.name!r} must be float32 or float64")
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
        output.type.tensor_type.ClearField("shape")


def _check_finite(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"weight {tensor.name!r} holds NaN or infinity")
