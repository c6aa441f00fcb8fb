"""Functions of one number: the table's domain, its resolution and its entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay_prover import reference as ref
from assay_prover.errors import QuantisationError
from assay_prover.graph import functions
from assay_prover.graph.functions import FUNCTIONS
from assay_prover.graph.graph import FloatFunction
from assay_prover.passes.quantise.precision import UNBOUNDED, ScalePlan, plan_shift
from assay_prover.passes.quantise.registry import quantises

if TYPE_CHECKING:
    from assay_prover.passes.quantise.quantiser import Quantiser

TABLE_MARGIN = 0.25
"""Part of the calibrated span that a table covers beyond it at each side."""


def table_plan(q: Quantiser, op: FloatFunction, noise: float) -> ScalePlan:
    """The plan of a layer whose result is looked up next: as coarse as the table, whatever the worst case."""
    lo, hi = _domain(q, op)
    scale = (hi - lo) / ((1 << q.precision.table_bits) - 1)
    # whatever the worst case, the argument is clamped to the table
    return ScalePlan(scale, plan_shift(q.precision, noise), UNBOUNDED, None)


@quantises(FloatFunction)
def function(q: Quantiser, op: FloatFunction) -> None:
    """The argument is clamped to the table by the requantisation that brings it to the table's steps."""
    source, plan = q.pending(op.input)
    lo, hi = _domain(q, op)
    shift = plan.shift if plan is not None else _coarsening(q, source, (hi - lo))
    scale = q.scales[source] * (1 << shift)
    first, last = int(np.ceil(lo / scale)), int(np.floor(hi / scale))
    first, last = min(first, last), max(first, last)
    clamped = q.requantise(source, q.part(op.output, "argument"), shift, first, last)
    q.define(clamped, scale, op.label)
    reached = q.tensors[clamped.output]
    arguments = np.arange(reached.min, reached.max + 1, dtype=np.float64) * scale
    values = functions.apply(op.kind, op.parameters, arguments)
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


def _domain(q: Quantiser, op: FloatFunction) -> tuple[float, float]:
    """Real arguments that the table covers: what was seen with a margin, within the natural domain."""
    seen = q.statistics[op.input]
    natural = FUNCTIONS[op.kind]
    if op.kind == "Log" and seen.hi > seen.lo * 2.0 ** (0.75 * q.precision.table_bits):
        raise QuantisationError(
            f"the arguments of Log in layer {op.label!r} go from {seen.lo:g} to {seen.hi:g}: more than a "
            f"table of 2^{q.precision.table_bits} entries resolves"
        )
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


def _coarsening(q: Quantiser, source: str, span: float) -> int:
    """Shift that brings a settled tensor near the table's resolution."""
    wanted = span / ((1 << q.precision.table_bits) - 1)
    return max(0, int(np.floor(np.log2(wanted / q.scales[source]))))
