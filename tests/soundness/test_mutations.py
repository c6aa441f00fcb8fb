"""Every place in the compiler that emits a constraint, left out or weakened: some adversary must notice.

A place that none notices is either superfluous or untested, and fails here; so does one that no subject's
circuit reaches. What an adversary does with a mutant is real: a witness that all remaining constraints
accept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from assay_prover.circuit import FIELD_ORDER as R
from assay_prover.circuit.builder import Builder
from assay_prover.circuit.checker import dot
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import LinearTensor
from assay_prover.circuit.lookup import LookupTable
from assay_prover.circuit.plan import Plan, Tile
from assay_prover.gadgets.logup import lookup
from assay_prover.gadgets.range import boolean, range_check
from soundness.exhaustive import Equations, UndeterminedError, solutions
from soundness.harness import Gadget
from soundness.private_layers import hostile, make
from soundness.sites import Site, sites, tracing
from soundness.subjects import BATCHED, Subject, operator, product_gadget, small_subjects
from soundness.underconstrained import System
from unit.prover.operator_cases import CASES

Notice = Callable[[Site | None], bool]
"""Whether an attack succeeds against the compiler without a site."""


# -- range checks, one by one: what they are taken for everywhere else


def _accepted(bits: int, exact: bool, plan: Plan) -> set[int] | None:
    """Every field element that a range check accepts; None if they are too many to list."""

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> None:
        range_check(b, inputs["x"], bits, exact=exact)

    gadget = Gadget(build, {"x": np.array([0])}, plan)
    (wire,) = gadget.indices(gadget.wires["x"])
    gadget.system.given -= {wire}
    try:
        return {solution[wire] for solution in solutions(gadget.system)}
    except UndeterminedError:
        return None


class OneLimb(Plan):
    """Every range check is one limb of a wider table."""

    def tiles(self, bits: int, exact: bool) -> tuple[Tile, ...]:
        del exact
        return (Tile(bits, 5),)


PLANS = [
    Plan((), 0, 0.0),
    Plan((3,), 0, 0.0),
    Plan((4,), 0, 0.0),
    Plan((3, 5), 0, 0.0),
    OneLimb((5,), 0, 0.0),
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{type(plan).__name__} {plan.widths}")
def test_a_range_check_accepts_its_range_and_nothing_else(plan: Plan) -> None:
    for bits in range(6 if isinstance(plan, OneLimb) else 8):
        for exact in (True, False):
            width = sum(tile.width for tile in plan.tiles(bits, exact)) if bits else 0
            assert width == bits if exact else bits <= width < bits + 15
            assert _accepted(bits, exact, plan) == set(range(1 << width)), (bits, exact)


def _range_is_wrong(bits: int, plan: Plan) -> Notice:
    def notice(site: Site | None) -> bool:
        with tracing(drop=site):
            return _accepted(bits, True, plan) != set(range(1 << bits))

    return notice


def _no_bit(site: Site | None) -> bool:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> None:
        boolean(b, inputs["x"])

    with tracing(drop=site):
        gadget = Gadget(build, {"x": np.array([0])}, ())
    (wire,) = gadget.indices(gadget.wires["x"])
    return gadget.system.accepts({wire: 2})


# -- lookups: a value that is no entry


def _solvable(system: System, changes: dict[int, int]) -> bool:
    """Whether some inverses and quotients satisfy everything once the challenge is known, all else given."""
    z = system.z.copy()
    for wire, value in changes.items():
        z[wire] = value
    late = system.layout.base(Region.FREE)
    equations: Equations | None = Equations({})
    for a, b, c in system.rows:
        # what depends on the challenge stands on the A side alone
        factor = dot(b, z)
        row = {0: -dot(c, z) % R}
        for wire, k in a:
            if wire < late:
                row[0] = (row[0] + factor * k * z[wire]) % R
            else:
                row[wire] = factor * k % R
        assert equations is not None
        equations = equations.with_zero(row)
        if equations is None:
            return False
    return True


def _foreign_entry(site: Site | None) -> bool:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> None:
        lookup(b, b.table("range3", lambda: LookupTable.range(3)), inputs["x"])

    with tracing(drop=site):
        gadget = Gadget(build, {"x": np.array([1, 1, 5])}, ())
    wire = gadget.indices(gadget.wires["x"])[0]
    assert _solvable(gadget.system, {})
    return _solvable(gadget.system, {wire: 100})


# -- private weights: a commitment that pushes a result out of its span


def _out_of_span(drop: Site | None, widen: Site | None = None) -> bool:
    """Of a span that takes two range checks, and of one that takes one."""
    op = make("matrix")
    with tracing(drop=drop, widen=widen):
        for lo, hi in (op.span, (-128, 127)):
            answers = [0] * op.maps[0].n_out
            for answers[1] in (lo - 1, hi + 1):
                equations, accepted = hostile(replace(op, span=(lo, hi)), "packed", answers).attempt(answers)
                assert equations
                if accepted:
                    return True
    return False


# -- product checks: a digit that carries into the next


def _carried(drop: Site | None, widen: Site | None = None) -> bool:
    """One element 2^4 too large and the element of the next digit 1 too small: the word is the same."""
    with tracing(drop=drop, widen=widen):
        gadget = product_gadget(2, 2)
    assert gadget.output is not None
    position = next(i for i, wires in enumerate(gadget.builder.committed) if wires is gadget.output)
    for low, high in ((0, 2), (2, 1), (1, 3)):  # digits go down the columns
        claimed = gadget.value.copy()
        claimed[low] += 1 << 4
        claimed[high] -= 1
        if gadget.deceive({position: claimed.tolist()}):
            return True
    return False


def _carried_in_a_batch(drop: Site | None) -> bool:
    """Other elements of a result of a batch, chosen so that no word that they stand in changes."""
    trace, adversary = small_subjects()[BATCHED](drop, None)
    system = adversary.system
    offset, size = next((at, n) for region, at, n, layer in trace.allocated if layer == "y" and n > 1)
    first = system.layout.base(Region.COMMITTED) + offset
    wires = range(first, first + size)
    words = {
        tuple(dict(side).get(wire, 0) % R for wire in wires)
        for index in {index for wire in wires for index in system.rows_of[wire]}
        for side in system.rows[index]
    }
    step = _unseen_by(sorted(words), size)
    return step is not None and system.accepts(
        {wire: system.z[wire] + delta for wire, delta in zip(wires, step, strict=True)}
    )


def _unseen_by(words: Sequence[Sequence[int]], size: int) -> list[int] | None:
    """A vector modulo r, not zero, whose product with each of these is zero; None if there is none."""
    pivots: dict[int, list[int]] = {}
    for word in words:
        row = list(word)
        for place, pivot in pivots.items():
            row = [(v - row[place] * p) % R for v, p in zip(row, pivot, strict=True)]
        lead = next((place for place, value in enumerate(row) if value), None)
        if lead is None:
            continue
        scale = pow(row[lead], -1, R)
        row = [value * scale % R for value in row]
        for place, pivot in pivots.items():
            pivots[place] = [(p - pivot[lead] * v) % R for p, v in zip(pivot, row, strict=True)]
        pivots[lead] = row
    free = next((place for place in range(size) if place not in pivots), None)
    if free is None:
        return None
    return [
        1 if place == free else -pivots[place][free] % R if place in pivots else 0 for place in range(size)
    ]


# -- whole circuits


def _forged(subject: Subject, drop: Site | None, widen: Site | None = None) -> bool:
    """Whether all constraints accept another witness; of a range check, one with another answer."""
    trace, adversary = subject(drop, widen)
    assert adversary.system.first_failure() is None
    site = drop or widen
    seen = site is not None and site.text.startswith("range_check(") and site.function != "_enter"
    forgeries = adversary.attack(trace.mutated if drop else None, most=8)
    return any(forgery.accepted and (forgery.visible or not seen) for forgery in forgeries)


@cache
def _reached(name: str) -> frozenset[Site]:
    """Sites that a subject's circuit passes."""
    return frozenset(_subject(name)(None, None)[0].emitted)


def _subject(name: str) -> Subject:
    small = small_subjects()
    return small[name] if name in small else operator(name, ())


LEAVES = {
    **{
        f"range of {bits} bits, {plan.widths}": _range_is_wrong(bits, plan)
        for bits in (0, 4, 5)
        for plan in PLANS
    },
    "a bit": _no_bit,
    "an entry": _foreign_entry,
    "a span": _out_of_span,
    "a digit": _carried,
    "a digit of a batch": _carried_in_a_batch,
}


def _subjects_of(site: Site) -> Iterator[Subject]:
    for name in (*small_subjects(), *CASES):
        if site in _reached(name):
            yield _subject(name)


@pytest.mark.parametrize("name", LEAVES)
def test_the_compiler_as_it_is_withstands_every_attack(name: str) -> None:
    assert not LEAVES[name](None)


@pytest.mark.parametrize("name", small_subjects())
def test_a_circuit_has_no_other_witness(name: str) -> None:
    forgeries = list(_subject(name)(None, None)[1].attack(most=8))
    assert [forgery for forgery in forgeries if forgery.accepted or name != BATCHED] == []


@pytest.mark.parametrize("site", sites(), ids=str)
def test_a_constraint_that_is_not_emitted_is_noticed(site: Site) -> None:
    noticed = any(notice(site) for notice in LEAVES.values())
    assert noticed or any(_forged(subject, site) for subject in _subjects_of(site)), f"nobody misses {site}"


EXACT = [site for site in sites() if "exact=True" in site.text and "constant=hi" not in site.text]
"""Range checks whose upper end is needed; that of `hi - y` is where y's own check begins."""


@pytest.mark.parametrize("site", EXACT, ids=str)
def test_an_exact_range_check_that_is_one_bit_wider_is_noticed(site: Site) -> None:
    noticed = _out_of_span(None, site) or _carried(None, site)
    assert noticed or any(_forged(subject, None, site) for subject in _subjects_of(site)), (
        f"{site} may be wider"
    )
