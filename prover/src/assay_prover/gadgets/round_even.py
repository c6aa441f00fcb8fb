"""Round to even: y = x / 2^s to the nearest integer, halves to the even one (Round, QuantizeLinear).

Statement. y_i = floor((x_i + 2^(s-1) - 1 + b_i) / 2^s) with b_i the parity of floor(x_i / 2^s), s >= 1.

Constraints, with h = 2^(s-1):

    b (1 - b) = 0, c (1 - c) = 0
    k - k_min in [0, 2^n)                            loose
    m = x - 2^s (2k + b) in [0, 2^s)                 exactly
    m + h - 1 + b - 2^s c in [0, 2^s)                exactly
    y = 2k + b + c                                   a linear combination

Cost. 2 + L(n) + 2 L(s); three small wires beside the limbs.

Soundness. k is an integer of magnitude below 2^78 by its range, b and c are bits. The first exact range makes
2k + b = floor(x / 2^s), and with it k and b its half and its parity, both unique. m + h - 1 + b is below
2^(s+1), so the second exact range makes c its bit of weight 2^s, which is unique too. c = 1 exactly if m > h,
or m = h and b = 1: y is the floor, or the integer above it when x is nearer to that or half-way and the floor
is odd. |x| < 2^62: nothing wraps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover.circuit.linear import LinearTensor, combine
from assay_prover.gadgets.range import boolean, range_check
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.gadgets.requantise import bit_length
from assay_prover.reference import RoundEven

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.witness_values import WitnessValues
    from assay_prover.reference.tensor import Int64Array


def round_even(b: Builder, x: LinearTensor, x_lo: Int64Array, x_hi: Int64Array, shift: int) -> LinearTensor:
    """Elementwise; `x_lo <= x <= x_hi` is the worst case of each element."""
    half = 1 << (shift - 1)

    def floor(frame: WitnessValues) -> Int64Array:
        return np.asarray(frame.value(x) >> shift)

    def up(frame: WitnessValues) -> Int64Array:
        rest = frame.value(x) & ((1 << shift) - 1)
        return (rest + half - 1 + (floor(frame) & 1)) >> shift

    pairs = b.integers(x.size, lambda frame: floor(frame) >> 1)
    odd = b.integers(x.size, lambda frame: floor(frame) & 1)
    carry = b.integers(x.size, up)
    boolean(b, odd)
    boolean(b, carry)
    least, most = x_lo >> (shift + 1), x_hi >> (shift + 1)
    range_check(b, pairs - least, bit_length(int((most - least).max())), exact=False)
    rest = combine([(1, x), (-(2 << shift), pairs), (-(1 << shift), odd)])
    range_check(b, rest, shift, exact=True)
    range_check(
        b, combine([(1, rest), (1, odd), (-(1 << shift), carry)], constant=half - 1), shift, exact=True
    )
    return combine([(2, pairs), (1, odd), (1, carry)])


@constrains(RoundEven)
def _lower(b: Builder, op: RoundEven, given: Operands) -> LinearTensor:
    return round_even(b, given.first, given.lo, given.hi, op.shift)
