"""Gemm and MatMul."""

from __future__ import annotations

from math import prod

import numpy as np
import scipy.sparse as sp

from assay_prover.frontend.context import Context, Node
from assay_prover.frontend.graph import FloatMatMul
from assay_prover.frontend.maps import Float64Array, FloatDense, FloatMap, FloatSparse
from assay_prover.frontend.registry import lowers


@lowers("Gemm")
def gemm(context: Context, node: Node) -> None:
    """alpha A' B' + beta C with constant B (or constant A)."""
    alpha, beta = node.float("alpha", 1.0), node.float("beta", 1.0)
    bias = context.weights(node, 2, "C") * beta if context.has(node, 2) else None
    if context.is_constant(node, 1):
        weight = context.weights(node, 1, "B") * alpha
        weight = weight.T if node.int("transB", 0) else weight
        shape = context.shape(node.inputs[0])
        if node.int("transA", 0):
            if 1 not in shape:
                raise node.unsupported("transA on a computed matrix of more than one row")
            shape = shape[::-1]
        _right(context, node, 0, shape, weight, bias)
    elif context.is_constant(node, 0):
        weight = context.weights(node, 0, "A") * alpha
        weight = weight.T if node.int("transA", 0) else weight
        if node.int("transB", 0):
            raise node.unsupported("transB on a computed matrix")
        _left(context, node, 1, weight, bias)
    else:
        raise node.unsupported("one of A and B must be a constant")


@lowers("MatMul")
def matmul(context: Context, node: Node) -> None:
    """numpy's matmul; the factor that is constant becomes a matrix of an affine operation."""
    if context.is_constant(node, 1):
        weight = context.weights(node, 1, "B")
        if weight.ndim != 2:
            raise node.unsupported("a constant right factor must be a matrix")
        _right(context, node, 0, context.shape(node.inputs[0]), weight, None)
    elif context.is_constant(node, 0):
        weight = context.weights(node, 0, "A")
        if weight.ndim != 2:
            raise node.unsupported("a constant left factor must be a matrix")
        _left(context, node, 1, weight, None)
    else:
        a, b = (context.shape(name) for name in node.inputs)
        if len(a) < 2 or len(b) < 2:
            raise node.unsupported("a product of computed tensors needs two axes at least")
        shape = (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])
        left, right = context.variable(node, 0), context.variable(node, 1)
        if (a, b) != (context.shape(left), context.shape(right)):
            raise node.unsupported("a product of reshaped tensors; insert the reshape before an activation")
        context.emit(node, FloatMatMul(left, right, node.outputs[0], shape, node.name))


def _right(
    context: Context,
    node: Node,
    position: int,
    shape: tuple[int, ...],
    weight: Float64Array,
    bias: Float64Array | None,
) -> None:
    """x[..., k] W[k, n]."""
    if shape[-1] != weight.shape[0]:
        raise node.unsupported(f"shapes {shape} and {weight.shape} cannot be multiplied")
    rows = prod(shape[:-1])
    linear: FloatMap = FloatDense(np.ascontiguousarray(weight.T))
    if rows > 1:
        linear = FloatSparse(sp.csr_array(sp.kron(sp.eye_array(rows), weight.T, format="csr")))
    out = (*shape[:-1], int(weight.shape[1]))
    context.affine(node, out, [(context.variable(node, position), linear)], bias)


def _left(
    context: Context, node: Node, position: int, weight: Float64Array, bias: Float64Array | None
) -> None:
    """W[m, k] x[..., k, n]."""
    shape = context.shape(node.inputs[position])
    if len(shape) < 2 or shape[-2] != weight.shape[1]:
        raise node.unsupported(f"shapes {weight.shape} and {shape} cannot be multiplied")
    inner = sp.kron(weight, sp.eye_array(shape[-1]), format="csr")
    matrix = sp.kron(sp.eye_array(prod(shape[:-2])), inner, format="csr")
    out = (*shape[:-2], int(weight.shape[0]), shape[-1])
    context.affine(node, out, [(context.variable(node, position), FloatSparse(sp.csr_array(matrix)))], bias)
