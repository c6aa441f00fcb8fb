"""Windows of a convolution as views: what a kernel meets, copied once into the shape that a product wants."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)


def columns(
    sample: NDArray[Number],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    dilations: tuple[int, ...],
    groups: int,
) -> NDArray[Number]:
    """`sample[C, *spatial]` to `[groups, prod(out), C / groups * prod(kernel)]`, zero where it meets padding.

    `pads` is ONNX's: all begins, then all ends. One copy and no index arrays, so that memory is the result's:
    gathering a batch by indices took three copies and was most of the time to run a convolutional network.
    """
    rank = len(kernel)
    padded = np.pad(sample, [(0, 0), *((pads[axis], pads[rank + axis]) for axis in range(rank))])
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True))
    axes = tuple(range(1, rank + 1))
    every: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=axes)
    steps = (*(slice(None, None, s) for s in strides), *(slice(None, None, d) for d in dilations))
    chosen = every[(slice(None), *steps)]
    out = chosen.shape[1 : rank + 1]
    grouped = chosen.reshape(groups, sample.shape[0] // groups, *out, *kernel)
    order = (0, *range(2, rank + 2), 1, *range(rank + 2, 2 * rank + 2))
    return grouped.transpose(order).reshape(groups, int(np.prod(out)), -1)
