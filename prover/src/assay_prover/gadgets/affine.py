"""Affine: y = sum_k M_k x_k + bias with constant coefficients.

Statement. The sum, over the integers; the interval analysis keeps it below 2^62.

Constraints. None: every element is a linear combination of wires, which the constraints that read it expand.

Cost. 0.

Soundness. Nothing is allocated, so a prover has nothing to choose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay_prover.circuit.linear import LinearTensor, Mapped
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.reference import Affine

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder


@constrains(Affine)
def affine(b: Builder, op: Affine, given: Operands) -> LinearTensor:
    """Combinations of the inputs' wires, valued by the inference."""
    del b
    output = op.output
    return Mapped(list(zip(op.maps, given.wires, strict=True)), op.bias, lambda frame: frame.tensor(output))
