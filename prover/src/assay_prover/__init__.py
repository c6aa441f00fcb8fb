"""Prove what an ONNX model answered.

`compile_model` turns a network into a bundle, `Bundle.setup` makes its keys, `Bundle.prover` proves and
`verify` checks. The bit-exact integer network is public too: `assay_prover.reference`.
"""

import os
from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

# onnxruntime writes a device id and a database into the user's cache and reports to its maker. It reads this
# once, when it is loaded, so it stands here, before any module of this package can load it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from assay_prover._native import __version__, poseidon
    from assay_prover.bundle import (
        AnswerFile,
        Bundle,
        Decoded,
        KeyedCircuit,
        Manifest,
        ModelProver,
        ProofFile,
        Proved,
        ProvedSlice,
        SetupReport,
        new_salt,
    )
    from assay_prover.bundle.binding import binding
    from assay_prover.compiler import CompileReport, compile_model, with_weights
    from assay_prover.errors import (
        AssayProverError,
        BundleError,
        InputError,
        ModelError,
        ProofFileError,
        QuantisationError,
        UnsafeKeys,
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
    from assay_prover.quote import MachineProfile, Quote, quote_model
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "._native": "__version__ poseidon",
            ".bundle": (
                "AnswerFile Bundle Decoded KeyedCircuit Manifest ModelProver ProofFile Proved "
                "ProvedSlice SetupReport binding new_salt"
            ),
            ".compiler": "CompileReport compile_model with_weights",
            ".errors": (
                "AssayProverError BundleError InputError ModelError ProofFileError QuantisationError "
                "UnsafeKeys UnsupportedModel"
            ),
            ".groth16": (
                "Cancelled FIELD_ORDER InvalidInput InvalidKey InvalidProof InvalidWitness "
                "ProverError join_proofs verify verify_batch"
            ),
            ".quote": "MachineProfile Quote quote_model",
        },
    )

__all__ = [
    "FIELD_ORDER",
    "AnswerFile",
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
    "ProofFile",
    "ProofFileError",
    "Proved",
    "ProvedSlice",
    "ProverError",
    "QuantisationError",
    "Quote",
    "SetupReport",
    "UnsafeKeys",
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
    "with_weights",
]
