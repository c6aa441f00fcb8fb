"""Binding: the first public input takes part in a constraint.

Statement. None: any binding proves. The wire is there so that a proof made for one job fails for another.

Constraints. binding * binding = wire of w2.

Cost. One constraint, one full-width wire.

Soundness. The verifier's equation contains binding times its IC point; with this row (and setup's own input
row) that point is independent of the others, so a proof for one binding does not verify for another
(docs/protocol.md). A public input that no constraint mentions can otherwise be exchanged freely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay_prover.circuit.layout import FIELD_ORDER

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder


def bind(b: Builder) -> None:
    """Add the public binding and its square."""
    binding = b.public_wires(1, lambda frame: [frame.binding])
    square = b.field_wires(1, lambda frame: [frame.binding * frame.binding % FIELD_ORDER])
    b.constrain_field(binding, binding, square)
