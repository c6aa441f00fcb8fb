"""Circuits of whole networks: what they compute, evaluate and cost, and that proofs of them verify."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_prover import groth16
from assay_prover.circuit import (
    FIELD_ORDER,
    Circuit,
    StatementSpec,
    Witness,
    checker,
    commit,
    decrypt,
    pack_range,
    range_bits,
    unpack_range,
)
from assay_prover.circuit.field import to_limbs
from assay_prover.circuit.layout import Region, WireLayout
from assay_prover.circuit.linear import Mapped, RowCache, Wires
from assay_prover.errors import InputError
from assay_prover.lowering import compile_graph
from assay_prover.reference import Affine, Dense, IntegerGraph, Tensor
from soundness.networks import OPEN, PRIVATE, PUBLIC, Network, examples, rng

WIDTHS: list[tuple[int, ...] | None] = [(), (4,), (3, 7), None]
CHALLENGE = 0x1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF


def _challenge(circuit: Circuit) -> int | None:
    return CHALLENGE if circuit.layout.committed else None


def _native_layout(circuit: Circuit) -> groth16.Layout:
    layout = circuit.layout
    return groth16.Layout(layout.n_public, layout.committed, layout.n_model, layout.n_w1, layout.n_w2)


def _segments(circuit: Circuit, witness: Witness) -> list[np.ndarray]:
    return [to_limbs(checker.assignment(witness, _challenge(circuit)))]


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Two to four layers of any kind that fits, with weights and shapes from one seed."""
    network = Network(rng(draw(st.integers(0, 2**32))), draw(st.integers(1, 6)))
    for _ in range(draw(st.integers(1, 3))):
        network.dense(draw(st.integers(1, 5)))
        kind = draw(st.sampled_from(["relu", "clamp", "round", "cap", "square", "table", "floor"]))
        shift = draw(st.integers(0, 6))
        if kind == "relu":
            network.relu(shift)
        elif kind == "clamp":
            lo = draw(st.integers(-40, 40))
            network.requantise(shift, lo, lo + draw(st.integers(0, 40)))
        elif kind == "round":
            network.requantise(shift, None, None)
        elif kind == "cap":
            network.requantise(shift, None, draw(st.integers(-20, 60)))
        elif kind == "floor":
            network.requantise(shift, draw(st.integers(-60, 20)), None)
        elif kind == "square":
            network.requantise(3, -8, 7).square()
        else:
            network.requantise(3, -8, 7).table(lambda v: v * v * v - 5 * v)
    if draw(st.booleans()):
        network.argmax()
    return network


@settings(max_examples=60, deadline=None)
@given(networks(), st.sampled_from(WIDTHS), st.sampled_from([PRIVATE, PUBLIC, OPEN]))
def test_any_network_proves_any_input_with_the_reference_output(
    network: Network, widths: tuple[int, ...] | None, spec: StatementSpec
) -> None:
    graph = network.graph()
    circuit = compile_graph(graph, spec, limb_bits=widths)
    blocks = list(circuit.blocks())
    for sample in (network.sample(), np.full(graph.input.shape, -8), np.full(graph.input.shape, 7)):
        witness = circuit.witness(sample, salt=99 if spec.needs_salt else None, binding=3)
        np.testing.assert_array_equal(witness.outputs, graph.run(sample[None])[graph.output][0])
        z = _segments(circuit, witness)
        assert groth16.check_r1cs(_native_layout(circuit), blocks, z) is None


@pytest.mark.parametrize("spec", [PRIVATE, PUBLIC, OPEN], ids=["private", "public", "open"])
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", list(examples()))
def test_rows_from_inference_equal_rows_from_matrices(
    name: str, widths: tuple[int, ...] | None, spec: StatementSpec
) -> None:
    """The prover never walks a matrix; here both ways are compared, and both checkers agree."""
    network = examples()[name]
    circuit = compile_graph(network.graph(), spec, limb_bits=widths)
    witness = circuit.witness(network.sample(), salt=FIELD_ORDER - 1 if spec.needs_salt else None)
    blocks = list(circuit.blocks())
    z = _segments(circuit, witness)
    a, b = groth16.eval_rows(_native_layout(circuit), blocks, z)
    rows_a, rows_b = witness.rows(_challenge(circuit))
    assert checker.flatten(rows_a) == checker.flatten([a])
    assert checker.flatten(rows_b) == checker.flatten([b])
    assert checker.check_with_integers(circuit, witness, _challenge(circuit)) is None
    assert checker.check(circuit, witness, _challenge(circuit)) is None
    assert groth16.check_r1cs(_native_layout(circuit), blocks, z) is None


def test_checkers_agree_about_the_first_failure() -> None:
    network = examples()["mlp"]
    circuit = compile_graph(network.graph(), PUBLIC, limb_bits=(4,))
    witness = circuit.witness(network.sample())
    z = checker.assignment(witness, CHALLENGE)
    system = checker.constraints(circuit.blocks())
    for wire in range(1, len(z), 7):
        tampered = z.copy()
        tampered[wire] = (tampered[wire] + 1) % FIELD_ORDER
        first = checker.first_failure(system, tampered)
        assert first is not None
        native = groth16.check_r1cs(_native_layout(circuit), list(circuit.blocks()), [to_limbs(tampered)])
        assert native == first


def _prove(circuit: Circuit, witness: Witness, key: groth16.ProvingKey) -> bytes:
    if not circuit.layout.committed:
        return key.prove(witness.public, witness.w2(), *witness.rows())
    session = key.commit(witness.public, witness.w1)
    return session.finish(witness.w2(session.challenge), *witness.rows(session.challenge))


def _setup(circuit: Circuit, folder: Path) -> groth16.ProvingKey:
    builder = groth16.SetupBuilder(_native_layout(circuit), circuit.n_constraints)
    for block in circuit.blocks():
        builder.push(*block)
    builder.finish(folder / "key")
    return groth16.ProvingKey.open(folder / "key")


@pytest.mark.parametrize("widths", [(), (4,)], ids=["plain", "committed"])
def test_proof_verifies_and_every_public_word_is_bound(tmp_path: Path, widths: tuple[int, ...]) -> None:
    network = examples()["mlp"]
    circuit = compile_graph(network.graph(), PRIVATE, limb_bits=widths)
    key = _setup(circuit, tmp_path)
    witness = circuit.witness(network.sample(), salt=5, binding=77)
    proof = _prove(circuit, witness, key)
    public = witness.public
    groth16.verify(key.vk, public, proof)
    for index in range(len(public)):
        forged = public.copy()
        forged[index] = (forged[index] + 1) % FIELD_ORDER
        with pytest.raises(groth16.InvalidProof):
            groth16.verify(key.vk, forged, proof)


@pytest.mark.parametrize("widths", [(), (4,)], ids=["plain", "committed"])
def test_real_proof_over_a_tampered_witness_does_not_verify(tmp_path: Path, widths: tuple[int, ...]) -> None:
    """A sample of wires, changed before the commitment, with everything after it computed honestly."""
    network = examples()["argmax"]
    circuit = compile_graph(network.graph(), OPEN, limb_bits=widths)
    key = _setup(circuit, tmp_path)
    sample = network.sample()
    small = circuit.builder.committed
    refused = 0
    for position in range(0, len(small), max(1, len(small) // 8)):
        witness = circuit.witness(sample, salt=5)
        values = witness._frame.value(small[position]).copy()
        if small[position].size == 0:
            continue
        values[0] += 1
        witness._frame._values[small[position]] = values
        try:
            proof = _prove(circuit, witness, key)
        except (ValueError, groth16.ProverError):
            refused += 1  # not even a lookup index exists for such a value
            continue
        with pytest.raises(groth16.InvalidProof):
            groth16.verify(key.vk, circuit.witness(sample, salt=5).public, proof)
        refused += 1
    assert refused >= 4


def test_statement_is_the_protocols() -> None:
    """Commitment, packing and encryption recomputed outside the circuit."""
    network = examples()["mlp"]
    graph = network.graph()
    circuit = compile_graph(graph, PRIVATE)
    sample, salt = network.sample(), 123456789
    witness = circuit.witness(sample, salt=salt, binding=42)
    lo, hi = graph.result.min, graph.result.max
    bits = range_bits(lo, hi)
    assert witness.public[0] == 42
    assert witness.public[1] == commit(pack_range(sample, -8, 4), salt)
    words = decrypt(witness.public[2:], salt)
    np.testing.assert_array_equal(unpack_range(words, lo, bits, graph.result.size), witness.outputs)


def test_public_statement_is_plain_words() -> None:
    network = examples()["mlp"]
    circuit = compile_graph(network.graph(), PUBLIC)
    sample = network.sample()
    witness = circuit.witness(sample)
    assert witness.public[:2] == [0, *pack_range(sample, -8, 4)]


def test_compilation_is_deterministic_and_the_digest_sees_every_coefficient() -> None:
    def build(change: int) -> Circuit:
        weight = np.array([[3, -2], [5, 7]], dtype=np.int64)
        weight[1, 0] += change
        ops = [Affine(("x",), "y", (2,), (Dense(weight),), np.zeros(2, dtype=np.int64))]
        graph = IntegerGraph([Tensor("x", (2,), np.full(2, -8), np.full(2, 7))], ops, "y")
        spec = StatementSpec("public", "public", -8, 4, output_lo=-512, output_hi=511)
        return compile_graph(graph, spec)

    assert build(0).digest() == build(0).digest()
    assert build(0).digest() != build(1).digest()
    example = examples()["conv and pool"].graph()
    assert compile_graph(example, PRIVATE).digest() == compile_graph(example, PRIVATE).digest()
    assert compile_graph(example, PRIVATE).digest() != compile_graph(example, OPEN).digest()


def test_a_plan_from_an_earlier_compilation_gives_the_same_circuit() -> None:
    graph = examples()["conv and pool"].graph()
    first = compile_graph(graph, PRIVATE)
    assert compile_graph(graph, PRIVATE, plan=first.plan).digest() == first.digest()


def test_cost_report_adds_up() -> None:
    circuit = compile_graph(examples()["conv and pool"].graph(), PRIVATE, limb_bits=(5,))
    cost = circuit.cost()
    assert cost.constraints == circuit.n_constraints == sum(a[0].size - 1 for a, _, _ in circuit.blocks())
    assert cost.constraints == sum(layer.constraints for layer in cost.layers)
    assert cost.wires == circuit.layout.n_wires
    assert cost.mode == "committed"
    assert cost.lookups == sum(table.lookups for table in cost.tables) > 0
    assert cost.to_dict()["layers"][0]["gadget"] == "binding"


def test_blocks_are_canonical() -> None:
    """Column indices ascend, nothing is stored twice or zero, every index is a wire."""
    circuit = compile_graph(examples()["residual"].graph(), PRIVATE, limb_bits=(4,))
    for block in circuit.blocks():
        for ptr, col, coefficient in block:
            assert ptr.dtype == np.int64
            assert col.dtype == np.uint32
            assert ptr[0] == 0
            assert ptr[-1] == col.size == len(coefficient)
            assert col.size == 0 or col.max() < circuit.layout.n_wires
            for start, stop in pairwise(ptr):
                assert (np.diff(col[start:stop].astype(np.int64)) > 0).all()
            assert all(checker.flatten([coefficient]))


@pytest.mark.parametrize(
    ("spec", "lo", "hi"),
    [(StatementSpec("public", "public", -8, 4), -8, 8), (StatementSpec("public", "public", 0, 4), -8, 7)],
)
def test_input_range_must_be_the_enforced_one(spec: StatementSpec, lo: int, hi: int) -> None:
    graph = Network(rng(0), 2, lo=lo, hi=hi).dense(2).graph()
    with pytest.raises(ValueError, match="enforces the input range"):
        compile_graph(graph, spec)


def test_an_output_that_can_leave_its_declared_range_is_refused() -> None:
    graph = examples()["mlp"].graph()
    with pytest.raises(ValueError, match="declared range"):
        compile_graph(graph, StatementSpec("public", "public", -8, 4, output_lo=0, output_hi=3))


def test_encrypted_output_needs_a_committed_input() -> None:
    with pytest.raises(ValueError, match="salt"):
        StatementSpec("public", "encrypted", 0, 8)


def test_witness_refuses_what_the_statement_does_not_take() -> None:
    network = examples()["mlp"]
    private, public = (compile_graph(network.graph(), spec) for spec in (PRIVATE, PUBLIC))
    sample = network.sample()
    with pytest.raises(ValueError, match="needs a salt"):
        private.witness(sample)
    with pytest.raises(ValueError, match="takes no salt"):
        public.witness(sample, salt=1)
    for salt in (-1, FIELD_ORDER):
        with pytest.raises(ValueError, match="salt"):
            private.witness(sample, salt=salt)
    with pytest.raises(ValueError, match="binding"):
        public.witness(sample, binding=FIELD_ORDER)
    with pytest.raises(InputError):
        public.witness(sample + 100)
    committed = compile_graph(network.graph(), PUBLIC, limb_bits=(4,))
    with pytest.raises(ValueError, match="needs a challenge"):
        committed.witness(sample).rows()
    plain = compile_graph(network.graph(), PUBLIC, limb_bits=1)
    with pytest.raises(ValueError, match="takes no challenge"):
        plain.witness(sample).w2(5)


def test_coefficients_beyond_62_bits_are_refused_not_wrapped() -> None:
    """Values may fit where the composed coefficients do not: 2^40 * 2^40 times a wire that is 0."""
    layout = WireLayout(n_public=0, committed=False, n_model=0, n_w1=0, n_w2=1, n_small=1)
    wire = Wires(Region.COMMITTED, 0, 1, lambda frame: frame.tensor("x"))
    big, zero = Dense(np.array([[1 << 40]], dtype=np.int64)), np.zeros(1, dtype=np.int64)
    once = Mapped([(big, wire)], zero, lambda frame: frame.tensor("x"))
    twice = Mapped([(big, once)], zero, lambda frame: frame.tensor("x"))
    assert RowCache(layout).rows(once).data.tolist() == [1 << 40]
    for tensor in (twice, once * (1 << 40)):
        with pytest.raises(OverflowError, match="62 bits"):
            RowCache(layout).rows(tensor)
