"""Files that snarkjs and circom made, and files made for them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from assay_prover import _native, groth16
from assay_prover.groth16 import FIELD_ORDER, InvalidInput, InvalidKey, InvalidProof, snarkjs
from node_tools import needs_node, snarkjs_command
from unit.prover.toy_circuit import integers

VECTORS = Path(__file__).parents[3] / "vectors" / "snarkjs"
PUBLIC = snarkjs.public_from_json((VECTORS / "public.json").read_text())
VK = snarkjs.verifying_key_from_json((VECTORS / "verification_key.json").read_text())


def prove(key: groth16.ProvingKey, circuit: snarkjs.Circuit) -> bytes:
    z = snarkjs.read_wtns(VECTORS / "toy.wtns")
    assert groth16.check_r1cs(circuit.layout, [circuit.block], z) is None
    a, b = groth16.eval_rows(circuit.layout, [circuit.block], z)
    return key.prove(PUBLIC, z[circuit.layout.w2.start :], a, b)


def test_their_proof_verifies_here() -> None:
    proof = snarkjs.proof_from_json((VECTORS / "proof.json").read_text())
    groth16.verify(VK, PUBLIC, proof)
    with pytest.raises(InvalidProof):
        groth16.verify(VK, [PUBLIC[0], PUBLIC[1], PUBLIC[2] + 1], proof)
    with pytest.raises(InvalidInput):
        groth16.verify(VK, [PUBLIC[0], PUBLIC[1], PUBLIC[2] + FIELD_ORDER], proof)


def test_their_key_proves_here(tmp_path: Path) -> None:
    circuit = snarkjs.read_r1cs(VECTORS / "toy.r1cs")
    vk = snarkjs.import_zkey(VECTORS / "toy.zkey", tmp_path / "toy.pk")
    assert vk == VK
    key = groth16.ProvingKey.open(tmp_path / "toy.pk")
    assert key.origin == "imported"
    assert key.layout == circuit.layout
    assert key.n_constraints == circuit.n_constraints
    groth16.verify(VK, PUBLIC, prove(key, circuit))


def test_their_circuit_proves_under_our_key(tmp_path: Path) -> None:
    circuit = snarkjs.read_r1cs(VECTORS / "toy.r1cs")
    builder = groth16.SetupBuilder(circuit.layout, circuit.n_constraints)
    builder.push(*circuit.block)
    vk = builder.finish(tmp_path / "own.pk")
    groth16.verify(vk, PUBLIC, prove(groth16.ProvingKey.open(tmp_path / "own.pk"), circuit))


@needs_node
def test_snarkjs_verifies_our_proofs(tmp_path: Path) -> None:
    command = snarkjs_command()
    circuit = snarkjs.read_r1cs(VECTORS / "toy.r1cs")
    builder = groth16.SetupBuilder(circuit.layout, circuit.n_constraints)
    builder.push(*circuit.block)
    own = builder.finish(tmp_path / "own.pk")
    theirs = snarkjs.import_zkey(VECTORS / "toy.zkey", tmp_path / "their.pk")
    (tmp_path / "public.json").write_text(snarkjs.public_to_json(PUBLIC))
    for name, vk in (("own", own), ("their", theirs)):
        proof = prove(groth16.ProvingKey.open(tmp_path / f"{name}.pk"), circuit)
        (tmp_path / "vk.json").write_text(snarkjs.verifying_key_to_json(vk))
        (tmp_path / "proof.json").write_text(snarkjs.proof_to_json(proof))
        arguments = [command, "groth16", "verify", "vk.json", "public.json", "proof.json"]
        done = subprocess.run(
            arguments, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout
        assert "OK" in done.stdout


def test_documents_survive_a_round_trip() -> None:
    text = (VECTORS / "proof.json").read_text()
    proof = snarkjs.proof_from_json(text)
    assert json.loads(snarkjs.proof_to_json(proof)) == json.loads(text)
    again = json.loads(snarkjs.verifying_key_to_json(VK))
    original = json.loads((VECTORS / "verification_key.json").read_text())
    del original["vk_alphabeta_12"]
    assert again == original
    assert snarkjs.public_from_json(snarkjs.public_to_json(PUBLIC)) == PUBLIC


def test_files_survive_a_round_trip(tmp_path: Path) -> None:
    circuit = snarkjs.read_r1cs(VECTORS / "toy.r1cs")
    snarkjs.write_r1cs(circuit, tmp_path / "again.r1cs")
    again = snarkjs.read_r1cs(tmp_path / "again.r1cs")
    assert again.layout == circuit.layout
    assert again.n_outputs == circuit.n_outputs == 2
    for ours, theirs in zip(again.block, circuit.block, strict=True):
        assert all((x == y).all() for x, y in zip(ours, theirs, strict=True))
    witness = snarkjs.read_wtns(VECTORS / "toy.wtns")
    snarkjs.write_wtns(witness, tmp_path / "again.wtns")
    assert (tmp_path / "again.wtns").read_bytes() == (VECTORS / "toy.wtns").read_bytes()
    assert integers(witness)[1:4] == PUBLIC


def test_a_key_without_a_contribution_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidKey, match="ceremony"):
        snarkjs.import_zkey(VECTORS / "toy_no_contribution.zkey", tmp_path / "bad.pk")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["toy.r1cs", "toy.wtns", "toy.zkey"])
def test_truncated_and_oversized_files_are_refused(tmp_path: Path, name: str) -> None:
    good = (VECTORS / name).read_bytes()

    def read(data: bytes) -> object:
        if name.endswith("r1cs"):
            return _native.r1cs_read(data)
        if name.endswith("wtns"):
            return _native.wtns_read(data)
        (tmp_path / name).write_bytes(data)
        return _native.zkey_import(tmp_path / name, tmp_path / "out.pk")

    read(good)
    for length in [*range(0, 64, 7), *range(64, len(good), 311), len(good) - 1]:
        with pytest.raises(InvalidInput):
            read(good[:length])
    with pytest.raises(InvalidInput):
        read(good + b"\0")
    for position in range(12):
        with pytest.raises(InvalidInput):
            read(good[:position] + bytes([good[position] ^ 0x40]) + good[position + 1 :])
    # A section's length prefix far beyond the data must not allocate.
    with pytest.raises(InvalidInput):
        read(good[:16] + b"\xff" * 8 + good[24:])


def test_values_out_of_range_are_refused() -> None:
    witness = bytearray((VECTORS / "toy.wtns").read_bytes())
    witness[-32:] = FIELD_ORDER.to_bytes(32, "little")
    with pytest.raises(InvalidInput, match="below r"):
        _native.wtns_read(bytes(witness))
    circuit = bytearray((VECTORS / "toy.r1cs").read_bytes())
    at = circuit.index((FIELD_ORDER - 1).to_bytes(32, "little"))
    circuit[at : at + 32] = FIELD_ORDER.to_bytes(32, "little")
    with pytest.raises(InvalidInput, match="below r"):
        _native.r1cs_read(bytes(circuit))


def test_malformed_documents_are_refused() -> None:
    proof = json.loads((VECTORS / "proof.json").read_text())
    for change in (
        {"protocol": "plonk"},
        {"curve": "bls12381"},
        {"pi_a": ["1", "2"]},
        {"pi_a": ["1", "2", "2"]},
        {"pi_a": ["x", "2", "1"]},
        {"pi_a": [str(2**256), "2", "1"]},
        {"pi_b": [["1"], ["1", "2"], ["1", "0"]]},
        {"pi_c": None},
    ):
        with pytest.raises(InvalidInput):
            snarkjs.proof_from_json(json.dumps({**proof, **change}))
    key = json.loads((VECTORS / "verification_key.json").read_text())
    swapped = {"vk_delta_2": key["vk_gamma_2"]}
    none: dict[str, object] = {"nPublic": -1, "IC": []}
    replacements: list[dict[str, object]] = [{"nPublic": 2}, {"IC": []}, none, {"vk_beta_2": []}, swapped]
    for replaced in replacements:
        with pytest.raises((InvalidInput, InvalidKey)):
            snarkjs.verifying_key_from_json(json.dumps({**key, **replaced}))
    deep = "[" * 5_000
    for text in ("", "[]", "{", deep):
        with pytest.raises(InvalidInput):
            snarkjs.proof_from_json(text)
    for text in ("", "{}", "[null]", "[-1]", deep):
        with pytest.raises(InvalidInput):
            snarkjs.public_from_json(text)


@pytest.mark.parametrize("name", ["optimised_one_row", "optimised_no_rows"])
def test_a_circuit_whose_inputs_were_optimised_away_is_read(name: str, tmp_path: Path) -> None:
    circuit = snarkjs.read_r1cs(VECTORS / f"{name}.r1cs")
    assert circuit.layout.n_public == 1
    builder = groth16.SetupBuilder(circuit.layout, circuit.n_constraints)
    builder.push(*circuit.block)
    vk = builder.finish(tmp_path / "own.pk")
    key = groth16.ProvingKey.open(tmp_path / "own.pk")
    check = groth16.KeyCheck(key)
    check.push(*circuit.block)
    check.finish()
    groth16.check_verifying_key(vk)


def test_a_circuit_that_claims_more_wires_than_it_names_is_refused(tmp_path: Path) -> None:
    data = bytearray((VECTORS / "toy.r1cs").read_bytes())
    position = data.index(FIELD_ORDER.to_bytes(32, "little")) + 32
    data[position : position + 4] = (0xFFFF_FFF0).to_bytes(4, "little")
    (tmp_path / "huge.r1cs").write_bytes(data)
    with pytest.raises(InvalidInput, match=r"truncated|wires"):
        snarkjs.read_r1cs(tmp_path / "huge.r1cs")


def test_a_proof_and_a_key_without_a_curve_are_read_as_rapidsnark_writes_them() -> None:
    for name, read in (
        ("proof.json", snarkjs.proof_from_json),
        ("verification_key.json", snarkjs.verifying_key_from_json),
    ):
        document = json.loads((VECTORS / name).read_text())
        expected = read(json.dumps(document))
        del document["curve"]
        assert read(json.dumps(document)) == expected
        document["curve"] = "bls12381"
        with pytest.raises(InvalidInput, match="bn128"):
            read(json.dumps(document))


@pytest.mark.parametrize(
    "text", ["0X1", "0x1", " 1", "1 ", "1_0", "+1", "-1", "01", "", "\u0661", "1.0", "1" * 79, str(1 << 256)]
)
def test_a_number_has_one_spelling(text: str) -> None:
    with pytest.raises(InvalidInput, match="expected a number"):
        snarkjs.public_from_json(json.dumps([text]))


@pytest.mark.parametrize(
    "text", ["[true]", "[null]", "[1.0]", "[NaN]", "[-1]", "[[1]]", '{"a": 1}', "[" * 100_000, "[1e400]"]
)
def test_public_inputs_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        snarkjs.public_from_json(text)


def test_a_count_that_is_true_is_no_count() -> None:
    document = json.loads((VECTORS / "verification_key.json").read_text())
    document["IC"] = document["IC"][:2]
    document["nPublic"] = True
    with pytest.raises(InvalidInput, match="nPublic"):
        snarkjs.verifying_key_from_json(json.dumps(document))
