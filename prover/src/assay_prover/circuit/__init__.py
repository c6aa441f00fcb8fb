"""Circuits: linear tensors, builder, planner, witness, checker. See docs/circuits.md."""

from assay_prover.circuit.circuit import Circuit
from assay_prover.circuit.cost import CostReport
from assay_prover.circuit.layout import FIELD_ORDER, WireLayout
from assay_prover.circuit.plan import Plan
from assay_prover.circuit.statement import (
    OUTPUT_DOMAIN,
    InputVisibility,
    OutputVisibility,
    Part,
    StatementSpec,
    bounds_of,
    commit,
    decrypt,
    encrypt,
    pack_parts,
    pack_range,
    range_bits,
    unpack_parts,
    unpack_range,
)
from assay_prover.circuit.witness import Witness

__all__ = [
    "FIELD_ORDER",
    "OUTPUT_DOMAIN",
    "Circuit",
    "CostReport",
    "InputVisibility",
    "OutputVisibility",
    "Part",
    "Plan",
    "StatementSpec",
    "WireLayout",
    "Witness",
    "bounds_of",
    "commit",
    "decrypt",
    "encrypt",
    "pack_parts",
    "pack_range",
    "range_bits",
    "unpack_parts",
    "unpack_range",
]
