"""Which weights of a linear map meet which inputs, and at how many positions: the shape of a private layer.

Every map with private weights is y[o, p] = sum_(i, k) W[o, i, k] x[g(o) I + i, windows[p, k]]: a kernel of I
channels and K taps, met by P positions. A matrix has one tap and one position.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np

from assay_prover.reference.conv import Conv
from assay_prover.reference.maps import Dense
from assay_prover.reference.tensor import Int64Array


@dataclass(frozen=True, eq=False)
class Grid:
    """How positions lie in space: output position p meets input place `p * stride + k * dilation - pad`."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    """Begins, one an axis."""
    dilations: tuple[int, ...]

    @property
    def is_pointwise(self) -> bool:
        """Whether each position meets the one place of the same number."""
        return self.inputs == self.outputs and prod(self.kernel) == 1 and not any(self.pads)


@dataclass(frozen=True, eq=False)
class Geometry:
    """O output channels, `inputs` input channels in `groups`, taps and positions of a private map.

    windows: `[P, K]`, the place that each tap meets at each position, -1 for padding. channels_last: whether
    channels are innermost in the flat input and result.
    """

    channels: int
    inputs: int
    groups: int
    windows: Int64Array = field(repr=False)
    grid: Grid
    channels_last: bool = False

    @property
    def positions(self) -> int:
        """P."""
        return int(self.windows.shape[0])

    @property
    def taps(self) -> int:
        """K."""
        return int(self.windows.shape[1])

    @property
    def channels_per_group(self) -> int:
        """Output channels that meet the same input channels."""
        return self.channels // self.groups

    @property
    def fan_in(self) -> int:
        """I, input channels of a kernel."""
        return self.inputs // self.groups

    @cached_property
    def places(self) -> int:
        """Places of one input channel."""
        return prod(self.grid.inputs)

    def element(self, channel: Int64Array, place: Int64Array) -> Int64Array:
        """Where an input channel's place stands in the flat input."""
        return place * self.inputs + channel if self.channels_last else channel * self.places + place

    def result(self, channel: Int64Array, position: Int64Array) -> Int64Array:
        """Where an output channel's position stands in the flat result."""
        return (
            position * self.channels + channel if self.channels_last else channel * self.positions + position
        )

    @property
    def layout(self) -> tuple[int, int, bool]:
        """What the maps of one layer must agree about."""
        last = self.channels_last and self.channels > 1 and self.positions > 1
        return self.channels, self.positions, last

    def by_channel(self, values: Int64Array) -> Int64Array:
        """A flat result as `[channels, positions]`."""
        if self.channels_last:
            return values.reshape(self.positions, self.channels).T
        return values.reshape(self.channels, self.positions)


def geometry(linear: Dense | Conv) -> Geometry:
    """The shape of a private map."""
    if isinstance(linear, Dense):
        one = (1,)
        grid = Grid(one, one, one, one, (0,), one)
        return Geometry(linear.n_out, linear.n_in, 1, np.zeros((1, 1), dtype=np.int64), grid)
    windows, out = linear.windows
    rank = len(out)
    grid = Grid(
        linear.in_shape[1:],
        out,
        tuple(linear.weight.shape[2:]),
        linear.strides,
        linear.pads[:rank],
        linear.dilations,
    )
    return Geometry(
        int(linear.weight.shape[0]), linear.in_shape[0], linear.groups, windows, grid, linear.channels_last
    )
