"""Groups of constraints `<A, z> * <B, z> = <C, z>` as gadgets state them, in circuit order.

A group can be expanded into matrix rows (setup) and evaluated from values (proving); the two never meet,
tests compare them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from assay_prover.circuit.field import FieldTensor, Row, to_limbs
from assay_prover.circuit.layout import Region, WireLayout
from assay_prover.circuit.linear import MOST_ENTRIES, Constant, LinearTensor, RowCache, Wires
from assay_prover.circuit.lookup import DerivedWires, LookupTable

if TYPE_CHECKING:
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues
    from assay_prover.reference.tensor import Int64Array

Segment = NDArray[np.int64] | NDArray[np.uint64]
"""Values in row order: small signed integers `int64[n]`, or field elements `uint64[n, 4]`."""

Matrix = tuple[NDArray[np.int64], NDArray[np.uint32], Segment]
"""Rows as `(ptr[rows + 1], col[nnz], coefficient[nnz])`, columns ascending within a row."""

Block = tuple[Matrix, Matrix, Matrix]

Operands = Sequence[LinearTensor | FieldTensor]


class RowGroup(ABC):
    """Consecutive constraints of one kind; `layer` and `gadget` say where their cost belongs."""

    n_rows: int
    layer: str
    gadget: str

    def __init__(self, layer: str, gadget: str, n_rows: int) -> None:
        self.layer = layer
        self.gadget = gadget
        self.n_rows = n_rows

    @abstractmethod
    def matrices(self, cache: RowCache) -> Block:
        """A, B and C over the final wire indices."""

    @abstractmethod
    def operands(self) -> tuple[Operands, Operands, Operands]:
        """The tensors that each side is the sum of, up to signs."""

    def parts(self) -> Iterator[RowGroup]:
        """The same rows as groups that can be expanded in little memory."""
        yield self

    @abstractmethod
    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[Segment, Segment]:
        """`<A, z>` and `<B, z>` of every row."""


def slices(size: int, width: float) -> Iterator[Int64Array]:
    """Indices of consecutive rows of about MOST_ENTRIES non-zeros together."""
    step = max(1, int(MOST_ENTRIES / max(width, 1.0)))
    for start in range(0, size, step):
        yield np.arange(start, min(start + step, size), dtype=np.int64)


def csr_matrix(rows: sp.csr_array) -> Matrix:
    """Rows with int64 coefficients as a block's matrix."""
    return (
        rows.indptr.astype(np.int64),
        rows.indices.astype(np.uint32),
        rows.data.astype(np.int64, copy=False),
    )


def unit_rows(columns: Int64Array, layout: WireLayout) -> sp.csr_array:
    """One wire in each row."""
    n = columns.size
    return sp.csr_array((np.ones(n, dtype=np.int64), columns, np.arange(n + 1)), shape=(n, layout.n_wires))


def _field_matrix(rows: Sequence[Row]) -> Matrix:
    ptr = np.zeros(len(rows) + 1, dtype=np.int64)
    ptr[1:] = np.cumsum([len(row) for row in rows])
    columns: list[int] = []
    coefficients: list[int] = []
    for row in rows:
        for wire in sorted(row):
            columns.append(wire)
            coefficients.append(row[wire])
    return ptr, np.array(columns, dtype=np.uint32), to_limbs(coefficients)


class ProductRows(RowGroup):
    """a_i * b_i = c_i for linear tensors; C absent means zero."""

    def __init__(
        self, layer: str, gadget: str, a: LinearTensor, b: LinearTensor, c: LinearTensor | None
    ) -> None:
        super().__init__(layer, gadget, a.size)
        if b.size != a.size or (c is not None and c.size != a.size):
            raise ValueError(f"{gadget}: the sides of a constraint differ in size")
        self.a = a
        self.b = b
        self.c = c if c is not None else Constant(np.zeros(a.size, dtype=np.int64))

    def matrices(self, cache: RowCache) -> Block:
        """Expand the three tensors."""
        return csr_matrix(cache.rows(self.a)), csr_matrix(cache.rows(self.b)), csr_matrix(cache.rows(self.c))

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """The three tensors."""
        return (self.a,), (self.b,), (self.c,)

    def parts(self) -> Iterator[RowGroup]:
        """Slices, if the rows are many and wide."""
        width = self.a.width + self.b.width + self.c.width
        if width * self.n_rows <= MOST_ENTRIES:
            yield self
            return
        for index in slices(self.n_rows, width):
            yield ProductRows(self.layer, self.gadget, self.a[index], self.b[index], self.c[index])

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[Int64Array, Int64Array]:
        """Integers, known from inference."""
        del challenge
        return frame.value(self.a), frame.value(self.b)


class FieldProductRows(RowGroup):
    """a_i * b_i = c_i with full-width coefficients or values."""

    def __init__(self, layer: str, gadget: str, a: FieldTensor, b: FieldTensor, c: FieldTensor) -> None:
        super().__init__(layer, gadget, a.size)
        if not a.size == b.size == c.size:
            raise ValueError(f"{gadget}: the sides of a constraint differ in size")
        self.a = a
        self.b = b
        self.c = c

    def matrices(self, cache: RowCache) -> Block:
        """Expand the three tensors."""
        return (
            _field_matrix(self.a.rows(cache)),
            _field_matrix(self.b.rows(cache)),
            _field_matrix(self.c.rows(cache)),
        )

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """The three tensors."""
        return (self.a,), (self.b,), (self.c,)

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, FieldArray]:
        """Field elements."""
        del challenge
        return to_limbs(frame.field_value(self.a)), to_limbs(frame.field_value(self.b))


def challenges(n: int) -> LinearTensor:
    """The challenge, n times."""
    return Wires(Region.CHALLENGE, 0, 1, _no_integers)[np.zeros(n, dtype=np.int64)]


def _no_integers(frame: WitnessValues) -> Int64Array:
    del frame
    raise TypeError("the challenge is a field element")


def _ones(n: int) -> Constant:
    return Constant(np.ones(n, dtype=np.int64))


def _challenge_rows(n: int, layout: WireLayout) -> sp.csr_array:
    return unit_rows(np.full(n, layout.base(Region.CHALLENGE)), layout)


class LookupRows(RowGroup):
    """inverse_i * (c - f_i) = 1, the full-width inverse in A, so that B and its G2 points stay small."""

    def __init__(
        self, layer: str, gadget: str, table: LookupTable, values: LinearTensor, inverses: DerivedWires
    ) -> None:
        super().__init__(layer, gadget, values.size)
        self.table = table
        self.values = values
        self.inverses = inverses

    def matrices(self, cache: RowCache) -> Block:
        """A is the inverse, B the challenge minus the looked-up expression, C one."""
        b = _challenge_rows(self.n_rows, cache.layout) - cache.rows(self.values)
        b.sort_indices()
        one = cache.rows(Constant(np.ones(self.n_rows, dtype=np.int64)))
        return csr_matrix(cache.rows(self.inverses)), csr_matrix(sp.csr_array(b)), csr_matrix(one)

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """Inverses; the challenge and what is looked up; one."""
        return (self.inverses,), (challenges(self.n_rows), self.values), (_ones(self.n_rows),)

    def parts(self) -> Iterator[RowGroup]:
        """Slices, if the rows are many and wide."""
        if self.values.width * self.n_rows <= MOST_ENTRIES:
            yield self
            return
        for index in slices(self.n_rows, self.values.width):
            yield LookupRows(
                self.layer, self.gadget, self.table, self.values[index], self.inverses.part(index)
            )

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, FieldArray]:
        """Gathered from the table's own differences and inverses."""
        if challenge is None:
            raise ValueError("lookups need a challenge")
        difference, _ = frame.differences(self.table, challenge)
        index = self.table.index(frame.value(self.values))
        return frame.derived(self.inverses, challenge), difference[index]


class TableRows(RowGroup):
    """u_j * (c - t_j) = m_j for every entry t_j with multiplicity m_j."""

    def __init__(self, table: LookupTable, quotients: DerivedWires, multiplicities: Wires) -> None:
        super().__init__(f"table {table.name}", "logup", table.size)
        self.table = table
        self.quotients = quotients
        self.multiplicities = multiplicities

    def matrices(self, cache: RowCache) -> Block:
        """A is the quotient, B the challenge minus the entry, C the multiplicity."""
        b = sp.csr_array(
            _challenge_rows(self.n_rows, cache.layout) - cache.rows(Constant(self.table.entries))
        )
        b.sort_indices()
        return (
            csr_matrix(cache.rows(self.quotients)),
            csr_matrix(b),
            csr_matrix(cache.rows(self.multiplicities)),
        )

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """Quotients; the challenge and the entries; multiplicities."""
        entries = Constant(self.table.entries)
        return (self.quotients,), (challenges(self.n_rows), entries), (self.multiplicities,)

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, FieldArray]:
        """Multiplicities times the table's inverses."""
        if challenge is None:
            raise ValueError("lookups need a challenge")
        difference, _ = frame.differences(self.table, challenge)
        return frame.derived(self.quotients, challenge), difference


class SumRow(RowGroup):
    """(sum of inverses - sum of quotients) * 1 = 0: the two sides of the LogUp identity."""

    def __init__(self, table: LookupTable, quotients: DerivedWires) -> None:
        super().__init__(f"table {table.name}", "logup", 1)
        self.table = table
        self.quotients = quotients

    def matrices(self, cache: RowCache) -> Block:
        """One row over every lookup of the table."""
        layout = cache.layout

        def columns(wires: Wires) -> NDArray[np.int64]:
            return np.arange(wires.size, dtype=np.int64) + layout.base(wires.region) + wires.offset

        groups = [(inverses, 1) for _, inverses in self.table.lookups] + [(self.quotients, -1)]
        col = np.concatenate([columns(wires) for wires, _ in groups])
        data = np.concatenate([np.full(wires.size, sign, dtype=np.int64) for wires, sign in groups])
        order = np.argsort(col, kind="stable")
        a = (np.array([0, col.size], dtype=np.int64), col[order].astype(np.uint32), data[order])
        one = csr_matrix(cache.rows(Constant(np.ones(1, dtype=np.int64))))
        zero = csr_matrix(cache.rows(Constant(np.zeros(1, dtype=np.int64))))
        return a, one, zero

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """Everything that is summed; one; nothing."""
        return (*(inverses for _, inverses in self.table.lookups), self.quotients), (_ones(1),), ()

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[Int64Array, Int64Array]:
        """Zero for a true witness: every lookup is counted."""
        del frame, challenge
        return np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int64)
