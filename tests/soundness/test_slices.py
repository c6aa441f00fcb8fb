"""Slices of a network: every wire is tampered with, and other openings are tried of what crosses a cut."""

from __future__ import annotations

import numpy as np
import pytest

from assay_prover.circuit import FIELD_ORDER, Circuit
from assay_prover.circuit.layout import Region
from assay_prover.circuit.witness_values import WitnessValues
from assay_prover.gadgets import pack as packing
from assay_prover.lowering import compile_graph
from assay_prover.lowering.slices import cut, live
from assay_prover.reference import IntegerGraph
from soundness.networks import OPEN, OWN_SALT, PRIVATE, PUBLIC, SEALED, Network, examples, rng
from soundness.underconstrained import System

SALT, BINDING, BLINDING = 987654321 << 100, 12345, 1357924680 << 150
SPECS = {"encrypted": PRIVATE, "committed": SEALED, "private": OPEN, "own salt": OWN_SALT, "public": PUBLIC}


def residual() -> Network:
    """Its second cut is crossed by two tensors, of different ranges."""
    network = Network(rng(41), 4).dense(4).relu(3)
    kept = network.last
    return network.dense(3).relu(2).dense(4).relu(4).residual(kept).relu(1).dense(2)


def _slices(
    network: Network, spec_name: str, positions: list[int], widths: tuple[int, ...]
) -> list[tuple[Circuit, System]]:
    graph, sample = network.graph(), network.sample()
    known = graph.run(sample[None])
    parts = cut(graph, positions)
    found = []
    for i, part in enumerate(parts):
        circuit = compile_graph(part, SPECS[spec_name].slice(i, len(parts)), limb_bits=widths)
        witness = circuit.witness_of([known[t.name] for t in part.inputs], SALT, BINDING, BLINDING)
        found.append((circuit, System.of(circuit, witness)))
    return found


@pytest.mark.parametrize("widths", [(), (4,)], ids=str)
@pytest.mark.parametrize("spec", SPECS)
def test_no_wire_of_a_slice_changes_alone(spec: str, widths: tuple[int, ...]) -> None:
    network = residual()
    assert [len(live(network.graph(), p)) for p in (2, 4)] == [1, 2]
    for _, system in _slices(network, spec, [2, 4], widths):
        assert system.first_failure() is None
        assert list(system.unnoticed()) == []


@pytest.mark.parametrize("name", [n for n in examples() if n != "affine only"])
def test_no_wire_of_a_slice_of_any_operation_changes_alone(name: str) -> None:
    network = examples()[name]
    middle = len(network.ops) // 2
    for _, system in _slices(network, "private", [middle], (4,)):
        assert system.first_failure() is None
        assert list(system.unnoticed()) == []


def test_slices_are_determined_to_first_order() -> None:
    for widths in ((), (4,)):
        samples = [_slices(residual(), "encrypted", [2, 4], widths) for _ in range(3)]
        for systems in zip(*samples, strict=True):
            assert min(system.free_directions() for _, system in systems) == 0


@pytest.mark.parametrize("spec", SPECS)
def test_words_of_a_slice_are_bound_to_its_computation(spec: str) -> None:
    for _, system in _slices(residual(), spec, [2, 4], (4,)):
        for wire in range(1, 1 + system.layout.n_public):
            for delta in (1, -1, 1 << 200):
                assert not system.accepts({wire: (system.z[wire] + delta) % FIELD_ORDER})


def test_an_encrypted_output_is_under_the_salt_that_opens_the_last_cut() -> None:
    """The adversary encrypts under a salt of its own and keeps the cut."""
    graph = residual().graph()
    known = graph.run(residual().sample()[None])
    part = cut(graph, [2, 4])[2]
    circuit = compile_graph(part, PRIVATE.slice(2, 3), limb_bits=(4,))
    inputs = [known[t.name] for t in part.inputs]
    system = System.of(circuit, circuit.witness_of(inputs, SALT, 0, BLINDING))
    forged = System.of(circuit, circuit.witness_of(inputs, SALT + 1, 0, BLINDING))
    changes = {
        wire: forged.z[wire]
        for wire in (
            circuit.layout.n_public,
            *range(circuit.layout.base(Region.FREE), circuit.layout.n_wires),
        )
        if forged.z[wire] != system.z[wire]
    }
    assert circuit.layout.n_public in changes
    assert not system.accepts(changes)


def test_a_cut_is_opened_under_one_blinding_on_both_sides() -> None:
    """The adversary has all wires of an honest slice under another blinding, and keeps the cut."""
    network = residual()
    graph = network.graph()
    known = graph.run(network.sample()[None])
    for index, part in enumerate(cut(graph, [2, 4])):
        circuit = compile_graph(part, PRIVATE.slice(index, 3), limb_bits=(4,))
        inputs = [known[t.name] for t in part.inputs]
        system, forged = (
            System.of(circuit, circuit.witness_of(inputs, SALT, BINDING, blinding))
            for blinding in (BLINDING, BLINDING + 1)
        )
        moved = [w for w in range(1, 1 + circuit.layout.n_public) if system.z[w] != forged.z[w]]
        assert len(moved) == (2 if index == 1 else 1)
        free = range(circuit.layout.base(Region.FREE), circuit.layout.n_wires)
        changes = {w: forged.z[w] for w in free if forged.z[w] != system.z[w]}
        for kept in moved:
            others = {w: forged.z[w] for w in moved if w != kept}
            assert not system.accepts({**changes, **others})


def _evaluate(graph: IntegerGraph, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Like `run`, without a look at the declared ranges."""
    known = dict(inputs)
    for op in graph.ops:
        known[op.output] = op.evaluate(*(known[name] for name in op.inputs))
    return known


@pytest.mark.parametrize("checked", [True, False], ids=["as it is", "without the range check"])
def test_a_cut_has_no_second_opening_because_entering_values_are_range_checked(
    checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One value up by 2^b, its neighbour down by one: the packed word is the same, the answer another."""
    monkeypatch.setattr(
        packing,
        "pack",
        lambda values, bits: [sum(int(v) << (bits * i) for i, v in enumerate(values)) % FIELD_ORDER],
    )
    if not checked:
        monkeypatch.setattr("assay_prover.lowering.lower.range_check", lambda *_, **__: None)
    network = Network(rng(42), 5).dense(4).requantise(3, -8, 7).dense(2)
    graph = network.graph()
    part = cut(graph, [2])[1]
    (tensor,) = part.inputs
    circuit = compile_graph(part, OPEN.slice(1, 2), limb_bits=())
    values = graph.run(network.sample()[None])[tensor.name].ravel()
    bits = 4
    forged = values.copy()
    forged[0] += 1 << bits
    forged[1] -= 1
    systems = []
    for integers in (values, forged):
        frame = WitnessValues(_evaluate(part, {tensor.name: integers[None]}), SALT, 0, BLINDING)
        systems.append(System(circuit.builder, frame))
    honest, cheating = systems
    assert honest.first_failure() is None
    assert honest.z[2] == cheating.z[2]  # the cut
    assert honest.z[3] != cheating.z[3]  # what is said to follow from it
    assert (cheating.first_failure() is None) is not checked
