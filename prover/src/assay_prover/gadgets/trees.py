"""Trees: the sum over decision trees of the value of the leaf that bits lead to.

Statement. `assay_prover.reference.Trees`, for bits b_i in {0, 1}.

Constraints. Let s_p be 1 where the path from a root passes p, else 0; s = 1 at the roots. At each inner node,
asking the bit b,

    s b = t        one constraint (none at a root, where t = b)

s of the branch for 1 is t, of the branch for 0 it is s - t; y = bias + sum of s_leaf value_leaf is a
combination.

Cost. One constraint and one small wire for each inner node that is no root; the comparisons come before.

Soundness. Each t is determined by s and b. By induction from the root exactly one node of each level's
frontier has s = 1, the others 0, as b is a bit: s marks the path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from assay_prover.circuit.linear import Constant, LinearTensor, Mapped
from assay_prover.gadgets.product import multiply
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.reference import Trees
from assay_prover.reference.maps import Sparse

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.witness_values import WitnessValues
    from assay_prover.reference.tensor import Int64Array
    from assay_prover.reference.trees import Trees


def trees(b: Builder, bits: LinearTensor, op: Trees) -> LinearTensor:
    """y of all trees together, `[outputs]`."""
    leaves = op.values.shape[0]
    level = op.roots
    reached: LinearTensor = Constant(np.ones(level.size, dtype=np.int64))
    # leaf indicators by level: (tensor, positions in it, leaves)
    found: list[tuple[LinearTensor, Int64Array, Int64Array]] = []
    first = True
    while True:
        ends = np.flatnonzero(level < 0)
        found.append((reached, ends, -1 - level[ends]))
        inner = np.flatnonzero(level >= 0)
        if not inner.size:
            break
        nodes = level[inner]
        asked = bits[op.bit[nodes]]
        here = reached[inner]
        taken = asked if first else multiply(b, here, asked)
        level = np.concatenate([op.zero[nodes], op.one[nodes]])
        reached = _beside(here - taken, taken)
        first = False
    parts = []
    for tensor, positions, which in found:
        if positions.size:
            chosen = sp.csr_array(
                (np.ones(which.size, dtype=np.int64), (which, positions)), shape=(leaves, tensor.size)
            )
            parts.append((Sparse(sp.csr_array(sp.csr_array(op.values.T) @ chosen)), tensor))

    def value(frame: WitnessValues) -> Int64Array:
        return op.evaluate(frame.value(bits)[None]).reshape(-1)

    return Mapped(parts, op.bias, value)


def _beside(first: LinearTensor, second: LinearTensor) -> LinearTensor:
    """Two tensors as one, end to end."""
    size = first.size
    total = 2 * size
    places = np.arange(size)
    ones = np.ones(size, dtype=np.int64)

    def shifted(offset: int) -> Sparse:
        return Sparse(sp.csr_array((ones, (places + offset, places)), shape=(total, size)))

    return Mapped(
        [(shifted(0), first), (shifted(size), second)],
        np.zeros(total, dtype=np.int64),
        lambda frame: np.concatenate([frame.value(first), frame.value(second)]),
    )


@constrains(Trees)
def _lower(b: Builder, op: Trees, given: Operands) -> LinearTensor:
    return trees(b, given.first, op)
