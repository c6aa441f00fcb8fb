"""Keys, proofs and refusals through the Python face."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ecc.optimized_bn128 import FQ, FQ2, FQ12, G1, G2, add, curve_order, multiply, neg, pairing

from assay_prover import _native, groth16
from assay_prover.errors import AssayProverError
from assay_prover.groth16 import FIELD_ORDER, InvalidInput, InvalidKey, InvalidProof, InvalidWitness
from assay_prover.groth16.arrays import Vector
from unit.prover.toy_circuit import ToyCircuit, limbs

MODES = [(False, False), (True, False), (False, True), (True, True)]
VALUES = [3, -5, 127, -128, 0, 1]
WEIGHTS = [2, -1, 7, 0, 5, -9]


def toy(committed: bool, private: bool) -> ToyCircuit:
    return ToyCircuit(VALUES, WEIGHTS if private else None, committed=committed)


@pytest.mark.parametrize(("committed", "private"), MODES)
def test_a_proof_verifies_in_every_mode(tmp_path: Path, committed: bool, private: bool) -> None:
    circuit = toy(committed, private)
    key = circuit.setup(tmp_path)
    model = circuit.model(key)
    proof = circuit.prove(key, model)
    assert len(proof) == (320 if committed else 256)
    commitment = model.M if model else None
    groth16.verify(key.vk, circuit.public, proof, commitment)
    _native.verify(key.vk, limbs(*circuit.public), proof, commitment)
    groth16.verify_batch(key.vk, [(circuit.public, proof)] * 3, commitment)
    with pytest.raises(InvalidProof):
        groth16.verify(key.vk, [circuit.public[0], circuit.public[1] + 1], proof, commitment)


def test_a_key_describes_itself(tmp_path: Path) -> None:
    circuit = toy(True, False)
    key = circuit.setup(tmp_path)
    assert key.layout == circuit.layout
    assert key.n_constraints == circuit.n_constraints
    assert key.domain_size >= circuit.n_constraints + 1 + 2 + 1
    assert key.bytes == (tmp_path / "key.pk").stat().st_size
    assert key.origin == "development"
    assert key.vk_hash == groth16.verifying_key_hash(key.vk) == _native.keccak256(key.vk)
    groth16.check_verifying_key(key.vk)


@settings(max_examples=15, deadline=None)
@given(
    values=st.lists(st.integers(-(2**31), 2**31), min_size=1, max_size=12),
    committed=st.booleans(),
    private=st.booleans(),
)
def test_any_satisfied_witness_proves(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], committed: bool, private: bool
) -> None:
    values = [v // 2**10 for v in values]
    circuit = ToyCircuit(values, [3 * v + 1 for v in values] if private else None, committed=committed)
    key = circuit.setup(tmp_path_factory.mktemp("key"))
    model = circuit.model(key)
    groth16.verify(key.vk, circuit.public, circuit.prove(key, model), model.M if model else None)


def words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 32], "big") for i in range(0, len(data), 32)]


def g1(w: list[int]) -> tuple[FQ, FQ, FQ]:
    return FQ(w[0]), FQ(w[1]), FQ(1)


def g2(w: list[int]) -> tuple[FQ2, FQ2, FQ2]:
    return FQ2([w[1], w[0]]), FQ2([w[3], w[2]]), FQ2([1, 0])


def equation_holds(vk: bytes, public: list[int], proof: bytes, model: bytes | None) -> bool:
    """The protocol's equation with py_ecc, from the bytes alone."""
    key, flags = words(vk[32:]), vk[5]
    alpha, key = g1(key), key[2:]
    beta, gamma, delta, key = g2(key), g2(key[4:]), g2(key[8:]), key[12:]
    p = words(proof)
    right = []
    inputs = list(public)
    if flags & 1:
        tag = _native.keccak256(b"assay/groth16/challenge/v1")
        statement = b"".join(x.to_bytes(32, "big") for x in public)
        preimage = tag + _native.keccak256(vk) + statement + (model or b"") + proof[256:]
        inputs.append(int.from_bytes(_native.keccak256(preimage), "big") % curve_order)
        right.append((g1(p[8:]), g2(key)))
        key = key[4:]
    if model is not None:
        right.append((g1(words(model)), g2(key)))
        key = key[4:]
    ic = [g1(key[i:]) for i in range(0, len(key), 2)]
    assert len(ic) == len(inputs) + 1
    total = ic[0]
    for scalar, point in zip(inputs, ic[1:], strict=True):
        total = add(total, multiply(point, scalar))
    right += [(alpha, beta), (total, gamma), (g1(p[6:]), delta)]
    product = pairing(g2(p[2:]), g1(p))
    for left, other in right:
        product *= pairing(other, neg(left))
    return bool(product == FQ12.one())


@pytest.mark.parametrize(("committed", "private"), [(False, False), (True, True)])
def test_py_ecc_agrees(tmp_path: Path, committed: bool, private: bool) -> None:
    circuit = ToyCircuit([4, -7], [5, 6] if private else None, committed=committed)
    key = circuit.setup(tmp_path)
    model = circuit.model(key)
    proof = circuit.prove(key, model)
    commitment = model.M if model else None
    assert equation_holds(key.vk, circuit.public, proof, commitment)
    assert not equation_holds(key.vk, [circuit.public[0] + 1, circuit.public[1]], proof, commitment)


def test_precompiles_agree_with_py_ecc() -> None:
    def encode(point: tuple[FQ, FQ, FQ]) -> bytes:
        x, y = int(point[0] / point[2]), int(point[1] / point[2])
        return x.to_bytes(32, "big") + y.to_bytes(32, "big")

    five, seven = multiply(G1, 5), multiply(G1, 7)
    assert _native.evm_ecadd(encode(five) + encode(seven)) == encode(multiply(G1, 12))
    assert _native.evm_ecadd(encode(five) + encode(neg(five))) == bytes(64)
    assert _native.evm_ecadd(b"") == bytes(64)
    assert _native.evm_ecmul(encode(five) + (7).to_bytes(32, "big")) == encode(multiply(G1, 35))
    assert _native.evm_ecmul(encode(five) + curve_order.to_bytes(32, "big")) == bytes(64)
    top = 2**256 - 1
    assert _native.evm_ecmul(encode(five) + top.to_bytes(32, "big")) == encode(
        multiply(five, top % curve_order)
    )

    def encode2(point: tuple[FQ2, FQ2, FQ2]) -> bytes:
        x, y = point[0] / point[2], point[1] / point[2]
        return b"".join(int(c).to_bytes(32, "big") for c in [*reversed(x.coeffs), *reversed(y.coeffs)])

    def check(*pairs: tuple[tuple[FQ, FQ, FQ], tuple[FQ2, FQ2, FQ2]]) -> int:
        return int.from_bytes(
            _native.evm_ecpairing(b"".join(encode(p) + encode2(q) for p, q in pairs)), "big"
        )

    assert check() == 1
    assert check((five, G2), (neg(G1), multiply(G2, 5))) == 1
    assert check((five, G2), (neg(G1), multiply(G2, 6))) == 0


@pytest.mark.parametrize(
    ("call", "data"),
    [
        (_native.evm_ecadd, (1).to_bytes(32, "big") * 2),
        (_native.evm_ecadd, (2**256 - 1).to_bytes(32, "big") * 2),
        (_native.evm_ecmul, (1).to_bytes(32, "big") * 3),
        (_native.evm_ecpairing, bytes(191)),
        (_native.evm_ecpairing, bytes(64) + (1).to_bytes(32, "big") * 4),
    ],
)
def test_precompiles_refuse_what_is_no_point(call: object, data: bytes) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=r"point|coordinate|multiple"):
        call(data)


def test_precompiles_ignore_surplus_bytes() -> None:
    one = (1).to_bytes(32, "big") + (2).to_bytes(32, "big")
    assert _native.evm_ecadd(one + one + b"\xff") == _native.evm_ecadd(one + one)
    assert _native.evm_ecmul(one + bytes(32) + b"\xff") == bytes(64)


def test_verify_rejects_public_input_above_r(tmp_path: Path) -> None:
    circuit = toy(False, False)
    key = circuit.setup(tmp_path)
    proof = circuit.prove(key)
    for bad in (circuit.public[0] + FIELD_ORDER, FIELD_ORDER, -1, 2**256):
        with pytest.raises(InvalidInput):
            groth16.verify(key.vk, [bad, circuit.public[1]], proof)
    with pytest.raises(InvalidInput):
        _native.verify(key.vk, limbs(circuit.public[0] + FIELD_ORDER, circuit.public[1]), proof)
    with pytest.raises(InvalidInput):
        groth16.verify(key.vk, circuit.public[:1], proof)


def test_a_flipped_bit_never_verifies(tmp_path: Path) -> None:
    circuit = toy(True, False)
    key = circuit.setup(tmp_path)
    proof = circuit.prove(key)
    for position in range(0, len(proof), 9):
        bad = bytearray(proof)
        bad[position] ^= 1
        with pytest.raises(InvalidProof):
            groth16.verify(key.vk, circuit.public, bytes(bad))
    for position in range(0, len(key.vk), 17):
        bad = bytearray(key.vk)
        bad[position] ^= 1
        with pytest.raises((InvalidKey, InvalidProof)):
            groth16.verify(bytes(bad), circuit.public, proof)
    for length in (0, 255, 256, 319):
        with pytest.raises(InvalidProof):
            groth16.verify(key.vk, circuit.public, proof[:length])


def test_damaged_key_files_are_refused(tmp_path: Path) -> None:
    key = toy(False, False).setup(tmp_path)
    good = (tmp_path / "key.pk").read_bytes()
    bad = tmp_path / "bad.pk"
    for content, reason in [
        (good[:-1], "truncated"),
        (good[:100], "too short"),
        (good + b"\0", "oversized"),
        (good[:-1] + bytes([good[-1] ^ 1]), "damaged"),
        (good[:40] + bytes([good[40] ^ 1]) + good[41:], "damaged"),
        (good[:8] + b"\x09" + good[9:], "run setup again"),
        (b"\x7fELF" + good[4:], "not a proving key"),
    ]:
        bad.write_bytes(content)
        with pytest.raises(InvalidKey, match=reason):
            groth16.ProvingKey.open(bad)
    with pytest.raises(FileNotFoundError, match=r"missing\.pk"):
        groth16.ProvingKey.open(tmp_path / "missing.pk")
    assert key.vk


def test_a_session_serves_one_proof(tmp_path: Path) -> None:
    circuit = toy(True, False)
    key = circuit.setup(tmp_path)
    session = key.commit(circuit.public, circuit.w1)
    assert session.commitment is not None
    w2 = circuit.w2(session.challenge)
    a, b = groth16.eval_rows(circuit.layout, [circuit.block], circuit.z(session.challenge, w2))
    groth16.verify(key.vk, circuit.public, session.finish(w2, a, b))
    with pytest.raises(InvalidInput, match="one proof"):
        session.finish(w2, a, b)
    with pytest.raises(InvalidInput, match="use commit"):
        key.prove(circuit.public, w2, a, b)


@pytest.mark.parametrize(("committed", "private"), MODES)
def test_a_batch_of_sessions_gives_a_proof_each(tmp_path: Path, committed: bool, private: bool) -> None:
    circuit = toy(committed, private)
    key = circuit.setup(tmp_path)
    model = circuit.model(key)
    opened = None if model is None else (circuit.weights, model.M, model.mu)

    def start() -> tuple[groth16.Session, Vector, Vector, Vector]:
        session = key.commit(circuit.public, circuit.w1, model=opened)
        challenge = session.challenge if committed else None
        w2 = circuit.w2(challenge)
        a, b = groth16.eval_rows(circuit.layout, [circuit.block], circuit.z(challenge, w2))
        return session, w2, a, b

    seen: list[float] = []
    jobs = [start() for _ in range(5)]
    proofs = key.finish_batch(jobs, progress=lambda _stage, fraction: seen.append(fraction))
    assert len(set(proofs)) == 5
    assert seen[0] == 0
    assert max(seen) == 1
    groth16.verify_batch(key.vk, [(circuit.public, p) for p in proofs], model.M if model else None)
    with pytest.raises(InvalidInput, match="one proof"):
        key.finish_batch(jobs[:1])
    twice = start()
    with pytest.raises(InvalidInput, match="job 1: this session is there already"):
        key.finish_batch([twice, twice])
    with pytest.raises(InvalidInput, match="job 0: a session of another key"):
        groth16.ProvingKey.open(tmp_path / "key.pk").finish_batch([twice])
    with pytest.raises(groth16.Cancelled):
        key.finish_batch([twice, start()], progress=lambda _stage, fraction: fraction > 0)
    assert key.finish_batch([]) == []


def test_witnesses_of_the_wrong_kind_are_refused(tmp_path: Path) -> None:
    circuit = toy(True, False)
    key = circuit.setup(tmp_path)
    with pytest.raises(InvalidWitness, match="w1"):
        key.commit(circuit.public, [circuit.values[1:]])
    with pytest.raises(InvalidWitness, match="not below r"):
        key.commit(circuit.public, limbs(*[FIELD_ORDER] * len(VALUES)))
    for wrong in (
        circuit.values.astype(np.int32),
        np.zeros((6, 3), np.uint64),
        np.zeros((12, 2), np.int64)[:6, 0],
    ):
        with pytest.raises(InvalidInput, match="w1"):
            key.commit(circuit.public, [wrong])  # type: ignore[list-item]
    with pytest.raises(AssayProverError):
        key.commit([], circuit.w1)
    with pytest.raises(InvalidInput, match="no model"):
        key.commit(circuit.public, circuit.w1, model=(circuit.weights, bytes(64), bytes(32)))


def test_a_seed_makes_keys_and_proofs_reproducible(tmp_path: Path) -> None:
    circuit = toy(False, False)
    seed = bytes(range(32))

    def build(name: str) -> bytes:
        builder = groth16.SetupBuilder(circuit.layout, circuit.n_constraints, seed=seed, threads=1)
        builder.push(*circuit.block)
        builder.finish(tmp_path / name)
        return (tmp_path / name).read_bytes()

    assert build("a") == build("b")
    key = groth16.ProvingKey.open(tmp_path / "a")
    w2 = circuit.w2(None)
    a, b = groth16.eval_rows(circuit.layout, [circuit.block], circuit.z(None, w2))
    proofs = {key.prove(circuit.public, w2, a, b, rng_seed=seed, threads=t) for t in (1, 2, None)}
    assert len(proofs) == 1
    assert key.prepare_tables(wide_wires=True, budget=0) == 0
    faster = groth16.ProvingKey.open(tmp_path / "a")
    assert faster.prepare_tables(wide_wires=True, threads=1) > key.domain_size * 64
    assert faster.prove(circuit.public, w2, a, b, rng_seed=seed) in proofs
    assert key.prove(circuit.public, w2, a, b) != key.prove(circuit.public, w2, a, b)
    with pytest.raises(InvalidInput, match="32 bytes"):
        groth16.SetupBuilder(circuit.layout, circuit.n_constraints, seed=b"short")


def test_setup_misuse_is_refused(tmp_path: Path) -> None:
    circuit = toy(False, False)
    builder = groth16.SetupBuilder(circuit.layout, circuit.n_constraints)
    builder.push(*circuit.block)
    with pytest.raises(InvalidInput, match="announced"):
        builder.push(*circuit.block)
    builder.finish(tmp_path / "key.pk")
    with pytest.raises(InvalidInput, match="finished"):
        builder.finish(tmp_path / "key.pk")
    ptr, col, coef = circuit.block[0]
    with pytest.raises(InvalidInput, match="names wire"):
        groth16.SetupBuilder(circuit.layout, circuit.n_constraints).push(
            (ptr, col + 99, coef), *circuit.block[1:]
        )
    with pytest.raises(InvalidInput, match="announced"):
        groth16.SetupBuilder(circuit.layout, 3).finish(tmp_path / "other.pk")
    assert not (tmp_path / "other.pk").exists()


def test_progress_is_told_and_can_cancel(tmp_path: Path) -> None:
    circuit = toy(False, False)
    stages: list[str] = []
    builder = groth16.SetupBuilder(circuit.layout, circuit.n_constraints)
    builder.push(*circuit.block)
    builder.finish(tmp_path / "key.pk", lambda stage, _fraction: stages.append(stage))
    assert set(stages) == {"A", "B1", "B2", "K", "D", "M", "H"}
    key = groth16.ProvingKey.open(tmp_path / "key.pk")
    w2 = circuit.w2(None)
    a, b = groth16.eval_rows(circuit.layout, [circuit.block], circuit.z(None, w2))
    with pytest.raises(groth16.Cancelled):
        key.prove(circuit.public, w2, a, b, progress=lambda stage, _fraction: stage != "G1")

    def fail(stage: str, _fraction: float) -> None:
        raise KeyError(stage)

    with pytest.raises(KeyError, match="quotient"):
        key.prove(circuit.public, w2, a, b, progress=fail)


def test_other_threads_run_while_a_proof_is_made(tmp_path: Path) -> None:
    circuit = toy(False, False)
    key = circuit.setup(tmp_path)
    w2 = circuit.w2(None)
    a, b = groth16.eval_rows(circuit.layout, [circuit.block], circuit.z(None, w2))
    answered = threading.Event()
    worker = threading.Thread(target=answered.set)

    def progress(stage: str, _fraction: float) -> bool:
        if stage == "quotient":
            worker.start()
            return answered.wait(60)
        return True

    groth16.verify(key.vk, circuit.public, key.prove(circuit.public, w2, a, b, progress=progress))
    worker.join()


def test_the_checker_finds_each_tampered_wire() -> None:
    circuit = toy(False, False)
    z = np.concatenate(
        [
            segment if segment.dtype == np.uint64 else _native.field_from_small(segment.astype(np.int64))
            for segment in circuit.z(None, circuit.w2(None))
        ]
    )
    check = groth16.check_r1cs
    assert check(circuit.layout, [circuit.block], z) is None
    for wire in range(1, circuit.layout.n_wires):
        bad = z.copy()
        bad[wire] = _native.field_add(bad[wire : wire + 1], limbs(1))[0]
        assert check(circuit.layout, [circuit.block], bad) is not None, f"wire {wire}"
    with pytest.raises(InvalidWitness):
        check(circuit.layout, [circuit.block], z[1:])


def test_names_are_exported_and_sorted() -> None:
    assert sorted(groth16.__all__) == sorted(set(groth16.__all__))
    assert all(hasattr(groth16, name) for name in groth16.__all__)
    assert _native.__version__ == "0.1.0"
    assert groth16.build_profile() in {"release", "debug"}
    assert groth16.kernel() in {"portable", "ifma"}
