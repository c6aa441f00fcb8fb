"""A circuit of circom's, between snarkjs and this prover: each proves under keys that the other made."""

from __future__ import annotations

import json
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from assay_prover import groth16
from assay_prover.groth16 import FIELD_ORDER, InvalidProof, snarkjs
from node_tools import needs_node

TESTS = Path(__file__).parents[1]
INSTALLED = TESTS / "bench" / "peers" / "snarkjs"
CIRCUIT = TESTS / "vectors" / "snarkjs" / "neuron.circom"
SCRIPT = Path(__file__).with_name("snarkjs.mjs")
POWER = 8  # 2^8 rows hold the circuit's
INPUT = {
    "weights": [(37 * i) % 251 - 125 for i in range(20)],
    "activations": [(91 * i) % 127 for i in range(20)],
    "bias": 4242,
}
SEED = bytes(range(32))
pytestmark = needs_node


def node(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a program where snarkjs is installed."""
    command = ["node", *map(str, arguments)]
    return subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=300, check=False)


def peer(*arguments: object) -> None:
    done = node(SCRIPT, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def setup(r1cs: Path, folder: Path, name: str) -> None:
    """Their ceremony: NAME.zkey, NAME.vk.json and the powers of tau, NAME.ptau."""
    peer("setup", r1cs, POWER, *(folder / f"{name}.{kind}" for kind in ("zkey", "vk.json", "ptau")))


@dataclass(frozen=True)
class Files:
    """Everything that circom and snarkjs made of the circuit."""

    folder: Path
    circuit: snarkjs.Circuit
    public: list[int]

    def __getitem__(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Files:
    assert (INSTALLED / "node_modules" / "circom2").is_dir(), "circom is not installed: run `make node-tools`"
    folder = tmp_path_factory.mktemp("circom")
    compiler = INSTALLED / "node_modules" / "circom2" / "cli.js"
    (folder / CIRCUIT.name).write_text(CIRCUIT.read_text())
    done = subprocess.run(
        ["node", compiler, CIRCUIT.name, "--r1cs", "--wasm", "-o", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "input.json").write_text(json.dumps(INPUT))
    peer("witness", folder / "neuron_js" / "neuron.wasm", folder / "input.json", folder / "neuron.wtns")
    setup(folder / "neuron.r1cs", folder, "their")
    circuit = snarkjs.read_r1cs(folder / "neuron.r1cs")
    wires = snarkjs.read_wtns(folder / "neuron.wtns")
    public = [sum(int(limb) << 64 * i for i, limb in enumerate(word)) for word in wires[1:4]]
    return Files(folder, circuit, public)


def prove(files: Files, key: groth16.ProvingKey, seed: bytes | None = None) -> bytes:
    """Our proof of circom's witness, which satisfies circom's circuit."""
    z = snarkjs.read_wtns(files["neuron.wtns"])
    assert groth16.check_r1cs(files.circuit.layout, [files.circuit.block], z) is None
    a, b = groth16.eval_rows(files.circuit.layout, [files.circuit.block], z)
    return key.prove(files.public, z[files.circuit.layout.w2.start :], a, b, rng_seed=seed)


def blinding(seed: bytes) -> list[int]:
    """The r and s that a seed stands for.

    ChaCha20's stream (RFC 8439, section 2.3, with a counter of 64 bits), cut into Montgomery forms of 254
    bits, those of r or more left out.
    """
    mask = 2**32 - 1

    def block(counter: int) -> bytes:
        state = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", seed), counter, 0, 0, 0]
        x = list(state)

        def quarter(a: int, b: int, c: int, d: int) -> None:
            for p, q, r, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[p] = (x[p] + x[q]) & mask
                mixed = x[r] ^ x[p]
                x[r] = (mixed << turn | mixed >> (32 - turn)) & mask

        for _ in range(10):
            for i in range(4):
                quarter(i, i + 4, i + 8, i + 12)
            for i in range(4):
                quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        return struct.pack("<16I", *((p + q) & mask for p, q in zip(x, state, strict=True)))

    stream = b"".join(block(i) for i in range(16))
    draws = (int.from_bytes(stream[i : i + 32], "little") % 2**254 for i in range(0, len(stream), 32))
    montgomery = pow(2**256, -1, FIELD_ORDER)
    return [draw * montgomery % FIELD_ORDER for draw in draws if draw < FIELD_ORDER][:2]


def test_snarkjs_verifies_what_we_prove_under_its_key(made: Files, tmp_path: Path) -> None:
    vk = snarkjs.import_zkey(made["their.zkey"], tmp_path / "their.pk")
    assert vk == snarkjs.verifying_key_from_json(made["their.vk.json"].read_text())
    proof = prove(made, groth16.ProvingKey.open(tmp_path / "their.pk"))
    groth16.verify(vk, made.public, proof)
    (tmp_path / "proof.json").write_text(snarkjs.proof_to_json(proof))
    (tmp_path / "public.json").write_text(snarkjs.public_to_json(made.public))
    files = [made["their.vk.json"], tmp_path / "public.json", tmp_path / "proof.json"]
    peer("verify", *files)
    # And so does its command line, which is what people run.
    command_line = INSTALLED / "node_modules" / "snarkjs" / "build" / "cli.cjs"
    done = node(command_line, "groth16", "verify", *files)
    assert done.returncode == 0, done.stdout
    (tmp_path / "public.json").write_text(snarkjs.public_to_json([*made.public[:2], 1]))
    assert node(command_line, "groth16", "verify", *files).returncode != 0


def test_our_key_claims_no_ceremony(made: Files, tmp_path: Path) -> None:
    snarkjs.setup_zkey(made.circuit, tmp_path / "our.zkey", tmp_path / "our.pk")
    peer("audit", made["neuron.r1cs"], made["their.ptau"], made["their.zkey"])
    done = node(SCRIPT, "audit", made["neuron.r1cs"], made["their.ptau"], tmp_path / "our.zkey")
    assert "invalid key" in done.stderr


def test_we_verify_what_snarkjs_proves_under_our_key(made: Files, tmp_path: Path) -> None:
    vk = snarkjs.setup_zkey(made.circuit, tmp_path / "our.zkey", tmp_path / "our.pk")
    proof_file, public_file = tmp_path / "proof.json", tmp_path / "public.json"
    peer("prove", tmp_path / "our.zkey", made["neuron.wtns"], proof_file, public_file)
    public = snarkjs.public_from_json(public_file.read_text())
    assert public == made.public
    proof = snarkjs.proof_from_json(proof_file.read_text())
    groth16.verify(vk, public, proof)
    with pytest.raises(InvalidProof):
        groth16.verify(vk, [*public[:2], public[2] + 1], proof)
    peer("exportvk", tmp_path / "our.zkey", tmp_path / "vk.json")
    assert snarkjs.verifying_key_from_json((tmp_path / "vk.json").read_text()) == vk


@pytest.mark.parametrize("whose", ["their", "our"])
def test_with_the_same_blinding_both_make_the_same_proof(made: Files, tmp_path: Path, whose: str) -> None:
    if whose == "our":
        zkey = tmp_path / "our.zkey"
        snarkjs.setup_zkey(made.circuit, zkey, tmp_path / "key.pk")
    else:
        zkey = made["their.zkey"]
        snarkjs.import_zkey(zkey, tmp_path / "key.pk")
    ours = prove(made, groth16.ProvingKey.open(tmp_path / "key.pk"), SEED)
    files = zkey, made["neuron.wtns"], tmp_path / "proof.json", tmp_path / "public.json"
    peer("prove", *files, *blinding(SEED))
    assert snarkjs.proof_from_json((tmp_path / "proof.json").read_text()) == ours


def test_what_we_write_again_is_what_circom_wrote(made: Files, tmp_path: Path) -> None:
    z = snarkjs.read_wtns(made["neuron.wtns"])
    snarkjs.write_wtns(z, tmp_path / "again.wtns")
    assert (tmp_path / "again.wtns").read_bytes() == made["neuron.wtns"].read_bytes()
    snarkjs.write_r1cs(made.circuit, tmp_path / "again.r1cs")
    setup(tmp_path / "again.r1cs", tmp_path, "again")
    again = snarkjs.read_r1cs(tmp_path / "again.r1cs")
    assert again.layout == made.circuit.layout
    assert again.n_outputs == made.circuit.n_outputs == 2
    for ours, theirs in zip(again.block, made.circuit.block, strict=True):
        assert all((x == y).all() for x, y in zip(ours, theirs, strict=True))
