"""Windows of a convolution as views: what a kernel meets, copied once into the shape that a product wants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK_VALUES = 1 << 18
"""Values in the windows of a chunk of samples (2 MB), or one sample's if these are more."""


@dataclass(frozen=True)
class Windows:
    """Where the kernels of a convolution stand; the fields are those of `assay_prover.reference.Conv`.

    kernel: the kernels' spatial shape.
    """

    in_shape: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int
    channels_last: bool

    @cached_property
    def out(self) -> tuple[int, ...]:
        """Positions along each axis."""
        rank = len(self.kernel)
        found: list[int] = []
        for axis, (size, span) in enumerate(zip(self.in_shape[1:], self._spans, strict=True)):
            room = size + self.pads[axis] + self.pads[rank + axis] - span
            if room < 0:
                raise ValueError(f"kernel does not fit the padded input on spatial axis {axis}")
            found.append(room // self.strides[axis] + 1)
        return tuple(found)

    @property
    def positions(self) -> int:
        """All of them."""
        return prod(self.out)

    @property
    def _spans(self) -> tuple[int, ...]:
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def samples(self, values: NDArray[Any]) -> NDArray[Any]:
        """Flat samples as `[n, C, *spatial]`, a view."""
        if self.channels_last:
            return np.moveaxis(values.reshape(-1, *self.in_shape[1:], self.in_shape[0]), -1, 1)
        return values.reshape(-1, *self.in_shape)

    def columns(self, samples: NDArray[Any]) -> NDArray[Any]:
        """`[n, C, *spatial]` to `[groups, n positions, C / groups * prod(kernel)]`, zero at padding.

        One copy and no index arrays, so that memory is the result's: gathering a batch by indices took three
        copies and was most of the time to run a convolutional network.
        """
        rank = len(self.kernel)
        around = [(self.pads[axis], self.pads[rank + axis]) for axis in range(rank)]
        padded = np.pad(samples, [(0, 0), (0, 0), *around])
        axes = tuple(range(2, rank + 2))
        every: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(padded, self._spans, axis=axes)
        steps = (slice(None, None, step) for step in (*self.strides, *self.dilations))
        chosen = every[(slice(None), slice(None), *steps)]
        parted = chosen.reshape(len(samples), self.groups, -1, *self.out, *self.kernel)
        order = (1, 0, *range(3, rank + 3), 2, *range(rank + 3, 2 * rank + 3))
        return parted.transpose(order).reshape(self.groups, len(samples) * self.positions, -1)

    def chunks(self, values: NDArray[Any], kind: np.dtype[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Flat samples `[n, in]` in chunks that a cache holds: which they are, and their columns."""
        samples = self.samples(values)
        step = max(1, CHUNK_VALUES // max(self.positions * self.in_shape[0] * prod(self.kernel), 1))
        for start in range(0, len(samples), step):
            which = slice(start, start + step)
            yield which, self.columns(samples[which].astype(kind, copy=False))

    def place(self, sums: NDArray[Any], result: NDArray[Any]) -> None:
        """Write `[groups, n positions, rows]` into flat results `[n, out]`, contiguous."""
        n, rows = len(result), sums.shape[-1]
        parted = sums.reshape(self.groups, n, self.positions, rows)
        if self.channels_last:
            result.reshape(n, self.positions, self.groups, rows)[:] = parted.transpose(1, 2, 0, 3)
        else:
            result.reshape(n, self.groups, rows, self.positions)[:] = parted.transpose(1, 0, 3, 2)
