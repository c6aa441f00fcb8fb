"""All solutions of a small constraint system: exhaustive, so that "exactly one" is a proof for that input.

A looked-up combination is a member of its table (the theorem of gadgets/logup.py); everything else is A * B
= C modulo r. The search keeps linear equations between wires and branches where a constraint leaves
finitely many: the entries of a table, the two factors of a product that is zero, the roots of a quadratic
in one wire.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from assay_prover.circuit import FIELD_ORDER as R
from soundness.underconstrained import Row, System

Expression = dict[int, int]
"""Wire to coefficient; wire 0 is the constant."""


class UndeterminedError(Exception):
    """Some wire can take any value."""


@dataclass(frozen=True)
class Member:
    """A combination that is an entry of a table."""

    row: Expression
    entries: Sequence[int]


@dataclass(frozen=True)
class Product:
    """a * b = c."""

    a: Expression
    b: Expression
    c: Expression


Constraint = Member | Product


class Equations:
    """Solved linear equations: eliminated wires in terms of the others."""

    def __init__(self, solved: dict[int, Expression]) -> None:
        self.solved = solved

    def reduce(self, expression: Expression) -> Expression:
        total: Expression = {}
        for wire, coefficient in expression.items():
            for inner, factor in self.solved.get(wire, {wire: 1}).items():
                total[inner] = (total.get(inner, 0) + coefficient * factor) % R
        return {wire: c for wire, c in total.items() if c}

    def with_zero(self, expression: Expression) -> Equations | None:
        """Add `expression = 0`; None if that contradicts the rest."""
        reduced = self.reduce(expression)
        pivot = next((wire for wire in reduced if wire), None)
        if pivot is None:
            return None if reduced else self
        scale = -pow(reduced.pop(pivot), -1, R)
        replacement = {wire: c * scale % R for wire, c in reduced.items()}
        step = Equations({pivot: replacement})
        solved = {wire: step.reduce(e) if pivot in e else e for wire, e in self.solved.items()}
        return Equations({**solved, pivot: replacement})


def is_constant(expression: Expression) -> bool:
    return not any(expression)


def minus(expression: Expression, value: int) -> Expression:
    return {**expression, 0: (expression.get(0, 0) - value) % R}


def add(left: Expression, factor: int, right: Expression) -> Expression:
    total = dict(left)
    for wire, c in right.items():
        total[wire] = (total.get(wire, 0) + factor * c) % R
    return total


def _square_root(n: int) -> int | None:
    """Tonelli-Shanks; r - 1 = 2^28 q."""
    if n == 0:
        return 0
    if pow(n, (R - 1) // 2, R) != 1:
        return None
    q, s = (R - 1) >> 28, 28
    z = next(v for v in range(2, 100) if pow(v, (R - 1) // 2, R) == R - 1)
    m, c, t, root = s, pow(z, q, R), pow(n, q, R), pow(n, (q + 1) // 2, R)
    while t != 1:
        i, power = 0, t
        while power != 1:
            power = power * power % R
            i += 1
        b = pow(c, 1 << (m - i - 1), R)
        m, c = i, b * b % R
        t, root = t * c % R, root * b % R
    return root


def _quadratic(product: Product, wire: int) -> list[Expression] | None:
    """`w - root` for both roots of (a0 + a1 w)(b0 + b1 w) = c0 + c1 w; None if every w is a root."""
    (a0, a1), (b0, b1), (c0, c1) = ((e.get(0, 0), e.get(wire, 0)) for e in (product.a, product.b, product.c))
    second, first, zeroth = a1 * b1 % R, (a0 * b1 + a1 * b0 - c1) % R, (a0 * b0 - c0) % R
    if not second:
        if first:
            return [{wire: 1, 0: zeroth * pow(first, -1, R) % R}]
        return [] if zeroth else None
    root = _square_root((first * first - 4 * second * zeroth) % R)
    if root is None:
        return []
    half = pow(2 * second, -1, R)
    return [{wire: 1, 0: -(-first + sign * root) * half % R} for sign in ({1, -1} if root else {1})]


def options_of(constraint: Constraint) -> list[Expression] | None:
    """Expressions of which at least one is zero; None if the constraint leaves infinitely many for now."""
    if isinstance(constraint, Member):
        if is_constant(constraint.row):
            return [{}] if constraint.row.get(0, 0) in constraint.entries else []
        return [minus(constraint.row, entry) for entry in constraint.entries]
    a, b, c = constraint.a, constraint.b, constraint.c
    if is_constant(a):
        return [add(c, -a.get(0, 0), b)]
    if is_constant(b):
        return [add(c, -b.get(0, 0), a)]
    if not c:
        return [a, b]
    wires = {wire for side in (a, b, c) for wire in side if wire}
    return _quadratic(constraint, wires.pop()) if len(wires) == 1 else None


def reduced_by(constraint: Constraint, equations: Equations) -> Constraint:
    if isinstance(constraint, Member):
        return Member(equations.reduce(constraint.row), constraint.entries)
    return Product(*(equations.reduce(side) for side in (constraint.a, constraint.b, constraint.c)))


@dataclass(frozen=True)
class _Pending:
    """A constraint not yet used, as reduced so far; the wires it was written with; its layer's place."""

    constraint: Constraint
    wires: frozenset[int]
    stage: int


def _search(pending: list[_Pending], equations: Equations, solved_at: dict[int, int]) -> Iterator[Equations]:
    reduced = [
        _Pending(reduced_by(entry.constraint, equations), entry.wires, entry.stage) for entry in pending
    ]
    best: tuple[tuple[bool, int, int, int], int, list[Expression]] | None = None
    for position, entry in enumerate(reduced):
        options = options_of(entry.constraint)
        if options is None:
            continue
        possible = [o for o in options if not (is_constant(o) and o.get(0, 0))]
        if any(is_constant(o) for o in possible):
            possible = [{}]
        # forced ones first, then layer by layer, then what touches the wires decided last, neuron by neuron
        recent = max((solved_at.get(wire, 0) for wire in entry.wires), default=0)
        key = (len(possible) > 1, entry.stage, -recent, len(possible))
        if best is None or key < best[0]:
            best = key, position, possible
        if len(possible) <= 1:
            break
    if best is None:
        if reduced or any(any(e) for e in equations.solved.values()):
            raise UndeterminedError
        yield equations
        return
    _, position, options = best
    rest = reduced[:position] + reduced[position + 1 :]
    for option in options:
        branch = equations.with_zero(option)
        if branch is not None:
            fresh = branch.solved.keys() - equations.solved.keys()
            yield from _search(rest, branch, solved_at | dict.fromkeys(fresh, len(solved_at) + 1))


def wires_of(constraint: Constraint) -> frozenset[int]:
    sides = (
        (constraint.row,) if isinstance(constraint, Member) else (constraint.a, constraint.b, constraint.c)
    )
    return frozenset(wire for side in sides for wire in side if wire)


def solutions(system: System, limit: int | None = None) -> list[dict[int, int]]:
    """Every satisfying assignment of the prover's wires, those of the lookup argument left out; or the first
    `limit` branches' of them.

    Raises:
        UndeterminedError: there are about r of them.
    """
    constant = {wire: {0: system.z[wire]} if system.z[wire] else {} for wire in system.given if wire}
    wires = frozenset(system.tamperable()) - system.lookup_wires
    known = Equations(constant)

    def reduce(row: Row) -> Expression:
        total: Expression = {}
        for wire, coefficient in row:
            total[wire] = (total.get(wire, 0) + coefficient) % R
        return known.reduce(total)

    constraints: list[tuple[Constraint, int]] = []
    for index in system.algebraic:
        a, b, c = (reduce(side) for side in system.rows[index])
        constraints.append((Product(a, b, c), system.stages[index]))
    for table in system.tables.values():
        entries = tuple(entry % R for entry in table.entries)
        for row, inverse in table.lookups:
            constraints.append((Member(reduce(row), entries), system.stages[system.rows_of[inverse][0]]))
    pending = [_Pending(constraint, wires_of(constraint), stage) for constraint, stage in constraints]
    if wires - frozenset[int]().union(*(entry.wires for entry in pending)):
        raise UndeterminedError
    found = set()
    for equations in islice(_search(pending, Equations({}), {}), limit):
        if wires - equations.solved.keys():
            # multiplied by zero wherever they occur
            raise UndeterminedError
        found.add(tuple(sorted((wire, e.get(0, 0)) for wire, e in equations.solved.items())))
    return [dict(solution) for solution in sorted(found)]
