"""One-hot: a bounded integer as indicator bits (Gather with computed indices, embeddings, LabelEncoder).

Statement. e_ij = 1 if x_i = m + j, else 0, for integers m <= x_i < m + k in the worst case.

Constraints, with e_i0 = 1 - sum_(j > 0) e_ij:

    e_ij (1 - e_ij) = 0          all j, 0 included
    sum_j j e_ij = x_i - m

Cost. k + 1 constraints and k - 1 small wires an element; whatever is looked up with the bits afterwards, such
as a row of an embedding, is a linear combination of them.

Soundness. The bits e_i1.. sum to an integer s below r, and e_i0 = 1 - s is a bit: s is 0 or 1, so exactly one
e_il is 1 and the last line makes l = x_i - m. Without the constraint on e_i0 two bits that add up to x_i - m
would pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from assay_prover.circuit.linear import Constant, LinearTensor, Mapped, combine
from assay_prover.gadgets.range import boolean
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.reference import Gather, OneHot, Sparse

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.witness_values import WitnessValues
    from assay_prover.reference.tensor import Int64Array


def one_hot(b: Builder, x: LinearTensor, least: int, most: int, lo: int, size: int) -> LinearTensor:
    """Bits `[x.size * size]` of x - lo; x is in [least, most] in the worst case, within the code's places."""
    n, reach = x.size, most - least + 1
    # every element's place of each output, -1 where the worst case cannot reach
    offset = lo + np.arange(size, dtype=np.int64) - least
    index = np.where((offset < 0) | (offset >= reach), -1, offset + reach * np.arange(n)[:, None]).ravel()
    bits = Constant(np.ones(n, dtype=np.int64)) if reach == 1 else _bits(b, x, least, reach)

    def value(frame: WitnessValues) -> Int64Array:
        places = lo + np.arange(size)
        return np.ravel(np.asarray(frame.value(x)[:, None] == places, dtype=np.int64))

    return Mapped([(Gather(index, n * reach), bits)], np.zeros(index.size, dtype=np.int64), value)


def _bits(b: Builder, x: LinearTensor, least: int, reach: int) -> LinearTensor:
    n = x.size
    places = np.arange(1, reach, dtype=np.int64)

    def others(frame: WitnessValues) -> Int64Array:
        return np.ravel(np.asarray(frame.value(x)[:, None] - least == places, dtype=np.int64))

    def every(frame: WitnessValues) -> Int64Array:
        return np.ravel(np.asarray(frame.value(x)[:, None] - least == np.arange(reach), dtype=np.int64))

    wires = b.integers(n * (reach - 1), others)
    rows = np.arange(n)[:, None] * reach
    shape = (n * reach, n * (reach - 1))
    columns = np.arange(n * (reach - 1))
    one = sp.csr_array(
        (np.ones(columns.size, dtype=np.int64), ((rows + places).ravel(), columns)), shape=shape
    )
    first = np.repeat(rows.ravel(), reach - 1)
    minus = sp.csr_array((np.full(columns.size, -1, dtype=np.int64), (first, columns)), shape=shape)
    bias = np.zeros(n * reach, dtype=np.int64)
    bias[rows.ravel()] = 1
    bits = Mapped([(Sparse(sp.csr_array(one + minus)), wires)], bias, every)
    boolean(b, bits)
    weight = sp.csr_array(
        (np.tile(places, n), columns, np.arange(n + 1) * (reach - 1)), shape=(n, columns.size)
    )
    place = Mapped(
        [(Sparse(weight), wires)], np.zeros(n, dtype=np.int64), lambda frame: frame.value(x) - least
    )
    b.constrain(combine([(1, place), (-1, x)], constant=least), Constant(np.ones(n, dtype=np.int64)))
    return bits


@constrains(OneHot)
def _lower(b: Builder, op: OneHot, given: Operands) -> LinearTensor:
    return one_hot(b, given.first, given.facts[0].min, given.facts[0].max, op.lo, op.size)
