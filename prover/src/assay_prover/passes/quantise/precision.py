"""How finely a network is quantised: the knobs, and the arithmetic that turns them into scales and shifts."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log2

import numpy as np

FILL_BITS = 3
"""A scale is at most so many bits finer than was asked for, even where that takes no further limb: the next
layer's shift would have to be wider for it."""


UNBOUNDED = 62
"""Width of a plan that asks for none."""


@dataclass(frozen=True)
class Precision:
    """Knobs of the quantiser.

    limb_bits: widths and shifts are multiples of it, to fill the lookups of a range check; 1 means bits.
    input_bits: the input's integers span exactly 2^input_bits values.
    activation_bits: a calibrated maximum spans at least 2^activation_bits steps.
    output_bits: the same for the network's output.
    weight_noise: largest standard deviation that rounding the weights may cause, in an activation's steps.
    table_bits: function tables have 2^table_bits entries.
    headroom_bits: a worst case so many bits above the calibrated maximum is clamped.
    """

    limb_bits: int = 8
    input_bits: int = 8
    activation_bits: int = 8
    output_bits: int = 10
    weight_noise: float = 0.3
    headroom_bits: int = 8
    table_bits: int = 10

    def align(self, bits: float) -> int:
        """The least multiple of limb_bits that is at least `bits` (and at least one limb)."""
        return max(1, ceil(bits / self.limb_bits)) * self.limb_bits


@dataclass(frozen=True)
class InputEncoding:
    """x is represented by the integer round(x / scale) in [lo, lo + 2^bits - 1]."""

    scale: float
    lo: int
    bits: int

    @property
    def hi(self) -> int:
        """The greatest integer."""
        return self.lo + (1 << self.bits) - 1


def encode_range(input_range: tuple[float, float], bits: int) -> InputEncoding:
    """The finest scale for which every value of the range rounds into 2^bits consecutive integers."""
    lo, hi = input_range
    scale = (hi - lo) / ((1 << bits) - 1)
    # an end that lies half-way between two integers may round outwards: the scale grows until both fit
    while np.rint(hi / scale) - np.rint(lo / scale) > (1 << bits) - 1:
        scale *= 1 + 2.0**-40 if scale * 2.0**40 > max(abs(lo), abs(hi)) else 1 + 2.0**-20
    return InputEncoding(scale, int(np.rint(lo / scale)), bits)


def encode_whole(input_range: tuple[float, float]) -> InputEncoding:
    """Whole numbers as they are: the range's own, and those above it that the same bits hold."""
    lo, hi = ceil(input_range[0]), floor(input_range[1])
    return InputEncoding(1.0, lo, max(1, (hi - lo).bit_length()))


CLAMP_MARGIN = 1.25
"""A clamp lies at least so far beyond what samples showed: others go further."""


@dataclass(frozen=True)
class ScalePlan:
    """A requantisation to be: the result's scale, the accumulator's is scale / 2^shift; `bits` hold the
    worst case.

    `clamp` is the largest result kept, in steps, or None where the worst case needs no clamp.
    """

    scale: float
    shift: int
    bits: int
    clamp: int | None

    @property
    def accumulator(self) -> float:
        """Scale of the accumulator."""
        return self.scale / (1 << self.shift)


def headroom(precision: Precision, resolution: int, size: int, behind: int, most: float) -> float:
    """Bits above the calibrated maximum that a worst case of `size` elements may have before a clamp pays.

    A clamp costs a constraint and a range check of the result for each element. Without it every bit of the
    excess widens the range checks of what is computed behind, `behind` elements in all: a narrow layer before
    wide ones is clamped early, a wide one before little else only at `most` bits.
    """
    clamp = precision.limb_bits + precision.align(resolution + 1)
    return min(most, 1 + clamp * size / behind) if behind else most


def plan_scale(
    precision: Precision, resolution: int, worst: float, reach: float, room: float | None = None
) -> tuple[float, int, int | None]:
    """(scale, bits, clamp) of a result whose worst case spans `worst` and whose calibrated maximum is
    `reach`.

    The worst case fills its limbs: of all scales fine enough for `resolution` bits, the finest that takes no
    further limb, within reason. With more than `room` bits above the calibrated maximum (by default
    `precision.headroom_bits`) it is clamped.
    """
    room = precision.headroom_bits if room is None else room
    reach = min(reach, worst) if reach > 0 else worst / 16
    coarsest = reach / ((1 << resolution) - 1)
    needed = log2(worst / coarsest + 1)
    bits = precision.align(needed)
    scale = max(worst / ((1 << bits) - 1), coarsest / 2**FILL_BITS) if bits < 60 else coarsest
    if needed <= resolution + room:
        return scale, bits, None
    kept = precision.align(resolution + 1)
    # what the kept bits hold at the coarsest scale, as a multiple of the calibrated maximum
    held = coarsest * ((1 << kept) - 1) / (2 * reach)
    scale = 2 * reach * min(max(held, CLAMP_MARGIN), 2.0) / ((1 << kept) - 1)
    return scale, precision.align(log2(worst / scale + 1)), (1 << kept) - 1


def plan_capped(
    precision: Precision, resolution: int, worst: float, reach: float, cap: float
) -> tuple[float, int, int | None] | None:
    """The same for a result that the network itself holds to a span of `cap`, little more than what was seen.

    The span is a whole number of bits, so that one range check holds it. None where a cap is far from what
    was seen, and another scale the better one.
    """
    reach = min(reach, worst)
    if not 0 < cap <= 2 * reach:
        return None
    width = ceil(log2(cap / reach * ((1 << resolution) - 1) + 1) - 1e-9)
    scale = cap / ((1 << width) - 1)
    return scale, precision.align(log2(worst / scale + 1)), None


def plan_shift(precision: Precision, noise: float) -> int:
    """Shift after which rounding each weight to an integer disturbs a result by at most `weight_noise` steps.

    `noise` is the disturbance with shift 0, as a standard deviation: sqrt(sum over a row of mean square
    inputs / 12).
    """
    return precision.align(log2(max(noise / precision.weight_noise, 1.0)))
