"""Argmax: the lowest position at which a group of integers is largest.

Statement. y_i = min{ j : x[index[i, j]] = max of the group }.

Constraints for a group x_0..x_(k-1), with selectors e_j (e_0 = 1 - sum of the others) and the maximum M:

    e_j (1 - e_j) = 0                           j > 0
    e_j (M - x_j) = 0
    M - x_j - sum_(i > j) e_i in [0, 2^n)       loose upward
    y = sum_j j e_j                             a linear combination

Cost. 2k - 1 constraints and k range checks a group; k small wires beside the limbs.

Soundness. e_1.. are bits. Were e_i = e_j = 1 for 0 < i < j, the second line would give M = x_i and the
third, for i, a negative value; so at most one of them is 1, e_0 is 0 or 1, and exactly one e_l is 1. Then M
= x_l; the third line says M >= x_j for j >= l and M >= x_j + 1 for j < l: l is the lowest position of the
maximum. Differences stay below 2^63.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover.circuit.linear import Constant, LinearTensor, combine
from assay_prover.gadgets.range import boolean, range_check
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.gadgets.requantise import bit_length
from assay_prover.reference import ArgMax

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.witness_values import WitnessValues
    from assay_prover.reference.tensor import Int64Array


def argmax(
    b: Builder, x: LinearTensor, x_lo: Int64Array, x_hi: Int64Array, index: Int64Array
) -> LinearTensor:
    """Position of the maximum in each row of `index[out, k]`, ties to the lowest."""
    groups, k = index.shape
    if k == 1:
        return Constant(np.zeros(groups, dtype=np.int64))

    def selector(j: int) -> LinearTensor:
        def chosen(frame: WitnessValues) -> Int64Array:
            return np.asarray(frame.value(x)[index].argmax(axis=1) == j, dtype=np.int64)

        return b.integers(groups, chosen)

    others = [selector(j) for j in range(1, k)]
    first: LinearTensor = combine([(-1, bit) for bit in others], constant=1)
    selectors = [first, *others]
    top = b.integers(groups, lambda frame: frame.value(x)[index].max(axis=1))
    top_hi = x_hi[index].max(axis=1)
    for bit in others:
        boolean(b, bit)
    for j, selected in enumerate(selectors):
        member = x[index[:, j]]
        b.constrain(selected, top - member)
        later: list[tuple[int, LinearTensor]] = [(-1, bit) for bit in selectors[j + 1 :]]
        difference = int((top_hi - x_lo[index[:, j]]).max())
        gap = combine([(1, top), (-1, member), *later])
        range_check(b, gap, bit_length(max(difference, 1)), exact=False)
    return combine([(j, bit) for j, bit in enumerate(selectors) if j])


@constrains(ArgMax)
def _lower(b: Builder, op: ArgMax, given: Operands) -> LinearTensor:
    return argmax(b, given.first, given.lo, given.hi, op.index)
