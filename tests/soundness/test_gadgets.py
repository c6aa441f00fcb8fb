"""Every gadget: its answer is the reference's; no wire, alone or balanced by another, changes unnoticed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from assay_prover.circuit.builder import Builder
from assay_prover.circuit.linear import Constant, LinearTensor
from assay_prover.gadgets.argmax import argmax
from assay_prover.gadgets.product import matmul, multiply
from assay_prover.gadgets.range import boolean, range_check
from assay_prover.gadgets.reduce_max import reduce_max
from assay_prover.gadgets.requantise import requantise
from assay_prover.gadgets.table import function_table
from assay_prover.reference import ArgMax, MatMul, ReduceMax, Requantise, Table
from soundness.harness import Gadget, Values

WIDTHS = [(), (3,), (4,), (3, 5)]
Build = Callable[[Builder, dict[str, LinearTensor]], LinearTensor | None]


def _bounds(values: np.ndarray, lo: int, hi: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full(values.size, lo, dtype=np.int64), np.full(values.size, hi, dtype=np.int64)


def _requantise(shift: int, lo: int | None, hi: int | None) -> tuple[Values, Build, np.ndarray]:
    # generic values: a magnitude or an excess of exactly zero is tested apart, the Jacobian is singular there
    x = np.array([-700, -130, -45, 37, 93, 331, 678, 1000], dtype=np.int64)
    reference = Requantise("x", "y", shift, lo, hi)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return requantise(b, inputs["x"], *_bounds(x, -1000, 1000), shift, lo, hi)

    return {"x": x}, build, reference.evaluate(x[None])[0]


def _ranges(bits: int, exact: bool) -> tuple[Values, Build, None]:
    x = np.array([0, 1, (1 << bits) - 1, (1 << bits) // 3], dtype=np.int64)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> None:
        range_check(b, inputs["x"], bits, exact=exact)

    return {"x": x}, build, None


def _boolean() -> tuple[Values, Build, None]:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> None:
        boolean(b, inputs["x"])

    return {"x": np.array([0, 1], dtype=np.int64)}, build, None


def _reduce_max(k: int) -> tuple[Values, Build, np.ndarray]:
    x = np.array([5, -3, 17, 2, -20, 11, 9, 30], dtype=np.int64)
    index = np.array([[(3 * i + j) % 8 for j in range(k)] for i in range(4)], dtype=np.int64)
    op = ReduceMax("x", "y", (4,), index)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return reduce_max(b, inputs["x"], *_bounds(x, -32, 31), index)

    return {"x": x}, build, op.evaluate(x[None])[0]


def _argmax(values: list[int]) -> tuple[Values, Build, np.ndarray]:
    x = np.array(values, dtype=np.int64)
    index = np.arange(x.size, dtype=np.int64).reshape(2, -1)
    op = ArgMax("x", "y", (2,), index)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return argmax(b, inputs["x"], *_bounds(x, -64, 63), index)

    return {"x": x}, build, op.evaluate(x[None])[0]


def _multiply() -> tuple[Values, Build, np.ndarray]:
    x, y = np.array([3, -4, 7], dtype=np.int64), np.array([-2, -5, 11], dtype=np.int64)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return multiply(b, inputs["x"], inputs["y"])

    return {"x": x, "y": y}, build, x * y


def _matmul() -> tuple[Values, Build, np.ndarray]:
    x = np.arange(-6, 6, dtype=np.int64)
    y = np.arange(3, 21, dtype=np.int64)
    op = MatMul("x", "y", "z")

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return matmul(b, inputs["x"], (2, 2, 3), inputs["y"], (2, 3, 3))

    return {"x": x, "y": y}, build, op.evaluate(x.reshape(1, 2, 2, 3), y.reshape(1, 2, 3, 3)).ravel()


def _table() -> tuple[Values, Build, np.ndarray]:
    x = np.array([-5, -2, 0, 3, 6], dtype=np.int64)
    values = np.arange(-5, 7, dtype=np.int64) ** 2 - 10
    op = Table("x", "y", -5, values)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return function_table(b, inputs["x"], -5, 6, values)

    return {"x": x}, build, op.evaluate(x[None])[0]


CASES = {
    "range 5 exact": lambda: _ranges(5, exact=True),
    "range 7 loose": lambda: _ranges(7, exact=False),
    "boolean": _boolean,
    "requantise": lambda: _requantise(3, None, None),
    "relu": lambda: _requantise(3, 0, None),
    "relu, long shift": lambda: _requantise(5, 0, None),
    "relu, no shift": lambda: _requantise(0, 0, None),
    "lower clamp": lambda: _requantise(3, -20, None),
    "upper clamp": lambda: _requantise(3, None, 30),
    "upper clamp, no shift": lambda: _requantise(0, None, 30),
    "both clamps": lambda: _requantise(3, -16, 15),
    "both clamps, odd width": lambda: _requantise(3, -10, 21),
    "both clamps, no shift": lambda: _requantise(0, 0, 100),
    "max of 2": lambda: _reduce_max(2),
    "max of 5": lambda: _reduce_max(5),
    "argmax": lambda: _argmax([3, 9, -4, 7, 60, 1]),
    "argmax with ties": lambda: _argmax([9, 9, -4, 1, 7, 7]),
    "argmax of 2": lambda: _argmax([1, 2, 2, -7]),
    "multiply": _multiply,
    "matmul": _matmul,
    "table": _table,
}


@pytest.fixture(params=[(name, widths) for name in CASES for widths in WIDTHS], ids=str)
def gadget(request: pytest.FixtureRequest) -> Gadget:
    name, widths = request.param
    inputs, build, _ = CASES[name]()
    return Gadget(build, inputs, widths)


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_valid_assignment_is_accepted_and_equals_the_reference(name: str, widths: tuple[int, ...]) -> None:
    inputs, build, expected = CASES[name]()
    gadget = Gadget(build, inputs, widths)
    assert gadget.system.first_failure() is None
    if expected is not None:
        np.testing.assert_array_equal(gadget.value, expected)


def test_no_wire_changes_alone(gadget: Gadget) -> None:
    assert list(gadget.system.unnoticed()) == []


def test_no_pair_of_wires_changes_behind_a_constant_sum(gadget: Gadget) -> None:
    for changes in gadget.system.balanced_pairs(300):
        assert not gadget.system.accepts(changes), changes


def test_every_wire_is_determined_to_first_order(gadget: Gadget) -> None:
    assert gadget.system.free_directions() == 0


@pytest.mark.parametrize("value", [-1, 2, 3, 1 << 200])
def test_only_zero_and_one_are_boolean(value: int) -> None:
    inputs, build, _ = _boolean()
    gadget = Gadget(build, inputs, ())
    wire = gadget.indices(gadget.wires["x"])[0]
    assert gadget.system.accepts({wire: 1})
    assert not gadget.system.accepts({wire: value})


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_every_input_out_of_an_exact_range_is_refused(widths: tuple[int, ...]) -> None:
    """Wrong inputs with limbs an adversary may choose; the lowest takes what is left."""
    inputs, build, _ = _ranges(5, exact=True)
    for value in (-1, 32, 33, 64, 127, -31, 1 << 20):
        gadget = Gadget(build, inputs, widths)
        system = gadget.system
        wire = gadget.indices(gadget.wires["x"])[0]
        limbs = [w for w in gadget.own if any(set(dict(side)) >= {w} for row in system.rows for side in row)]
        assert not system.accepts({wire: value})
        for limb in limbs[:6]:
            for guess in range(-2, 34):
                if guess != system.z[limb]:
                    assert not system.accepts({wire: value, limb: guess})


def test_the_detector_sees_an_unchecked_remainder() -> None:
    """The bug of circomlib-ml: quotient and remainder with nothing that keeps the remainder small."""

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        x = inputs["x"]
        quotient = b.integers(x.size, lambda frame: frame.tensor("x") >> 3)
        remainder = b.integers(x.size, lambda frame: frame.tensor("x") & 7)
        b.constrain(x - quotient * 8 - remainder, Constant(np.ones(x.size, dtype=np.int64)))
        return quotient

    gadget = Gadget(build, {"x": np.array([100], dtype=np.int64)}, ())
    quotient, remainder = gadget.own
    assert gadget.system.first_failure() is None
    assert gadget.system.free_directions() == 1
    assert gadget.system.accepts({quotient: 13, remainder: -4})
    assert any(gadget.system.accepts(changes) for changes in gadget.system.balanced_pairs(50))


def test_the_detector_sees_an_unconstrained_wire() -> None:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return b.integers(1, lambda frame: frame.tensor("x"))

    gadget = Gadget(build, {"x": np.array([1], dtype=np.int64)}, ())
    assert {wire for wire, _ in gadget.system.unnoticed()} == set(gadget.own)
    assert gadget.system.free_directions() == 1
