"""ONNX to the float graph: fold what is constant, lower the rest node by node."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from assay_prover.errors import ModelError
from assay_prover.frontend.context import Context, refuse
from assay_prover.frontend.folding import fold
from assay_prover.frontend.inputs_outputs import captured
from assay_prover.frontend.load import Loaded, Wanted, load_model
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowering
from assay_prover.graph.graph import FloatAffine, FloatGraph
from assay_prover.graph.maps import FloatGather

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Of the last, the operators that onnxruntime's quantiser writes."""

WRAPPING = frozenset({"Abs", "Add", "Cast", "CastLike", "MatMul", "Mul", "Neg", "Pow", "Sub", "Sum"})
NARROW = frozenset(
    {TensorProto.INT8, TensorProto.INT16}
    | {TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64}
)
"""Types whose arithmetic wraps around at numbers that networks hold."""

MISFITS = (ArithmeticError, LookupError, MemoryError, TypeError, ValueError)
"""What numpy raises of attributes and shapes that do not fit each other, where no lowering asks first."""


def import_model(data: bytes, wanted: Wanted = Wanted()) -> FloatGraph:  # noqa: B008 - immutable
    """Lower a serialised ONNX model; `wanted` settles what the file leaves open.

    Raises:
        ModelError: see `load_model`; UnsupportedModel names the node and operator that cannot be lowered.
    """
    loaded = load_model(data, wanted)
    model, graph = loaded.model, loaded.model.graph
    (value,) = graph.input
    shape = tuple(int(d.dim_value) for d in value.type.tensor_type.shape.dim)
    context = Context(value.name, shape, graph)
    context.notes.extend(loaded.notes)
    for tensor in graph.initializer:
        context.constants[tensor.name] = numpy_helper.to_array(tensor)
    if graph.sparse_initializer:
        raise ModelError("sparse initialisers are not supported; save the weights as dense tensors")
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    _lower(context, graph.node, model, opsets)
    _note_wrapping(context, graph.node)
    return _finish(context, value.name, shape, graph.output[0].name, loaded)


def _lower(
    context: Context, nodes: Iterable[onnx.NodeProto], model: onnx.ModelProto, opsets: dict[str, int]
) -> None:
    for proto in nodes:
        node = Node(proto, opsets.get(proto.domain, opsets.get("", 0)))
        if proto.domain not in DOMAINS:
            raise refuse(node)
        for name in proto.output:
            context.claim(node, name)
        try:
            _lower_node(context, node, model, opsets)
        except MISFITS as error:
            raise node.unsupported(f"its inputs or attributes do not fit: {error}") from error


def _note_wrapping(context: Context, nodes: Iterable[onnx.NodeProto]) -> None:
    """Say where a runtime would wrap around and the integers here do not."""
    found = [
        node.output[0]
        for node in nodes
        if node.op_type in WRAPPING
        and node.output[0] not in context.constants
        and context.type_of(node.output[0]) in NARROW
    ]
    if found:
        context.note(
            f"whole numbers do not wrap around: {found[0]!r}{' and others' if len(found) > 1 else ''} must "
            "fit the type that the file declares, or runtimes answer otherwise"
        )


def _lower_node(context: Context, node: Node, model: onnx.ModelProto, opsets: dict[str, int]) -> None:
    if node.operator == "If" and node.inputs[0] in context.constants:
        _choose(context, node, model, opsets)
    elif not _fold(context, node, model):
        lower = lowering(node.operator)
        if lower is None:
            raise refuse(node)
        lower(context, node)


def _choose(context: Context, node: Node, model: onnx.ModelProto, opsets: dict[str, int]) -> None:
    """The branch that a constant condition takes."""
    taken = "then_branch" if bool(np.ravel(context.constants[node.inputs[0]])[0]) else "else_branch"
    (branch,) = (part.g for part in node.proto.attribute if part.name == taken)
    for tensor in branch.initializer:
        context.claim(node, tensor.name)
        context.constants[tensor.name] = numpy_helper.to_array(tensor)
    _lower(context, branch.node, model, opsets)
    for inner, outer in zip(branch.output, node.outputs, strict=True):
        context.expand(node.writing(outer), [("Identity", [inner.name], outer, {})])


def _fold(context: Context, node: Node, model: onnx.ModelProto) -> bool:
    """Compute a node whose inputs are all constants with onnx's reference implementation; True if done."""
    if node.operator == "Shape" and node.inputs[0] not in context.constants:
        dims = np.array(context.shape(node.inputs[0]), dtype=np.int64)
        start, end = node.int("start", 0), node.attributes.get("end")
        context.constants[node.outputs[0]] = dims[start : None if end is None else int(end)]
        return True
    if node.operator == "Size" and node.inputs[0] not in context.constants:
        context.constants[node.outputs[0]] = np.array(prod(context.shape(node.inputs[0])), dtype=np.int64)
        return True
    needed = {name for name in node.inputs if name} | captured(node.proto)
    if any(name not in context.constants for name in needed):
        return False
    context.constants |= fold(node, context.constants, model.opset_import)
    return True


def _finish(
    context: Context, input_name: str, shape: tuple[int, ...], output: str, loaded: Loaded
) -> FloatGraph:
    tensor, output_shape = context.output(output)
    shapes = {op.output: op.shape for op in context.ops}
    if shapes.get(tensor) != output_shape:
        # a reshape at the very end, or an output that is the input itself, still needs a tensor of that shape
        size = int(np.prod(output_shape))
        identity = FloatGather(np.arange(size, dtype=np.int64), size)
        name = output if output not in shapes and output != input_name else context.view(output)
        context.ops.append(FloatAffine((tensor,), name, output_shape, (identity,), np.zeros(size), output))
        tensor = name
    if not context.ops:
        raise ModelError("the model computes nothing")
    return FloatGraph(
        input=input_name,
        input_shape=shape,
        ops=tuple(context.ops),
        output=tensor,
        onnx_output=context.stands_for(output),
        notes=tuple(context.notes),
        whole_input=context.is_integer(input_name) or context.is_boolean(input_name),
        classes=context.classes.get(output, ()),
        parts=loaded.parts,
        whole_parts=loaded.whole_parts,
    )
