"""Add, Sub, Mul, Div, Neg, Sum with broadcasting: affine if at most one factor depends on the input."""

from __future__ import annotations

from math import prod

import numpy as np

from assay_prover.frontend.context import Context, Node, Step
from assay_prover.frontend.graph import FloatMultiply
from assay_prover.frontend.maps import Float64Array, FloatGather, FloatMap, FloatScale, FloatSparse
from assay_prover.frontend.registry import lowers


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
    terms: list[tuple[str, FloatMap]] = []
    for position, name in enumerate(node.inputs):
        sign = -1.0 if node.operator == "Sub" and position else 1.0
        if context.is_constant(node, position):
            bias = bias + sign * context.weights(node, position, "operand")
        else:
            linear = _broadcast_map(context.shape(name), shape)
            terms.append((context.variable(node, position), _signed(linear, sign)))
    context.affine(node, shape, terms, bias)


@lowers("Mul")
def multiply(context: Context, node: Node) -> None:
    """By a constant it is affine; of two variables it costs a constraint an element."""
    shape = np.broadcast_shapes(*(context.shape(name) for name in node.inputs))
    for position in (0, 1):
        if context.is_constant(node, position):
            factor = context.weights(node, position, "factor")
            _scale(context, node, 1 - position, np.broadcast_to(factor, shape), shape)
            return
    if any(context.shape(name) != shape for name in node.inputs):
        expansions: list[Step] = [
            ("Expand", [name, ".shape"], f".{k}", {}) for k, name in enumerate(node.inputs)
        ]
        product: Step = ("Mul", [".0", ".1"], node.outputs[0], {})
        context.expand(node, [*expansions, product], {".shape": np.array(shape, dtype=np.int64)})
        return
    a, b = context.variable(node, 0), context.variable(node, 1)
    context.emit(node, FloatMultiply(a, b, node.outputs[0], shape, node.name))


@lowers("Div")
def divide(context: Context, node: Node) -> None:
    """By a non-zero constant."""
    divisor = context.weights(node, 1, "divisor")
    if (divisor == 0).any():
        raise node.unsupported("the divisor holds a zero")
    shape = np.broadcast_shapes(*(context.shape(name) for name in node.inputs))
    _scale(context, node, 0, np.broadcast_to(1.0 / divisor, shape), shape)


@lowers("Neg")
def negate(context: Context, node: Node) -> None:
    """-x."""
    shape = context.shape(node.inputs[0])
    _scale(context, node, 0, np.full(shape, -1.0), shape)


def _scale(context: Context, node: Node, position: int, factor: Float64Array, shape: tuple[int, ...]) -> None:
    linear = _broadcast_map(context.shape(node.inputs[position]), shape)
    flat = np.ascontiguousarray(factor, dtype=np.float64).ravel()
    scaled = FloatScale(flat) if linear.is_identity else linear.scale_rows(flat)
    context.affine(node, shape, [(context.variable(node, position), scaled)])
