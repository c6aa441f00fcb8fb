"""Networks cut into slices: the same integers, one linked proof, and only the right slices make one."""

from __future__ import annotations

import numpy as np
import pytest

from assay_prover import (
    QuantisationError,
)
from assay_prover.circuit import commit, pack_range, range_bits
from assay_prover.lowering import compile_graph
from assay_prover.lowering.slices import compile_slices, cut, live, words
from soundness.networks import OPEN, PUBLIC, Network, examples, rng

SALT, BINDING, BLINDING = 12345, 67, 89 << 200
P = 21888242871839275222246405745257275088696311157297823662689037894645226208583


def residual() -> Network:
    """Two tensors are alive inside its block."""
    network = Network(rng(31), 6).dense(5).relu(3)
    kept = network.last
    return network.dense(5).relu(2).residual(kept).relu(1).dense(3)


def test_what_is_alive_at_each_place_of_a_residual_network() -> None:
    graph = residual().graph()
    alive = [[t.name for t in live(graph, p)] for p in range(1, len(graph.ops))]
    assert alive == [["t0"], ["t1"], ["t1", "t2"], ["t1", "t3"], ["t4"], ["t5"]]


@pytest.mark.parametrize("name", [n for n in examples() if n != "affine only"])
def test_every_cut_of_every_network_leaves_each_integer_and_worst_case_as_it_was(name: str) -> None:
    network = examples()[name]
    graph, sample = network.graph(), network.sample()
    known = graph.run(sample[None])
    for position in range(1, len(graph.ops)):
        first, second = cut(graph, [position])
        middle = first.run(sample[None])
        answer = second.run(*(middle[tensor.name] for tensor in second.inputs))
        np.testing.assert_array_equal(answer[second.output], known[graph.output])
        for part in (first, second):
            for tensor in part.tensors.values():
                whole = graph.tensors[tensor.name]
                np.testing.assert_array_equal(tensor.lo, whole.lo)
                np.testing.assert_array_equal(tensor.hi, whole.hi)


@pytest.mark.parametrize("positions", [[0], [7], [2, 2], [3, 2], [-1]])
def test_cuts_that_leave_an_empty_slice_are_refused(positions: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot be cut"):
        cut(residual().graph(), positions)


def test_linked_circuits_state_the_same_words_at_a_cut_under_the_domain_of_its_number() -> None:
    network = residual()
    graph, sample = network.graph(), network.sample()
    parts = cut(graph, [3, 6])
    known = graph.run(sample[None])
    statements = []
    for i, part in enumerate(parts):
        circuit = compile_graph(part, OPEN.slice(i, 3), limb_bits=(4,))
        witness = circuit.witness_of([known[t.name] for t in part.inputs], SALT, BINDING, BLINDING)
        statements.append(witness.public)
        assert witness.public[0] == BINDING
    for number, position in ((1, 3), (2, 6)):
        packed = [
            word
            for t in live(graph, position)
            for word in pack_range(known[t.name], t.min, range_bits(t.min, t.max))
        ]
        assert len(packed) == sum(words(t) for t in live(graph, position))
        blinded = [BLINDING, *packed]
        assert statements[number - 1][-1] == statements[number][1] == commit(blinded, SALT, 3 + number)
    whole = compile_graph(graph, OPEN).witness(sample, SALT, BINDING).public
    assert [*statements[0][:2], *statements[2][2:]] == whole


def test_equal_activations_at_two_cuts_have_unrelated_commitments() -> None:
    """The identity between two cuts: without their numbers in the hash a reader would see that it is one."""
    network = Network(rng(1), 4).dense(3).relu(3)
    same = network.requantise(0, None, None).dense(2)
    graph = same.graph()
    parts = cut(graph, [2, 3])
    known = graph.run(same.sample()[None])
    leaving = [
        compile_graph(part, OPEN.slice(i, 3))
        .witness_of([known[t.name] for t in part.inputs], SALT, 0, BLINDING)
        .public[-1]
        for i, part in enumerate(parts[:2])
    ]
    assert leaving[0] != leaving[1]


def test_a_budget_gives_the_fewest_slices_and_each_keeps_it() -> None:
    network = Network(rng(3), 600)
    for _ in range(14):
        network.dense(600).requantise(12, 0, 255)
    graph = network.dense(3).graph()
    whole = compile_graph(graph, PUBLIC)
    assert compile_slices(graph, PUBLIC, whole, max_constraints=whole.n_constraints)[0] == ()
    for budget in (3 * whole.n_constraints // 4, whole.n_constraints // 2, whole.n_constraints // 3):
        positions, circuits = compile_slices(graph, PUBLIC, whole, max_constraints=budget)
        assert 2 <= len(circuits) == len(positions) + 1
        assert max(circuit.n_constraints for circuit in circuits) <= budget
        if len(circuits) > 2:
            _, fewer = compile_slices(graph, PUBLIC, whole, slices=len(circuits) - 1)
            assert max(circuit.n_constraints for circuit in fewer) > budget
    with pytest.raises(QuantisationError, match="allow more"):
        compile_slices(graph, PUBLIC, whole, max_constraints=700)


def test_slices_are_even_where_the_network_is() -> None:
    network = Network(rng(3), 600)
    for _ in range(8):
        network.dense(600).requantise(12, 0, 255)
    graph = network.graph()
    whole = compile_graph(graph, PUBLIC)
    for count in (2, 4):
        _, circuits = compile_slices(graph, PUBLIC, whole, slices=count)
        sizes = [circuit.n_constraints for circuit in circuits]
        assert len(sizes) == count
        assert max(sizes) < 1.6 * sum(sizes) / count
    with pytest.raises(QuantisationError, match="2 to 16 slices, not 17"):
        compile_slices(graph, PUBLIC, whole, slices=17)
