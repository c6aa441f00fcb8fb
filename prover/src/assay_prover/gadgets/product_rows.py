"""Rows of the product check: polynomials at powers of the challenge, and products of their values.

The argument is in `assay_prover.gadgets.product_check`. Full-width coefficients and values stand in A as
far as they can; in B are powers of the challenge, and the values of one of the two factors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from assay_prover import _native
from assay_prover.circuit.field import to_limbs
from assay_prover.circuit.linear import Constant
from assay_prover.circuit.rows import Block, Matrix, Operands, RowGroup, csr_matrix, unit_rows
from assay_prover.gadgets.private.freivalds_rows import PowerColumn
from assay_prover.gadgets.private.packed_rows import PackedDigits, wire_columns

if TYPE_CHECKING:
    from assay_prover.circuit.challenge_powers import Powers
    from assay_prover.circuit.linear import RowCache, Wires
    from assay_prover.circuit.lookup import DerivedWires
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues
    from assay_prover.reference.tensor import Int64Array


class Combinations(Protocol):
    """Combinations of wires with full-width coefficients: what a polynomial's coefficients may be."""

    @property
    def size(self) -> int:
        """How many there are."""

    def rows(self, cache: RowCache, index: Int64Array) -> Matrix:
        """The combinations at `index` as rows of a matrix."""

    def operands(self, index: Int64Array) -> Operands:
        """The tensors that the combinations at `index` are made of."""

    def values(self, frame: WitnessValues, challenge: int | None) -> FieldArray:
        """All of them, `uint64[size, 4]`."""


class Packed:
    """Packed digits as combinations; see `PackedDigits`."""

    def __init__(self, digits: PackedDigits) -> None:
        self.digits = digits

    @property
    def size(self) -> int:
        """Packed words."""
        return self.digits.size

    def rows(self, cache: RowCache, index: Int64Array) -> Matrix:
        """Each digit's row times its place's power of two."""
        return PackedDigits(self.digits.digits, self.digits.members[index], self.digits.powers).rows(cache)

    def operands(self, index: Int64Array) -> Operands:
        """The digits at these places."""
        members = self.digits.members[index]
        return (self.digits.digits[members[members >= 0]],)

    def values(self, frame: WitnessValues, challenge: int | None) -> FieldArray:
        """From the digits' integers."""
        del challenge
        return self.digits.value(frame)


class Polynomials:
    """sum_j a[i, j] g^j for `size` polynomials of `terms` coefficients each, g = c^exponent, by Horner's
    rule.

    h[i, j] = a[i, j] + w[i, j + 1] and w[i, j] = g h[i, j]: one wire and one row for every coefficient but
    the lowest. The value h[i, 0] is a combination, which costs nothing. With one coefficient there are
    neither wires nor a challenge.

    Attributes:
        coefficients: a, polynomial after polynomial, the lowest coefficient first.
        terms: coefficients of each polynomial.
        exponent: of the power g.
        wires: w[i, terms-1] .. w[i, 1] of each polynomial, or None if there are none.
    """

    def __init__(self, coefficients: Combinations, terms: int, powers: Powers, exponent: int) -> None:
        self.coefficients = coefficients
        self.terms = terms
        self.powers = powers
        self.exponent = exponent
        self.wires: DerivedWires | None = None

    @property
    def size(self) -> int:
        """Polynomials."""
        return self.coefficients.size // self.terms

    @property
    def products(self) -> int:
        """Wires, and rows."""
        return self.size * (self.terms - 1)

    @property
    def above(self) -> Int64Array:
        """Numbers (i, j) of the coefficients above the lowest, the highest first: the order of the wires."""
        descending = np.arange(self.terms - 1, 0, -1)
        return (np.arange(self.size)[:, None] * self.terms + descending[None]).ravel()

    def _place(self, number: Int64Array) -> tuple[Int64Array, NDArray[np.bool_]]:
        """Which wire w[i, j + 1] is, and whether there is one."""
        polynomial, term = number // self.terms, number % self.terms
        return polynomial * (self.terms - 1) + self.terms - 2 - term, term + 1 < self.terms

    def columns(self, cache: RowCache, number: Int64Array) -> Int64Array:
        """The wire w[i, j + 1] that belongs to h[i, j]; -1 for the highest, which has none."""
        if self.wires is None:
            return np.full(number.size, -1, dtype=np.int64)
        place, there = self._place(number)
        return np.where(there, wire_columns(cache, self.wires, place), -1)

    def partial(self, cache: RowCache, number: Int64Array) -> Matrix:
        """h[i, j] of the numbers (i, j) as rows."""
        return with_wires(self.coefficients.rows(cache, number), self.columns(cache, number))

    def partial_operands(self, number: Int64Array) -> Operands:
        """What those are made of."""
        own = self.coefficients.operands(number)
        place, there = self._place(number)
        return own if self.wires is None or not there.any() else (*own, self.wires[place[there]])

    def rows(self, cache: RowCache, index: Int64Array) -> Matrix:
        """The values h[i, 0]."""
        return self.partial(cache, index * self.terms)

    def operands(self, index: Int64Array) -> Operands:
        """What the values are made of."""
        return self.partial_operands(index * self.terms)

    def values(self, frame: WitnessValues, challenge: int | None) -> FieldArray:
        """h[i, 0]."""
        if self.terms == 1:
            return self.coefficients.values(frame, challenge)
        return np.ascontiguousarray(self.table(frame, challenge)[:, 0])

    def table(self, frame: WitnessValues, challenge: int | None) -> FieldArray:
        """Every h, `uint64[size, terms, 4]`."""
        if challenge is None:
            raise ValueError("a polynomial of several terms needs a challenge")
        return frame.derived(self, challenge).reshape(self.size, self.terms, 4)

    def upper(self, frame: WitnessValues, challenge: int | None) -> FieldArray:
        """h of the coefficients above the lowest, in the order of the wires."""
        return np.ascontiguousarray(self.table(frame, challenge)[:, :0:-1]).reshape(-1, 4)

    def derive(self, frame: WitnessValues, challenge: int) -> FieldArray:
        """Every h, `uint64[size * terms, 4]`; use `WitnessValues.derived`."""
        table = self.coefficients.values(frame, challenge).reshape(self.size, self.terms, 4).copy()
        power = frame.derived(self.powers, challenge)[self.exponent]
        step = np.ascontiguousarray(np.broadcast_to(power, (self.size, 4)))
        for term in range(self.terms - 1, 0, -1):
            carried = _native.field_mul(np.ascontiguousarray(table[:, term]), step)
            table[:, term - 1] = _native.field_add(np.ascontiguousarray(table[:, term - 1]), carried)
        return table.reshape(-1, 4)

    def carried(self, frame: WitnessValues, challenge: int) -> FieldArray:
        """Values of the wires."""
        upper = self.upper(frame, challenge)
        power = frame.derived(self.powers, challenge)[self.exponent]
        return _native.field_mul(upper, np.ascontiguousarray(np.broadcast_to(power, upper.shape)))


def with_wires(matrix: Matrix, columns: Int64Array) -> Matrix:
    """The rows with one more wire in each, coefficient 1; none where the column is -1."""
    ptr, column, coefficient = matrix
    there = columns >= 0
    places = ptr[1:][there]
    ones = np.ascontiguousarray(np.broadcast_to(to_limbs([1])[0], (int(there.sum()), 4)))
    longer = ptr.copy()
    longer[1:] += np.cumsum(there)
    return (
        longer,
        np.insert(column, places, columns[there].astype(np.uint32)),
        np.insert(coefficient, places, ones, axis=0),
    )


class PolynomialRows(RowGroup):
    """h[i, j] * g = w[i, j] for j above 0."""

    def __init__(self, layer: str, gadget: str, polynomials: Polynomials) -> None:
        super().__init__(layer, gadget, polynomials.products)
        self.polynomials = polynomials
        self.power = PowerColumn(
            polynomials.powers, np.full(polynomials.products, polynomials.exponent, dtype=np.int64)
        )

    def matrices(self, cache: RowCache) -> Block:
        """The partial sum, the power, the product."""
        of = self.polynomials
        c = unit_rows(wire_columns(cache, _allocated(of), np.arange(self.n_rows)), cache.layout)
        return of.partial(cache, of.above), self.power.rows(cache), csr_matrix(c)

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """The coefficients and the carried products; the power; the products."""
        of = self.polynomials
        return of.partial_operands(of.above), self.power.operands(), (_allocated(of),)

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, FieldArray]:
        """From the table of partial sums and that of powers."""
        return self.polynomials.upper(frame, challenge), self.power.values(frame, challenge)


def _allocated(polynomials: Polynomials) -> Wires:
    if polynomials.wires is None:
        raise ValueError("polynomials of one coefficient have no rows")
    return polynomials.wires


class FactorRows(RowGroup):
    """x[i] * y[i] = t[i] for the values of two lists of polynomials."""

    def __init__(self, layer: str, gadget: str, x: Combinations, y: Combinations, products: Wires) -> None:
        super().__init__(layer, gadget, x.size)
        self.x = x
        self.y = y
        self.products = products

    @property
    def _every(self) -> Int64Array:
        return np.arange(self.n_rows)

    def matrices(self, cache: RowCache) -> Block:
        """The two values and the product."""
        c = unit_rows(wire_columns(cache, self.products, self._every), cache.layout)
        return self.x.rows(cache, self._every), self.y.rows(cache, self._every), csr_matrix(c)

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """What the values are made of; the products."""
        return self.x.operands(self._every), self.y.operands(self._every), (self.products,)

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, FieldArray]:
        """The polynomials' values."""
        return self.x.values(frame, challenge), self.y.values(frame, challenge)


class SumOfProductsRows(RowGroup):
    """z[i] * 1 = sum_k t[i, k]: the result's value is the sum of the factors' products."""

    def __init__(self, layer: str, gadget: str, z: Combinations, products: Wires) -> None:
        super().__init__(layer, gadget, z.size)
        self.z = z
        self.products = products

    @property
    def _every(self) -> Int64Array:
        return np.arange(self.n_rows)

    def matrices(self, cache: RowCache) -> Block:
        """The result's value, one, the products."""
        each = self.products.size // self.n_rows
        columns = wire_columns(cache, self.products, np.arange(self.products.size))
        c = (
            np.arange(self.n_rows + 1) * each,
            columns.astype(np.uint32),
            np.ones(columns.size, dtype=np.int64),
        )
        one = unit_rows(np.zeros(self.n_rows, dtype=np.int64), cache.layout)
        return self.z.rows(cache, self._every), csr_matrix(one), c

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """What the value is made of; one; the products."""
        one = Constant(np.ones(self.n_rows, dtype=np.int64))
        return self.z.operands(self._every), (one,), (self.products,)

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, Int64Array]:
        """The result's value."""
        return self.z.values(frame, challenge), np.ones(self.n_rows, dtype=np.int64)
