"""Powers of the challenge as wires, shared by every argument that combines values at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover import _native
from assay_prover.circuit.field import to_limbs
from assay_prover.circuit.layout import FIELD_ORDER, Region
from assay_prover.circuit.linear import Constant
from assay_prover.circuit.rows import Block, Operands, RowGroup, challenges, csr_matrix, unit_rows

if TYPE_CHECKING:
    from assay_prover.circuit.layout import WireLayout
    from assay_prover.circuit.linear import LinearTensor, RowCache
    from assay_prover.circuit.lookup import DerivedWires
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues
    from assay_prover.reference.tensor import Int64Array


class Powers:
    """c^0 .. c^degree: wire 0, the challenge, and one wire and constraint for each power above.

    The degree grows while the circuit is built; the wires are allocated when it is finished.
    """

    def __init__(self) -> None:
        self.degree = 0
        self.wires: DerivedWires | None = None

    @property
    def used(self) -> bool:
        """Whether anything refers to the challenge's powers."""
        return self.degree > 0

    @property
    def n_wires(self) -> int:
        """Wires that are there for this alone."""
        return max(self.degree - 1, 0)

    def missing(self, degree: int) -> int:
        """Wires that reaching a degree would add."""
        return max(degree - max(self.degree, 1), 0)

    def reach(self, degree: int) -> None:
        """Have at least the powers up to a degree."""
        self.degree = max(self.degree, degree)

    def columns(self, exponents: Int64Array, layout: WireLayout) -> Int64Array:
        """The wires of c^e."""
        low = np.where(exponents == 0, 0, layout.base(Region.CHALLENGE))
        if self.wires is None:
            return low
        return np.where(exponents < 2, low, layout.base(Region.FREE) + self.wires.offset + exponents - 2)

    def operands(self, exponents: Int64Array) -> Operands:
        """The same as tensors, each wire as often as it is used."""
        found: list[LinearTensor] = []
        if (exponents == 0).any():
            found.append(Constant(np.ones(int((exponents == 0).sum()), dtype=np.int64)))
        if (exponents == 1).any():
            found.append(challenges(int((exponents == 1).sum())))
        if self.wires is not None and (exponents > 1).any():
            found.append(self.wires[exponents[exponents > 1] - 2])
        return found

    def derive(self, frame: WitnessValues, challenge: int) -> FieldArray:
        """c^0 .. c^degree, `uint64[degree + 1, 4]`; use `WitnessValues.derived`."""
        del frame
        table = to_limbs([1])
        step = challenge
        while len(table) <= self.degree:
            table = np.concatenate([table, _native.field_scale(step, table)])
            step = step * step % FIELD_ORDER
        return np.ascontiguousarray(table[: self.degree + 1])


class PowerRows(RowGroup):
    """c^j * c = c^(j+1), the full-width power in A; the B side is the challenge alone."""

    def __init__(self, powers: Powers) -> None:
        super().__init__("challenge", "powers", powers.n_wires)
        self.powers = powers

    def matrices(self, cache: RowCache) -> Block:
        """One wire a side."""
        layout = cache.layout
        exponents = np.arange(1, self.n_rows + 1, dtype=np.int64)
        a, b, c = (
            unit_rows(self.powers.columns(e, layout), layout)
            for e in (exponents, np.ones_like(exponents), exponents + 1)
        )
        return csr_matrix(a), csr_matrix(b), csr_matrix(c)

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """A power, the challenge, the next power."""
        exponents = np.arange(1, self.n_rows + 1, dtype=np.int64)
        a, c = self.powers.operands(exponents), self.powers.operands(exponents + 1)
        return a, (challenges(self.n_rows),), c

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, FieldArray]:
        """From the table of powers."""
        if challenge is None:
            raise ValueError("powers need a challenge")
        table = frame.derived(self.powers, challenge)
        challenges = np.ascontiguousarray(np.broadcast_to(table[1], (self.n_rows, 4)))
        return np.ascontiguousarray(table[1:-1]), challenges
