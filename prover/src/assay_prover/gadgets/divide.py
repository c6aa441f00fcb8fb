"""Divide: y = floor((2a + d) / (2d)), a quotient rounded with halves upwards (Div, LayerNormalization).

Statement. y_i = floor((2 a_i + d_i) / (2 d_i)) for integers |a| < 2^60 and 1 <= d < 2^60 in the worst case.

Constraints, with the remainder m:

    2 d y = 2a + d - m
    y - y_min in [0, 2^n)              loose
    m in [0, 2^k), 2d - 1 - m in [0, 2^k)      loose, 2^k >= 2 d_max

Cost. 1 + L(n) + 2 L(k); two small wires beside the limbs.

Soundness. The ranges make y and m integers, |y| < 2^78 and |2 d y| < 2^140: the first line holds over the
integers, not only modulo r. 0 <= m < 2d, so y is the quotient of Euclidean division of 2a + d by 2d, which
is unique. d >= 1 is a theorem of the interval analysis, so there is no division by zero to define. Without
the upper check of m every smaller quotient would pass; without y's range, (2a + d - m) / (2d) modulo r for
any m.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay_prover.circuit.linear import LinearTensor, combine
from assay_prover.gadgets.range import range_check
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.gadgets.requantise import bit_length
from assay_prover.reference import Divide
from assay_prover.reference.division import divide_rounded

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.witness_values import WitnessValues
    from assay_prover.reference.tensor import Int64Array


def divide(b: Builder, a: LinearTensor, d: LinearTensor, d_hi: int, y_lo: int, y_hi: int) -> LinearTensor:
    """Elementwise; `d_hi` bounds d and [y_lo, y_hi] the quotient in the worst case."""

    def remainder(frame: WitnessValues) -> Int64Array:
        dividend, divisor = frame.value(a), frame.value(d)
        return 2 * dividend + divisor - 2 * divisor * divide_rounded(dividend, divisor)

    y = b.integers(a.size, lambda frame: divide_rounded(frame.value(a), frame.value(d)))
    m = b.integers(a.size, remainder)
    b.constrain(y, combine([(2, d)]), combine([(2, a), (1, d), (-1, m)]))
    range_check(b, y - y_lo, bit_length(y_hi - y_lo), exact=False)
    bits = bit_length(2 * d_hi - 1)
    range_check(b, m, bits, exact=False)
    range_check(b, combine([(2, d), (-1, m)], constant=-1), bits, exact=False)
    return y


@constrains(Divide)
def _lower(b: Builder, op: Divide, given: Operands) -> LinearTensor:
    result = op.infer(*given.facts)
    return divide(b, given.first, given.wires[1], given.facts[1].max, result.min, result.max)
