"""The planner: tilings are correct and cheapest, widths follow the cost."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_prover.circuit.layout import domain_size
from assay_prover.circuit.plan import FULL_WIRE, ROW, SMALL_WIRE, Demand, Tile, choose, estimate, tile
from assay_prover.lowering import compile_graph
from assay_prover.lowering.rewrite import hoist_maxima
from assay_prover.reference import ReduceMax, Requantise
from soundness.networks import OPEN, PRIVATE, Network, examples, rng

widths_sets = st.sets(st.integers(3, 16), max_size=3).map(lambda s: tuple(sorted(s)))


@given(st.integers(1, 62), st.booleans(), widths_sets)
def test_tiles_cover_the_range(bits: int, exact: bool, widths: tuple[int, ...]) -> None:
    limbs = tile(bits, exact, widths)
    total = sum(limb.width for limb in limbs)
    assert total == bits if exact else bits <= total <= bits + 15
    for limb in limbs:
        assert limb.table == 0 if limb.width == 1 and limb.table == 0 else limb.width <= limb.table
        assert limb.table in {0, *widths}


def _cost(limb: Tile) -> float:
    return SMALL_WIRE + (limb.lookups * (ROW + FULL_WIRE) if limb.table else ROW)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), widths_sets)
def test_tiling_is_the_cheapest(bits: int, widths: tuple[int, ...]) -> None:
    """Against every composition of the bits into limbs."""
    parts = [Tile(1, 0)] + [Tile(w, t) for t in widths for w in range(1, t + 1)]
    price = {w: min(_cost(p) for p in parts if p.width == w) for w in {p.width for p in parts}}
    best = [0.0] + [float("inf")] * bits
    for total in range(1, bits + 1):
        best[total] = min(best[total - w] + c for w, c in price.items() if w <= total)
    assert sum(map(_cost, tile(bits, True, widths))) == pytest.approx(best[bits])


def test_dense_rows_meet_one_lookup_when_a_table_fits() -> None:
    """The lowest limb holds the accumulator: it must be a whole lookup, not a bit or a doubled one."""
    for bits in (8, 9, 12, 16, 17):
        assert tile(bits, True, (8,))[0] == Tile(8, 8)


@pytest.mark.parametrize(
    ("rows", "size"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (6, 6), (7, 8), (9, 12), (13, 16)]
)
def test_domains_are_powers_of_two_and_three_times_them(rows: int, size: int) -> None:
    assert domain_size(rows) == size


def test_small_circuits_stay_plain_and_large_ones_get_tables() -> None:
    few, many = Demand(), Demand()
    few.ranges[8, True] = 10
    many.ranges[8, True] = 5000
    assert choose(few, 2).widths == ()
    assert 8 in choose(many, 2).widths


def test_chosen_plan_is_no_dearer_than_any_single_width() -> None:
    demand = Demand(rows=300, full_wires=300, small_wires=100)
    demand.ranges[8, True] = 800
    demand.ranges[21, False] = 700
    demand.ranges[10, True] = 700
    best = choose(demand, 3)
    for widths in [(), *((w,) for w in range(3, 17)), (8, 10), (7, 11)]:
        assert best.cost <= estimate(demand, widths, 3)[1]


@pytest.mark.parametrize("limb_bits", [2, 17, (8, 20), 0])
def test_widths_outside_the_offer_are_refused(limb_bits: int | tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="limb widths"):
        compile_graph(examples()["mlp"].graph(), OPEN, limb_bits=limb_bits)


@pytest.mark.parametrize(("name", "widths"), list(product(examples(), [(), (4,), (3, 6)])))
def test_estimate_is_the_number_of_constraints(name: str, widths: tuple[int, ...]) -> None:
    """What is planned with is what is built."""
    circuit = compile_graph(examples()[name].graph(), PRIVATE, limb_bits=widths)
    assert circuit.plan.rows == circuit.n_constraints


def _pooled(overlap: bool) -> Network:
    network = Network(rng(31), 1, 7, 7).conv(2, 2).relu(3)
    return network.pool(2) if not overlap else network.pool(2).pool(2)


def test_hoisting_maxima_keeps_every_output() -> None:
    for network in (_pooled(False), _pooled(True)):
        graph = network.graph()
        hoisted = hoist_maxima(graph)
        kinds = [type(op) for op in hoisted.ops]
        assert kinds.index(Requantise) > kinds.index(ReduceMax)
        for _ in range(20):
            sample = network.sample()[None]
            np.testing.assert_array_equal(
                graph.run(sample)[graph.output], hoisted.run(sample)[hoisted.output]
            )


def test_hoisting_leaves_what_others_read() -> None:
    network = Network(rng(32), 1, 5, 5).conv(1, 2).relu(3)
    rectified = network.last
    # the rectified tensor is read again below, so that moving the maximum would not save its requantisation
    graph = network.pool(2).dense(16).residual(rectified).graph()
    assert hoist_maxima(graph) is graph


def test_a_graph_without_maxima_is_left_alone() -> None:
    graph = examples()["mlp"].graph()
    assert hoist_maxima(graph) is graph
