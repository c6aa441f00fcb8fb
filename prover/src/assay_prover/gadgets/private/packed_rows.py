"""Rows of linear layers with private weights: the products, and the sums that their packed digits are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from assay_prover import _native
from assay_prover.circuit.linear import Constant
from assay_prover.circuit.rows import Block, Matrix, Operands, RowGroup, csr_matrix, unit_rows

if TYPE_CHECKING:
    from assay_prover.circuit.linear import LinearTensor, RowCache, Wires
    from assay_prover.circuit.wide_wires import LimbWires, ModelWires
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues
    from assay_prover.reference.tensor import Int64Array


def wire_columns(cache: RowCache, wires: Wires, index: Int64Array) -> Int64Array:
    """The wires at `index` of an allocation."""
    return index + cache.layout.base(wires.region) + wires.offset


class PackedDigits:
    """sum_r digits[members[.., r]] 2^(k r): several integers side by side in one combination.

    members: `[n, R]`, -1 where a place is empty; powers: 2^(k r), `uint64[R, 4]`.
    """

    def __init__(self, digits: LinearTensor, members: Int64Array, powers: FieldArray) -> None:
        self.digits = digits
        self.members = members
        self.powers = powers

    @property
    def size(self) -> int:
        """Combinations."""
        return len(self.members)

    def rows(self, cache: RowCache) -> Matrix:
        """Each digit's row times its place's power; a wire may occur in several digits of a row."""
        rows = cache.rows(self.digits)
        there = self.members >= 0
        member, place = self.members[there], np.broadcast_to(np.arange(there.shape[1]), there.shape)[there]
        picked = sp.csr_array(rows[member])
        lengths = np.diff(picked.indptr)
        power = self.powers[np.repeat(place, lengths)]
        coefficients = _native.field_mul_small(power, picked.data.astype(np.int64))
        ends = np.cumsum(there.sum(axis=1))
        ptr = np.concatenate([[0], picked.indptr[ends]]).astype(np.int64)
        return ptr, picked.indices.astype(np.uint32), coefficients

    def value(self, frame: WitnessValues) -> FieldArray:
        """The digits' integers, packed, `uint64[n, 4]`."""
        padded = np.append(frame.value(self.digits), 0)
        packed = np.zeros((self.size, 4), dtype=np.uint64)
        for place in range(self.members.shape[1]):
            power = np.ascontiguousarray(np.broadcast_to(self.powers[place], packed.shape))
            column = np.ascontiguousarray(padded[self.members[:, place]])
            packed = _native.field_add(packed, _native.field_mul_small(power, column))
        return packed


class PrivateProductRows(RowGroup):
    """P_(wire) * x_(met) = t: the full-width weight in A, the small input in B."""

    def __init__(
        self,
        layer: str,
        gadget: str,
        weights: ModelWires,
        x: LinearTensor,
        pairs: Callable[[], tuple[Int64Array, Int64Array]],
        products: LimbWires,
    ) -> None:
        super().__init__(layer, gadget, products.size)
        self.weights = weights
        self.x = x
        self.pairs = pairs
        self.products = products

    def matrices(self, cache: RowCache) -> Block:
        """One weight, one input's combination, one product wire in each row."""
        wire, met = self.pairs()
        a = unit_rows(wire_columns(cache, self.weights, wire), cache.layout)
        b = sp.csr_array(cache.rows(self.x)[met])
        return csr_matrix(a), csr_matrix(b), csr_matrix(cache.rows(self.products))

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """The weights, and the inputs they meet, by product."""
        wire, met = self.pairs()
        return (self.weights[wire],), (self.x[met],), (self.products,)

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, Int64Array]:
        """Gathered from the model's wires and the input's integers."""
        del challenge
        wire, met = self.pairs()
        return self.weights.limbs[wire], frame.value(self.x)[met]


class PackedSumRows(RowGroup):
    """(sum_r digit_r 2^(k r)) * 1 = sum of the group's products + its packed bias."""

    def __init__(
        self,
        layer: str,
        gadget: str,
        digits: PackedDigits,
        sums: Sequence[tuple[LimbWires, Int64Array]],
        bias: ModelWires,
        bias_of: Int64Array,
    ) -> None:
        super().__init__(layer, gadget, digits.size)
        self.digits = digits
        self.sums = tuple(sums)
        self.bias = bias
        self.bias_of = bias_of

    def matrices(self, cache: RowCache) -> Block:
        """Full-width coefficients in A alone."""
        one = unit_rows(np.zeros(self.n_rows, dtype=np.int64), cache.layout)
        return self.digits.rows(cache), csr_matrix(one), csr_matrix(self._total(cache))

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """The digits; one; products and biases."""
        one = Constant(np.ones(self.n_rows, dtype=np.int64))
        products = (wires for wires, _ in self.sums)
        return (self.digits.digits,), (one,), (*products, self.bias[self.bias_of])

    def _total(self, cache: RowCache) -> sp.csr_array:
        n = self.n_rows
        columns = [wire_columns(cache, self.bias, self.bias_of)]
        group = [np.arange(n)]
        for wires, counts in self.sums:
            columns.append(wire_columns(cache, wires, np.arange(wires.size)))
            group.append(np.repeat(np.arange(n), counts))
        rows, cols = np.concatenate(group), np.concatenate(columns)
        entries = (np.ones(rows.size, dtype=np.int64), (rows, cols))
        total = sp.csr_array(sp.coo_array(entries, shape=(n, cache.layout.n_wires)))
        total.sort_indices()
        return total

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, Int64Array]:
        """The digits' integers, packed."""
        del challenge
        return self.digits.value(frame), np.ones(self.n_rows, dtype=np.int64)
