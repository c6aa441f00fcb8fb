"""Circuits: linear tensors, builder, planner, witness, checker. See docs/circuits.md."""

from typing import TYPE_CHECKING

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
from assay_prover.lazy_imports import moved_names

if not TYPE_CHECKING:  # else every name would be one to a type checker
    __getattr__ = moved_names(
        __name__,
        {
            "compile_graph": "assay_prover.lowering:compile_graph",
            "planned_cost": "assay_prover.lowering:planned_cost",
        },
    )

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
