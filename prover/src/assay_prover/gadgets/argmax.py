"""Argmax: the lowest position at which a group of integers is largest.

Statement. y_i = min{ j : x[index[i, j]] = max of the group }.

Constraints for a group x_0..x_(k-1), with selector bits e_j (the last one is 1 - sum of the others) and the
maximum M:

    e_j (1 - e_j) = 0
    e_j (M - x_j) = 0
    M - x_j - sum_(i > j) e_i in [0, 2^n)       (loose upward)
    y = sum_j j e_j                             (a linear combination)

Cost. k (2 + range check) constraints a group; k small wires beside the limbs.

Soundness. The bits add up to 1 and are bits, so exactly one, e_l, is 1; M = x_l. The third line says M >=
x_j for j >= l and M >= x_j + 1 for j < l: l is the lowest position of the maximum. Differences are below
2^63: nothing wraps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover.circuit.linear import Constant, LinearTensor, combine
from assay_prover.gadgets.range import boolean, range_check
from assay_prover.gadgets.requantise import bit_length

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.frame import Frame
    from assay_prover.reference.tensor import Int64Array


def argmax(
    b: Builder, x: LinearTensor, x_lo: Int64Array, x_hi: Int64Array, index: Int64Array
) -> LinearTensor:
    """Position of the maximum in each row of `index[out, k]`, ties to the lowest."""
    groups, k = index.shape
    if k == 1:
        return Constant(np.zeros(groups, dtype=np.int64))

    def selector(j: int) -> LinearTensor:
        def chosen(frame: Frame) -> Int64Array:
            return np.asarray(frame.value(x)[index].argmax(axis=1) == j, dtype=np.int64)

        return b.integers(groups, chosen)

    bits = [selector(j) for j in range(k - 1)]
    last: LinearTensor = combine([(-1, bit) for bit in bits], constant=1)
    top = b.integers(groups, lambda frame: frame.value(x)[index].max(axis=1))
    top_hi = x_hi[index].max(axis=1)
    for j, bit in enumerate([*bits, last]):
        member = x[index[:, j]]
        boolean(b, bit)
        b.constrain(bit, top - member)
        later: list[tuple[int, LinearTensor]] = [(-1, other) for other in [*bits, last][j + 1 :]]
        difference = int((top_hi - x_lo[index[:, j]]).max())
        range_check(b, combine([(1, top), (-1, member), *later]), bit_length(max(difference, 1)), exact=False)
    return combine([(j, bit) for j, bit in enumerate([*bits, last]) if j])
