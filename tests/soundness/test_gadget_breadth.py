"""Comparison, division, norms and trees: the reference's answers, one solution, no idle constraint."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from assay_prover.circuit.builder import Builder
from assay_prover.circuit.linear import LinearTensor
from assay_prover.gadgets.divide import divide
from assay_prover.gadgets.normalise import normalise
from assay_prover.gadgets.one_hot import one_hot
from assay_prover.gadgets.round_even import round_even
from assay_prover.gadgets.square_root import root
from assay_prover.gadgets.step import step
from assay_prover.gadgets.trees import trees
from assay_prover.reference import Divide, Normalise, OneHot, RoundEven, Step, Tensor, Trees
from assay_prover.reference.division import divide_rounded, square_root
from assay_prover.reference.tensor import Int64Array
from soundness.exhaustive import solutions
from soundness.harness import Gadget, Values
from soundness.test_gadget_uniqueness import Case, _unique, _values, _without

WIDTHS: list[tuple[int, ...]] = [(), (3,), (4,)]


def _step(*samples: int) -> Case:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        bound = np.array([20], dtype=np.int64)
        return step(b, inputs["x"], -bound, bound)

    return Case(build, _values([[x] for x in samples]))


def _round_even(shift: int, *samples: int) -> Case:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        bound = np.array([60], dtype=np.int64)
        return round_even(b, inputs["x"], -bound, bound, shift)

    return Case(build, _values([[x] for x in samples]))


def _one_hot(*samples: int) -> Case:
    """x in [-2, 3] of places -3 to 4."""

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return one_hot(b, inputs["x"], -2, 3, -3, 8)

    return Case(build, _values([[x] for x in samples]))


def _divide(*samples: tuple[int, int]) -> Case:
    """Dividends in [-20, 20], divisors in [1, 6]."""

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return divide(b, inputs["x"], inputs["d"], 6, -20, 20)

    return Case(build, tuple({"x": np.array([a]), "d": np.array([d])} for a, d in samples))


def _root(*samples: int) -> Case:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return root(b, inputs["x"], 60)

    return Case(build, _values([[x] for x in samples]))


NORM = Normalise("x", "y", np.array([[0, 2], [1, 3]]), 1, 1, 5)


def _normalise(*samples: list[int]) -> Case:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        bound = np.full(4, 6, dtype=np.int64)
        return normalise(b, inputs["x"], -bound, bound, NORM)

    return Case(build, _values(samples))


# two trees: depth 2 and 1; bit 0 is asked twice
TREES = Trees(
    "x",
    "y",
    (2,),
    np.array([0, 1, 0]),
    np.array([1, -1, -3]),
    np.array([-2, -4, -5]),
    np.array([0, 2]),
    np.array([[1, 0], [-7, 2], [5, 5], [0, 9], [3, -3]]),
    np.array([100, 0]),
)
CHAIN = Trees(
    "x",
    "y",
    (1,),
    np.array([0, 1, 2]),
    np.array([-1, -2, -3]),
    np.array([1, 2, -4]),
    np.array([0]),
    np.array([[3], [5], [7], [11]]),
    np.array([0]),
)


def _trees(op: Trees) -> Case:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return trees(b, inputs["x"], op)

    bits = int(op.bit.max()) + 1
    return Case(build, _values([[(n >> k) & 1 for k in range(bits)] for n in range(1 << bits)]))


CASES = {
    "step": _step(-20, -2, -1, 0, 1, 2, 20),
    "round even": _round_even(3, -60, -13, -12, -11, -5, -4, -3, 0, 3, 4, 5, 11, 12, 13, 59, 60),
    "round even by one bit": _round_even(1, -60, -3, -2, -1, 0, 1, 2, 3, 60),
    "one-hot": _one_hot(-2, -1, 0, 1, 2, 3),
    "divide": _divide((0, 1), (0, 6), (7, 2), (-7, 2), (5, 2), (-5, 2), (20, 1), (-20, 1), (20, 6), (-1, 6)),
    "root": _root(0, 1, 2, 3, 4, 8, 9, 15, 16, 48, 49, 60),
    "normalise": _normalise([0, 0, 0, 0], [6, -6, 1, 0], [3, 2, -4, 5]),
    "trees": _trees(TREES),
    "chain": _trees(CHAIN),
}
EXPECTED: dict[str, Callable[[Values], Int64Array]] = {
    "step": lambda sample: Step("x", "y").evaluate(sample["x"]),
    "round even": lambda sample: RoundEven("x", "y", 3).evaluate(sample["x"]),
    "round even by one bit": lambda sample: RoundEven("x", "y", 1).evaluate(sample["x"]),
    "one-hot": lambda sample: OneHot("x", "y", -3, 8).evaluate(sample["x"]).ravel(),
    "divide": lambda sample: Divide("x", "d", "y").evaluate(sample["x"], sample["d"]),
    "root": lambda sample: np.floor(np.sqrt(sample["x"])).astype(np.int64),
    "normalise": lambda sample: NORM.evaluate(sample["x"][None])[0],
    "trees": lambda sample: TREES.evaluate(sample["x"][None])[0],
    "chain": lambda sample: CHAIN.evaluate(sample["x"][None])[0],
}


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_the_gadget_computes_the_reference(name: str, widths: tuple[int, ...]) -> None:
    for sample in CASES[name].samples:
        gadget = Gadget(CASES[name].build, sample, widths)
        assert gadget.system.first_failure() is None
        np.testing.assert_array_equal(gadget.value, EXPECTED[name](sample))


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_no_wire_and_no_pair_changes(name: str, widths: tuple[int, ...]) -> None:
    for sample in CASES[name].samples:
        system = Gadget(CASES[name].build, sample, widths).system
        assert list(system.unnoticed()) == []
        for changes in system.balanced_pairs(100):
            assert not system.accepts(changes), changes


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_constraints_have_exactly_one_solution(name: str, widths: tuple[int, ...]) -> None:
    if name == "normalise":
        pytest.skip("made of root and divide; too many branches at once")
    for sample in CASES[name].samples:
        system = Gadget(CASES[name].build, sample, widths).system
        (only,) = solutions(system)
        assert only == {w: system.z[w] for w in only}


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize(
    "name", ["step", "round even", "round even by one bit", "one-hot", "divide", "root", "trees", "chain"]
)
def test_no_constraint_is_superfluous(name: str, widths: tuple[int, ...]) -> None:
    case = CASES[name]
    groups = Gadget(case.build, case.samples[0], widths).builder.groups
    for dropped, group in enumerate(groups):
        if group.layer.startswith("table "):
            continue
        remaining = [_without(Gadget(case.build, sample, widths), dropped) for sample in case.samples]
        assert not all(map(_unique, remaining)), f"{type(group).__name__} {dropped} could be left out"


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize(("a", "d"), [(7, 3), (-7, 3), (0, 5), (20, 1)])
def test_no_other_quotient_is_accepted(a: int, d: int, widths: tuple[int, ...]) -> None:
    """Neighbours with the remainder to match, zero divisors' tricks, and quotients that wrap modulo r."""
    sample: Values = {"x": np.array([a]), "d": np.array([d])}
    gadget = Gadget(_divide((a, d)).build, sample, widths)
    honest = int(divide_rounded(sample["x"], sample["d"])[0])
    quotient, remainder = 2, 3
    for claim in set(range(-25, 26)) - {honest}:
        left = 2 * a + d - 2 * d * claim
        assert not gadget.deceive({quotient: [claim], remainder: [left]})
    # y = (2a + d - m) / (2d) modulo r for every small m
    wires = gadget.own
    r = 21888242871839275222246405745257275088548364400416034343698204186575808495617
    for m in range(2 * d):
        y = (2 * a + d - m) * pow(2 * d, -1, r) % r
        if (2 * a + d - m) % (2 * d):
            assert not gadget.system.accepts({wires[0]: y, wires[1]: m})


def test_square_roots_are_exact_at_every_boundary() -> None:
    roots = np.array([1, 2, 3, 1000, (1 << 26) + 1, (1 << 30) - 1, (1 << 31) - 1], dtype=np.int64)
    np.testing.assert_array_equal(square_root(roots**2), roots)
    np.testing.assert_array_equal(square_root(roots**2 - 1), roots - 1)
    np.testing.assert_array_equal(square_root(roots**2 + 2 * roots), roots)


@pytest.mark.parametrize("shift", [1, 2, 5, 40])
def test_rounding_to_even_is_numpys(shift: int) -> None:
    step = 1 << shift
    x = np.concatenate([np.arange(-9, 10) * (step >> 1) + d for d in (-1, 0, 1)])
    np.testing.assert_array_equal(RoundEven("x", "y", shift).evaluate(x), np.rint(x / step))


def test_division_rounds_halves_upwards() -> None:
    a = np.array([1, -1, 3, -3, 0, 5, -5])
    np.testing.assert_array_equal(divide_rounded(a, np.full(7, 2)), [1, 0, 2, -1, 0, 3, -2])


def test_normalising_stays_within_its_unit_for_every_small_vector() -> None:
    grid = np.array(np.meshgrid(*[np.arange(-6, 7)] * 2)).reshape(2, -1).T
    pairs = np.concatenate([grid, grid], axis=1)[:, [0, 2, 1, 3]]
    tensor = NORM.infer(Tensor("x", (4,), np.array(-6), np.array(6)))
    values = NORM.evaluate(pairs)
    assert (values >= tensor.lo).all()
    assert (values <= tensor.hi).all()
    assert not NORM.evaluate(np.zeros((1, 4), dtype=np.int64)).any()


@pytest.mark.parametrize("op", [TREES, CHAIN])
def test_the_worst_case_of_trees_is_reached(op: Trees) -> None:
    bits = int(op.bit.max()) + 1
    everything = np.array([[(n >> k) & 1 for k in range(bits)] for n in range(1 << bits)])
    tensor = op.infer(Tensor("x", (bits,), np.array(0), np.array(1)))
    values = op.evaluate(everything)
    assert (values >= tensor.lo).all()
    assert (values <= tensor.hi).all()


@pytest.mark.parametrize(
    ("zero", "one", "roots"),
    [([-1], [-1], [0]), ([0], [-1], [-2]), ([-1], [-2], [0, 0])],
    ids=["a leaf of two parents", "a cycle", "a root twice"],
)
def test_what_is_no_tree_is_refused(zero: list[int], one: list[int], roots: list[int]) -> None:
    values = np.zeros((2, 1), dtype=np.int64)
    with pytest.raises(ValueError, match="form trees"):
        Trees(
            "x",
            "y",
            (1,),
            np.array([0]),
            np.array(zero),
            np.array(one),
            np.array(roots),
            values,
            np.array([0]),
        )
