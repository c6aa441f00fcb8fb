"""Scales of linear layers: how fine an accumulator, how far it is shifted, where it is clamped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover.graph.exact_ops import FloatCompare, FloatRound
from assay_prover.graph.graph import FloatAffine, FloatArgMax, FloatClip, FloatFunction
from assay_prover.passes.quantise.exact import round_plan
from assay_prover.passes.quantise.functions import table_plan
from assay_prover.passes.quantise.precision import (
    UNBOUNDED,
    ScalePlan,
    headroom,
    plan_capped,
    plan_scale,
    plan_shift,
)
from assay_prover.passes.quantise.wide import is_wide

if TYPE_CHECKING:
    from assay_prover.passes.quantise.quantiser import Quantiser

FREE_BITS = 12
"""Bits by which a constant layer's worst case may exceed its headroom as long as a clamp does not pay."""


def width_held(q: Quantiser, op: FloatAffine, lo: float, hi: float) -> float:
    """What the range check must hold: |y| under a one-sided Relu, the whole width otherwise."""
    _, reader = q.destination(op.output)
    if isinstance(reader, FloatClip) and (reader.lo is None) != (reader.hi is None):
        return max(abs(lo), abs(hi))
    return hi - lo


def plan_affine(q: Quantiser, op: FloatAffine, sources: tuple[str, ...]) -> ScalePlan:
    """The plan of a layer with constant weights, from its worst case and the noise of rounding them."""
    lo, hi = op.bias.copy(), op.bias.copy()
    variance = np.zeros(op.bias.size)
    _, reader = q.destination(op.output)
    floored = isinstance(reader, FloatRound) and not reader.even
    for linear, source, name in zip(op.maps, sources, op.inputs, strict=True):
        tensor, step = q.tensors[source], q.scales[source]
        low, high = linear.worst_case(
            tensor.lo.ravel().astype(np.float64) * step, tensor.hi.ravel().astype(np.float64) * step
        )
        lo, hi = lo + low, hi + high
        # a floor jumps at whole numbers: it errs for no input in range, whatever samples showed
        typical = max(abs(tensor.min), abs(tensor.max)) if floored else q.statistics[name].rms / step
        variance += linear.terms * typical**2 / 12
    return scale_plan(q, op, lo, hi, float(np.sqrt(variance.max() if floored else variance.mean())))


def scale_plan(q: Quantiser, op: FloatAffine, lo: np.ndarray, hi: np.ndarray, spread: float) -> ScalePlan:
    """A plan for a worst case of [lo, hi] in real values, elementwise, and a rounding noise."""
    target, reader = q.destination(op.output)
    final = reader.output if isinstance(reader, FloatClip) else target
    compared = isinstance(reader, FloatArgMax | FloatCompare)
    is_last = compared or target == q.graph.output
    resolution = q.precision.output_bits if is_last else q.precision.activation_bits
    worst = width_held(q, op, float(lo.min()), float(hi.max()))
    if worst <= 0:
        # a layer that is constant, whatever the input, though what it adds up need not be small
        scale = max(abs(float(hi.max())), 1.0) / (1 << resolution)
        return ScalePlan(scale, plan_shift(q.precision, spread), UNBOUNDED, None)
    # the output's width is the statement's, a private layer's that of its packed digits
    room: float = q.precision.headroom_bits
    if not is_last:
        most = room if q.private else room + FREE_BITS
        room = headroom(q.precision, resolution, op.bias.size, q.behind[op.output], most)
    seen = q.statistics[final]
    reach = seen.reach
    cap: float | None = None
    if isinstance(reader, FloatClip) and reader.lo is not None and reader.hi is not None:
        # what is told apart lies between the ends, however far they are from zero
        reach, cap = min(reach, seen.span or reach), reader.hi - reader.lo
    scale, bits, clamp = plan_scale(q.precision, resolution, worst, reach, room)
    if compared or (clamp is not None and clamp * scale < seen.far_reach):
        clamp = None
    if cap is not None:
        found = plan_capped(q.precision, resolution, worst, reach, cap)
        scale, bits, clamp = found or (scale, bits, clamp)
    # judged by the steps that were asked for, not by the finer ones that fill the limbs
    wanted = reach / ((1 << resolution) - 1)
    if isinstance(reader, FloatFunction) and not is_wide(q.statistics, reader):
        return table_plan(q, reader, spread, (float(lo.min()), float(hi.max())))
    if isinstance(reader, FloatRound):
        return round_plan(q, reader, spread)
    noise = spread * min(1.0, scale / wanted if wanted > 0 else 1.0)
    return ScalePlan(scale, plan_shift(q.precision, noise), bits, clamp)
