"""Lookup tables: fixed sets of small integers that looked-up expressions must belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from assay_prover import _native
from assay_prover.circuit.layout import BEFORE_CHALLENGE, FIELD_ORDER, Region
from assay_prover.circuit.linear import LinearTensor, Wires
from assay_prover.reference.tensor import Int64Array

if TYPE_CHECKING:
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues


class UncommittedLookupError(ValueError):
    """A looked-up expression refers to wires that the challenge's hash does not cover."""


class MissingEntryError(ValueError):
    """A looked-up value is not in its table: the witness is wrong."""


class LookupTable:
    """Distinct integers `entries[j]`; entry `j` is the one whose low `key_bits` bits are j.

    `entries[j] = j + (payload[j] << key_bits)`: a range table has payload 0, a function table carries its
    value, so that a value's index is its low bits and membership is one comparison.
    """

    def __init__(self, name: str, key_bits: int, payload: Int64Array) -> None:
        n = int(payload.size)
        if not 1 <= n <= 1 << key_bits:
            raise ValueError(f"table {name!r}: {n} entries do not fit {key_bits} key bits")
        if int(np.abs(payload).max()) >= 1 << (60 - key_bits):
            raise ValueError(f"table {name!r}: values too wide to pack beside a key of {key_bits} bits")
        self.name = name
        self.key_bits = key_bits
        self.entries = np.arange(n, dtype=np.int64) + (payload << key_bits)
        self.lookups: list[tuple[LinearTensor, Wires]] = []

    @classmethod
    def range(cls, bits: int) -> LookupTable:
        """The integers [0, 2^bits)."""
        return cls(f"range{bits}", bits, np.zeros(1 << bits, dtype=np.int64))

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(self.entries.size)

    @property
    def n_lookups(self) -> int:
        """Number of looked-up expressions."""
        return sum(expression.size for expression, _ in self.lookups)

    def register(self, expression: LinearTensor, inverses: Wires) -> None:
        """Add looked-up expressions.

        Raises:
            UncommittedLookupError: the expression refers to the challenge or to w2, so a prover could
                choose it after seeing the challenge and cancel a pole.
        """
        outside = expression.regions & ~BEFORE_CHALLENGE
        if outside:
            raise UncommittedLookupError(
                f"lookup into {self.name!r} refers to {outside!r}, which is fixed after the challenge"
            )
        self.lookups.append((expression, inverses))

    def index(self, values: Int64Array) -> Int64Array:
        """Positions of values in the table.

        Raises:
            MissingEntryError: a value is not there.
        """
        position = values & ((1 << self.key_bits) - 1)
        inside = position < self.size
        if not inside.all() or not np.array_equal(self.entries[position], values):
            raise MissingEntryError(f"a value is not in table {self.name!r}")
        return position

    def count(self, frame: WitnessValues) -> Int64Array:
        """Multiplicities over all lookups."""
        total = np.zeros(self.size, dtype=np.int64)
        for expression, _ in self.lookups:
            total += np.bincount(self.index(frame.value(expression)), minlength=self.size)
        return total

    def inverses(self, frame: WitnessValues, challenge: int, values: LinearTensor) -> FieldArray:
        """1 / (c - f) for looked-up values, gathered from the entries' inverses."""
        return frame.differences(self, challenge)[1][self.index(frame.value(values))]

    def quotients(self, frame: WitnessValues, challenge: int) -> FieldArray:
        """m_j / (c - t_j) for every entry."""
        return _native.field_mul_small(frame.differences(self, challenge)[1], frame.multiplicities(self))

    def differences(self, challenge: int) -> tuple[FieldArray, FieldArray]:
        """`(c - t_j, 1 / (c - t_j))`, `uint64[entries, 4]` each."""
        if not 0 <= challenge < FIELD_ORDER:
            raise ValueError("challenge is not a canonical field element")
        return (
            _native.field_sub_from(challenge, self.entries),
            _native.field_inverse_differences(challenge, self.entries),
        )


class DerivedWires(Wires):
    """Wires of w2 that hold field elements which are known once the challenge is."""

    def __init__(self, offset: int, size: int, values: Callable[[WitnessValues, int], FieldArray]) -> None:
        super().__init__(Region.FREE, offset, size, _unknown)
        self._derived = values

    def part(self, index: Int64Array) -> DerivedWires:
        """Consecutive wires of these, for their rows alone."""
        start = int(index[0])

        def values(frame: WitnessValues, challenge: int) -> FieldArray:
            return frame.derived(self, challenge)[index]

        return DerivedWires(self.offset + start, int(index.size), values)

    def derive(self, frame: WitnessValues, challenge: int) -> FieldArray:
        """Values `uint64[size, 4]`."""
        return self._derived(frame, challenge)


def _unknown(frame: WitnessValues) -> Int64Array:
    del frame
    raise TypeError("this wire holds a field element that depends on the challenge")
