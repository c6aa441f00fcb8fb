"""Layers with private weights: complete, unique for every input and every commitment, in both forms."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from assay_prover.circuit import FIELD_ORDER as R
from assay_prover.circuit import rows
from assay_prover.circuit.builder import Builder
from assay_prover.circuit.challenge_powers import PowerRows
from assay_prover.circuit.checker import sparse_rows
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import LinearTensor, RowCache, Wires
from assay_prover.circuit.occurrence import Support
from assay_prover.circuit.plan import Plan
from assay_prover.circuit.witness_values import WitnessValues
from assay_prover.gadgets.private import freivalds_rows
from assay_prover.gadgets.private.freivalds import exponents
from assay_prover.gadgets.private.freivalds_rows import (
    HornerRows,
    WeightedInputRows,
    WeightedResultRows,
    WeightedSumRows,
)
from assay_prover.gadgets.private.linear import Form, private_affine
from assay_prover.gadgets.requantise import enforced, requantise
from assay_prover.graph.maps import FloatConv
from assay_prover.passes.quantise.private_layers import met_magnitude, with_checked_span
from assay_prover.reference import Conv, PrivateAffine, Tensor
from assay_prover.reference.private import row_sums
from soundness.exhaustive import UndeterminedError, solutions
from soundness.harness import Gadget
from soundness.private_layers import BOTH, EQUATIONS, FORMS, FREIVALDS, PACKED, Layer, hostile, make
from soundness.underconstrained import System

EACH = pytest.mark.parametrize(("name", "form"), FORMS, ids=str)
SOME = pytest.mark.parametrize(
    ("name", "form"),
    [(name, form) for name, form in FORMS if name in ("matrix", "bias alone", "conv", "depthwise", "scales")],
    ids=str,
)


@EACH
def test_the_honest_layer_is_accepted(name: str, form: Form) -> None:
    for seed in range(3):
        layer = Layer(make(name, seed), form, seed=seed)
        assert layer.holds()
        assert layer.matrices_agree_with_values()


@EACH
def test_no_wire_changes_alone(name: str, form: Form) -> None:
    system = Layer(make(name), form).system
    assert list(system.unnoticed()) == []


@EACH
def test_no_pair_of_wires_changes_behind_a_constant_sum(name: str, form: Form) -> None:
    system = Layer(make(name), form).system
    for changes in system.balanced_pairs(200):
        assert not system.accepts(changes), changes


@EACH
def test_no_two_results_are_traded(name: str, form: Form) -> None:
    """Neighbouring digits by a carry, neighbouring positions by one, everything else by chance."""
    layer = Layer(make(name), form)
    z, places = layer.system.z, list(layer.results)
    base = 1 << max((layer.op.span[1] - layer.op.span[0]).bit_length(), 1)
    for i, first in enumerate(places[:12]):
        for second in places[i + 1 : 12]:
            for up, down in ((1, -1), (base, -1), (1, -base), (-base, 1)):
                assert not layer.system.accepts({first: z[first] + up, second: z[second] + down})


@EACH
def test_every_wire_of_the_layer_is_reached_by_a_constraint(name: str, form: Form) -> None:
    system = Layer(make(name), form).system
    assert all(system.rows_of[wire] for wire in system.tamperable())


@EACH
def test_results_of_other_weights_are_refused(name: str, form: Form) -> None:
    """Every wire as an honest prover of another model has it, under the first model's wires of m."""
    op, other = make(name, 1), make(name, 2)
    mine = Layer(op, form)
    theirs = Layer(replace(other, span=op.span), form, inputs=mine.x)
    assert mine.holds()
    assert theirs.holds()
    assert not Layer(other, form, inputs=mine.x, model=mine.limbs).equations_hold()


@EACH
def test_all_inputs_at_their_ends_are_accepted(name: str, form: Form) -> None:
    """The span holds the worst case: weights at their limits, inputs at either end."""
    op = make(name)
    for sign, end in ((1, 3), (-1, -4), (-1, 3), (1, -4)):
        extreme = op.with_weights(
            (*(np.full_like(w, sign * 5) for w in op.weights[:-1]), np.full_like(op.bias, sign * 9))
        )
        inputs = {n: np.full(m.n_in, end) for n, m in zip(op.inputs, op.maps, strict=True)}
        assert Layer(extreme, form, inputs=inputs).holds()


@pytest.mark.parametrize("name", BOTH)
def test_the_worst_case_is_that_of_weights_at_their_limits(name: str) -> None:
    """Sums over what rows meet, taken for one channel of a group: the same as for all, and reached."""
    rng = np.random.default_rng(0)
    for linear in make(name).private:
        x = rng.integers(0, 50, linear.n_in)
        ones = replace(linear, weight=np.ones_like(linear.weight))
        np.testing.assert_array_equal(row_sums(linear, x), ones.apply(x[None])[0])
        if isinstance(linear, Conv):
            real = FloatConv(
                linear.weight.astype(np.float64),
                linear.strides,
                linear.pads,
                linear.dilations,
                linear.groups,
                linear.in_shape,
                linear.channels_last,
            )
            expected = ones.apply(x[None])[0].astype(np.float64)
            np.testing.assert_allclose(met_magnitude(real, x.astype(np.float64)), expected)


# -- commitments that nobody's weights open


HOSTILE = pytest.mark.parametrize(
    ("name", "form"),
    [
        ("matrix", "packed"),
        ("wide matrix", "packed"),
        ("a bias each", "packed"),
        ("a bias each", "freivalds"),
    ],
    ids=str,
)


def _answers(op: PrivateAffine, seed: int) -> list[int]:
    lo, hi = op.span
    drawn: list[int] = np.random.default_rng(seed).integers(lo, hi + 1, op.maps[0].n_out).tolist()
    return drawn


@HOSTILE
def test_a_commitment_to_anything_still_fixes_one_answer(name: str, form: Form) -> None:
    op = make(name)
    answers = _answers(op, 3)
    layer = hostile(op, form, answers)
    assert layer.attempt(answers) == (True, True)
    assert layer.attempt(layer.answers.tolist()) == (False, False)
    for seed in range(4, 24):
        assert layer.attempt(_answers(op, seed)) == (False, False)
    for place in range(0, len(answers), 7):
        for delta in (1, -1):
            other = answers.copy()
            other[place] += delta
            assert layer.attempt(other) == (False, False)


@HOSTILE
@pytest.mark.parametrize("beyond", [1, 2, 1000, 1 << 61, 1 << 120, R // 2])
def test_a_commitment_to_anything_cannot_push_an_answer_out_of_the_span(
    name: str, form: Form, beyond: int
) -> None:
    """Whatever is behind this layer relies on its span: the equations hold, the span's check must not."""
    op = make(name)
    lo, hi = op.span
    for value in (hi + beyond, lo - beyond):
        answers = _answers(op, 3)
        answers[1] = value
        assert hostile(op, form, answers).attempt(answers) == (True, False)


@SOME
def test_the_circuit_of_an_architecture_does_not_depend_on_its_weights(name: str, form: Form) -> None:
    first, second = Layer(make(name, 1), form), Layer(make(name, 2), form)
    blank = Layer(make(name, 1).blank(), form)
    assert first.system.rows == second.system.rows == blank.system.rows
    assert first.limbs[0].tolist() != second.limbs[0].tolist()


# -- the requantisation that holds a layer to its span


READERS = [
    (3, 0, None),
    (3, None, None),
    (3, None, 4),
    (3, -4, 3),
    (2, -3, 2),
    (0, 0, None),
    (0, 0, 7),
    (0, -8, 7),
]


@pytest.mark.parametrize("widths", [(), (3,), (4,)], ids=str)
@pytest.mark.parametrize(("shift", "lo", "hi"), READERS, ids=str)
def test_a_reader_holds_whatever_it_reads_to_the_interval_it_promises(
    shift: int, lo: int | None, hi: int | None, widths: tuple[int, ...]
) -> None:
    """No value outside has a witness, be it an integer or not; every value of the worst case has one."""
    bound = np.array([60], dtype=np.int64)
    held = enforced(-bound, bound, shift, lo, hi)
    assert held is not None

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        return requantise(b, inputs["x"], -bound, bound, shift, lo, hi, exact=True)

    gadget = Gadget(build, {"x": np.array([0], dtype=np.int64)}, widths)
    (wire,) = gadget.indices(gadget.wires["x"])

    def witnesses(value: int) -> int:
        gadget.system.z[wire] = value % R
        return len(solutions(gadget.system))

    first, last = held
    assert first <= -60
    assert last >= 60
    for value in range(-60, 61, 7):
        assert witnesses(value) == 1
    outside = [first - 1, first - 2, first - 64, last + 1, last + 2, last + 64, 1 << 100, R // 2]
    outside += [pow(8, -1, R), pow(3, -1, R), -pow(8, -1, R), (R + 1) // 2, R // 8, R // 8 * 3]
    for value in outside:
        assert witnesses(value) == 0, value


@pytest.mark.parametrize(("shift", "lo", "hi"), READERS, ids=str)
def test_a_checked_span_is_what_its_reader_enforces(shift: int, lo: int | None, hi: int | None) -> None:
    op = make("matrix")
    inputs = [Tensor("x0", (4,), np.array(-4), np.array(3))]
    held = with_checked_span(op, inputs, shift, lo, hi)
    least, most = (np.array([end]) for end in held.span)
    found = enforced(least, most, shift, lo, hi)
    assert found is not None
    assert held.span[0] <= found[0]
    assert found[1] <= held.span[1]
    worst = op.worst_case(*inputs)
    assert held.span[0] <= worst[0]
    assert worst[1] <= held.span[1]


# -- the challenge


def test_inputs_that_the_challenge_precedes_are_refused() -> None:
    op = make("conv")
    for region in (Region.FREE, Region.CHALLENGE):
        late = Wires(region, 0, 16, lambda frame: frame.tensor("x0"))
        for form in ("packed", "freivalds"):
            with pytest.raises(ValueError, match="before the challenge"):
                private_affine(Builder(Plan((4,), 0, 0.0)), op, [late], checked=False, form=form)


@pytest.mark.parametrize("name", BOTH)
def test_what_the_challenge_combines_is_fixed_before_it(name: str) -> None:
    layer = Layer(make(name), "freivalds")
    late = Region.FREE | Region.CHALLENGE
    combined = [g.x for g in layer.builder.groups if isinstance(g, WeightedInputRows)]
    combined += [g.digits.digits for g in layer.builder.groups if isinstance(g, WeightedResultRows)]
    assert combined
    assert not any(tensor.regions & late for tensor in combined)


@pytest.mark.parametrize("name", BOTH)
def test_exponents_place_every_product_at_its_own_position(name: str) -> None:
    """f is injective and f(p) = e(q) - o(k) wherever p meets q through k: the polynomial is the equation."""
    shapes = make(name).geometries
    found = exponents(shapes)
    assert found is not None
    assert len(set(found.positions.tolist())) == found.positions.size
    assert found.positions.min() == 0
    for shape, place, offset in zip(shapes, found.places, found.offsets, strict=True):
        position, tap = np.nonzero(shape.windows >= 0)
        met = shape.windows[position, tap]
        np.testing.assert_array_equal(found.positions[position], place[met] - offset[tap])


@pytest.mark.parametrize("name", BOTH)
def test_the_degree_is_bounded_by_the_powers_there_are(name: str) -> None:
    layer = Layer(make(name), "freivalds")
    powers = layer.builder.powers
    for group in layer.builder.groups:
        if isinstance(group, WeightedInputRows | WeightedResultRows):
            assert int(group.power.exponents.max()) <= powers.degree
            assert int(group.power.exponents.min()) >= 0


@pytest.mark.parametrize("name", BOTH)
def test_a_wrong_result_passes_at_the_roots_of_its_polynomial_alone(name: str) -> None:
    """Small challenges, where roots would be: one wrong result passes at 0 at most, where powers vanish."""
    op = make(name)
    honest = Layer(op, "freivalds", checked=True)
    rng = np.random.default_rng(1)
    for _ in range(3):
        y = honest.answers
        y[rng.integers(0, y.size)] += int(rng.integers(1, 4))
        for c in range(1, 8):
            layer = Layer(op, "freivalds", inputs=honest.x, results=y, checked=True, challenge=c)
            assert not layer.equations_hold()
            assert Layer(op, "freivalds", inputs=honest.x, checked=True, challenge=c).equations_hold()


def test_two_wrong_results_pass_where_their_polynomial_has_a_root() -> None:
    """What a challenge known before the results would allow: c - 3 divides the difference of two answers."""
    op = make("pointwise")
    honest = Layer(op, "freivalds", checked=True, challenge=3)
    y = honest.answers
    y[0] -= 3
    y[1] += 1
    for c, passes in ((2, False), (3, True), (4, False)):
        layer = Layer(op, "freivalds", inputs=honest.x, results=y, checked=True, challenge=c)
        assert layer.equations_hold() == passes


@pytest.mark.parametrize("name", BOTH)
def test_the_cheaper_form_is_taken(name: str) -> None:
    op = make(name)
    packed, freivalds = Layer(op, "packed").n_rows, Layer(op, "freivalds").n_rows
    assert Layer(op, None).n_rows == min(packed, freivalds)


def test_maps_of_one_input_share_its_products_with_the_powers() -> None:
    """Two convolutions of equal windows read the same tensor: the second pays for its weights and results."""
    op = make("conv of many channels")
    builder = Builder(Plan((4,), 0, 0.0))
    x = builder.integers(18, lambda frame: frame.tensor("x0"))
    costs = []
    for _ in range(2):
        before = builder.demand.rows
        private_affine(builder, op, [x], checked=True, form="freivalds")
        costs.append(builder.demand.rows - before)
    assert costs[0] - costs[1] == 18


def test_maps_that_read_one_tensor_in_two_orders_share_nothing() -> None:
    """Channels innermost and outermost: the same places under the same powers are other elements."""
    first, last = make("square"), make("square over rows")
    builder = Builder(Plan((4,), 0, 0.0))
    x = builder.integers(4, lambda frame: frame.tensor("x0"))
    values = np.array([3, -4, 1, 2])
    answers = {}
    for op, name in ((first, "y"), (last, "z")):
        private_affine(builder, replace(op, output=name), [x], checked=True, form="freivalds")
        answers[name] = op.evaluate(values[None])[0].ravel()
    builder.finish()
    system = System(builder, WitnessValues({"x0": values, **answers}, None, 0))
    assert system.first_failure() is None


@pytest.mark.parametrize("name", BOTH)
def test_sums_in_parts_are_the_sums(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wide layer's windows are gathered a few channels at a time, its rows expanded a few at a time."""
    op = make(name)
    whole = Layer(op, "freivalds")
    monkeypatch.setattr(freivalds_rows, "CHUNK_TERMS", 1)
    monkeypatch.setattr(rows, "MOST_ENTRIES", 1)
    parts = Layer(op, "freivalds")
    assert parts.system.z == whole.system.z
    cache = RowCache(parts.layout)
    (group,) = [g for g in parts.builder.groups if isinstance(g, WeightedSumRows)][:1]
    wanted = [sparse_rows(side) for side in group.matrices(cache)]
    pieces = list(group.parts())
    assert len(pieces) == group.n_rows
    found = [[sparse_rows(side) for side in piece.matrices(cache)] for piece in pieces]
    assert [[row for piece in found for row in piece[side]] for side in range(3)] == wanted


@EACH
def test_sizes_are_known_without_a_row(name: str, form: Form) -> None:
    """Which wire occurs on which side: what key sizes and the cost of proving are made of."""
    layer = Layer(make(name), form)
    support = Support(layer.layout, layer.builder.groups)
    there = [set(range(layer.layout.n_input_rows)), set(), set()]
    for sides in layer.system.rows:
        for found, side in zip(there, sides, strict=True):
            found |= {wire for wire, _ in side}
    for marks, found in zip((support.a, support.b, support.c), there, strict=True):
        assert set(np.flatnonzero(marks).tolist()) == found
    full_in_b = [w for w in there[1] if w >= layer.layout.base(Region.FREE)]
    gaps = {g for group in layer.builder.groups if isinstance(group, HornerRows) for g in group.gaps.tolist()}
    assert len(full_in_b) == len(gaps - {0, 1})


# -- all solutions


@pytest.mark.parametrize("form", ["packed", "freivalds"])
def test_no_rows_of_a_layer_are_superfluous(form: Form) -> None:
    """Leave out any group of the layer's rows, and its results have another solution."""
    op = make("least")
    groups = Layer(op, form, (3,)).builder.groups
    kinds = (*EQUATIONS, PowerRows)
    assert {type(group) for group in groups} >= {*(FREIVALDS if form == "freivalds" else PACKED)}
    for dropped, group in enumerate(groups):
        if isinstance(group, kinds):
            layer = Layer(op, form, (3,))
            del layer.builder.groups[dropped]
            given = layer.system.given - set(range(layer.layout.n_input_rows + layer.layout.n_model))
            system = System(layer.builder, layer.frame, given=given)
            with suppress(UndeterminedError):
                assert len(solutions(system, limit=50)) > 1, type(group).__name__
    assert len(solutions(Layer(op, form, (3,)).system)) == 1


@pytest.mark.parametrize(("form", "widths"), [("packed", ()), ("packed", (3,)), ("freivalds", (3,))], ids=str)
def test_a_small_layer_has_exactly_one_witness(form: Form, widths: tuple[int, ...]) -> None:
    """Two channels side by side; every wire but the lookups', all values of the field."""
    op = make("tiny")
    for seed in range(4):
        layer = Layer(op, form, widths, seed=seed)
        (only,) = solutions(layer.system)
        assert only == {w: layer.system.z[w] for w in only}
