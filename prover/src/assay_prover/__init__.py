"""Prove what an ONNX model answered.

`compile_model` turns a network into a bundle, `Bundle.setup` makes its keys, `Bundle.prover` proves and
`verify` checks. The bit-exact integer network is public too: `assay_prover.reference`.
"""

from assay_prover._native import __version__, poseidon
from assay_prover.bundle import (
    Bundle,
    CompileReport,
    Decoded,
    KeyedCircuit,
    MachineProfile,
    Manifest,
    ModelProver,
    Proved,
    ProvedSlice,
    Quote,
    SetupReport,
    binding,
    compile_model,
    new_salt,
    quote_model,
)
from assay_prover.errors import (
    AssayProverError,
    BundleError,
    InputError,
    ModelError,
    QuantisationError,
    UnsupportedModel,
)
from assay_prover.groth16 import (
    FIELD_ORDER,
    Cancelled,
    InvalidInput,
    InvalidKey,
    InvalidProof,
    InvalidWitness,
    ProverError,
    join_proofs,
    verify,
    verify_batch,
)

__all__ = [
    "FIELD_ORDER",
    "AssayProverError",
    "Bundle",
    "BundleError",
    "Cancelled",
    "CompileReport",
    "Decoded",
    "InputError",
    "InvalidInput",
    "InvalidKey",
    "InvalidProof",
    "InvalidWitness",
    "KeyedCircuit",
    "MachineProfile",
    "Manifest",
    "ModelError",
    "ModelProver",
    "Proved",
    "ProvedSlice",
    "ProverError",
    "QuantisationError",
    "Quote",
    "SetupReport",
    "UnsupportedModel",
    "__version__",
    "binding",
    "compile_model",
    "join_proofs",
    "new_salt",
    "poseidon",
    "quote_model",
    "verify",
    "verify_batch",
]
