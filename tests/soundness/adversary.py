"""An adversary for whole circuits: it departs from the honest witness at one place, solves for what depends
on it, and goes on honestly.

Range checks are taken as what they state, so that limbs are no obstacle: in the end they are decomposed
anew. Layer by layer the wires are solved for, given those before; what is not forced falls into small
independent groups. In each the adversary tries other values of every wire (a quotient one off, the other
sign, another bit) and of every range-checked or looked-up combination (neighbours, ends, what Euclidean
division would leave), with exact elimination, factors of zero and roots of quadratics in between, all modulo
r. A solution other than the honest one is continued to the output and held against every constraint of the
circuit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from assay_prover.circuit import FIELD_ORDER as R
from assay_prover.circuit.builder import Builder
from assay_prover.circuit.challenge_powers import PowerRows
from assay_prover.circuit.checker import Sparse, dot, sparse_rows
from assay_prover.circuit.linear import LinearTensor, RowCache, Wires
from assay_prover.circuit.rows import LookupRows, SumRow, TableRows
from soundness.exhaustive import (
    Constraint,
    Equations,
    Expression,
    Member,
    Product,
    is_constant,
    minus,
    options_of,
    reduced_by,
    wires_of,
)
from soundness.sites import RangeCheck, Trace
from soundness.underconstrained import Row, System

WHOLE = 64
"""Ranges and tables up to this size are tried in full."""

NODES = 300
"""Steps of one search."""


@dataclass(frozen=True)
class Forgery:
    """Other values of some wires. `accepted`: every constraint holds after the rest was made to fit;
    `visible`: the statement's output is another."""

    changes: dict[int, int]
    accepted: bool
    visible: bool


@dataclass(frozen=True)
class _Clause:
    constraint: Constraint
    wires: frozenset[int]
    honest: int
    """Value of a member's combination in the honest witness."""


class Adversary:
    """The constraints of one circuit as the adversary reads them.

    given: wires that are known beside the constant: the input, and what nobody can choose.
    """

    def __init__(self, builder: Builder, system: System, trace: Trace, given: Iterable[int]) -> None:
        self.system = system
        self.z = system.z
        self.given = {0, *given}
        if system.challenge is not None:
            self.given.add(1 + system.layout.n_public)
        self.stages: list[tuple[str, list[_Clause]]] = []
        """Constraints of one gadget of one layer, in the circuit's order, and the layer's name."""
        self._limbs = [w for wires in trace.limbs for w in self.indices(wires)]
        self._checks: list[tuple[RangeCheck, list[Row]]] = []
        self._read(builder, trace)
        first: dict[int, str] = {}
        for layer, clauses in self.stages:
            for wire in {wire for clause in clauses for wire in clause.wires}:
                first.setdefault(wire, layer)
        own = set(range(len(self.z))) - self.given - system.lookup_wires - set(self._limbs)
        owner = {
            wire: layer
            for region, offset, size, layer in trace.allocated
            for wire in range(system.layout.base(region) + offset, system.layout.base(region) + offset + size)
        }
        powers = set() if builder.powers.wires is None else set(self.indices(builder.powers.wires))
        self.unread = {w for w in own if w not in first or (first[w] != owner[w] and w not in powers)}
        """Wires that no constraint of their own layer mentions; the challenge's powers have none."""

    def indices(self, wires: Wires) -> range:
        """Positions of allocated wires in z."""
        first = self.system.layout.base(wires.region) + wires.offset
        return range(first, first + wires.size)

    def _read(self, builder: Builder, trace: Trace) -> None:
        cache = RowCache(self.system.layout)

        def plain(tensor: LinearTensor) -> Sparse:
            matrix = cache.rows(tensor)
            return sparse_rows((matrix.indptr, matrix.indices, matrix.data))

        known: set[RangeCheck] = set()
        part = ("", "")
        # the challenge's powers come last in a circuit, and are read in all of it
        for group in sorted(builder.groups, key=lambda g: not isinstance(g, PowerRows)):
            if isinstance(group, TableRows | SumRow):
                continue
            if part != (group.layer, group.gadget):
                part = (group.layer, group.gadget)
                self.stages.append((group.layer, []))
            clauses = self.stages[-1][1]
            check = trace.checks.get(group)
            if check is not None:
                if check not in known:
                    known.add(check)
                    rows = plain(check.x)
                    self._checks.append((check, rows))
                    clauses.extend(self._member(row, range(1 << check.width)) for row in rows)
            elif isinstance(group, LookupRows):
                entries = [entry % R for entry in group.table.entries.tolist()]
                clauses.extend(self._member(row, entries) for row in plain(group.values))
            else:
                sides = (sparse_rows(side) for side in group.matrices(cache))
                for a, b, c in zip(*sides, strict=True):
                    product = Product(_expression(a), _expression(b), _expression(c))
                    clauses.append(_Clause(product, wires_of(product), 0))

    def _member(self, row: Row, entries: Sequence[int]) -> _Clause:
        member = Member(_expression(row), entries)
        return _Clause(member, wires_of(member), dot(row, self.z))

    # -- attacks

    def attack(self, layers: Collection[str] | None = None, most: int = 3) -> Iterator[Forgery]:
        """Forgeries that begin in these layers (default all), in at most `most` groups of wires of each."""
        for wire in sorted(self.unread):
            for value in self._others(wire):
                yield self._finished({wire: value})
        known = {wire: self.z[wire] for wire in self.given}
        for layer, clauses in self.stages:
            wires = {wire for clause in clauses for wire in clause.wires}
            if layers is None or layer in layers:
                pending, _ = _propagate([_reduce(clause, known) for clause in clauses])
                groups = _components(pending)
                for group in self.system.random.sample(groups, min(most, len(groups))):
                    for found in self._alternatives(group):
                        yield self._finished(found)
            known |= {wire: self.z[wire] for wire in wires}

    def _alternatives(self, group: list[_Clause]) -> Iterator[dict[int, int]]:
        """Solutions of a group of constraints other than the honest one."""
        wires = sorted({wire for clause in group for wire in clause.wires})
        starts = [Equations({})]
        for wire in wires:
            for value in self._others(wire):
                start = Equations({}).with_zero(minus({wire: 1}, value))
                assert start is not None
                starts.append(start)
        for start in starts:
            for solution in islice(self._search(group, start, wires, [NODES]), 2):
                if any(solution[wire] != self.z[wire] for wire in wires):
                    yield solution
                    break

    def _others(self, wire: int) -> list[int]:
        honest = self.z[wire]
        near = (honest + 1, honest - 1, 1 - honest, -honest, 0, honest + 2, honest - 2)
        return sorted({value % R for value in near} - {honest})

    def _search(
        self, group: list[_Clause], equations: Equations, wires: list[int], budget: list[int]
    ) -> Iterator[dict[int, int]]:
        budget[0] -= 1
        if budget[0] < 0:
            return
        pending: list[_Clause] = []
        best: tuple[tuple[int, int], int, list[Expression]] | None = None
        for clause in group:
            constraint = reduced_by(clause.constraint, equations)
            doubt, options = self._tries(constraint, clause.honest)
            if options is not None:
                options = [o for o in options if not is_constant(o) or not o.get(0, 0)]
                if not options:
                    return
                if any(is_constant(o) for o in options):
                    continue
                if best is None or (doubt, len(options)) < best[0]:
                    best = (doubt, len(options)), len(pending), options
            pending.append(_Clause(constraint, wires_of(constraint), clause.honest))
        if best is not None:
            _, position, options = best
            # what the honest witness has comes first: the rest stays near it
            options.sort(key=lambda option: _value(option, self.z) != 0)
            rest = pending[:position] + pending[position + 1 :]
        elif pending:
            wire = min(pending[0].wires)
            options = [minus({wire: 1}, value) for value in (self.z[wire], *self._others(wire))]
            rest = pending
        else:
            yield self._leaf(equations, wires)
            return
        for option in options:
            branch = equations.with_zero(option)
            if branch is not None:
                yield from self._search(rest, branch, wires, budget)

    def _leaf(self, equations: Equations, wires: list[int]) -> dict[int, int]:
        """Wires that are still free take the value above the honest one."""
        free = {wire: (self.z[wire] + 1) % R for wire in wires if wire not in equations.solved}
        return {wire: free[wire] if wire in free else _value(equations.solved[wire], free) for wire in wires}

    def _tries(self, constraint: Constraint, honest: int) -> tuple[int, list[Expression] | None]:
        """As `options_of`, with a few of the entries where they are many; and how much that may leave out:
        0 nothing, 1 little, because the combination is divided by something, 2 much."""
        if not isinstance(constraint, Member) or is_constant(constraint.row):
            return 0, options_of(constraint)
        entries, size = constraint.entries, len(constraint.entries)
        if size <= WHOLE:
            return 0, options_of(constraint)
        if not isinstance(entries, range):
            place = entries.index(honest)
            picked = {0, 1, size - 1, *range(max(place - 2, 0), min(place + 3, size))}
            picked |= set(self.system.random.sample(range(size), 8))
            return 2, [minus(constraint.row, entries[i]) for i in picked]
        doubt = 2
        values = {0, 1, size - 1, *range(honest - 2, honest + 3)}
        wires = [wire for wire in constraint.row if wire]
        if len(wires) == 1:
            # what Euclidean division leaves
            coefficient = _centred(constraint.row[wires[0]])
            rest = _centred(constraint.row.get(0, 0)) % abs(coefficient)
            values |= {rest, rest + abs(coefficient)}
            doubt = 1 if abs(coefficient) > 1 else 2
        return doubt, [minus(constraint.row, value) for value in sorted(values) if value in entries]

    # -- the rest of the witness

    def _finished(self, found: dict[int, int]) -> Forgery:
        forged = self._continue(found)
        if forged is None:
            return Forgery(found, accepted=False, visible=False)
        z = self.z.copy()
        for wire, value in forged.items():
            z[wire] = value
        for check, rows in self._checks:
            values = [dot(row, z) for row in rows]
            for wires, offset, width in check.limbs:
                for wire, value in zip(self.indices(wires), values, strict=True):
                    z[wire] = (value >> offset) & ((1 << width) - 1)
        changes = {
            wire: value for wire, (value, old) in enumerate(zip(z, self.z, strict=True)) if value != old
        }
        words = range(2, 1 + self.system.layout.n_public)
        return Forgery(changes, self.system.accepts(changes), any(wire in changes for wire in words))

    def _continue(self, found: dict[int, int]) -> dict[int, int] | None:
        """All wires but the limbs, where `found` is kept and the honest solution preferred."""
        known = {wire: self.z[wire] for wire in self.given} | found
        for _, clauses in self.stages:
            reduced = [_reduce(clause, known) for clause in clauses]
            pending, forced = _propagate(reduced)
            known |= forced
            for group in _components(pending):
                wires = sorted({wire for clause in group for wire in clause.wires})
                honest = {wire: self.z[wire] for wire in wires}
                if not all(_holds(_reduce(clause, honest)) for clause in group):
                    solution = next(self._search(group, Equations({}), wires, [10 * NODES]), None)
                    if solution is None:
                        return None
                    honest = solution
                known |= honest
            if not all(_holds(_reduce(clause, known)) for clause in clauses):
                return None
        return known


def _expression(row: Row) -> Expression:
    total: Expression = {}
    for wire, coefficient in row:
        total[wire] = (total.get(wire, 0) + coefficient) % R
    return {wire: c for wire, c in total.items() if c}


def _centred(value: int) -> int:
    return value - R if value > R // 2 else value


def _value(expression: Expression, known: dict[int, int] | list[int]) -> int:
    return sum(c * known[wire] if wire else c for wire, c in expression.items()) % R


def _substitute(expression: Expression, known: dict[int, int]) -> Expression:
    total: Expression = {}
    constant = 0
    for wire, coefficient in expression.items():
        if wire in known:
            constant += coefficient * known[wire]
        elif wire:
            total[wire] = coefficient
        else:
            constant += coefficient
    if constant % R:
        total[0] = constant % R
    return total


def _reduce(clause: _Clause, known: dict[int, int]) -> _Clause:
    constraint = clause.constraint
    reduced: Constraint
    if isinstance(constraint, Member):
        reduced = Member(_substitute(constraint.row, known), constraint.entries)
    else:
        reduced = Product(*(_substitute(side, known) for side in (constraint.a, constraint.b, constraint.c)))
    return _Clause(reduced, wires_of(reduced), clause.honest)


def _holds(clause: _Clause) -> bool:
    """Whether a constraint without unknown wires holds; one with unknowns does not."""
    if clause.wires:
        return False
    constraint = clause.constraint
    if isinstance(constraint, Member):
        return constraint.row.get(0, 0) in constraint.entries
    a, b, c = (side.get(0, 0) for side in (constraint.a, constraint.b, constraint.c))
    return a * b % R == c


def _propagate(clauses: list[_Clause]) -> tuple[list[_Clause], dict[int, int]]:
    """What is left when every wire that a linear constraint determines is; constraints that fail stay."""
    known: dict[int, int] = {}
    readers: dict[int, list[int]] = {}
    for index, clause in enumerate(clauses):
        for wire in clause.wires:
            readers.setdefault(wire, []).append(index)
    missing = [len(clause.wires) for clause in clauses]
    queue = [index for index, count in enumerate(missing) if count < 2]
    done: set[int] = set()
    while queue:
        index = queue.pop()
        if index in done:
            continue
        reduced = _reduce(clauses[index], known)
        solved = _solved(reduced)
        if solved is not None:
            wire, value = solved
            known[wire] = value
            for reader in readers[wire]:
                missing[reader] -= 1
                if missing[reader] < 2:
                    queue.append(reader)
        if solved is not None or _holds(reduced):
            done.add(index)
    return [_reduce(clause, known) for index, clause in enumerate(clauses) if index not in done], known


def _solved(clause: _Clause) -> tuple[int, int] | None:
    """The one unknown wire of a linear constraint, and its value."""
    if isinstance(clause.constraint, Member) or len(clause.wires) != 1:
        return None
    (wire,) = clause.wires
    options = options_of(clause.constraint)
    if options is None or len(options) != 1 or not options[0].get(wire, 0):
        return None
    return wire, -options[0].get(0, 0) * pow(options[0][wire], -1, R) % R


def _components(clauses: list[_Clause]) -> list[list[_Clause]]:
    """Groups of constraints that share no unknown wire."""
    parent: dict[int, int] = {}

    def find(wire: int) -> int:
        while parent.setdefault(wire, wire) != wire:
            parent[wire] = parent[parent[wire]]
            wire = parent[wire]
        return wire

    for clause in clauses:
        first, *others = clause.wires or (0,)
        for other in others:
            parent[find(other)] = find(first)
    groups: dict[int, list[_Clause]] = {}
    for clause in clauses:
        if clause.wires:
            groups.setdefault(find(min(clause.wires)), []).append(clause)
    return list(groups.values())
