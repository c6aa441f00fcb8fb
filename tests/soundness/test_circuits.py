"""Whole circuits: every wire of every small network is tampered with; what must be determined is."""

from __future__ import annotations

import numpy as np
import pytest

from assay_prover.circuit import FIELD_ORDER, OUTPUT_DOMAIN, StatementSpec, commit, pack_range, range_bits
from assay_prover.circuit.layout import Region
from assay_prover.lowering import compile_graph
from soundness.exhaustive import solutions
from soundness.networks import OPEN, OWN_SALT, PRIVATE, PUBLIC, SEALED, Network, examples, rng
from soundness.underconstrained import System, committed_wires

NAMES = list(examples())
WIDTHS: list[tuple[int, ...]] = [(), (4,)]


def _system(name: str, spec: StatementSpec, widths: tuple[int, ...]) -> System:
    network = examples()[name]
    circuit = compile_graph(network.graph(), spec, limb_bits=widths)
    salt = 987654321 << 128 if spec.needs_salt else None
    return System.of(circuit, circuit.witness(network.sample(), salt=salt, binding=12345))


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_no_wire_of_a_network_changes_alone(name: str, widths: tuple[int, ...]) -> None:
    system = _system(name, PUBLIC, widths)
    assert system.first_failure() is None
    assert list(system.unnoticed()) == []


@pytest.mark.parametrize("spec", [PRIVATE, SEALED, OWN_SALT], ids=["encrypted", "committed", "own salt"])
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", ["mlp", "argmax"])
def test_no_wire_of_a_hidden_statement_changes_alone(
    name: str, widths: tuple[int, ...], spec: StatementSpec
) -> None:
    """Salt, Poseidon's wires and the binding's square included."""
    system = _system(name, spec, widths)
    assert system.first_failure() is None
    assert list(system.unnoticed()) == []


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_no_balanced_pair_of_a_network_changes(name: str, widths: tuple[int, ...]) -> None:
    system = _system(name, OPEN, widths)
    for changes in system.balanced_pairs(400):
        assert not system.accepts(changes), changes


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_constraints_determine_every_wire_to_first_order(name: str, widths: tuple[int, ...]) -> None:
    # the Jacobian is singular where a comparison is tied, which chance may hit; one sample must be regular
    network = examples()[name]
    circuit = compile_graph(network.graph(), PUBLIC, limb_bits=widths)
    free = [System.of(circuit, circuit.witness(network.sample())).free_directions() for _ in range(5)]
    assert min(free) == 0, free


def test_private_statement_is_determined_to_first_order() -> None:
    assert _system("mlp", PRIVATE, ()).free_directions() == 0
    assert _system("mlp", PRIVATE, (4,)).free_directions() == 0


@pytest.mark.parametrize("spec", [PRIVATE, SEALED, OWN_SALT], ids=["encrypted", "committed", "own salt"])
def test_public_words_are_bound_to_the_computation(spec: StatementSpec) -> None:
    """Each public input but the binding, changed alone, fails; the binding's square fails with it."""
    system = _system("mlp", spec, (4,))
    for wire in range(1, 1 + system.layout.n_public):
        for delta in (1, -1, 1 << 200):
            assert not system.accepts({wire: (system.z[wire] + delta) % FIELD_ORDER})


def test_changing_the_input_needs_another_commitment() -> None:
    """The adversary re-runs the honest inference on another input, under the statement of the first."""
    network = Network(rng(20), 4).dense(3).relu(3).dense(2)
    circuit = compile_graph(network.graph(), PRIVATE, limb_bits=(4,))
    sample = network.sample()
    system = System.of(circuit, circuit.witness(sample, salt=7))
    other = sample.copy()
    other[0] = 7 if sample[0] < 0 else -8
    forged = System.of(circuit, circuit.witness(other, salt=7))
    wires = list(range(1 + circuit.layout.n_public + 1, circuit.layout.n_wires))
    changes = {w: forged.z[w] for w in wires if forged.z[w] != system.z[w]}
    assert changes
    assert not system.accepts(changes)
    np.testing.assert_array_equal([system.z[w] for w in range(2)], [forged.z[w] for w in range(2)])


@pytest.mark.parametrize("spec", [SEALED, OWN_SALT], ids=["committed", "own salt"])
def test_a_committed_output_is_the_networks_answer_under_the_domain_of_outputs(spec: StatementSpec) -> None:
    network = Network(rng(20), 4).dense(3).relu(3).dense(2)
    graph, sample = network.graph(), network.sample()
    witness = compile_graph(graph, spec, limb_bits=(4,)).witness(sample, salt=7)
    answer, result = graph.run(sample[None])[graph.output], graph.result
    words = pack_range(answer, result.min, range_bits(result.min, result.max))
    assert witness.public[-1] == commit(words, 7, OUTPUT_DOMAIN) != commit(words, 7)
    hidden = spec.input_visibility == "private"
    packed = pack_range(sample, spec.input_lo, spec.input_bits)
    assert witness.public[1:-1] == ([commit(packed, 7)] if hidden else packed)


def test_a_committed_output_needs_the_salt_of_the_input() -> None:
    """The adversary keeps everything and commits to the output under a salt of its own."""
    network = Network(rng(20), 4).dense(3).relu(3).dense(2)
    circuit = compile_graph(network.graph(), SEALED, limb_bits=(4,))
    sample = network.sample()
    system = System.of(circuit, circuit.witness(sample, salt=7))
    forged = System.of(circuit, circuit.witness(sample, salt=8))
    last = circuit.layout.n_public
    assert system.z[last] != forged.z[last]
    hashed = range(circuit.layout.base(Region.FREE), circuit.layout.n_wires)
    changes = {w: forged.z[w] for w in (last, *hashed) if forged.z[w] != system.z[w]}
    assert not system.accepts(changes)


def test_every_committed_wire_is_reached_by_a_constraint() -> None:
    for name in NAMES:
        system = _system(name, OPEN, (4,))
        assert all(system.rows_of[wire] for wire in committed_wires(system)), name


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("affine only", ()),
        ("mlp", ()),
        ("mlp", (4,)),
        ("clamped", ()),
        ("clamped", (4,)),
        ("rounded", (4,)),
        ("capped", ()),
        ("argmax", (4,)),
        ("conv and pool", (4,)),
    ],
)
def test_network_has_exactly_one_witness_for_an_input(name: str, widths: tuple[int, ...]) -> None:
    network = examples()[name]
    circuit = compile_graph(network.graph(), PUBLIC, limb_bits=widths)
    inputs = circuit.builder.committed[0]
    first = circuit.layout.base(inputs.region) + inputs.offset
    witness = circuit.witness(network.sample())
    system = System.of(circuit, witness, given=range(first, first + inputs.size))
    (only,) = solutions(system)
    assert only == {wire: system.z[wire] for wire in only}
