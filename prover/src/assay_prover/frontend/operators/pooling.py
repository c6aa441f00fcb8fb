"""MaxPool, AveragePool and their global forms."""

from __future__ import annotations

from math import prod

import numpy as np
import scipy.sparse as sp

from assay_prover.frontend.context import Context
from assay_prover.frontend.node import Node
from assay_prover.frontend.operators.convolution import spatial_attributes
from assay_prover.frontend.registry import lowers
from assay_prover.graph.graph import FloatReduceMax
from assay_prover.graph.maps import FloatSparse, Int64Array
from assay_prover.reference.conv import window_index


def _channels(index: Int64Array, channels: int, spatial: int) -> Int64Array:
    """Windows of one channel repeated for all: `[channels * positions, taps]`, -1 kept."""
    offset = np.arange(channels, dtype=np.int64)[:, None, None] * spatial
    return np.where(index[None] < 0, -1, index[None] + offset).reshape(-1, index.shape[1])


def _windows(context: Context, node: Node) -> tuple[Int64Array, tuple[int, ...], Int64Array]:
    """Index over all channels, the output's shape, and for each window the taps within the padded input."""
    batch, channels, *spatial = context.shape(node.inputs[0])
    if node.operator.startswith("Global"):
        kernel, ceil = tuple(spatial), False
        strides, pads, dilations = (1,) * len(spatial), (0,) * (2 * len(spatial)), (1,) * len(spatial)
    else:
        kernel, ceil = node.ints("kernel_shape", ()), bool(node.int("ceil_mode", 0))
        strides, pads, dilations = spatial_attributes(node, spatial, kernel)
    index, out = window_index(tuple(spatial), kernel, strides, pads, dilations, ceil)
    padded = tuple(n + b + e for n, b, e in zip(spatial, pads, pads[len(spatial) :], strict=False))
    within, _ = window_index(padded, kernel, strides, (0,) * len(pads), dilations, ceil)
    if within.shape != index.shape:
        raise node.unsupported("this combination of ceil_mode and pads")
    full = _channels(index, batch * channels, prod(spatial))
    return full, (batch, channels, *out), np.tile((within >= 0).sum(axis=1), batch * channels)


@lowers("MaxPool", "GlobalMaxPool")
def max_pool(context: Context, node: Node) -> None:
    """Padding repeats a member of the window, which changes no maximum."""
    if len(node.outputs) > 1 and node.outputs[1]:
        raise node.unsupported("the Indices output")
    if node.int("storage_order", 0):
        raise node.unsupported("storage_order 1")
    index, shape, _ = _windows(context, node)
    first = index.max(axis=1, keepdims=True)
    if (first < 0).any():
        raise node.unsupported("a window lies in the padding altogether")
    filled = np.where(index < 0, first, index)
    context.emit(node, FloatReduceMax(context.variable(node, 0), node.outputs[0], shape, filled, node.name))


@lowers("AveragePool", "GlobalAveragePool")
def average_pool(context: Context, node: Node) -> None:
    """A constant sparse matrix; equal windows need no rounding at all."""
    index, shape, within = _windows(context, node)
    present = index >= 0
    count = within if node.int("count_include_pad", 0) else present.sum(axis=1)
    if not count.all():
        raise node.unsupported("a window lies in the padding altogether")
    rows = np.repeat(np.arange(index.shape[0]), present.sum(axis=1))
    weights = np.repeat(1.0 / count, present.sum(axis=1))
    size = prod(context.shape(node.inputs[0]))
    matrix = sp.csr_array((weights, (rows, index[present])), shape=(index.shape[0], size))
    context.affine(node, shape, [(context.variable(node, 0), FloatSparse(matrix, structural=True))])
