"""Functions of one number: the table's domain, its resolution and its entries."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from assay_prover import reference as ref
from assay_prover.errors import QuantisationError
from assay_prover.graph.functions import FUNCTIONS, apply
from assay_prover.graph.graph import FloatFunction
from assay_prover.passes.quantise.precision import UNBOUNDED, ScalePlan, plan_shift
from assay_prover.passes.quantise.registry import quantises
from assay_prover.passes.quantise.wide import is_wide, wide_function

if TYPE_CHECKING:
    from assay_prover.passes.quantise.quantiser import Quantiser

MOST_TABLE_BITS = 12
"""Entries up to which a table grows so that it holds more than the samples showed."""

TABLE_MARGIN = 0.25
"""Part of the calibrated span that a table covers beyond it at each side."""


def table_plan(q: Quantiser, op: FloatFunction, noise: float, worst: tuple[float, float]) -> ScalePlan:
    """The plan of a layer whose result is looked up next: as coarse as the table, whatever the worst case."""
    # the argument is clamped to the table
    return ScalePlan(domain(q, op, worst).step, plan_shift(q.precision, noise), UNBOUNDED, None)


@quantises(FloatFunction)
def function(q: Quantiser, op: FloatFunction) -> None:
    """The argument is clamped to the table by the requantisation that brings it to the table's steps."""
    if is_wide(q.statistics, op):
        wide_function(q, op)
        return
    source, plan = q.pending(op.input)
    tensor = q.tensors[source]
    worst = tensor.min * q.scales[source], tensor.max * q.scales[source]
    covered = domain(q, op, worst)
    shift = plan.shift if plan is not None else _coarsening(q, source, covered.step)
    scale = q.scales[source] * (1 << shift)
    first, last = int(np.ceil(covered.lo / scale)), int(np.floor(covered.hi / scale))
    first, last = min(first, last), max(first, last)
    clamped = q.requantise(source, q.part(op.output, "argument"), shift, first, last)
    q.define(clamped, scale, op.label)
    lo, hi = (None if flat else end for flat, end in zip(covered.flat, (clamped.lo, clamped.hi), strict=True))
    q.limited(op, op.kind, clamped, lo, hi, lambda x: float(apply(op.kind, op.parameters, np.array(x))))
    reached = q.tensors[clamped.output]
    arguments = np.arange(reached.min, reached.max + 1, dtype=np.float64) * scale
    values = apply(op.kind, op.parameters, arguments)
    if not np.isfinite(values).all():
        raise QuantisationError(
            f"{op.kind} of layer {op.label!r} is not defined on all of [{arguments[0]:g}, {arguments[-1]:g}]"
        )
    resolution = q.resolution(op.output)
    step = (q.statistics[op.output].reach or 1.0) / ((1 << resolution) - 1)
    entries = np.rint(values / step)
    if np.abs(entries).max() >= 1 << 40:
        raise QuantisationError(f"{op.kind} of layer {op.label!r} exceeds 40 bits")
    table = ref.Table(clamped.output, op.output, reached.min, entries.astype(np.int64))
    q.append(op, table, step)


@dataclass(frozen=True)
class Domain:
    """Real arguments that a table covers, and the step between two of them.

    flat: whether the function is the same, to within what a table resolves, beyond the lower and upper end.
    """

    lo: float
    hi: float
    step: float
    flat: tuple[bool, bool]


def domain(q: Quantiser, op: FloatFunction, worst: tuple[float, float]) -> Domain:
    """What samples and probes showed, with a margin, and further to where the function has become flat.

    The step is that of a table over the samples alone as long as the whole has no more than 2^MOST_TABLE_BITS
    entries. `worst` is all that the argument can reach: no table needs more.

    Raises:
        QuantisationError: the samples cross a pole, or go further than a table resolves.
    """
    seen = q.statistics[op.input]
    natural = FUNCTIONS[op.kind]
    lo, hi = near = _samples_domain(q, op)
    below, above = (
        isfinite(end) and bool(np.isfinite(apply(op.kind, op.parameters, np.array([end + way]))).all())
        for end, way in ((natural.lo, -1.0), (natural.hi, 1.0))
    )
    if seen.far is not None and op.is_total:
        margin = TABLE_MARGIN * (seen.ends[1] - seen.ends[0])
        lo = min(lo, max(seen.ends[0] - margin, natural.lo))
        hi = max(hi, min(seen.ends[1] + margin, natural.hi))
    if below:
        lo = min(lo, max(natural.lo, worst[0]))
    if above:
        hi = max(hi, min(natural.hi, worst[1]))
    step = (near[1] - near[0]) / ((1 << q.precision.table_bits) - 1)
    entries = 1 << max(MOST_TABLE_BITS, q.precision.table_bits)
    return Domain(lo, hi, max(step, (hi - lo) / (entries - 1)), (below, above))


def _samples_domain(q: Quantiser, op: FloatFunction) -> tuple[float, float]:
    """What the samples showed with a margin, within the natural domain."""
    seen = q.statistics[op.input]
    natural = FUNCTIONS[op.kind]
    margin = min(TABLE_MARGIN * max(seen.hi - seen.lo, seen.reach / 64, 1e-9), natural.margin)
    least, most = natural.lo, natural.hi
    if natural.period is not None:
        branch = natural.period * round((seen.lo + seen.hi) / 2 / natural.period)
        least, most = least + branch, most + branch
        if not least < seen.lo <= seen.hi < most:
            raise QuantisationError(
                f"the arguments of {op.kind} in layer {op.label!r} go from {seen.lo:g} to {seen.hi:g}, "
                f"across the pole at {least if seen.lo <= least else most:g}: bring them into one branch"
            )
        # half-way to a pole at most: at it the function has no value
        least, most = (least + seen.lo) / 2, (most + seen.hi) / 2
    lo, hi = max(seen.lo - margin, least), min(seen.hi + margin, most)
    if lo <= 0 < seen.lo:
        lo = seen.lo / 2
    if hi >= 0 > seen.hi:
        hi = seen.hi / 2
    if op.kind in ("Sin", "Cos") and hi - lo > 2.0 ** (q.precision.table_bits - 1):
        raise QuantisationError(
            f"the arguments of {op.kind} in layer {op.label!r} go from {lo:g} to {hi:g}: more periods "
            f"than a table of 2^{q.precision.table_bits} entries resolves"
        )
    if lo >= hi:
        lo, hi = min(lo, hi) - 1e-3, max(lo, hi) + 1e-3
    return lo, hi


def _coarsening(q: Quantiser, source: str, step: float) -> int:
    """Shift that brings a settled tensor near the table's resolution."""
    return max(0, int(np.floor(np.log2(step / q.scales[source]))))
