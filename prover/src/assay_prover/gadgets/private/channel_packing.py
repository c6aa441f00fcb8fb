"""Several integers in one field element: which channels share it, and the packed numbers of a model."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from assay_prover import _native
from assay_prover.circuit.field import to_limbs
from assay_prover.circuit.packing import WORD_BITS
from assay_prover.circuit.witness_values import FieldArray
from assay_prover.reference.geometry import Geometry
from assay_prover.reference.tensor import Int64Array


class SideBySide:
    """Blocks of at most R = floor(253 / bits) neighbouring channels that share field elements.

    A digit of `bits` bits for each channel: since R digits stay below 2^253 < r, they are what the element
    says and nothing else. No block crosses a multiple of `step` channels.
    """

    def __init__(self, channels: int, bits: int, step: int) -> None:
        self.channels = channels
        self.bits = bits
        self.per_block = min(WORD_BITS // bits, step)
        bounds = [
            (first, min(first + self.per_block, start + step))
            for start in range(0, channels, step)
            for first in range(start, start + step, self.per_block)
        ]
        self.bounds = np.array(bounds, dtype=np.int64)
        """`[blocks, 2]`: first channel, and the one after the last."""

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.bounds)

    @cached_property
    def powers(self) -> FieldArray:
        """2^(bits r) for each place r of a block, `uint64[R, 4]`."""
        return to_limbs(1 << (self.bits * place) for place in range(self.per_block))

    @cached_property
    def members(self) -> Int64Array:
        """Channels of each block by place, `[blocks, R]`, -1 where a block is not full."""
        channel = self.bounds[:, :1] + np.arange(self.per_block)
        return np.where(channel < self.bounds[:, 1:], channel, -1)

    def results(self, shape: Geometry) -> Int64Array:
        """Elements of the layer that stand side by side, `[blocks * positions, R]`, -1 where none does."""
        channel = np.repeat(self.members, shape.positions, axis=0)
        position = np.tile(np.arange(shape.positions), self.blocks)[:, None]
        return np.where(channel < 0, -1, shape.result(channel, position))

    def pack(self, values: Int64Array) -> FieldArray:
        """sum_r values[channel r, n] 2^(bits r), `int64[channels, n] -> uint64[blocks * n, 4]`."""
        total = np.zeros((self.blocks * values.shape[1], 4), dtype=np.uint64)
        padded = np.concatenate([values, np.zeros((1, values.shape[1]), dtype=np.int64)])
        for place in range(self.per_block):
            power = np.ascontiguousarray(np.broadcast_to(self.powers[place], total.shape))
            column = np.ascontiguousarray(padded[self.members[:, place]]).ravel()
            total = _native.field_add(total, _native.field_mul_small(power, column))
        return total
