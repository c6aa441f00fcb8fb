"""Conv of any spatial rank, with groups, dilations, strides, pads and auto_pad."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from assay_prover.frontend.context import Context
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers
from assay_prover.graph.maps import FloatConv, FloatSparse


def spatial_attributes(
    node: Node, spatial: Sequence[int], kernel: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """(strides, pads, dilations) with ONNX's defaults; auto_pad is resolved into pads."""
    rank = len(spatial)
    strides = node.ints("strides", [1] * rank)
    dilations = node.ints("dilations", [1] * rank)
    mode = node.text("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        pads = node.ints("pads", [0] * (2 * rank))
    elif mode == "VALID":
        pads = (0,) * (2 * rank)
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        begins, ends = [], []
        for size, stride, dilation, taps in zip(spatial, strides, dilations, kernel, strict=True):
            total = max(0, (-(-size // stride) - 1) * stride + dilation * (taps - 1) + 1 - size)
            small, large = total // 2, total - total // 2
            begins.append(small if mode == "SAME_UPPER" else large)
            ends.append(large if mode == "SAME_UPPER" else small)
        pads = (*begins, *ends)
    else:
        raise node.unsupported(f"auto_pad {mode!r} is unknown")
    if min(pads, default=0) < 0:
        raise node.unsupported("negative pads")
    return strides, pads, dilations


def _transposed_pads(
    node: Node,
    spatial: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    extra: Sequence[int],
) -> tuple[int, ...]:
    """Given, or what makes the output `output_shape`, or input times stride (auto_pad SAME)."""
    rank, mode = len(spatial), node.text("auto_pad", "NOTSET")
    wanted = node.ints("output_shape", ())
    if mode in ("SAME_UPPER", "SAME_LOWER") and not wanted:
        wanted = tuple(n * s for n, s in zip(spatial, strides, strict=True))
    if not wanted:
        pads = node.ints("pads", [0] * (2 * rank)) if mode in ("NOTSET", "") else (0,) * (2 * rank)
    else:
        begins, ends = [], []
        for a in range(rank):
            full = strides[a] * (spatial[a] - 1) + extra[a] + dilations[a] * (kernel[a] - 1) + 1
            total = full - wanted[a - rank]
            small, large = total // 2, total - total // 2
            begins.append(small if mode == "SAME_UPPER" else large)
            ends.append(large if mode == "SAME_UPPER" else small)
        pads = (*begins, *ends)
    if min(pads, default=0) < 0:
        raise node.unsupported("negative pads")
    return pads


@lowers("ConvTranspose")
def conv_transpose(context: Context, node: Node) -> None:
    """The transposed matrix of the convolution that maps the output's shape to the input's."""
    weight = context.weights(node, 1, "the kernel")
    batch, *in_shape = context.shape(node.inputs[0])
    if batch != 1:
        raise node.unsupported("the batch must be 1")
    spatial, kernel = in_shape[1:], weight.shape[2:]
    rank = len(spatial)
    strides, dilations = node.ints("strides", [1] * rank), node.ints("dilations", [1] * rank)
    extra = node.ints("output_padding", [0] * rank)
    pads = _transposed_pads(node, spatial, kernel, strides, dilations, extra)
    out = tuple(
        strides[a] * (spatial[a] - 1)
        + extra[a]
        + dilations[a] * (kernel[a] - 1)
        + 1
        - pads[a]
        - pads[rank + a]
        for a in range(rank)
    )
    groups = node.int("group", 1)
    channels = int(weight.shape[1]) * groups
    forward = FloatConv(weight, strides, pads, dilations, groups, (channels, *out))
    if forward.out_shape[1:] != tuple(spatial):
        raise node.unsupported("output_padding as large as the stride")
    bias = None
    if context.has(node, 2):
        bias = context.weights(node, 2, "the bias").reshape(1, -1, *[1] * rank)
    linear = FloatSparse(sp.csr_array(forward.csr().T))
    context.affine(node, (1, channels, *out), [(context.variable(node, 0), linear)], bias)


@lowers("Conv")
def conv(context: Context, node: Node) -> None:
    """Constant kernel; the samples of a batch are groups side by side."""
    weight = context.weights(node, 1, "the kernel")
    batch, channels, *spatial = context.shape(node.inputs[0])
    strides, pads, dilations = spatial_attributes(node, spatial, weight.shape[2:])
    out = int(weight.shape[0])
    if batch != 1:
        weight = np.tile(weight, (batch, *[1] * (weight.ndim - 1)))
    groups = node.int("group", 1) * batch
    if groups < 1 or weight.shape[1] * groups != batch * channels or weight.shape[0] % groups:
        raise node.unsupported(f"{node.int('group', 1)} groups do not fit the channels")
    linear = FloatConv(weight, strides, pads, dilations, groups, (batch * channels, *spatial))
    bias = None
    if context.has(node, 2):
        bias = context.weights(node, 2, "the bias").reshape(1, -1, *[1] * len(spatial))
    shape = (batch, out, *linear.out_shape[1:])
    context.affine(node, shape, [(context.variable(node, 0), linear)], bias)
