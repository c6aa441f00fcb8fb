"""Operators that only view the same elements under another shape: they cost nothing and emit nothing."""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import TensorProto

from assay_prover.frontend.context import INTEGER_TYPES, Context
from assay_prover.frontend.node import Node
from assay_prover.frontend.operators.comparison import truncate
from assay_prover.frontend.registry import lowers

ZERO = {".zero": np.array(0.0)}


@lowers("Identity", "Dropout")
def identity(context: Context, node: Node) -> None:
    """Dropout is the identity at inference."""
    if context.is_constant(node, 2) and bool(np.ravel(context.constants[node.inputs[2]])[0]):
        raise node.unsupported("training mode")
    if len(node.outputs) > 1 and node.outputs[1] and context.is_used(node.outputs[1]):
        raise node.unsupported("the mask output")
    context.alias(node, 0, context.shape(node.inputs[0]))


@lowers("Cast", "CastLike")
def cast(context: Context, node: Node) -> None:
    """Numbers stay numbers; from real to whole they are truncated, to truth values compared with zero."""
    to = node.int("to", 1)
    if node.operator == "CastLike":
        to = context.type_of(node.inputs[1])
    source = node.inputs[0]
    whole = context.is_whole(source)
    if to == TensorProto.BOOL and not context.is_boolean(source):
        context.expand(
            node, [("Equal", [source, ".zero"], ".is", {}), ("Not", [".is"], node.outputs[0], {})], ZERO
        )
    elif to in INTEGER_TYPES and not whole:
        truncate(context, node)
    elif to in INTEGER_TYPES or to in (1, 9, 10, 11, 16):
        context.alias(node, 0, context.shape(source))
    else:
        raise node.unsupported("a cast of computed values to this type")


@lowers("Flatten")
def flatten(context: Context, node: Node) -> None:
    """To a matrix, split at `axis`."""
    shape = context.shape(node.inputs[0])
    axis = node.int("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    context.alias(node, 0, (prod(shape[:axis]), prod(shape[axis:])))


@lowers("Reshape")
def reshape(context: Context, node: Node) -> None:
    """0 keeps an axis (unless allowzero), -1 takes what is left."""
    shape = context.shape(node.inputs[0])
    wanted = context.integers(node, 1, "shape")
    if wanted is None:
        raise node.unsupported("the shape is missing")
    if not node.int("allowzero", 0):
        wanted = tuple(shape[axis] if n == 0 and axis < len(shape) else n for axis, n in enumerate(wanted))
    rest = prod(n for n in wanted if n != -1)
    if -1 in wanted:
        if rest == 0 or prod(shape) % rest:
            raise node.unsupported(f"cannot reshape {shape} to {wanted}")
        wanted = tuple(prod(shape) // rest if n == -1 else n for n in wanted)
    context.alias(node, 0, wanted)


@lowers("Squeeze")
def squeeze(context: Context, node: Node) -> None:
    """Drop axes of length 1."""
    shape = context.shape(node.inputs[0])
    axes = context.integers(node, 1, "axes")
    drop = {a % len(shape) for a in axes} if axes is not None else {a for a, n in enumerate(shape) if n == 1}
    if any(shape[axis] != 1 for axis in drop):
        raise node.unsupported(f"axes {sorted(drop)} of {shape} are not all 1")
    context.alias(node, 0, tuple(n for axis, n in enumerate(shape) if axis not in drop))


@lowers("Unsqueeze")
def unsqueeze(context: Context, node: Node) -> None:
    """Insert axes of length 1."""
    shape = context.shape(node.inputs[0])
    axes = context.integers(node, 1, "axes") or ()
    rank = len(shape) + len(axes)
    places = {axis % rank for axis in axes}
    rest = iter(shape)
    context.alias(node, 0, tuple(1 if axis in places else next(rest) for axis in range(rank)))
