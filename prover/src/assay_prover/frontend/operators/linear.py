"""Gemm and MatMul."""

from __future__ import annotations

from math import prod

import numpy as np
import scipy.sparse as sp

from assay_prover.frontend.context import Context, Step
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers
from assay_prover.graph.graph import FloatMatMul
from assay_prover.graph.maps import Float64Array, FloatConv, FloatDense, FloatMap, FloatSparse, row_wise


@lowers("Gemm")
def gemm(context: Context, node: Node) -> None:
    """alpha A' B' + beta C; one affine operation if B and C are constants."""
    alpha, beta = node.float("alpha", 1.0), node.float("beta", 1.0)
    flips = [bool(node.int(name, 0)) for name in ("transA", "transB")]
    shape = context.shape(node.inputs[0])
    plain_bias = not context.has(node, 2) or context.is_constant(node, 2)
    if context.is_constant(node, 1) and plain_bias and not (flips[0] and 1 not in shape):
        bias = context.weights(node, 2, "C") * beta if context.has(node, 2) else None
        weight = context.weights(node, 1, "B") * alpha
        shape = shape[::-1] if flips[0] else shape
        _right(context, node, 0, shape, weight.T if flips[1] else weight, bias)
        return
    steps: list[Step] = []
    factors = []
    for k, flip in enumerate(flips):
        if flip:
            steps.append(("Transpose", [node.inputs[k]], f".{k}", {}))
        factors.append(f".{k}" if flip else node.inputs[k])
    biased = context.has(node, 2)
    steps += [
        ("MatMul", factors, ".ab", {}),
        ("Mul", [".ab", ".alpha"], ".p" if biased else node.outputs[0], {}),
    ]
    if biased:
        steps += [("Mul", [node.inputs[2], ".beta"], ".c", {}), ("Add", [".p", ".c"], node.outputs[0], {})]
    context.expand(node, steps, {".alpha": np.array(alpha), ".beta": np.array(beta)})


@lowers("MatMul")
def matmul(context: Context, node: Node) -> None:
    """numpy's matmul; the factor that is constant becomes a matrix of an affine operation."""
    a, b = (context.shape(name) for name in node.inputs)
    if not a or not b or a[-1] != b[-2 if len(b) > 1 else 0]:
        raise node.unsupported(f"shapes {a} and {b} cannot be multiplied")
    if min(len(a), len(b)) < 2:
        _vectors(context, node, len(a), len(b))
    elif context.is_constant(node, 1) and len(b) == 2:
        _right(context, node, 0, a, context.weights(node, 1, "B"), None)
    elif context.is_constant(node, 0) and len(a) == 2:
        _left(context, node, 1, context.weights(node, 0, "A"), None)
    elif context.is_constant(node, 0) or context.is_constant(node, 1):
        _batched(context, node)
    else:
        shape = (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])
        left, right = context.variable(node, 0), context.variable(node, 1)
        if (a, b) != (context.shape(left), context.shape(right)):
            views: list[Step] = [
                ("assay.Expand", [name, f".shape{k}"], f".{k}", {}) for k, name in enumerate(node.inputs)
            ]
            sizes = {f".shape{k}": np.array(own, dtype=np.int64) for k, own in enumerate((a, b))}
            context.expand(node, [*views, ("MatMul", [".0", ".1"], node.outputs[0], {})], sizes)
            return
        context.emit(node, FloatMatMul(left, right, node.outputs[0], shape, node.name))


def _vectors(context: Context, node: Node, left: int, right: int) -> None:
    """A vector is a row on the left, a column on the right, and leaves no axis behind."""
    names, dropped = list(node.inputs), []
    steps: list[Step] = []
    if left == 1:
        steps.append(("Unsqueeze", [names[0], ".first"], ".a", {}))
        names[0] = ".a"
        dropped.append(-2)
    if right == 1:
        steps.append(("Unsqueeze", [names[1], ".last"], ".b", {}))
        names[1] = ".b"
        dropped.append(-1)
    steps += [("MatMul", names, ".y", {}), ("Squeeze", [".y", ".axes"], node.outputs[0], {})]
    axes = {".first": [0], ".last": [1], ".axes": dropped}
    context.expand(node, steps, {name: np.array(value, dtype=np.int64) for name, value in axes.items()})


def _batched(context: Context, node: Node) -> None:
    """One factor a constant of three axes or more: a sparse matrix over the elements of the other."""
    a, b = (context.shape(name) for name in node.inputs)
    constant = 0 if context.is_constant(node, 0) else 1
    leading = np.broadcast_shapes(a[:-2], b[:-2])
    full = (*leading, a[-2], b[-1], a[-1])
    operands = [
        context.weights(node, k, "a factor") if k == constant else context.places(node, k) for k in (0, 1)
    ]
    left = np.broadcast_to(operands[0][..., :, None, :], full).ravel()
    right = np.broadcast_to(np.swapaxes(operands[1], -1, -2)[..., None, :, :], full).ravel()
    weights, columns = (left, right) if constant == 0 else (right, left)
    shape = full[:-1]
    matrix = sp.csr_array(
        (weights, (np.repeat(np.arange(prod(shape)), a[-1]), columns)),
        shape=(prod(shape), prod(context.shape(node.inputs[1 - constant]))),
    )
    context.affine(node, shape, [(context.variable(node, 1 - constant), FloatSparse(matrix))])


@lowers("Einsum")
def einsum(context: Context, node: Node) -> None:
    """Sums of products of one or two tensors: transposed, summed, multiplied as matrices."""
    left, _, result = node.text("equation", "").replace(" ", "").partition("->")
    terms = left.split(",")
    letters = "".join(terms)
    repeated = any(len(set(term)) != len(term) for term in terms)
    if "." in letters or repeated or len(terms) != len(node.inputs) or len(terms) > 2:
        raise node.unsupported("an equation of ellipses, repeated letters or more than two tensors")
    if "->" not in node.text("equation", ""):
        result = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    size: dict[str, int] = {}
    for term, name in zip(terms, node.inputs, strict=True):
        size |= dict(zip(term, context.shape(name), strict=True))
    shared = set(terms[0]) & set(terms[-1]) if len(terms) == 2 else set()
    batch = [c for c in result if c in shared]
    inner = [c for c in terms[0] if c in shared and c not in result]
    steps: list[Step] = []
    constants: dict[str, np.ndarray] = {}
    for k, (term, name) in enumerate(zip(terms, node.inputs, strict=True)):
        own = [c for c in result if c in term and c not in shared]
        order = [*batch, *own, *inner] if k == 0 else [*batch, *inner, *own]
        dropped = [term.index(c) for c in term if c not in order]
        rest = [c for c in term if c in order]
        constants[f".axes{k}"] = np.array(dropped, dtype=np.int64)
        groups = (batch, own, inner) if k == 0 else (batch, inner, own)
        dims = [int(np.prod([size[c] for c in group], dtype=np.int64)) for group in groups]
        constants[f".dims{k}"] = np.array(dims, dtype=np.int64)
        if dropped:
            steps.append(("ReduceSum", [name, f".axes{k}"], f".sum{k}", {"keepdims": 0}))
        source = f".sum{k}" if dropped else name
        if rest:
            steps.append(("Transpose", [source], f".turned{k}", {"perm": [rest.index(c) for c in order]}))
            source = f".turned{k}"
        steps.append(("Reshape", [source, f".dims{k}"], f".{k}", {}))
    if len(terms) == 2:
        steps.append(("MatMul", [".0", ".1"], ".product", {}))
    outer = [c for term in terms for c in result if c in term and c not in shared]
    found = [*batch, *outer]
    constants[".shape"] = np.array([size[c] for c in found], dtype=np.int64)
    y = ".y" if result else node.outputs[0]
    steps.append(("Reshape", [".product" if len(terms) == 2 else ".0", ".shape"], y, {}))
    if result:
        steps.append(("Transpose", [y], node.outputs[0], {"perm": [found.index(c) for c in result]}))
    context.expand(node, steps, constants)


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
        linear = row_wise(weight.T, rows)
    out = (*shape[:-1], int(weight.shape[1]))
    context.affine(node, out, [(context.variable(node, position), linear)], bias)


def _left(
    context: Context, node: Node, position: int, weight: Float64Array, bias: Float64Array | None
) -> None:
    """W[m, k] x[..., k, n]."""
    shape = context.shape(node.inputs[position])
    if len(shape) < 2 or shape[-2] != weight.shape[1]:
        raise node.unsupported(f"shapes {weight.shape} and {shape} cannot be multiplied")
    # the rows are channels that each column is a position of, the matrices of a batch groups side by side
    batch = prod(shape[:-2])
    kernel = np.tile(weight[:, :, None], (batch, 1, 1))
    linear = FloatConv(kernel, (1,), (0, 0), (1,), batch, (batch * shape[-2], shape[-1]))
    out = (*shape[:-2], int(weight.shape[0]), shape[-1])
    context.affine(node, out, [(context.variable(node, position), linear)], bias)
