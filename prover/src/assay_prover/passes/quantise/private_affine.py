"""Linear layers with private weights: planned over the worst case of every model within the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover import reference as ref
from assay_prover.errors import QuantisationError
from assay_prover.graph.graph import FloatAffine
from assay_prover.graph.maps import FloatConv, FloatDense
from assay_prover.passes.quantise.precision import ScalePlan
from assay_prover.passes.quantise.private_layers import (
    fan_in,
    has_weights,
    limit_of,
    met_magnitude,
    round_layer,
    with_power_span,
)
from assay_prover.passes.quantise.scales import scale_plan, width_held

if TYPE_CHECKING:
    from assay_prover.passes.quantise.quantiser import Quantiser

RETRIES = 6


def private_affine(q: Quantiser, op: FloatAffine, sources: tuple[str, ...]) -> None:
    """The same planning over the worst case of every model within the limits."""
    scales = [q.scales[s] for s in sources]
    inputs = [q.tensors[s] for s in sources]
    limits = [limit_of(m.coefficients) if has_weights(m) else None for m in op.maps]
    reach = np.zeros(op.bias.size)
    terms = [0.0]
    variance = 0.0
    for linear, limit, tensor, step, name in zip(op.maps, limits, inputs, scales, op.inputs, strict=True):
        magnitude = np.maximum(np.abs(tensor.lo), np.abs(tensor.hi)).ravel() * step
        if limit is not None and isinstance(linear, FloatDense | FloatConv):
            reach += limit * met_magnitude(linear, magnitude)
            terms.append(limit * float(magnitude.max(initial=0.0)))
            variance += fan_in(linear) * (q.statistics[name].rms / step) ** 2 / 12
        else:
            reach += np.maximum(*np.abs(linear.worst_case(-magnitude, magnitude)))
            variance += float(linear.terms.max()) * (q.statistics[name].rms / step) ** 2 / 12
    # a bias may always weigh as much as one term of the sum
    bias_limit = max(limit_of(op.bias), *terms)
    reach += bias_limit
    plan = scale_plan(q, op, -reach, reach, float(np.sqrt(variance)))
    for _ in range(RETRIES):
        integer = _private_layer(op, sources, scales, limits, bias_limit, plan.accumulator)
        least, most = integer.worst_case(*inputs)
        half = (1 << plan.shift) >> 1
        span = width_held(q, op, (least + half) >> plan.shift, (most + half) >> plan.shift)
        if span < (1 << plan.bits):
            break
        grown = plan.scale * (span / ((1 << plan.bits) - 1)) * (1 + 2.0**-16)
        plan = ScalePlan(grown, plan.shift, plan.bits, plan.clamp)
    q.append(op, with_power_span(integer, inputs), plan.accumulator)
    q.plans[op.output] = plan


def _private_layer(
    op: FloatAffine,
    sources: tuple[str, ...],
    scales: list[float],
    limits: list[float | None],
    bias_limit: float,
    accumulator: float,
) -> ref.PrivateAffine:
    try:
        return round_layer(op, sources, scales, limits, bias_limit, accumulator)
    except (OverflowError, ValueError) as error:
        raise QuantisationError(f"layer {op.label!r}: {error}") from error
