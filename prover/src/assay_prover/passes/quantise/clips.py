"""Clips and maxima: they commute with a requantisation, which they take over or leave to be done later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover import reference as ref
from assay_prover.errors import QuantisationError
from assay_prover.graph.graph import FloatArgMax, FloatClip, FloatReduceMax
from assay_prover.passes.quantise.precision import UNBOUNDED
from assay_prover.passes.quantise.registry import quantises

if TYPE_CHECKING:
    from assay_prover.passes.quantise.quantiser import Quantiser

CLIP_STEPS = 64
"""Steps between the two ends of a Clip, at least: where a coarse tensor has fewer, most answers are ends."""


@quantises(FloatClip)
def clip(q: Quantiser, op: FloatClip) -> None:
    """Both ends in the steps of the requantisation that the clip takes over."""
    source, plan = q.pending(op.input)
    shift = plan.shift if plan is not None else 0
    planned = q.scales[source] * (1 << shift)
    source, shift = _finer(q, op, source, shift)
    scale = q.scales[source] * (1 << shift)
    least, most = (far if end is None else end / scale for end, far in ((op.lo, -np.inf), (op.hi, np.inf)))
    if max(least, -most) >= ref.LIMIT:
        raise QuantisationError(f"the bound of {op.label!r} exceeds 62 bits")
    # one that no tensor reaches is none
    lo = int(np.rint(least)) if least > -ref.LIMIT else None
    hi = int(np.rint(most)) if most < ref.LIMIT else None
    own = lo, hi
    if plan is not None and plan.clamp is not None:
        # counted in the steps that were planned, each a power of two of the finer ones
        clamp = plan.clamp * round(planned / scale)
        hi = clamp if hi is None else min(hi, clamp)
        lo = -clamp if lo is None else lo
    integer = q.requantise(source, op.output, shift, lo, hi)
    q.append(op, integer, scale)
    q.limited(
        op,
        "clamp",
        integer,
        integer.lo if integer.lo != own[0] else None,
        integer.hi if integer.hi != own[1] else None,
    )


def _finer(q: Quantiser, op: FloatClip, source: str, shift: int) -> tuple[str, int]:
    """The same values in steps of which CLIP_STEPS fit between the ends: a multiple is an exact one."""
    if op.lo is None or op.hi is None or op.lo >= op.hi:
        return source, shift
    step = q.scales[source] * 2.0**shift
    if (op.lo / step).is_integer() and (op.hi / step).is_integer():
        return source, shift
    steps = (op.hi - op.lo) / step
    missing = max(0, int(np.ceil(np.log2(CLIP_STEPS / steps)))) if steps > 0 else 0
    if missing <= shift:
        return source, shift - missing
    tensor, times = q.tensors[source], 1 << min(missing - shift, UNBOUNDED - 1)
    if max(abs(tensor.min), abs(tensor.max), 1) * times >= ref.LIMIT:
        raise QuantisationError(f"the ends of {op.label!r} are too close to each other for 62 bits")
    multiple = ref.Affine(
        (source,),
        q.part(op.output, "multiple"),
        tensor.shape,
        (ref.Scale(np.full(tensor.size, times, dtype=np.int64)),),
        np.zeros(tensor.size, dtype=np.int64),
    )
    q.define(multiple, q.scales[source] / times, op.label)
    return multiple.output, 0


@quantises(FloatReduceMax)
def reduce_max(q: Quantiser, op: FloatReduceMax) -> None:
    """Maxima commute with rounding: a waiting requantisation goes on waiting."""
    source, plan = q.pending(op.input)
    q.append(op, ref.ReduceMax(source, op.output, op.shape, op.index), q.scales[source])
    if plan is not None:
        q.plans[op.output] = plan


@quantises(FloatArgMax)
def argmax(q: Quantiser, op: FloatArgMax) -> None:
    """Accumulators are compared as they are."""
    q.append(op, ref.ArgMax(q.waiting(op.input), op.output, op.shape, op.index), 1.0)
