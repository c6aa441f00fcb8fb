"""Normalise: vectors brought to a fixed length (LayerNormalization, InstanceNormalization, L2 norms).

Statement. For each group, with P = 4^s (sum x_j^2 + e), e >= 1, and r = floor(sqrt(P)): y_i = floor((2 a_i +
r) / (2 r)), a_i = u 2^s x_i.

Constraints.

    x_j x_j = q_j                               P is a combination of the q_j
    r r = w
    P - w in [0, 2^(n+1)), w + 2r - P in [0, 2^(n+1))     loose, 2^n > r in the worst case
    y = divide(a, r)

Cost. k squares, 1 + 2 L(n + 1) for each group, and a division an element.

Soundness. Squares are determined; P is an integer below 2^62. Let u and v be the two range-checked integers.
2r = u + v = t is an integer of [0, 2^(n+17)), 4w = t^2, and w = P - u is an integer below 2^63 in absolute
value: 4w = t^2 holds over the integers, so t is even and r = t / 2 is an integer that is not negative, with
no range check of its own. Then u, v >= 0 say r^2 <= P <= r^2 + 2r: r = floor(sqrt(P)). P >= 1, so r >= 1 and
the division is sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from assay_prover.circuit.linear import LinearTensor, Mapped, combine
from assay_prover.gadgets.divide import divide
from assay_prover.gadgets.product import multiply
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.gadgets.square_root import root
from assay_prover.reference.division import Normalise, square_root
from assay_prover.reference.maps import Sparse

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.reference.tensor import Int64Array


def normalise(b: Builder, x: LinearTensor, x_lo: Int64Array, x_hi: Int64Array, op: Normalise) -> LinearTensor:
    """As in the module's statement; `x_lo <= x <= x_hi` is the worst case of each element."""
    groups, members = op.index.shape
    squares = multiply(b, x, x)
    factor = 1 << (2 * op.shift)
    total = sp.csr_array(
        (
            np.full(op.index.size, factor, dtype=np.int64),
            op.index.ravel(),
            np.arange(groups + 1, dtype=np.int64) * members,
        ),
        shape=(groups, x.size),
    )
    bias = np.full(groups, op.epsilon * factor, dtype=np.int64)
    power = Mapped([(Sparse(total), squares)], bias, lambda frame: op.power(frame.value(x)[None])[0])
    largest = op.largest_power(int(max(np.abs(x_lo).max(), np.abs(x_hi).max())))
    r = root(b, power, largest)
    r_hi = int(square_root(np.array([largest]))[0])
    scaled = combine([(op.unit << op.shift, x)])
    return divide(b, scaled, r[op.owner], r_hi, -op.unit, op.unit)


@constrains(Normalise)
def _lower(b: Builder, op: Normalise, given: Operands) -> LinearTensor:
    return normalise(b, given.first, given.lo, given.hi, op)
