"""Products of computed tensors, shifted to the resolution that is asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover import reference as ref
from assay_prover.graph.graph import FloatMatMul, FloatMultiply
from assay_prover.passes.quantise.precision import ScalePlan
from assay_prover.passes.quantise.registry import quantises

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
    tensor = q.tensors[op.output]
    target, _ = q.destination(op.output)
    resolution = q.precision.output_bits if target == q.graph.output else q.precision.activation_bits
    reach = q.statistics[target].reach or max(abs(tensor.min), abs(tensor.max)) * scale
    steps = reach / scale / (1 << resolution)
    limb = q.precision.limb_bits
    shift = int(np.log2(steps)) // limb * limb if steps >= 1 else 0
    if shift:
        width = (tensor.max - tensor.min).bit_length() - shift
        coarser = scale * (1 << shift)
        clamp = None
        if width > resolution + 1 + q.precision.headroom_bits:
            clamp = q.clamp(op.output, coarser, resolution)
        q.plans[op.output] = ScalePlan(coarser, shift, max(width, 1), clamp)
