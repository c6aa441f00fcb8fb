"""Every operator's circuit, automatically: tampering with its wires must not go unnoticed.

The cases are the compiler's own test cases, of which a test demands one for each operator that compiles
(`test_every_operator_has_a_case`): a new operator comes with this sweep. Exhaustive tests of each gadget
stand in the files beside this one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from assay_prover import groth16
from soundness.sites import Site
from soundness.subjects import Subject, operator
from soundness.underconstrained import System, committed_wires
from unit.prover.circuit.test_circuit import _prove, _setup
from unit.prover.frontend.test_operators import compiled
from unit.prover.operator_cases import CASES

WIDTHS: list[tuple[int, ...]] = [(), (3,)]
SAMPLES = 12
TAMPERED, PAIRS = 60, 30
"""Wires and pairs of a circuit that are tried; a fixed choice, other wires for the two widths."""


@pytest.fixture(params=[(name, widths) for name in CASES for widths in WIDTHS], ids=str)
def system(request: pytest.FixtureRequest) -> System:
    name, widths = request.param
    circuit, _, samples = compiled(name, widths)
    return System.of(circuit, circuit.witness(samples[0]), seed=len(widths))


def test_no_wire_and_no_balanced_pair_changes(system: System) -> None:
    assert system.first_failure() is None
    wires = system.tamperable()
    tried = wires if len(wires) <= TAMPERED else sorted(system.random.sample(wires, TAMPERED))
    assert list(system.unnoticed(tried)) == []
    for changes in system.balanced_pairs(PAIRS):
        assert not system.accepts(changes), changes
    assert all(system.rows_of[wire] for wire in committed_wires(system))


@pytest.mark.parametrize("name", CASES)
def test_no_operator_has_another_witness(name: str) -> None:
    for widths in WIDTHS:
        assert list(operator(name, widths)(None, None)[1].attack()) == []


@pytest.mark.parametrize("name", CASES)
def test_every_range_check_that_an_operator_drops_is_missed(name: str) -> None:
    """The same attacks, against the circuit without one range check: its layer has another solution."""
    emitted = operator(name, ())(None, None)[0].emitted
    for site in sorted(
        s for s in emitted if s.file.startswith("gadgets/") and s.text.startswith("range_check(")
    ):
        if site.function == "both" and "excess" not in site.text:
            continue  # of use just beyond a clamp alone, where `subjects.BOUNDARIES` has it
        if not any(_is_missed(operator(name, (), sample), site) for sample in range(SAMPLES)):
            pytest.fail(f"nobody misses {site}")


def _is_missed(subject: Subject, site: Site) -> bool:
    trace, adversary = subject(site, None)
    return any(adversary.attack(trace.mutated, most=12))


@pytest.mark.parametrize("name", CASES)
def test_constraints_determine_every_wire_to_first_order(name: str) -> None:
    # the Jacobian is singular where a comparison is tied, which chance may hit; one sample must be regular
    circuit, _, samples = compiled(name)
    for sample in samples:
        if System.of(circuit, circuit.witness(sample)).free_directions() == 0:
            return
    pytest.fail("some wire is free to first order at every sample")


PROVED = (
    "round",
    "floor",
    "where",
    "div_wires",
    "layer_normalization",
    "softmax_within",
    "embedding",
    "tree_ensemble_classifier",
    "svm_classifier",
    "qlinear_conv",
    "lstm",
)


@pytest.mark.parametrize("name", PROVED)
def test_real_proof_verifies_and_one_over_tampered_wires_does_not(name: str, tmp_path: Path) -> None:
    circuit, _, samples = compiled(name, (4,))
    key = _setup(circuit, tmp_path)
    witness = circuit.witness(samples[0])
    groth16.verify(key.vk, witness.public, _prove(circuit, witness, key))
    small = [wires for wires in circuit.builder.committed if wires.size]
    for position in range(0, len(small), max(1, len(small) // 3)):
        tampered = circuit.witness(samples[0])
        values = tampered._frame.value(small[position]).copy()
        values[-1] += 1
        tampered._frame._values[small[position]] = values
        try:
            proof = _prove(circuit, tampered, key)
        except (ValueError, groth16.ProverError):
            continue  # not even a lookup index exists for such a value
        with pytest.raises(groth16.InvalidProof):
            groth16.verify(key.vk, witness.public, proof)
