"""Maximum over groups: y_i = max_j x[index[i, j]] (MaxPool, ReduceMax).

Statement. y_i is the largest of its group's k integers.

Constraints. A tournament of k - 1 `maximum` gadgets, halving the group each round; an odd member waits for
the next round.

Cost. (k - 1) * (1 + range check of the worst-case difference) constraints for each group, k - 1 small wires.

Soundness. Each match is sound by `maximum`; the maximum is associative, so the last winner is the group's
maximum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover.circuit.linear import LinearTensor
from assay_prover.gadgets.maximum import maximum
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.gadgets.requantise import bit_length
from assay_prover.reference import ReduceMax

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.reference.tensor import Int64Array


def reduce_max(
    b: Builder, x: LinearTensor, x_lo: Int64Array, x_hi: Int64Array, index: Int64Array
) -> LinearTensor:
    """The maximum of each row of `index[out, k]`; `x_lo <= x <= x_hi` is the worst case of each element."""
    players: list[tuple[LinearTensor, Int64Array, Int64Array]] = [
        (x[column], x_lo[column], x_hi[column]) for column in index.T
    ]
    while len(players) > 1:
        winners = []
        for (p, p_lo, p_hi), (q, q_lo, q_hi) in zip(players[::2], players[1::2], strict=False):
            difference = max(int((p_hi - q_lo).max()), int((q_hi - p_lo).max()))
            winner = maximum(b, p, q, bit_length(difference))
            winners.append((winner, np.maximum(p_lo, q_lo), np.maximum(p_hi, q_hi)))
        if len(players) % 2:
            winners.append(players[-1])
        players = winners
    return players[0][0]


@constrains(ReduceMax)
def _lower(b: Builder, op: ReduceMax, given: Operands) -> LinearTensor:
    return reduce_max(b, given.first, given.lo, given.hi, op.index)
