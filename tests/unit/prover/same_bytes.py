"""Digests of what the compiler and the prover make of every test model.

A change that is meant to change nothing leaves them as they are. One that improves a quantisation changes
some: look at which, then write the new ones with `python tests/unit/prover/same_bytes.py`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from assay_prover import Bundle, compile_model
from assay_prover.bundle.archive import digest
from assay_prover.circuit import StatementSpec
from assay_prover.frontend import import_model
from assay_prover.groth16 import ProvingKey
from assay_prover.lowering import compile_graph
from assay_prover.passes import Precision, calibrate, fuse, quantise
from unit.prover.onnx_models import MODELS
from unit.prover.operator_cases import CASES

FILE = Path(__file__).parents[2] / "vectors" / "digests.json"

PRECISION = Precision(
    limb_bits=4, input_bits=6, activation_bits=6, output_bits=8, weight_noise=0.5, table_bits=6
)

BUNDLES: dict[str, tuple[str, dict[str, Any]]] = {
    "bc_mlp": ("bc_mlp", {}),
    "digits_mlp": ("digits_mlp", {"input": "public", "output": "public"}),
    "bc_mlp, private weights": ("bc_mlp", {"weights": "private"}),
    "digits_mlp, two slices": ("digits_mlp", {"slices": 2}),
}
"""Bundles whose keys and proofs are compared, too."""

SEED, SALT, BINDING = bytes(32), 1234567, 89


def of_case(name: str) -> dict[str, str]:
    """Integers and constraints of one operator."""
    case = CASES[name]
    graph = fuse(import_model(case.model))
    model = quantise(graph, calibrate(graph, case.samples(24), (case.lo, case.hi)), PRECISION)
    result = model.graph.result
    spec = StatementSpec("public", "public", model.input.lo, model.input.bits, result.min, result.max)
    return {
        "quantisation": digest(model.graph).hex(),
        "circuit": compile_graph(model.graph, spec).digest().hex(),
    }


def of_bundle(name: str) -> dict[str, str]:
    """A whole network: its manifest's hashes, its verifying key, one proof with fixed randomness."""
    model, options = BUNDLES[name]
    with np.load(MODELS / f"{model}.npz") as data:
        x, y = data["x"], data["y"]
    with tempfile.TemporaryDirectory() as folder:
        compile_model(MODELS / f"{model}.onnx", x, Path(folder) / "bundle", labels=y, **options)
        bundle = Bundle.open(Path(folder) / "bundle")
        bundle.setup(seed=SEED)
        hashes = bundle.manifest.hashes
        found = {
            "quantisation": hashes.quantisation,
            "circuit": hashes.circuit,
            "metadata": hashes.metadata,
            "vkHash": bundle.vk_hash.hex(),
        }
        if not bundle.is_private and len(bundle.slices) == 1:
            found["proof"] = sha256(_proof(bundle, x[0])).hexdigest()
    return found


def _proof(bundle: Bundle, sample: np.ndarray) -> bytes:
    key = ProvingKey.open(bundle.proving_key_path)
    ints = bundle.encode_input(sample).reshape(1, *bundle.graph.input.shape)
    witness = bundle.circuit.witness_of([ints], SALT if bundle.needs_salt else None, BINDING, None)
    if not bundle.circuit.layout.committed:
        a, b = witness.rows()
        return key.prove(witness.public, witness.w2(), a, b, rng_seed=SEED)
    session = key.commit(witness.public, witness.w1, rng_seed=SEED)
    a, b = witness.rows(session.challenge)
    return session.finish(witness.w2(session.challenge), a, b)


if __name__ == "__main__":
    FILE.write_text(
        json.dumps(
            {
                "operators": {name: of_case(name) for name in sorted(CASES)},
                "bundles": {name: of_bundle(name) for name in BUNDLES},
            },
            indent=1,
        )
        + "\n"
    )
