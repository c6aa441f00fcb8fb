"""Step: y = 1 if x >= 0, else 0 (Greater, Less, Where, the branches of trees).

Statement. y_i = [x_i >= 0] for integers -2^n <= x_i < 2^n in the worst case.

Constraints. y (1 - y) = 0 and x + 2^n - 2^n y in [0, 2^n), exactly.

Cost. 1 + range check of n bits; one small wire beside the limbs.

Soundness. y is 0 or 1. y = 1 leaves x in [0, 2^n), y = 0 leaves x in [-2^n, 0): exactly one of them holds.
A loose upper end would admit y = 0 for a small x >= 0, so the range is exact. |x| < 2^62: nothing wraps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover.circuit.linear import Constant, LinearTensor, combine
from assay_prover.gadgets.range import boolean, range_check
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.gadgets.requantise import bit_length
from assay_prover.reference import Step

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.reference.tensor import Int64Array


def step(b: Builder, x: LinearTensor, x_lo: Int64Array, x_hi: Int64Array) -> LinearTensor:
    """Whether each element is at least 0; `x_lo <= x <= x_hi` is the worst case of each element."""
    if ((x_lo >= 0) | (x_hi < 0)).all():
        return Constant((x_lo >= 0).astype(np.int64))
    # n bits hold both the greatest x and -1 minus the least
    bits = bit_length(max(int(x_hi.max()), -1 - int(x_lo.min())))
    y = b.integers(x.size, lambda frame: (frame.value(x) >= 0).astype(np.int64))
    boolean(b, y)
    range_check(b, combine([(1, x), (-(1 << bits), y)], constant=1 << bits), bits, exact=True)
    return y


@constrains(Step)
def _lower(b: Builder, op: Step, given: Operands) -> LinearTensor:
    del op
    return step(b, given.first, given.lo, given.hi)
