"""Attacks by name, most of them bugs that other systems shipped. Each claims something false."""

from __future__ import annotations

import hashlib
from itertools import product

import numpy as np
import pytest

from assay_prover.circuit import FIELD_ORDER as R
from assay_prover.circuit.builder import Builder
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import LinearTensor, Wires
from assay_prover.circuit.lookup import LookupTable, MissingEntryError, UncommittedLookupError
from assay_prover.circuit.plan import Plan, Tile
from assay_prover.gadgets.argmax import argmax
from assay_prover.gadgets.logup import lookup
from assay_prover.gadgets.maximum import maximum
from assay_prover.gadgets.range import range_check
from assay_prover.gadgets.requantise import requantise
from assay_prover.gadgets.table import function_table
from soundness.harness import Gadget

ALL_WIDTHS = pytest.mark.parametrize("widths", [(), (3,), (5,), (3, 4)], ids=str)


def _one(value: int) -> dict[str, np.ndarray]:
    return {"x": np.array([value], dtype=np.int64)}


def _requantise(x: int, shift: int, lo: int | None, hi: int | None, widths: tuple[int, ...]) -> Gadget:
    bound = np.array([1000], dtype=np.int64)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return requantise(b, inputs["x"], -bound, bound, shift, lo, hi)

    return Gadget(build, _one(x), widths)


@ALL_WIDTHS
@pytest.mark.parametrize("x", [-1000, -13, -12, -5, -4, -1, 0, 3, 4, 11, 12, 1000])
def test_relu_refuses_every_other_quotient(x: int, widths: tuple[int, ...]) -> None:
    """Unchecked remainder, wrong rounding, wrong sign: any (z, |q|) near the true one, and its mirror."""
    gadget = _requantise(x, 3, 0, None, widths)
    q = (x + 4) >> 3
    for claim in range(q - 9, q + 10):
        for z in {max(claim, 0), claim, -claim, 0, abs(claim)}:
            if (z, abs(claim)) != (max(q, 0), abs(q)):
                assert not gadget.deceive({1: [z], 2: [abs(claim)]}), (z, claim)
                if claim:
                    assert not gadget.deceive({1: [z], 2: [-abs(claim)]}), (z, claim)


@ALL_WIDTHS
@pytest.mark.parametrize("x", [-1000, -129, -128, -100, 0, 99, 119, 120, 1000])
def test_clamp_refuses_every_other_answer(x: int, widths: tuple[int, ...]) -> None:
    """All combinations of output, excess above and total excess near the true ones."""
    lo, hi = -16, 15
    gadget = _requantise(x, 3, lo, hi, widths)
    q = (x + 4) >> 3
    y = min(max(q, lo), hi)
    truth = (y, max(q - hi, 0), abs(q - y))
    for claim in product(
        {y - 1, y, y + 1, lo, hi, q}, {0, truth[1], abs(q - y), 3}, {0, truth[2], abs(q), 3}
    ):
        if claim != truth:
            assert not gadget.deceive({1: [claim[0]], 2: [claim[1]], 3: [claim[2]]}), claim


@ALL_WIDTHS
@pytest.mark.parametrize("x", [-1000, -4, 0, 3, 1000])
def test_rounding_without_clamp_is_exact(x: int, widths: tuple[int, ...]) -> None:
    gadget = _requantise(x, 3, None, None, widths)
    for wrong in (-2, -1, 1, 2, 64):
        assert not gadget.deceive({1: [((x + 4) >> 3) + wrong]})


@ALL_WIDTHS
def test_quotient_cannot_wrap_around_the_field(widths: tuple[int, ...]) -> None:
    """2^s q + rem = x + h + k r has other solutions; their quotients are too wide for the range."""
    x, shift = 100, 3
    gadget = _requantise(x, shift, 0, None, widths)
    base = gadget.layout.base(Region.COMMITTED)
    z_wire, p_wire = (gadget.indices(wires)[0] for wires in gadget.builder.committed[1:3])
    assert z_wire == base + 1
    for remainder in range(1 << shift):
        for k in range(1, 1 << shift):
            total = x + 4 - remainder + k * R
            if total % (1 << shift):
                continue
            q = total >> shift
            limbs = {
                wire: (q >> 3 * (1 + i)) & 7 for i, wire in enumerate(w for w in gadget.own if w > p_wire)
            }
            assert not gadget.system.accepts({z_wire: q, p_wire: q})
            assert not gadget.system.accepts(
                {z_wire: q, p_wire: q} | {w: v for w, v in limbs.items() if v != gadget.system.z[w]}
            )
            assert not gadget.system.accepts({z_wire: 0, p_wire: -q})


@ALL_WIDTHS
def test_decomposition_of_x_plus_r_is_refused(widths: tuple[int, ...]) -> None:
    """Limbs of x + r represent x modulo r; there are too few limbs to hold them."""

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> None:
        range_check(b, inputs["x"], 13)

    gadget = Gadget(build, _one(1234), widths)
    tiles = gadget.builder.tiling.tiles(13, True)  # type: ignore[union-attr]
    assert sum(tile.width for tile in tiles) == 13
    alias, offset, changes = 1234 + R, tiles[0].width, {}
    for wire, tile in zip(gadget.own, tiles[1:], strict=True):
        last = wire == gadget.own[-1]
        limb = alias >> offset if last else (alias >> offset) & ((1 << tile.width) - 1)
        if limb % R != gadget.system.z[wire]:
            changes[wire] = limb
        offset += tile.width
    assert not changes or not gadget.system.accepts(changes)


class OneLimb:
    """Every range check is one limb of a wider table."""

    def __init__(self, table: int) -> None:
        self.table = table

    def tiles(self, bits: int, exact: bool) -> tuple[Tile, ...]:
        del exact
        return (Tile(bits, self.table),)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_partial_limb_cannot_use_the_whole_table(bits: int) -> None:
    """A limb of u < w bits looked up plainly alone allows 2^w values, scaled alone it allows fractions."""

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> None:
        range_check(b, inputs["x"], bits)

    gadget = Gadget(build, _one((1 << bits) - 1), OneLimb(5))
    wire = gadget.indices(gadget.wires["x"])[0]
    for value in range(-33, 65):
        inside = 0 <= value < 1 << bits
        if value != (1 << bits) - 1:
            assert gadget.system.accepts({wire: value}) == inside, value
    for scaled in range(32):
        fraction = scaled * pow(1 << (5 - bits), -1, R) % R
        if fraction >= 1 << bits:
            assert not gadget.system.accepts({wire: fraction})


@pytest.mark.parametrize(
    ("bits", "widths"), [(5, (5,)), (10, (5,)), (8, (5,)), (8, (3, 5)), (7, (4,)), (6, ())]
)
def test_exact_range_accepts_its_ends_and_nothing_beside_them(bits: int, widths: tuple[int, ...]) -> None:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> None:
        range_check(b, inputs["x"], bits)

    top = (1 << bits) - 1
    for value in (0, 1, top - 1, top):
        assert Gadget(build, _one(value), widths).system.first_failure() is None
    for value in (-1, top + 1, top + 2, 2 * top, -top):
        assert not Gadget(build, _one(0), widths).deceive({0: [value]})


@ALL_WIDTHS
@pytest.mark.parametrize(("x", "y"), [(5, 9), (9, 5), (-3, -3), (-8, 7)])
def test_maximum_refuses_the_smaller_and_anything_else(x: int, y: int, widths: tuple[int, ...]) -> None:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return maximum(b, inputs["x"], inputs["y"], 5)

    gadget = Gadget(build, {"x": np.array([x]), "y": np.array([y])}, widths)
    for claim in range(-20, 21):
        if claim != max(x, y):
            assert not gadget.deceive({2: [claim]})


@ALL_WIDTHS
@pytest.mark.parametrize("values", [[4, 4, 1], [1, 4, 4], [4, 4, 4], [0, -1, 5]])
def test_argmax_refuses_other_positions_other_maxima_and_two_winners(
    values: list[int], widths: tuple[int, ...]
) -> None:
    x = np.array(values, dtype=np.int64)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        bound = np.full(3, 8, dtype=np.int64)
        return argmax(b, inputs["x"], -bound, bound, np.arange(3, dtype=np.int64)[None])

    gadget = Gadget(build, {"x": x}, widths)
    winner = int(x.argmax())
    truth = (int(winner == 1), int(winner == 2), int(x.max()))
    for claim in product((-1, 0, 1, 2), (-1, 0, 1, 2), sorted({*values, max(values) + 1, 0})):
        if claim != truth:
            assert not gadget.deceive({1: [claim[0]], 2: [claim[1]], 3: [claim[2]]}), claim


def _square_table(x: int) -> Gadget:
    values = np.arange(-5, 6, dtype=np.int64) ** 2

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return function_table(b, inputs["x"], -5, 5, values)

    return Gadget(build, _one(x), (3,))


def test_function_table_refuses_every_other_value() -> None:
    gadget = _square_table(3)
    for claim in range(-40, 41):
        if claim != 9:
            assert not gadget.deceive({1: [claim]})


def test_function_table_refuses_values_that_alias_another_entry() -> None:
    """Without y's own range check, y = values[j] - (x - lo - j) / 2^k is an answer for every j."""
    gadget = _square_table(3)
    (y_wire,) = gadget.indices(gadget.builder.committed[1])
    inverse = pow(16, -1, R)
    for j in range(11):
        alias = ((j - 5) ** 2 - (8 - j) * inverse) % R
        if alias != 9:
            assert not gadget.system.accepts({y_wire: alias})


def test_function_table_has_no_entry_beyond_its_last() -> None:
    """Padding: keys 11..15 of a table of 11 entries with four key bits are not in it."""
    table = LookupTable("t", 4, np.zeros(11, dtype=np.int64))
    np.testing.assert_array_equal(table.index(np.arange(11, dtype=np.int64)), np.arange(11))
    for key in range(11, 16):
        with pytest.raises(MissingEntryError):
            table.index(np.array([key], dtype=np.int64))
    assert table.entries.size == 11


def test_tables_hold_no_entry_twice() -> None:
    values = np.array([3, 3, 3, -1, 3], dtype=np.int64)
    table = LookupTable("t", 3, values)
    assert np.unique(table.entries).size == values.size


def test_functions_share_a_table_only_if_they_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A publisher can find two functions whose digests begin alike: 2^32 tries for sixteen digits."""

    class BeginsAlike:
        def __init__(self, data: bytes) -> None:
            self.rest = hashlib.sha256(data).hexdigest()

        def hexdigest(self) -> str:
            return "0" * 16 + self.rest

    monkeypatch.setattr("assay_prover.gadgets.table.sha256", BeginsAlike)
    b = Builder(Plan((3,), 0, 0.0))
    x = b.integers(1, lambda frame: frame.tensor("x"))
    first, second = np.array([0, 1, 2, 3]), np.array([0, 1, 2, 1])
    for values in (first, second, first + 5):
        function_table(b, x, 0, 3, values)
    functions = [table.entries >> table.key_bits for name, table in b.tables.items() if "range" not in name]
    np.testing.assert_array_equal(functions, [first, second])


def _lookups(values: list[int]) -> Gadget:
    def build(b: Builder, inputs: dict[str, LinearTensor]) -> None:
        lookup(b, b.table("range3", lambda: LookupTable.range(3)), inputs["x"])

    return Gadget(build, {"x": np.array(values, dtype=np.int64)}, ())


@pytest.mark.parametrize("bad", [-1, 8, 9, R - 5, pow(2, -1, R)])
def test_no_multiplicities_admit_a_value_outside_the_table(bad: int) -> None:
    gadget = _lookups([1, 1, 5])
    system = gadget.system
    wire = gadget.indices(gadget.wires["x"])[0]
    (table,) = system.tables.values()
    assert not system.accepts({wire: bad})
    for j, delta in product(range(8), (-2, -1, 1, 2)):
        m = table.multiplicities[j]
        assert not system.accepts({wire: bad, m: system.z[m] + delta})


def test_the_two_sides_of_the_sum_cannot_be_traded() -> None:
    """Multiplicities of two entries, or two inverses, moved against each other."""
    gadget = _lookups([1, 1, 5])
    (table,) = gadget.system.tables.values()
    z = gadget.system.z
    for i, j in product(range(8), repeat=2):
        if i != j:
            m, n = table.multiplicities[i], table.multiplicities[j]
            assert not gadget.system.accepts({m: z[m] + 1, n: z[n] - 1})
            u, v = table.quotients[i], table.quotients[j]
            assert not gadget.system.accepts({u: z[u] + 1, v: z[v] - 1}, repair=False)
    (_, first), _, (_, third) = table.lookups
    assert not gadget.system.accepts({first: z[first] + 1, third: z[third] - 1}, repair=False)


def test_a_value_chosen_after_the_challenge_would_break_the_sum_argument() -> None:
    """What the builder's refusal is for: with c known, one multiplicity balances a bad value."""
    gadget = _lookups([1])
    system = gadget.system
    (table,) = system.tables.values()
    c = system.challenge
    assert c is not None
    wire = gadget.indices(gadget.wires["x"])[0]
    bad = 100
    inverse = pow(c - bad, -1, R)
    m, u = table.multiplicities[0], table.quotients[0]
    others = {table.multiplicities[1]: 0, table.quotients[1]: 0, table.lookups[0][1]: inverse}
    assert system.accepts({wire: bad, m: inverse * c % R, u: inverse, **others}, repair=False)


def test_lookup_of_a_wire_fixed_after_the_challenge_is_refused() -> None:
    b = Builder(Plan((3,), 0, 0.0))
    table = b.table("range3", lambda: LookupTable.range(3))
    late = Wires(Region.FREE, 0, 1, lambda frame: frame.tensor("x"))
    with pytest.raises(UncommittedLookupError, match="after the challenge"):
        lookup(b, table, late)
    with pytest.raises(UncommittedLookupError):
        range_check(b, late + 1, 3)
    with pytest.raises(UncommittedLookupError):
        lookup(b, table, Wires(Region.CHALLENGE, 0, 1, lambda frame: frame.tensor("x")))
    early = b.integers(1, lambda frame: frame.tensor("x"))
    with pytest.raises(UncommittedLookupError):
        lookup(b, table, early + late)
    lookup(b, table, early)
