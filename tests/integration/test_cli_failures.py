"""What bad input gets: one clear line that says what and what to do, a non-zero exit status, no traceback.

The command runs in this process (its own `main`, its own exit status), so that many failures can be tried.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from eth_utils.address import to_checksum_address
from onnx import numpy_helper

from assay_node.chain import Deployment
from assay_node.cli.exit_codes import ExitCode
from assay_node.client import ProofFile
from assay_node.devnet import DevnetConfig, DevnetThread
from assay_prover import Bundle, binding, new_salt

MODELS = Path(__file__).parents[1] / "vectors" / "models"
NOWHERE = "http://127.0.0.1:1"
R = 21888242871839275222246405745257275088548364400416034343698204186575808495617

Assay = Callable[..., tuple[str, str]]


@pytest.fixture
def proof_files(bc_mlp: Any, tmp_path: Path) -> tuple[Path, Path]:
    """A valid proof and its key as files."""
    bundle: Bundle = bc_mlp.bundle
    word = binding(31337, "0x" + "11" * 20, bytes(32), "0x" + "22" * 20)
    proved = bundle.prover().prove(bundle.encode_input(bc_mlp.x[0]), salt=new_salt(), binding=word)
    proof, key = tmp_path / "proof.json", tmp_path / "verifying.key"
    ProofFile(vk_hash=bundle.vk_hash, public=tuple(proved.public), proof=proved.proof).write(proof)
    key.write_bytes(bundle.verifying_key)
    return proof, key


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


# proof files


def test_a_valid_proof_file_verifies_without_a_chain(assay: Assay, proof_files: tuple[Path, Path]) -> None:
    out, _ = assay("verify", "--proof", proof_files[0], "--key", proof_files[1], "--json")
    assert json.loads(out)["verified"] is True


@pytest.mark.parametrize("bit", [0, 9, 255, 700, 1500, 2047])
def test_a_proof_with_a_flipped_bit_is_not_verified(
    assay: Assay, proof_files: tuple[Path, Path], bit: int
) -> None:
    def flip(document: dict[str, Any]) -> None:
        proof = bytearray.fromhex(document["proof"][2:])
        proof[bit // 8] ^= 0x80 >> bit % 8
        document["proof"] = "0x" + proof.hex()

    edit(proof_files[0], flip)
    out, _ = assay("verify", "--proof", proof_files[0], "--key", proof_files[1], code=ExitCode.NOT_VERIFIED)
    assert "verified" not in out


@pytest.mark.parametrize("index", [0, 1, -1])
@pytest.mark.parametrize("added", [1, R])
def test_a_changed_statement_is_not_verified(
    assay: Assay, proof_files: tuple[Path, Path], index: int, added: int
) -> None:
    def add(document: dict[str, Any]) -> None:
        document["public"][index] = f"0x{int(document['public'][index], 16) + added:064x}"

    edit(proof_files[0], add)
    out, _ = assay("verify", "--proof", proof_files[0], "--key", proof_files[1], code=ExitCode.NOT_VERIFIED)
    assert "verified" not in out


def test_a_truncated_key_is_not_verified_against(assay: Assay, proof_files: tuple[Path, Path]) -> None:
    proof, key = proof_files
    key.write_bytes(key.read_bytes()[:-1])
    assay("verify", "--proof", proof, "--key", key, code=ExitCode.NOT_VERIFIED)
    # Nor if the proof claims to be for the truncated key.
    from eth_utils.crypto import keccak

    edit(proof, lambda document: document.update(vk_hash="0x" + keccak(key.read_bytes()).hex()))
    assay("verify", "--proof", proof, "--key", key, code=ExitCode.NOT_VERIFIED)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"proof": 1}', "\x00\x01", "0x" * 99])
def test_what_is_no_proof_file_is_refused(assay: Assay, proof_files: tuple[Path, Path], text: str) -> None:
    proof_files[0].write_text(text)
    _, error = assay("verify", "--proof", proof_files[0], "--key", proof_files[1], code=ExitCode.FAILED)
    assert "is not a proof file" in error


def test_verify_needs_a_job_or_a_proof(assay: Assay) -> None:
    assay("verify", code=ExitCode.USAGE)
    assay("verify", "0x1234", code=ExitCode.USAGE)


# models


def test_a_corrupt_onnx_file(assay: Assay, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes((MODELS / "bc_mlp.onnx").read_bytes()[:900])
    assay("model", "compile", model, "-o", tmp_path / "out", "--range", -3, 3, code=ExitCode.FAILED)
    assert not (tmp_path / "out").exists()


def test_nan_weights(assay: Assay, tmp_path: Path) -> None:
    model = onnx.load(MODELS / "bc_mlp.onnx")
    weight = model.graph.initializer[0]
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] = np.nan
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(model, tmp_path / "model.onnx")
    arguments = ("model", "compile", tmp_path / "model.onnx", "-o", tmp_path / "out", "--range", -3, 3)
    _, error = assay(*arguments, code=ExitCode.FAILED)
    assert "NaN" in error


def test_an_unsupported_operator_is_named(assay: Assay, tmp_path: Path) -> None:
    model = onnx.load(MODELS / "bc_mlp.onnx")
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type, relu.name = "RandomNormalLike", "the_culprit"
    onnx.save(model, tmp_path / "model.onnx")
    arguments = ("model", "compile", tmp_path / "model.onnx", "-o", tmp_path / "out", "--range", -3, 3)
    _, error = assay(*arguments, code=ExitCode.FAILED)
    assert "the_culprit" in error
    assert "RandomNormalLike" in error


def test_samples_that_are_none(assay: Assay, tmp_path: Path) -> None:
    for name, content in (("a.npy", b"junk"), ("b.npz", b"PK\x03\x04junk"), ("c.json", b"{")):
        (tmp_path / name).write_bytes(content)
        arguments = ("model", "compile", MODELS / "bc_mlp.onnx", "-o", tmp_path / "out")
        assay(*arguments, "--samples", tmp_path / name, code=ExitCode.FAILED)


def test_pickled_samples_are_not_unpickled(assay: Assay, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"any": "object"}]), allow_pickle=True)
    arguments = ("model", "compile", MODELS / "bc_mlp.onnx", "-o", tmp_path / "out")
    _, error = assay(*arguments, "--samples", tmp_path / "a.npy", code=ExitCode.FAILED)
    assert "objects are not opened" in error


def test_a_bundle_that_was_tampered_with(assay: Assay, bc_mlp: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bc_mlp.bundle.path, copy)
    circuit = bytearray((copy / "circuit.npz").read_bytes())
    circuit[len(circuit) // 2] ^= 1
    (copy / "circuit.npz").write_bytes(circuit)
    assay("model", "show", copy, code=ExitCode.FAILED)


# chains


def test_no_chain(assay: Assay) -> None:
    _, error = assay("deploy", code=ExitCode.CHAIN)
    assert NOWHERE in error


def test_a_chain_that_died_in_between(assay: Assay, net: DevnetThread) -> None:
    assay("deploy")
    assay("vault", "balance")
    net.stop()
    _, error = assay("vault", "balance", code=ExitCode.CHAIN)
    assert net.url in error


def test_not_a_chain_at_all(assay: Assay, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("ASSAY_RPC", f"http://127.0.0.1:{port}")
    assay("vault", "balance", code=ExitCode.CHAIN)


def test_an_account_without_funds(assay: Assay, net: DevnetThread) -> None:
    _, error = assay("deploy", "--key", "poor", code=ExitCode.CHAIN)
    assert "has 0 ETH" in error


def test_a_chain_without_a_deployment(assay: Assay, net: DevnetThread) -> None:
    _, error = assay("vault", "balance", code=ExitCode.FAILED)
    assert "assay deploy" in error


def test_another_chain_than_the_deployments(assay: Assay, net: DevnetThread, home: Path) -> None:
    assay("deploy")
    (file,) = (home / "deployments").glob("31337-*.json")
    elsewhere = Deployment.load(file).model_copy(update={"chain_id": 5})
    elsewhere.save(home / "five.json")
    _, error = assay("vault", "balance", "--deployment", home / "five.json", code=ExitCode.CHAIN)
    assert "chain 31337" in error
    assert "chain 5" in error


def test_a_chain_started_anew(assay: Assay, net: DevnetThread, monkeypatch: pytest.MonkeyPatch) -> None:
    assay("deploy")
    # Another base fee, another genesis: two chains of one second would be the same chain to an outbox.
    with DevnetThread(DevnetConfig(port=0, base_fee=2 * 10**9)) as another:
        monkeypatch.setenv("ASSAY_RPC", another.url)
        _, error = assay("vault", "balance", code=ExitCode.FAILED)
        assert "assay deploy" in error
        assay("deploy")
        assay("vault", "balance")
    monkeypatch.setenv("ASSAY_RPC", net.url)
    assay("vault", "balance")  # the other one's deployment is where it was


def test_a_deployment_of_another_chain_with_the_same_id(
    assay: Assay, net: DevnetThread, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assay("deploy")
    (file,) = (home / "deployments").glob("31337-*.json")
    with DevnetThread(DevnetConfig(port=0, base_fee=2 * 10**9)) as another:
        monkeypatch.setenv("ASSAY_RPC", another.url)
        assay("deploy")
        _, error = assay("vault", "balance", "--deployment", file, code=ExitCode.CHAIN)
        assert "another chain with the id 31337" in error


def test_a_second_deployment_needs_to_be_asked_for(assay: Assay, net: DevnetThread, home: Path) -> None:
    first = json.loads(assay("deploy", "--json")[0])
    file = Path(first["file"])
    _, error = assay("deploy", code=ExitCode.FAILED)
    assert "--again" in error
    assert Deployment.load(file).market == first["deployment"]["market"]
    second = json.loads(assay("deploy", "--again", "--json")[0])
    assert second["deployment"]["market"] != first["deployment"]["market"]
    assert Deployment.load(file).market == second["deployment"]["market"]
    assert Deployment.load(file.with_name(f"{file.stem}.1.json")).market == first["deployment"]["market"]


@pytest.mark.parametrize("name", ["folder", "thesis.json", "thesis.json/below"])
def test_a_place_for_the_addresses_is_looked_at_before_anything_is_deployed(
    assay: Assay, net: DevnetThread, tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "thesis.json").write_text("six years of work")
    for more in ((), ("--again",)):
        assay("deploy", "--out", tmp_path / name, *more, code=ExitCode.FAILED)
    assert (tmp_path / "thesis.json").read_text() == "six years of work"
    out, _ = assay("deploy", "--json")
    assert json.loads(out)["deployment"]["block"] == 1, "nothing was deployed before"


def test_evidence_and_demo_replace_only_their_own_files(assay: Assay, tmp_path: Path) -> None:
    (tmp_path / "demo" / "run").mkdir(parents=True)
    thesis = tmp_path / "demo" / "run" / "thesis.tex"
    thesis.write_text("six years of work")
    _, error = assay("demo", "--work", tmp_path / "demo", code=ExitCode.FAILED)
    assert "did not make" in error
    assert thesis.read_text() == "six years of work"
    (tmp_path / "proof.json").write_text("six years of work")
    _, error = assay("verify", "0x" + "11" * 32, "--save", tmp_path, code=ExitCode.FAILED)
    assert "did not write it" in error
    (tmp_path / "proof.json").unlink()
    (tmp_path / "verifying.key").write_bytes(b"the key to my flat")
    _, error = assay("verify", "0x" + "11" * 32, "--save", tmp_path, code=ExitCode.FAILED)
    assert "did not write it" in error


def test_a_busy_port(assay: Assay) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        _, error = assay("devnet", "--port", port, code=ExitCode.FAILED)
    assert "in use" in error


def test_a_remote_address_for_the_devnet(assay: Assay) -> None:
    _, error = assay("devnet", "--host", "0.0.0.0", code=ExitCode.FAILED)  # noqa: S104
    assert "loopback" in error


# jobs


def test_bad_input_posts_no_job(
    assay: Assay, net: DevnetThread, bc_mlp: Any, home: Path, tmp_path: Path
) -> None:
    assay("deploy")
    bundle = bc_mlp.bundle.path
    out, _ = assay("model", "publish", bundle, "--json")
    model = json.loads(out)["model_id"]
    submit = ("job", "submit", bundle, "--model", model, "--max-price", "1gwei", "--no-follow", "--input")

    samples = {
        "shape": np.zeros(29, np.float32),
        "nan": np.full(30, np.nan, np.float32),
        "range": np.full(30, 1e6, np.float32),
    }
    for name, sample in samples.items():
        np.save(tmp_path / f"{name}.npy", sample)
        assay(*submit, tmp_path / f"{name}.npy", code=ExitCode.FAILED)
    (tmp_path / "number.json").write_text("3")
    assay(*submit, tmp_path / "number.json", code=ExitCode.FAILED)
    _, error = assay(*submit, tmp_path / "number.json", "--row", 0, code=ExitCode.FAILED)
    assert "no row 0" in error
    np.save(tmp_path / "good.npy", bc_mlp.x[0])
    _, error = assay(*submit, tmp_path / "good.npy", "--row", 5000, code=ExitCode.FAILED)
    assert "no row 5000" in error
    unknown = ("job", "submit", bundle, "--model", "0x" + "ab" * 32, "--max-price", "1gwei", "--no-follow")
    _, error = assay(*unknown, "--input", tmp_path / "good.npy", code=ExitCode.FAILED)
    assert "no model" in error
    assay(*submit, tmp_path / "good.npy", "--bid-window", "60d", code=ExitCode.USAGE)
    assay(*submit, tmp_path / "good.npy", "--key", "poor", code=ExitCode.CHAIN)
    assert json.loads(assay("job", "list", "--json")[0]) == []

    posted = json.loads(assay(*submit, tmp_path / "good.npy", "--json")[0])
    job = posted["job_id"]
    assert [entry["job_id"] for entry in json.loads(assay("job", "list", "--json")[0])] == [job]
    assert json.loads(assay("job", "status", job, "--json")[0])["state"] == "open"
    assay("job", "result", job, code=ExitCode.NOT_READY)
    assay("verify", job, code=ExitCode.NOT_READY)
    assay("job", "cancel", job, "--key", "poor", code=ExitCode.FAILED)
    assert json.loads(assay("job", "cancel", job, "--json")[0])["state"] == "cancelled"
    assert json.loads(assay("job", "cancel", job, "--json")[0])["state"] == "cancelled"  # twice is once
    assay("job", "result", job, code=ExitCode.NO_RESULT)
    assay("job", "status", "0x" + "cd" * 32, code=ExitCode.FAILED)
    assay("verify", "0x" + "cd" * 32, code=ExitCode.FAILED)
    assay("vault", "withdraw", "2gwei", code=ExitCode.FAILED)
    assert json.loads(assay("vault", "withdraw", "--json")[0])["amount_wei"] == 10**9
    _, error = assay("vault", "withdraw", code=ExitCode.FAILED)
    assert "nothing" in error


# registered models


def test_what_may_change_of_a_model_and_by_whom(assay: Assay, net: DevnetThread, bc_mlp: Any) -> None:
    assay("deploy")
    bundle = bc_mlp.bundle.path
    model = json.loads(assay("model", "publish", bundle, "--royalty", 500, "--json")[0])["model_id"]
    heir = to_checksum_address("0x" + "ab" * 20)
    assay("model", "payout", model, "nobody", code=ExitCode.USAGE)
    shown = json.loads(assay("model", "payout", model, heir, "--json")[0])
    assert (shown["payout"], shown["retired"]) == (heir, False)
    back = json.loads(assay("model", "payout", model, net.accounts[0].address, "--json")[0])
    assert back["payout"] == net.accounts[0].address
    assert json.loads(assay("model", "payout", model, heir, "--json")[0])["payout"] == to_checksum_address(
        heir
    )
    assay("keys", "new", "other", "--dev", 1)
    for change in (("payout", model, heir), ("retire", model)):
        _, error = assay("model", *change, "--key", "other", code=ExitCode.FAILED)
        assert "does not own" in error
    assert json.loads(assay("model", "retire", model, "--json")[0])["retired"] is True
    _, error = assay("model", "retire", model, code=ExitCode.FAILED)
    assert "already retired" in error


# keys
