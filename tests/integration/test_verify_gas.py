"""Gas of a verification: bounded, and foretold from the statement's size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_node.chain.contracts.gas import JOB_CALLS, SETTLEMENT, job_gas, verify_gas
from assay_prover import Bundle, compile_model, new_salt
from bench.verify_gas import VerifierGas
from unit.prover.onnx_models import MODELS

ROOT = Path(__file__).parents[2]
BASE = {(False, False): 190_000, (True, False): 225_000, (False, True): 225_000, (True, True): 260_000}
"""(committed, private weights) -> gas beside the statement's wires."""
A_WIRE = 6_510
"""6,350 in precompiles and calls, then the word's own handling; a challenge is a wire, too."""


@pytest.fixture(scope="module")
def verifier() -> Iterator[VerifierGas]:
    with VerifierGas() as gas:
        yield gas


@pytest.mark.parametrize(
    ("name", "options", "mode"),
    [
        ("bc_mlp", {}, "plain"),
        ("bc_mlp", {"weights": "private"}, "plain"),
        ("digits_mlp", {"input": "public", "output": "public"}, "plain"),
        ("digits_mlp", {}, "committed"),
        ("digits_mlp", {"weights": "private"}, "committed"),
    ],
)
def test_verification_stays_within_its_gas(
    verifier: VerifierGas, name: str, options: dict[str, Any], mode: str, tmp_path: Path
) -> None:
    with np.load(MODELS / f"{name}.npz") as data:
        x, y = data["x"], data["y"]
    compile_model(MODELS / f"{name}.onnx", x, tmp_path / "b", labels=y, **options)
    bundle = Bundle.open(tmp_path / "b")
    bundle.setup(seed=bytes(32))
    commitment = bundle.commit_model() if bundle.is_private else b""
    assert bundle.manifest.costs.mode == mode
    salt = new_salt() if bundle.spec.needs_salt else None
    proved = bundle.prover().prove(bundle.encode_input(x[0]), salt=salt)
    used = verifier.measure(bundle.verifying_key, proved.public, proved.proof, commitment)
    committed, private = mode == "committed", bundle.is_private
    inputs = len(proved.public)
    assert used <= BASE[committed, private] + A_WIRE * (inputs + int(committed))
    foretold = verify_gas(inputs, committed=committed, private_weights=private)
    assert used == pytest.approx(foretold, rel=0.01)
    assert len(proved.proof) == (320 if committed else 256)


def test_gas_of_a_job_is_what_the_contracts_need() -> None:
    """The constants are those of the contracts' own snapshots."""
    snapshots = ROOT / "contracts" / "snapshots"
    market = json.loads((snapshots / "market.json").read_text())
    verify = json.loads((snapshots / "verify.json").read_text())
    taken = {"placeBid": "placeBid_first"}
    for call, gas in JOB_CALLS.items():
        assert int(market[taken.get(call, call)]) == pytest.approx(gas, rel=0.05)
    settling = int(market["submitProof_committed_4_words"]) - int(verify["committed_inputs_4"])
    assert settling == pytest.approx(SETTLEMENT, rel=0.05)
    for name, gas in verify.items():
        mode, _, count = name.partition("_inputs_")
        if not count or mode not in {"plain", "committed", "private", "committedPrivate"}:
            continue
        flags = {"committed": "committed" in mode, "private_weights": "rivate" in mode}
        assert verify_gas(int(count), **flags) == pytest.approx(int(gas), rel=0.02)
    assert job_gas(3, committed=True, private_weights=False) > 800_000
