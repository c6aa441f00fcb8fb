"""Linear layers with constant weights: moved, exact, whole or rounded to a planned scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover import reference as ref
from assay_prover.errors import QuantisationError
from assay_prover.graph.graph import FloatAffine
from assay_prover.passes.quantise.precision import ScalePlan
from assay_prover.passes.quantise.private_affine import private_affine
from assay_prover.passes.quantise.private_layers import is_private, private_form
from assay_prover.passes.quantise.registry import quantises
from assay_prover.passes.quantise.scales import plan_affine, width_held

if TYPE_CHECKING:
    from assay_prover.passes.quantise.quantiser import Quantiser

WHOLE_LIMIT = 1 << 32
"""Sums of whole numbers are kept as they are below this, and rounded like any others beyond."""

RETRIES = 6
"""Rounded weights can exceed the planned width by a little; the scale then grows and the layer is rounded
again. Should that not settle, the layer costs another limb: the width is a wish, the interval analysis of
the result is what the circuit uses."""


@quantises(FloatAffine)
def affine(q: Quantiser, op: FloatAffine) -> None:
    """Moves keep a waiting requantisation waiting; one common factor is exact; the rest is rounded."""
    if len(op.inputs) == 1 and op.only_moves:
        # keeps a waiting requantisation waiting: moving elements and rounding them commute
        source, plan = q.pending(op.inputs[0])
        bias = np.zeros(op.bias.size, dtype=np.int64)
        moved = ref.Affine((source,), op.output, op.shape, (op.maps[0].quantise(1.0),), bias)
        q.append(op, moved, q.scales[source])
        if plan is not None:
            q.plans[op.output] = plan
        return
    sources = tuple(q.settled(name) for name in op.inputs)
    if q.private and is_private(op):
        private_affine(q, private_form(op), sources)
    elif not _exact(q, op, sources):
        _weighted(q, op, sources)


def _exact(q: Quantiser, op: FloatAffine, sources: tuple[str, ...]) -> bool:
    """Emit without rounding if one common factor explains every coefficient."""
    if _whole(q, op, sources):
        return True
    common = [c for m in op.maps if (c := m.common_coefficient()) is not None]
    if len(common) != len(op.maps):
        return False
    steps = {c * q.scales[s] for c, s in zip(common, sources, strict=True)}
    if len(steps) != 1:
        return False
    (step,) = steps
    bias = op.bias / step
    if (bias != np.rint(bias)).any() or np.abs(bias).max(initial=0.0) >= 2.0**60:
        return False
    maps = tuple(m.quantise(1.0 / c) for m, c in zip(op.maps, common, strict=True))
    integer = ref.Affine(sources, op.output, op.shape, maps, bias.astype(np.int64))
    q.append(op, integer, step)
    return True


def _whole(q: Quantiser, op: FloatAffine, sources: tuple[str, ...]) -> bool:
    """Emit without rounding if whole numbers are combined with whole coefficients, and stay small."""
    if any(q.scales[source] != 1.0 for source in sources):
        return False
    parts = [op.bias, *(m.coefficients for m in op.maps)]
    if any(np.abs(part).max(initial=0.0) >= WHOLE_LIMIT or (part != np.rint(part)).any() for part in parts):
        return False
    integer = _rounded(q, op, sources, 1.0)
    bounds = integer.infer(*(q.tensors[source] for source in sources))
    if max(abs(bounds.min), abs(bounds.max)) >= WHOLE_LIMIT:
        return False
    q.append(op, integer, 1.0)
    return True


def _weighted(q: Quantiser, op: FloatAffine, sources: tuple[str, ...]) -> None:
    plan = plan_affine(q, op, sources)
    integer = _rounded(q, op, sources, plan.accumulator)
    for _ in range(RETRIES):
        bounds = integer.infer(*(q.tensors[s] for s in sources))
        free = ref.Requantise(op.output, "", plan.shift).infer(bounds)
        span = width_held(q, op, float(free.min), float(free.max))
        if span < (1 << plan.bits):
            break
        grown = plan.scale * (span / ((1 << plan.bits) - 1)) * (1 + 2.0**-16)
        plan = ScalePlan(grown, plan.shift, plan.bits, plan.clamp)
        integer = _rounded(q, op, sources, plan.accumulator)
    q.append(op, integer, plan.accumulator)
    q.plans[op.output] = plan


def _rounded(q: Quantiser, op: FloatAffine, sources: tuple[str, ...], accumulator: float) -> ref.Affine:
    try:
        maps = tuple(m.quantise(q.scales[s] / accumulator) for m, s in zip(op.maps, sources, strict=True))
    except OverflowError as error:
        raise QuantisationError(f"layer {op.label!r}: {error}") from error
    bias = np.rint(op.bias / accumulator)
    if np.abs(bias).max(initial=0.0) >= ref.LIMIT:
        raise QuantisationError(f"layer {op.label!r}: its bias exceeds 62 bits")
    return ref.Affine(sources, op.output, op.shape, maps, bias.astype(np.int64))
