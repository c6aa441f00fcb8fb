"""Maximum of two: y = max(a, b).

Statement. y_i = max(a_i, b_i) for integers with |a_i - b_i| < 2^k in the worst case.

Constraints. (y - a)(y - b) = 0 and 2y - a - b in [0, 2^k), the upper end loose.

Cost. One constraint and one small wire, beside one range check of k bits.

Soundness. The product leaves y = a or y = b, so 2y - a - b is a - b or b - a; the range check leaves the
one that is not negative. For a = b both are the same value. All of it modulo r with |a - b| < 2^62 and
ranges below 2^80: nothing wraps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover.circuit.linear import LinearTensor, combine
from assay_prover.gadgets.range import range_check

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder


def maximum(b: Builder, x: LinearTensor, y: LinearTensor, bits: int) -> LinearTensor:
    """Elementwise maximum; `bits` bounds |x - y| in the worst case."""
    larger = b.integers(x.size, lambda frame: np.maximum(frame.value(x), frame.value(y)))
    b.constrain(larger - x, larger - y)
    range_check(b, combine([(2, larger), (-1, x), (-1, y)]), bits, exact=False)
    return larger
