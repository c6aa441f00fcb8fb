"""Find wires that can change unnoticed: a prover that tampers, and the rank of the constraints' Jacobian.

A `System` is a satisfied constraint system. `accepts(changes)` is the adversary at its best: it changes
wires that are fixed before the challenge, draws the challenge honestly afterwards, recomputes every
inverse, quotient and multiplicity of the lookups so that they fit, and asks whether all constraints hold.
`free_directions()` counts wires that the constraints do not determine to first order when each looked-up
value is held to its table.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from assay_prover.circuit import FIELD_ORDER as R
from assay_prover.circuit.builder import Builder
from assay_prover.circuit.checker import Sparse, dot, flatten, sparse_rows
from assay_prover.circuit.circuit import Circuit
from assay_prover.circuit.field import FieldWires
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import RowCache
from assay_prover.circuit.rows import LookupRows, SumRow, TableRows
from assay_prover.circuit.wide_wires import LimbWires
from assay_prover.circuit.witness import Witness
from assay_prover.circuit.witness_values import WitnessValues
from assay_prover.gadgets.private.freivalds_rows import (
    HornerRows,
    WeightedInputRows,
    WeightedResultRows,
    WeightedSumRows,
)
from assay_prover.gadgets.private.packed_rows import PrivateProductRows
from assay_prover.gadgets.product_rows import FactorRows, PolynomialRows

Row = list[tuple[int, int]]

COMPUTED = (
    PrivateProductRows,
    WeightedInputRows,
    WeightedSumRows,
    HornerRows,
    WeightedResultRows,
    PolynomialRows,
    FactorRows,
)
"""Rows whose C side is one wire that nothing needs before the challenge: an adversary computes it."""


@dataclass
class _Table:
    entries: list[int]
    multiplicities: list[int] = field(default_factory=list)
    quotients: list[int] = field(default_factory=list)
    lookups: list[tuple[Row, int]] = field(default_factory=list)
    """(looked-up combination, wire of its inverse)"""


class System:
    """A circuit with a satisfying assignment `z`; `given` wires stand for the outside, not to be tampered."""

    def __init__(
        self,
        builder: Builder,
        frame: WitnessValues,
        *,
        given: Iterable[int] = (),
        seed: int = 1,
        challenge: int | None = None,
    ) -> None:
        layout = builder.layout
        assert layout is not None
        self.layout = layout
        self.random = Random(seed)  # noqa: S311 (reproducible tampering, no secret)
        drawn = self.random.randrange(R) if challenge is None else challenge
        self.challenge = drawn if layout.committed else None
        self.z = self._assign(builder, frame)
        assert len(self.z) == layout.n_wires
        # a verifier knows the statement and, by its commitment, the model
        fixed = 1 + layout.n_public + int(layout.committed) + layout.n_model
        self.given = frozenset(given) | set(range(fixed))
        self.computed: list[tuple[int, int]] = []
        """(row, wire) in an order in which each needs earlier ones only."""
        self.rows: list[tuple[Row, Row, Row]] = []
        self.algebraic: list[int] = []
        self.stages: list[int] = []
        """For each row, the place of its layer in the circuit."""
        self.tables: dict[str, _Table] = {}
        cache = RowCache(layout)
        layers: dict[str, int] = {}
        for group in builder.groups:
            a, b, c = (sparse_rows(side) for side in group.matrices(cache))
            first = len(self.rows)
            stage = layers.setdefault(group.layer, len(layers))
            self.stages.extend([stage] * group.n_rows)
            self.rows.extend(zip(a, b, c, strict=True))
            if isinstance(group, LookupRows):
                expression = _plain(cache, group)
                table = self._table(group.table.name, group.table.entries.tolist())
                table.lookups.extend((row, side[0][0]) for row, side in zip(expression, a, strict=True))
            elif isinstance(group, TableRows):
                table = self._table(group.table.name, group.table.entries.tolist())
                table.quotients = [side[0][0] for side in a]
                table.multiplicities = [side[0][0] for side in c]
            elif not isinstance(group, SumRow):
                self.algebraic.extend(range(first, len(self.rows)))
            if isinstance(group, COMPUTED):
                self.computed.extend((first + i, side[0][0]) for i, side in enumerate(c))
        self.rows_of: dict[int, list[int]] = defaultdict(list)
        for index, sides in enumerate(self.rows):
            for wire in {wire for side in sides for wire, _ in side}:
                self.rows_of[wire].append(index)
        self.lookup_wires = {
            wire
            for table in self.tables.values()
            for wire in [*table.multiplicities, *table.quotients, *(inverse for _, inverse in table.lookups)]
        }

    @classmethod
    def of(cls, circuit: Circuit, witness: Witness, *, given: Iterable[int] = (), seed: int = 1) -> System:
        """The system of a compiled circuit and one of its witnesses."""
        return cls(circuit.builder, witness._frame, given=given, seed=seed)

    def _table(self, name: str, entries: list[int]) -> _Table:
        return self.tables.setdefault(name, _Table(entries))

    def _assign(self, builder: Builder, frame: WitnessValues) -> list[int]:
        z = [1, *(v for wires in builder.public for v in frame.field_value(wires))]
        if self.challenge is not None:
            z.append(self.challenge)
        z += flatten(wires.limbs for wires in builder.model)
        z += flatten(frame.value(wires) for wires in builder.committed)
        for wires in builder.free:
            if isinstance(wires, FieldWires):
                z += frame.field_value(wires)
            elif isinstance(wires, LimbWires):
                z += flatten([frame.limbs(wires)])
            else:
                assert self.challenge is not None
                z += flatten([frame.derived(wires, self.challenge)])
        return z

    def first_failure(self) -> int | None:
        """The first constraint that the untouched assignment does not satisfy."""
        return next((i for i in range(len(self.rows)) if not self._holds(i, self.z)), None)

    def _holds(self, index: int, z: list[int]) -> bool:
        a, b, c = self.rows[index]
        return dot(a, z) * dot(b, z) % R == dot(c, z)

    def tamperable(self) -> list[int]:
        """Every wire that belongs to the prover."""
        return [wire for wire in range(len(self.z)) if wire not in self.given]

    def accepts(self, changes: dict[int, int], *, repair: bool = True) -> bool:
        """Whether all holds after changes (wire to value) and, with `repair`, the lookups' best fit."""
        z = self.z.copy()
        for wire, value in changes.items():
            z[wire] = value % R
        touched = {wire for wire in changes if z[wire] != self.z[wire]}
        if not touched:
            raise ValueError("nothing was changed")
        if repair:
            touched |= self._recompute(z, frozenset(touched))
            if self.challenge is not None:
                touched |= self._repair(z, frozenset(touched))
        affected = {index for wire in touched for index in self.rows_of[wire]}
        return all(self._holds(index, z) for index in affected)

    def _recompute(self, z: list[int], kept: frozenset[int]) -> set[int]:
        """Products that follow from what was changed, in order."""
        moved: set[int] = set()
        for index, wire in self.computed:
            a, b, _ = self.rows[index]
            value = dot(a, z) * dot(b, z) % R
            if wire not in kept and z[wire] != value:
                z[wire] = value
                moved.add(wire)
        return moved

    def _repair(self, z: list[int], kept: frozenset[int]) -> set[int]:
        challenge = self.challenge
        assert challenge is not None
        moved: set[int] = set()

        def put(wire: int, value: int) -> None:
            if wire not in kept and z[wire] != value:
                z[wire] = value
                moved.add(wire)

        for table in self.tables.values():
            values = [dot(row, z) for row, _ in table.lookups]
            for (_, inverse), value, (row, _) in zip(table.lookups, values, table.lookups, strict=True):
                if value != dot(row, self.z) or inverse in kept:
                    put(inverse, pow(challenge - value, -1, R))
            counts = Counter(values)
            for entry, m, u in zip(table.entries, table.multiplicities, table.quotients, strict=True):
                count = counts[entry % R]
                if z[m] != count or m in kept:
                    put(m, count)
                    put(u, z[m] * pow(challenge - entry, -1, R) % R)
        return moved

    def unnoticed(self, wires: Iterable[int] | None = None) -> Iterator[tuple[int, int]]:
        """(wire, new value) of every single-wire change by +1, -1 or a random amount that is accepted."""
        for wire in self.tamperable() if wires is None else wires:
            for delta in (1, -1, self.random.randrange(2, R - 1)):
                value = (self.z[wire] + delta) % R
                if self.accepts({wire: value}, repair=False) or self.accepts({wire: value}):
                    yield wire, value

    def balanced_pairs(self, limit: int) -> Iterator[dict[int, int]]:
        """Random changes of two wires that leave some combination as it was; at most `limit`."""
        sides = [side for sides in self.rows for side in sides if len(side) > 1]
        for _ in range(limit if sides else 0):
            side = self.random.choice(sides)
            (i, p), (j, q) = self.random.sample(side, 2)
            if i in self.given or j in self.given or i == j:
                continue
            step = self.random.choice([1, -1, 2, -2])
            if self.random.random() < 0.5:
                # whole multiples where the coefficients allow
                changes = {i: self.z[i] + step * q, j: self.z[j] - step * p}
            else:
                changes = {i: self.z[i] + step, j: self.z[j] - step * p * pow(q, -1, R)}
            yield {wire: value % R for wire, value in changes.items()}

    def free_directions(self) -> int:
        """Tamperable wires minus the rank of the linearised constraints.

        Wires of the lookup argument itself are left out: by its theorem (gadgets/logup.py) a looked-up
        value is one of finitely many, so its differential is zero.
        """
        unknown = [w for w in self.tamperable() if w not in self.lookup_wires]
        wanted = set(unknown)
        rows: list[dict[int, int]] = []
        for index in self.algebraic:
            a, b, c = self.rows[index]
            at_a, at_b = dot(a, self.z), dot(b, self.z)
            gradient: dict[int, int] = defaultdict(int)
            for side, factor in ((a, at_b), (b, at_a), (c, -1)):
                for wire, coefficient in side:
                    gradient[wire] += coefficient * factor
            rows.append({w: v % R for w, v in gradient.items() if w in wanted and v % R})
        for table in self.tables.values():
            rows.extend({w: v % R for w, v in row if w in wanted and v % R} for row, _ in table.lookups)
        return len(unknown) - rank(rows)


def _plain(cache: RowCache, group: LookupRows) -> Sparse:
    matrix = cache.rows(group.values)
    return sparse_rows((matrix.indptr, matrix.indices, matrix.data))


def rank(rows: list[dict[int, int]]) -> int:
    """Rank modulo r of sparse rows; eliminates short rows first."""
    pivots: dict[int, dict[int, int]] = {}
    for row in sorted(rows, key=len):
        current = dict(row)
        while current:
            hit = next((wire for wire in current if wire in pivots), None)
            if hit is None:
                wire = max(current)
                inverse = pow(current[wire], -1, R)
                pivots[wire] = {w: v * inverse % R for w, v in current.items()}
                break
            factor = current[hit]
            for wire, value in pivots[hit].items():
                reduced = (current.get(wire, 0) - factor * value) % R
                if reduced:
                    current[wire] = reduced
                else:
                    current.pop(wire, None)
    return len(pivots)


def committed_wires(system: System) -> range:
    """Indices of the wires that integers live in."""
    base = system.layout.base(Region.COMMITTED)
    return range(base, base + system.layout.n_small)
