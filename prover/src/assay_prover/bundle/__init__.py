"""Model bundles: compile a network into a directory, set it up, prove with it."""

from assay_prover.bundle.binding import binding
from assay_prover.bundle.bundle import Bundle, new_salt
from assay_prover.bundle.compiler import CompileReport, compile_model
from assay_prover.bundle.encoding import Decoded
from assay_prover.bundle.keyed import KeyedCircuit, SetupReport
from assay_prover.bundle.machine import MachineProfile
from assay_prover.bundle.manifest import Manifest
from assay_prover.bundle.prover import ModelProver, Proved, ProvedSlice
from assay_prover.bundle.quote import Quote, quote_model

__all__ = [
    "Bundle",
    "CompileReport",
    "Decoded",
    "KeyedCircuit",
    "MachineProfile",
    "Manifest",
    "ModelProver",
    "Proved",
    "ProvedSlice",
    "Quote",
    "SetupReport",
    "binding",
    "compile_model",
    "new_salt",
    "quote_model",
]
