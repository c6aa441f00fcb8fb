"""Model bundles: the directory of a compiled network; set it up, prove with it, verify and decode."""

from typing import TYPE_CHECKING

from assay_prover.bundle.binding import binding
from assay_prover.bundle.bundle import Bundle, new_salt
from assay_prover.bundle.encoding import Decoded
from assay_prover.bundle.keyed_circuit import KeyedCircuit, SetupReport
from assay_prover.bundle.manifest import Manifest
from assay_prover.bundle.proof_file import AnswerFile, ProofFile
from assay_prover.bundle.prover import ModelProver, Proved, ProvedSlice
from assay_prover.lazy_imports import moved_names

if not TYPE_CHECKING:  # else every name would be one to a type checker
    __getattr__ = moved_names(
        __name__,
        {
            "CompileReport": "assay_prover.compiler:CompileReport",
            "compile_model": "assay_prover.compiler:compile_model",
            "MachineProfile": "assay_prover.quote:MachineProfile",
            "Quote": "assay_prover.quote:Quote",
            "quote_model": "assay_prover.quote:quote_model",
        },
    )

__all__ = [
    "AnswerFile",
    "Bundle",
    "Decoded",
    "KeyedCircuit",
    "Manifest",
    "ModelProver",
    "ProofFile",
    "Proved",
    "ProvedSlice",
    "SetupReport",
    "binding",
    "new_salt",
]
