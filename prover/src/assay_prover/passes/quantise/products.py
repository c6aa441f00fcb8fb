"""Products of computed tensors, shifted to the resolution that is asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay_prover import reference as ref
from assay_prover.graph.graph import FloatMatMul, FloatMultiply
from assay_prover.passes.quantise.registry import quantises
from assay_prover.passes.quantise.wide import reads_exactly

if TYPE_CHECKING:
    from assay_prover.passes.quantise.quantiser import Quantiser


@quantises(FloatMultiply, FloatMatMul)
def product(q: Quantiser, op: FloatMultiply | FloatMatMul) -> None:
    """The exact product; what is finer than asked for waits to be shifted away."""
    shapes = q.graph.shapes
    a = q.viewed(q.settled(op.a), shapes[op.a], q.part(op.output, "a"))
    b = q.viewed(q.settled(op.b), shapes[op.b], q.part(op.output, "b"))
    integer: ref.Op
    if isinstance(op, FloatMultiply):
        integer = ref.Multiply(a, b, op.output)
    else:
        integer = ref.MatMul(a, b, op.output)
    scale = q.scales[a] * q.scales[b]
    q.append(op, integer, scale)
    if not reads_exactly(q, op.output):
        q.coarsen(op.output)
