"""Range check: x in [0, 2^k).

Statement. Every x_i is an integer in [0, 2^k); with `exact=False` the upper end may be larger (the next
width the limbs allow), never by more than 15 bits.

Constraints. x = sum_j limb_j 2^(o_j) with limb widths w_j that add up to k. All limbs but the lowest are
wires of w1, the lowest is the linear combination x - sum of the others, so the decomposition itself is no
constraint and has integer coefficients only. A limb of a table's width is looked up; a narrower one, u < w,
twice: limb and limb * 2^(w-u); a bit satisfies b (1 - b) = 0.

Cost. One constraint a lookup or bit; one small wire a limb except the lowest.

Soundness. If limb and limb 2^(w-u) are both in [0, 2^w) as field elements, limb is an integer below 2^w,
its multiple is below 2^(2w) < r and does not wrap, so limb < 2^u: a partial limb cannot use the table's
full width. Each limb being an integer in its range, x equals an integer in [0, 2^k) modulo r, and k is far
below 253 bits, so there is no second decomposition of x + r.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover.circuit.linear import Constant, LinearTensor, combine
from assay_prover.circuit.lookup import LookupTable
from assay_prover.gadgets.logup import lookup

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.plan import Tile
    from assay_prover.circuit.witness_values import WitnessValues
    from assay_prover.reference.tensor import Int64Array


def range_check(b: Builder, x: LinearTensor, bits: int, *, exact: bool = True) -> None:
    """Constrain every element of x to [0, 2^bits)."""
    if bits == 0 or not x.size:
        b.constrain(x, Constant(np.ones(x.size, dtype=np.int64)))
        return
    b.demand.ranges[bits, exact] += x.size
    if b.tiling is None:
        return
    tiles = b.tiling.tiles(bits, exact)
    lowest: list[tuple[int, LinearTensor]] = [(1, x)]
    offset = tiles[0].width
    for limb in tiles[1:]:
        wires = b.integers(x.size, _limb(x, offset, limb.width))
        _check(b, wires, limb)
        lowest.append((-(1 << offset), wires))
        offset += limb.width
    _check(b, combine(lowest), tiles[0])


def boolean(b: Builder, x: LinearTensor) -> None:
    """x (1 - x) = 0."""
    b.constrain(x, combine([(-1, x)], constant=1))


def _limb(x: LinearTensor, offset: int, width: int) -> _Limb:
    return _Limb(x, offset, (1 << width) - 1)


class _Limb:
    """Rule of a limb's wires: the bits of x from `offset`."""

    def __init__(self, x: LinearTensor, offset: int, mask: int) -> None:
        self.x = x
        self.offset = offset
        self.mask = mask

    def __call__(self, frame: WitnessValues) -> Int64Array:
        return (frame.value(self.x) >> self.offset) & self.mask


def _check(b: Builder, limb: LinearTensor, tile: Tile) -> None:
    if tile.table == 0:
        boolean(b, limb)
        return
    table = b.table(f"range{tile.table}", lambda: LookupTable.range(tile.table))
    lookup(b, table, limb)
    if tile.width < tile.table:
        lookup(b, table, combine([(1 << (tile.table - tile.width), limb)]))
