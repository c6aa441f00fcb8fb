"""ReduceSum, ReduceMean (affine) and ReduceMax."""

from __future__ import annotations

from math import prod

import numpy as np
import scipy.sparse as sp

from assay_prover.frontend.context import Context, Step
from assay_prover.frontend.node import Node
from assay_prover.frontend.operators.comparison import whole_quotient
from assay_prover.frontend.registry import lowers
from assay_prover.graph.graph import FloatReduceMax
from assay_prover.graph.maps import FloatSparse, Int64Array

LARGEST_TRIANGLE = 1 << 24
"""Terms of all sums of a CumSum: each constraint that reads one holds its terms."""


def groups_of(context: Context, node: Node) -> tuple[Int64Array, tuple[int, ...]]:
    """Members of each output element, `[out, k]`, and the output's shape."""
    shape = context.shape(node.inputs[0])
    axes = context.integers(node, 1, "axes")
    if not axes:
        axes = () if node.int("noop_with_empty_axes", 0) else tuple(range(len(shape)))
    if any(not -len(shape) <= axis < len(shape) for axis in axes):
        raise node.unsupported(f"axes {axes} do not fit the shape {shape}")
    reduced = {axis % len(shape) for axis in axes}
    kept = [axis for axis in range(len(shape)) if axis not in reduced]
    places = context.places(node, 0).transpose(*kept, *sorted(reduced))
    index = np.ascontiguousarray(places.reshape(prod(shape[axis] for axis in kept), -1))
    if node.int("keepdims", 1):
        return index, tuple(1 if axis in reduced else n for axis, n in enumerate(shape))
    return index, tuple(shape[axis] for axis in kept)


@lowers("ReduceSum", "ReduceMean")
def reduce_sum(context: Context, node: Node) -> None:
    """One coefficient for all, so that no rounding is needed; a mean of whole numbers is truncated."""
    if node.operator == "ReduceMean" and context.is_integer(node.outputs[0]):
        members = np.array(float(groups_of(context, node)[0].shape[1]))
        steps: list[Step] = [("ReduceSum", list(node.inputs), ".sum", node.attributes)]
        truncated, constants = whole_quotient(".sum", members, node.outputs[0], truncate=True)
        context.expand(node, [*steps, *truncated], constants)
        return
    index, shape = groups_of(context, node)
    weight = 1.0 if node.operator == "ReduceSum" else 1.0 / index.shape[1]
    rows = np.repeat(np.arange(index.shape[0]), index.shape[1])
    size = prod(context.shape(node.inputs[0]))
    matrix = sp.csr_array((np.full(index.size, weight), (rows, index.ravel())), shape=(index.shape[0], size))
    context.affine(node, shape, [(context.variable(node, 0), FloatSparse(matrix))])


@lowers("CumSum")
def cumulative_sum(context: Context, node: Node) -> None:
    """A triangle of ones along the axis."""
    shape = context.shape(node.inputs[0])
    axis = int(np.ravel(context.constant(node, 1, "the axis"))[0])
    if not -len(shape) <= axis < len(shape):
        raise node.unsupported(f"axis {axis} does not fit the shape {shape}")
    length, inner = shape[axis], prod(shape[axis % len(shape) + 1 :])
    terms = prod(shape) * (length + 1) // 2
    if terms > LARGEST_TRIANGLE:
        raise node.unsupported(f"its sums have {terms} terms; {LARGEST_TRIANGLE} is the limit")
    exclusive, reverse = bool(node.int("exclusive", 0)), bool(node.int("reverse", 0))
    position = np.arange(prod(shape)) // inner % length
    counts = (length - position if reverse else position + 1) - exclusive
    ends = np.cumsum(counts)
    # the terms of a sum are the elements of its line from the first one on, or from its own on
    start = np.arange(prod(shape)) + (exclusive if reverse else -position) * inner
    rank = np.arange(int(ends[-1])) - np.repeat(ends - counts, counts)
    columns = np.repeat(start, counts) + rank * inner
    pointers = np.concatenate([[0], ends])
    matrix = sp.csr_array((np.ones(columns.size), columns, pointers), shape=(prod(shape), prod(shape)))
    context.affine(node, shape, [(context.variable(node, 0), FloatSparse(matrix))])


@lowers("ReduceMax")
def reduce_max(context: Context, node: Node) -> None:
    """Maximum over axes."""
    index, shape = groups_of(context, node)
    context.emit(node, FloatReduceMax(context.variable(node, 0), node.outputs[0], shape, index, node.name))
