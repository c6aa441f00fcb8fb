"""Model bundles: the directory of a compiled network; set it up, prove with it, verify and decode."""

from assay_prover.bundle.binding import binding
from assay_prover.bundle.bundle import Bundle, new_salt
from assay_prover.bundle.encoding import Decoded
from assay_prover.bundle.keyed_circuit import KeyedCircuit, SetupReport
from assay_prover.bundle.manifest import Manifest
from assay_prover.bundle.proof_file import AnswerFile, ProofFile
from assay_prover.bundle.prover import ModelProver, Proved, ProvedSlice

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
