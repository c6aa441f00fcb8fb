"""Requantise: y = clamp(floor((x + 2^(s-1)) / 2^s), lo, hi), the end of every layer; lo = 0 is ReLU.

Statement. With h = 2^(s-1) (0 for s = 0), q the integer with 2^s q <= x + h < 2^s (q + 1): y = q clamped.

Constraints. rem = x + h - 2^s q in [0, 2^s) exactly, where q is a combination of what proves the clamp:

    clamp    q             constraints beside the remainder's
    none     y             y - q_min in [0, 2^k)
    lower    lo + 2z - p   z (p - z) = 0,  p in [0, 2^k),  y = lo + z    (p = |q - lo|, z = max(q - lo, 0))
    upper    hi - 2z + p   z (p - z) = 0,  p in [0, 2^k),  y = hi - z    (p = |hi - q|, z = max(hi - q, 0))
    both     y + 2d - g    d (hi - y) = 0,  (g - d)(y - lo) = 0,  g in [0, 2^k),  y - lo in [0, hi - lo]

k comes from the worst case; the ends of the k-bit ranges are loose upward. With s = 0 there is no rem: q is
x itself and p or g is the linear combination instead of a wire. Sides that the worst case never reaches are
dropped.

Cost beside the range checks of s and k bits: none 0, lower and upper 1 constraint, both 2 and a range check
of y. x, which may be a dense row of a linear layer, appears in one constraint (the lowest limb of rem) if s
fits a table.

Soundness. For any integer x with |x| < 2^62 (a theorem of the interval analysis: everything x is made of is
itself checked) the integer q with rem in [0, 2^s) is unique, and |q| < 2^80 by the ranges, so 2^s q + rem
does not wrap modulo r: q is floor((x+h)/2^s).

    lower: z = 0 gives q - lo = -p <= 0, z = p gives q - lo = p >= 0; either way z = max(q - lo, 0).
    upper is its mirror.
    both, lo < hi: d != 0 forces y = hi, then y != lo forces g = d, so q = hi + d with d = g >= 0: q above hi.
        d = 0 with g != 0 forces y = lo and q = lo - g, below lo.
        d = g = 0 gives q = y, in [lo, hi].
        The three cases exclude each other, so y is unique.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover.circuit.linear import Constant, LinearTensor, combine
from assay_prover.gadgets.range import range_check
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.reference import Requantise

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.witness_values import WitnessValues
    from assay_prover.reference.tensor import Int64Array


def bit_length(largest: int) -> int:
    """Bits that hold 0..largest."""
    return max(largest, 0).bit_length()


class Requantiser:
    """One layer's requantisation: x with its worst case, the shift and the clamp."""

    def __init__(
        self,
        b: Builder,
        x: LinearTensor,
        x_lo: Int64Array,
        x_hi: Int64Array,
        shift: int,
        exact: bool = False,
    ) -> None:
        self.b = b
        self.exact = exact
        self.x = x
        self.shift = shift
        self.half = 1 << (shift - 1) if shift else 0
        self.q_lo = (x_lo + self.half) >> shift
        self.q_hi = (x_hi + self.half) >> shift

    def quotient(self, frame: WitnessValues) -> Int64Array:
        """q for one witness."""
        return (frame.value(self.x) + self.half) >> self.shift

    def _bind(self, quotient: LinearTensor) -> None:
        """Tie q to x: the remainder is in [0, 2^s), exactly."""
        remainder = combine([(1, self.x), (-(1 << self.shift), quotient)], constant=self.half)
        range_check(self.b, remainder, self.shift, exact=True)

    def none(self) -> LinearTensor:
        """y = q."""
        if self.shift == 0:
            return self.x
        y = self.b.integers(self.x.size, self.quotient)
        range_check(self.b, y - self.q_lo, bit_length(int((self.q_hi - self.q_lo).max())), exact=self.exact)
        self._bind(y)
        return y

    def _rectify(self, origin: int, sign: int) -> LinearTensor:
        """z = max(sign (q - origin), 0)."""
        b, size = self.b, self.x.size

        def distance(frame: WitnessValues) -> Int64Array:
            return sign * (self.quotient(frame) - origin)

        reach = max(int(np.abs(self.q_lo - origin).max()), int(np.abs(self.q_hi - origin).max()))
        z = b.integers(size, lambda frame: np.maximum(distance(frame), 0))
        magnitude: LinearTensor
        if self.shift:
            magnitude = b.integers(size, lambda frame: np.abs(distance(frame)))
            self._bind(combine([(2 * sign, z), (-sign, magnitude)], constant=origin))
        else:
            magnitude = combine([(2, z), (-sign, self.x)], constant=sign * origin)
        b.constrain(z, magnitude - z)
        range_check(b, magnitude, bit_length(reach), exact=self.exact)
        return z

    def lower(self, lo: int) -> LinearTensor:
        """y = max(q, lo)."""
        z = self._rectify(lo, 1)
        return z if lo == 0 else z + lo

    def upper(self, hi: int) -> LinearTensor:
        """y = min(q, hi)."""
        return combine([(-1, self._rectify(hi, -1))], constant=hi)

    def both(self, lo: int, hi: int) -> LinearTensor:
        """y = min(max(q, lo), hi), lo < hi."""
        b, size = self.b, self.x.size
        y = b.integers(size, lambda frame: np.clip(self.quotient(frame), lo, hi))
        above = b.integers(size, lambda frame: np.maximum(self.quotient(frame) - hi, 0))
        excess: LinearTensor
        if self.shift:
            excess = b.integers(
                size,
                lambda frame: np.abs(self.quotient(frame) - np.clip(self.quotient(frame), lo, hi)),
            )
            self._bind(combine([(1, y), (2, above), (-1, excess)]))
        else:
            excess = combine([(1, y), (2, above), (-1, self.x)])
        b.constrain(above, combine([(-1, y)], constant=hi))
        b.constrain(excess - above, y - lo)
        reach = max(int((self.q_hi - hi).max()), int((lo - self.q_lo).max()))
        range_check(b, excess, bit_length(reach), exact=self.exact)
        width = bit_length(hi - lo)
        range_check(b, y - lo, width, exact=True)
        if hi - lo + 1 != 1 << width:
            range_check(b, combine([(-1, y)], constant=hi), width, exact=True)
        return y


def clamps(
    x_lo: Int64Array, x_hi: Int64Array, shift: int, lo: int | None, hi: int | None
) -> tuple[int | None, int | None, int | None]:
    """The clamps that the worst case reaches, and the result if it is constant in the worst case."""
    half = 1 << (shift - 1) if shift else 0
    least, most = int((x_lo.min() + half) >> shift), int((x_hi.max() + half) >> shift)
    if lo is not None and least >= lo:
        lo = None
    if hi is not None and most <= hi:
        hi = None
    if lo is not None and (lo == hi or most <= lo):
        return lo, hi, lo
    if hi is not None and least >= hi:
        return lo, hi, hi
    return lo, hi, None


def requantise(
    b: Builder,
    x: LinearTensor,
    x_lo: Int64Array,
    x_hi: Int64Array,
    shift: int,
    lo: int | None,
    hi: int | None,
    *,
    exact: bool = False,
) -> LinearTensor:
    """y as in the module's statement; `x_lo <= x <= x_hi` is the worst case of each element, int64.

    With `exact` no range is loose, and x need not be known to be an integer: `enforced` is what the
    constraints alone say about it.
    """
    lo, hi, constant = clamps(x_lo, x_hi, shift, lo, hi)
    if constant is not None:
        return Constant(np.full(x.size, constant, dtype=np.int64))
    layer = Requantiser(b, x, x_lo, x_hi, shift, exact)
    if lo is None:
        return layer.none() if hi is None else layer.upper(hi)
    return layer.lower(lo) if hi is None else layer.both(lo, hi)


def enforced(
    x_lo: Int64Array, x_hi: Int64Array, shift: int, lo: int | None, hi: int | None
) -> tuple[int, int] | None:
    """An interval in which `requantise(..., exact=True)` holds x whatever x is made of, or None.

    x = 2^s q + rem - h by a constraint, rem in [0, 2^s), and q as the range checks leave it: q_min + [0, 2^k)
    without a clamp (q_min the least of all elements here), otherwise within 2^k of the clamp.
    """
    lo, hi, constant = clamps(x_lo, x_hi, shift, lo, hi)
    if constant is not None or (shift == 0 and lo is None and hi is None):
        return None
    half = 1 << (shift - 1) if shift else 0
    q_lo, q_hi = (x_lo + half) >> shift, (x_hi + half) >> shift
    least, most = int(q_lo.min()), int(q_hi.max())
    if lo is None and hi is None:
        width = bit_length(int((q_hi - q_lo).max()))
        first, last = least, int(q_lo.max()) + (1 << width) - 1
    elif lo is not None and hi is not None:
        width = bit_length(max(most - hi, lo - least))
        first, last = lo - (1 << width) + 1, hi + (1 << width) - 1
    else:
        origin = lo if lo is not None else hi or 0
        width = bit_length(max(abs(least - origin), abs(most - origin)))
        first, last = origin - (1 << width) + 1, origin + (1 << width) - 1
    return (first << shift) - half, (last << shift) + (1 << shift) - 1 - half


@constrains(Requantise)
def _lower(b: Builder, op: Requantise, given: Operands) -> LinearTensor:
    return requantise(b, given.first, given.lo, given.hi, op.shift, op.lo, op.hi, exact=given.exact)
