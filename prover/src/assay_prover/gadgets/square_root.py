"""SquareRoot: y = floor(sqrt(P)), P = 4^s x, for integers 0 <= P < 2^62.

Statement. y^2 <= P < (y + 1)^2, y >= 0.

Constraints.

    y y = w
    P - w in [0, 2^(n+1)), w + 2y - P in [0, 2^(n+1))     loose, 2^n > y in the worst case

Cost. 1 + 2 L(n + 1).

Soundness. P is an integer below 2^62. Let u and v be the two range-checked integers. 2y = u + v = t is an
integer of [0, 2^(n+17)), 4w = t^2, and w = P - u is an integer below 2^63 in absolute value: 4w = t^2 holds
over the integers, so t is even and y = t / 2 is an integer that is not negative, with no range check of its
own. Then u, v >= 0 say y^2 <= P <= y^2 + 2y: y = floor(sqrt(P)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover.circuit.linear import LinearTensor, combine
from assay_prover.gadgets.product import multiply
from assay_prover.gadgets.range import range_check
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.gadgets.requantise import bit_length
from assay_prover.reference.division import SquareRoot, square_root

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder


def root(b: Builder, x: LinearTensor, x_hi: int) -> LinearTensor:
    """floor(sqrt(x)) of integers 0 <= x <= x_hi < 2^62."""
    bits = bit_length(int(square_root(np.array([x_hi]))[0]))
    r = b.integers(x.size, lambda frame: square_root(frame.value(x)))
    square = multiply(b, r, r)
    range_check(b, x - square, bits + 1, exact=False)
    range_check(b, combine([(1, square), (2, r), (-1, x)]), bits + 1, exact=False)
    return r


@constrains(SquareRoot)
def _lower(b: Builder, op: SquareRoot, given: Operands) -> LinearTensor:
    power = combine([(1 << (2 * op.shift), given.first)])
    return root(b, power, given.facts[0].max << (2 * op.shift))
