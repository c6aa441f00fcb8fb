"""Exhaustive: for each input the constraints have exactly one solution, and each constraint is needed.

The second half keeps the first honest: drop any one group of constraints and some input must get another
solution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from assay_prover.circuit.builder import Builder
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import LinearTensor
from assay_prover.gadgets.argmax import argmax
from assay_prover.gadgets.maximum import maximum
from assay_prover.gadgets.product import matmul, multiply
from assay_prover.gadgets.range import range_check
from assay_prover.gadgets.reduce_max import reduce_max
from assay_prover.gadgets.requantise import requantise
from assay_prover.gadgets.table import function_table
from soundness.exhaustive import UndeterminedError, solutions
from soundness.harness import Gadget, Values
from soundness.underconstrained import System

WIDTHS: list[tuple[int, ...]] = [(), (3,), (4,)]
Build = Callable[[Builder, dict[str, LinearTensor]], LinearTensor | None]


@dataclass(frozen=True)
class Case:
    build: Build
    samples: tuple[Values, ...]


def _values(samples: Sequence[Sequence[int]]) -> tuple[Values, ...]:
    return tuple({"x": np.array(sample, dtype=np.int64)} for sample in samples)


def _requantise(shift: int, lo: int | None, hi: int | None, *samples: int) -> Case:
    bound = np.array([60], dtype=np.int64)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return requantise(b, inputs["x"], -bound, bound, shift, lo, hi)

    return Case(build, _values([[x] for x in samples]))


def _reduce_max(*samples: Sequence[int]) -> Case:
    size = len(samples[0])
    bound = np.full(size, 6, dtype=np.int64)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return reduce_max(b, inputs["x"], -bound, bound, np.arange(size, dtype=np.int64)[None])

    return Case(build, _values(samples))


def _argmax(*samples: Sequence[int]) -> Case:
    size = len(samples[0])
    bound = np.full(size, 6, dtype=np.int64)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return argmax(b, inputs["x"], -bound, bound, np.arange(size, dtype=np.int64)[None])

    return Case(build, _values(samples))


def _range(bits: int, exact: bool) -> Case:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> None:
        range_check(b, inputs["x"], bits, exact=exact)

    return Case(build, _values([[0], [1], [(1 << bits) - 1], [(1 << bits) // 3]]))


def _table() -> Case:
    values = np.arange(-5, 6, dtype=np.int64) ** 2

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return function_table(b, inputs["x"], -5, 5, values)

    return Case(build, _values([[-5], [-1], [0], [2], [5]]))


def _multiply() -> Case:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return multiply(b, inputs["x"], inputs["x"])

    return Case(build, _values([[0, 3], [-4, 1]]))


def _matmul() -> Case:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return matmul(b, inputs["x"], (2, 2), inputs["x"], (2, 2))

    return Case(build, _values([[1, -2, 3, 0]]))


def _maximum() -> Case:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        pair = inputs["x"]
        return maximum(b, pair[np.array([0])], pair[np.array([1])], 4)

    return Case(build, _values([[0, 0], [3, -5], [-5, 3], [7, 6]]))


CASES = {
    "range 4 exact": _range(4, exact=True),
    "range 5 loose": _range(5, exact=False),
    "requantise": _requantise(3, None, None, -60, -5, -4, 0, 3, 4, 60),
    "relu": _requantise(3, 0, None, -60, -5, -4, 0, 3, 4, 60),
    "relu, no shift": _requantise(0, 0, None, -60, -1, 0, 1, 60),
    "lower clamp": _requantise(4, -2, None, -60, -41, -40, -24, 8, 60),
    "upper clamp": _requantise(3, None, 3, -60, 27, 28, 35, 36, 60),
    "both clamps": _requantise(3, -4, 3, -60, -37, -36, -28, 0, 27, 28, 36, 60),
    "both clamps, odd width": _requantise(3, -3, 2, -60, -29, -28, -20, 0, 12, 20, 60),
    "both clamps, no shift": _requantise(0, 0, 7, -60, -1, 0, 4, 7, 8, 60),
    "maximum": _maximum(),
    "max of 3": _reduce_max([0, 0, 0], [6, -6, 1], [1, 2, 3], [3, 3, 1]),
    "argmax of 2": _argmax([0, 0], [1, 2], [2, 1], [-6, 6]),
    "argmax of 3": _argmax([0, 0, 0], [6, -6, 1], [1, 2, 3], [1, 3, 3], [2, 1, 2]),
    "table": _table(),
    "multiply": _multiply(),
    "matmul": _matmul(),
}


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_constraints_have_exactly_one_solution(name: str, widths: tuple[int, ...]) -> None:
    case = CASES[name]
    for sample in case.samples:
        system = Gadget(case.build, sample, widths).system
        (only,) = solutions(system)
        assert only == {w: system.z[w] for w in only}
        assert only.keys() == set(system.tamperable()) - system.lookup_wires


def _without(gadget: Gadget, dropped: int) -> System:
    group = gadget.builder.groups.pop(dropped)
    for table in gadget.builder.tables.values():
        table.lookups = [kept for kept in table.lookups if kept[1] is not getattr(group, "inverses", None)]
    gadget.frame._counts.clear()
    given = [i for wires in gadget.wires.values() for i in gadget.indices(wires)]
    return System(gadget.builder, gadget.frame, given=given)


def _unique(system: System) -> bool:
    # the inverse of a lookup that was dropped is nobody's concern
    free = system.layout.base(Region.FREE)
    system.given |= {wire for wire in system.tamperable() if wire >= free and not system.rows_of[wire]}
    try:
        return len(solutions(system)) == 1
    except UndeterminedError:
        return False


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("range")])
def test_no_constraint_is_superfluous(name: str, widths: tuple[int, ...]) -> None:
    case = CASES[name]
    groups = Gadget(case.build, case.samples[0], widths).builder.groups
    for dropped, group in enumerate(groups):
        if group.layer.startswith("table "):
            continue
        remaining = [_without(Gadget(case.build, sample, widths), dropped) for sample in case.samples]
        assert not all(map(_unique, remaining)), f"{type(group).__name__} {dropped} could be left out"
