"""Add, Sub, Mul, Div, Neg, Sum with broadcasting: affine if at most one factor depends on the input."""

from __future__ import annotations

from math import prod

import numpy as np

from assay_prover.frontend.context import Context, Step
from assay_prover.frontend.masks import hide, times_infinity
from assay_prover.frontend.node import Node
from assay_prover.frontend.operators.comparison import whole_quotient
from assay_prover.frontend.registry import lowers
from assay_prover.graph.exact_ops import FloatDivide
from assay_prover.graph.graph import FloatMultiply
from assay_prover.graph.maps import Float64Array, FloatGather, FloatMap, FloatScale, FloatSparse


def _broadcast_map(shape: tuple[int, ...], target: tuple[int, ...]) -> FloatGather:
    size = prod(shape)
    places = np.arange(size, dtype=np.int64).reshape(shape)
    return FloatGather(np.broadcast_to(places, target).ravel().copy(), size)


def _signed(linear: FloatGather, sign: float) -> FloatMap:
    if sign > 0:
        return linear
    if linear.is_identity:
        return FloatScale(np.full(linear.n_out, sign))
    return FloatSparse(linear.csr() * sign)


@lowers("Add", "Sub", "Sum")
def add(context: Context, node: Node) -> None:
    """Sums of variables and constants."""
    shape = np.broadcast_shapes(*(context.shape(name) for name in node.inputs))
    bias: Float64Array = np.zeros(shape)
    masked = np.zeros(shape, dtype=bool)
    computed: list[str] = []
    terms: list[tuple[str, FloatMap]] = []
    for position, name in enumerate(node.inputs):
        sign = -1.0 if node.operator == "Sub" and position else 1.0
        mask = context.masks.get(name) if sign > 0 else None
        if mask is not None:
            masked = masked | mask.known
            computed += [mask.computed] if mask.computed is not None else []
            if mask.blank:
                continue
            name = context.unmasked(name)
        if context.is_constant(node, position) and sign > 0:
            values, hidden = context.terms_to_add(node, position, shape)
            bias, masked = bias + values, masked | hidden
        elif context.is_constant(node, position):
            bias = bias - context.weights(node, position, "the operand")
        else:
            linear = _broadcast_map(context.shape(name), shape)
            source = context.variable(node, position) if mask is None else context.tensor(name)
            terms.append((source, _signed(linear, sign)))
    blank = not terms and not bias.any()
    if not blank:
        if not terms:
            raise node.unsupported("a mask that is not zero where it does not mask")
        context.affine(node, shape, terms, bias)
    hide(context, node, masked, computed, blank=blank)


@lowers("Mul")
def multiply(context: Context, node: Node) -> None:
    """By a constant it is affine; of two variables it costs a constraint an element."""
    shape = np.broadcast_shapes(*(context.shape(name) for name in node.inputs))
    for position in (0, 1):
        if context.is_constant(node, position):
            if times_infinity(context, node, position):
                return
            factor = context.weights(node, position, "factor")
            _scale(context, node, 1 - position, np.broadcast_to(factor, shape), shape)
            return
    names = [context.variable(node, k) for k in (0, 1)]
    if any(context.shape(name) != shape for name in (*node.inputs, *names)):
        _spread(context, node, shape)
        return
    context.emit(node, FloatMultiply(names[0], names[1], node.outputs[0], shape, node.name))


@lowers("Div")
def divide(context: Context, node: Node) -> None:
    """By a non-zero constant it is affine; by a computed tensor of one sign it is an exact division."""
    if context.is_integer(node.outputs[0]):
        _divide_whole(context, node)
        return
    shape = np.broadcast_shapes(*(context.shape(name) for name in node.inputs))
    if context.is_constant(node, 1):
        divisor = context.weights(node, 1, "divisor")
        if (divisor == 0).any():
            raise node.unsupported("the divisor holds a zero")
        _scale(context, node, 0, np.broadcast_to(1.0 / divisor, shape), shape)
        return
    if context.is_constant(node, 0):
        ones = bool((context.constants[node.inputs[0]] == 1).all()) and context.shape(node.inputs[1]) == shape
        steps: list[Step] = [("Reciprocal", [node.inputs[1]], node.outputs[0] if ones else ".r", {})]
        if not ones:
            steps.append(("Mul", [".r", node.inputs[0]], node.outputs[0], {}))
        context.expand(node, steps)
        return
    names = [context.variable(node, k) for k in (0, 1)]
    if any(context.shape(name) != shape for name in (*node.inputs, *names)):
        _spread(context, node, shape)
        return
    context.emit(node, FloatDivide(names[0], names[1], node.outputs[0], shape, node.name))


def _divide_whole(context: Context, node: Node) -> None:
    """By constants, truncated towards zero."""
    divisor = context.weights(node, 1, "the divisor of whole numbers")
    if (divisor == 0).any():
        raise node.unsupported("the divisor holds a zero")
    context.expand(node, *whole_quotient(node.inputs[0], divisor, node.outputs[0], truncate=True))


def _spread(context: Context, node: Node, shape: tuple[int, ...]) -> None:
    """The same operator on operands of the full shape."""
    expansions: list[Step] = [
        ("assay.Expand", [name, ".shape"], f".{k}", {}) for k, name in enumerate(node.inputs)
    ]
    last: Step = (node.operator, [".0", ".1"], node.outputs[0], {})
    context.expand(node, [*expansions, last], {".shape": np.array(shape, dtype=np.int64)})


@lowers("assay.Expand")
def spread(context: Context, node: Node) -> None:
    """Broadcast as a tensor of its own, even where only the shape changes; only in expansions."""
    shape = tuple(int(n) for n in context.constant(node, 1, "the shape"))
    linear = _broadcast_map(context.shape(node.inputs[0]), shape)
    context.affine(node, shape, [(context.variable(node, 0), linear)])


@lowers("Neg")
def negate(context: Context, node: Node) -> None:
    """-x."""
    shape = context.shape(node.inputs[0])
    _scale(context, node, 0, np.full(shape, -1.0), shape)


def _scale(context: Context, node: Node, position: int, factor: Float64Array, shape: tuple[int, ...]) -> None:
    linear = _broadcast_map(context.shape(node.inputs[position]), shape)
    flat = np.ascontiguousarray(factor, dtype=np.float64).ravel()
    scaled = FloatScale(flat) if linear.is_identity else linear.scale_rows(flat)
    mask = context.masks.get(node.inputs[position])
    if mask is None or mask.blank or not (factor > 0).all():
        context.affine(node, shape, [(context.variable(node, position), scaled)])
        return
    context.affine(node, shape, [(context.tensor(node.inputs[position]), scaled)])
    known = np.broadcast_to(mask.known, shape).copy()
    hide(context, node, known, [] if mask.computed is None else [mask.computed])
