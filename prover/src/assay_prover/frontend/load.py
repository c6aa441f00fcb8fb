"""Bytes to a checked ONNX model with static shapes and finite weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, checker, external_data_helper, helper, inliner, numpy_helper, shape_inference

from assay_prover.errors import ModelError
from assay_prover.frontend.inputs_outputs import Part, choose_output, fix_shapes, join_inputs
from assay_prover.frontend.registry import supported_operators

MAX_MODEL_BYTES = 2 << 30
"""Protobuf's own limit, for a model and its weights in files beside it together."""

LARGEST_TENSOR = 1 << 27
"""Elements of one tensor, a gigabyte of integers: a few bytes of a file may name any shape."""

ARITHMETIC = frozenset({"Range", "AffineGrid", "BlackmanWindow", "HammingWindow", "HannWindow"})
"""Of constants as a rule, hence folded as they are; their definitions are loops."""


def read_model(source: Path | bytes) -> bytes:
    """The file's bytes, with the weights that its exporter put into files beside it.

    Raises:
        ModelError: no such file, too large, or weights in a file that may not be read.
    """
    if isinstance(source, bytes):
        return source
    try:
        if source.stat().st_size > MAX_MODEL_BYTES:
            raise ModelError(f"{source}: larger than 2 GiB")
        data = source.read_bytes()
        return _with_weights(data, source) if b"location" in data else data
    except OSError as error:
        raise ModelError(f"cannot read the model {source}: {error.strerror}") from error


def _with_weights(data: bytes, source: Path) -> bytes:
    """The model with external weights taken in; any other file of this machine stays unread."""
    model = _parse(data)
    places = {
        entry.value: tensor.name
        for tensor in _all_tensors(model)
        if tensor.data_location == TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    size = len(data)
    for place, tensor in places.items():
        file = source.parent / place
        named_after = place.startswith((source.name, f"{source.stem}."))
        if Path(place).name != place or not named_after or file.is_symlink():
            raise ModelError(
                f"weight {tensor!r} lies in {place!r}; the only other files that are read stand beside the "
                f"model and are named after it ({source.name}.data): save the model as one file"
            )
        if not file.is_file():
            raise ModelError(f"weight {tensor!r} lies in {place!r}, which is not beside the model")
        size += file.stat().st_size
    if size > MAX_MODEL_BYTES:
        raise ModelError(f"{source}: larger than 2 GiB with its weights")
    if not places:
        return data
    try:
        external_data_helper.load_external_data_for_model(model, str(source.parent))
    except (ValueError, checker.ValidationError) as error:
        raise ModelError(f"the weights beside {source} cannot be read: {_first_line(error)}") from error
    return bytes(model.SerializeToString())


def _parse(data: bytes) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ModelError("not an ONNX model: the file is corrupt or truncated") from error
    return model


_HALF_BYTES = frozenset({TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1})
"""Types of which two elements share a byte."""


@dataclass(frozen=True)
class Wanted:
    """What the caller knows of a model and the file may leave open.

    sizes: shapes of samples, by the input's name or, of the only input, by "": what dynamic axes take.
    output: the tensor to prove, where the file has several outputs.
    """

    sizes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    output: str | None = None


@dataclass(frozen=True)
class Loaded:
    """A model of one input and one output, and what was changed.

    `parts` lists the file's inputs (name, shape) where there are several: the model takes them side by side.
    `whole_parts` are those of whole numbers where others are real.
    """

    model: onnx.ModelProto
    notes: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    whole_parts: tuple[str, ...] = ()


def load_model(data: bytes, wanted: Wanted = Wanted()) -> Loaded:
    """Parse, check, make the batch axis 1, infer shapes and check every weight.

    Raises:
        ModelError: not an ONNX model, invalid, dynamic beyond what `wanted` settles, too large, or with NaN
            or infinite weights.
    """
    model = _parse(data)
    if not model.graph.node or not model.opset_import:
        raise ModelError("not an ONNX model: it has no nodes or no operator set")
    _refuse_external_data(model)
    _check_raw_data(model)
    _drop_initializer_inputs(model)
    try:
        checker.check_model(model)
        if not model.graph.input:
            raise ModelError(
                "the model has no input: its answer is a constant, and there is nothing to prove"
            )
        notes = choose_output(model, wanted.output)
        notes += fix_shapes(model, wanted.sizes)
        parts, whole_parts = join_inputs(model)
        model = _inline(model)
        inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        raise ModelError(f"invalid ONNX model: {_first_line(error)}") from error
    _check_sizes(inferred)
    _check_finite(inferred)
    if parts:
        listed = ", ".join(f"{name!r} {list(shape)}" for name, shape in parts)
        total = sum(prod(shape) for _, shape in parts)
        notes.append(f"the inputs {listed} are one vector of {total} numbers, side by side in this order")
    return Loaded(inferred, tuple(notes), parts, whole_parts)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _refuse_external_data(model: onnx.ModelProto) -> None:
    """Wherever a tensor stands: a stranger's model must not name files of this machine."""
    for tensor in _all_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(f"weight {tensor.name!r} lies in another file; save the model as one file")


def _check_raw_data(model: onnx.ModelProto) -> None:
    """Raw bytes are exactly as many as shape and type say; the checker only refuses too few."""
    for tensor in _all_tensors(model):
        if not tensor.HasField("raw_data") or tensor.data_type not in helper.get_all_tensor_dtypes():
            continue
        if tensor.data_type in _HALF_BYTES or tensor.data_type == onnx.TensorProto.STRING:
            continue
        if min(tensor.dims, default=0) < 0:
            raise ModelError(f"weight {tensor.name!r} has a negative dimension")
        expected = prod(tensor.dims) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        if len(tensor.raw_data) != expected:
            raise ModelError(
                f"weight {tensor.name!r} has {len(tensor.raw_data)} bytes; {list(tensor.dims)} of its type "
                f"are {expected}"
            )


def _all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from model.graph.initializer
    yield from _tensors(model.graph.node)
    for function in model.functions:
        yield from _tensors(function.node)


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
    del model.graph.input[:]
    model.graph.input.extend(inputs)


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


def _check_finite(model: onnx.ModelProto) -> None:
    """Minus infinity may be a mask before a Softmax, if added or chosen there; as a bound it is none."""
    bounded = {"Clip", "Max", "Min"}
    masking = {"Add", "Where", "Cast", "Slice", "Reshape", "Expand", "Unsqueeze", "Identity", "Concat"}
    others = {name for node in model.graph.node if node.op_type not in masking for name in node.input}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        readers = {node.op_type for node in model.graph.node if tensor.name in node.input}
        if readers and readers <= bounded and not np.isnan(array).any():
            continue
        if tensor.name in others or not (array[~np.isfinite(array)] == -np.inf).all():
            raise ModelError(f"weight {tensor.name!r} holds NaN or infinity")
