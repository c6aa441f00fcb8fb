"""Quantising what the circuit computes exactly: comparison, rounding, division, normalisation, trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay_prover import reference as ref
from assay_prover.errors import QuantisationError
from assay_prover.graph.exact_ops import (
    FloatCompare,
    FloatDivide,
    FloatNormalise,
    FloatOneHot,
    FloatRound,
    FloatTrees,
)
from assay_prover.graph.maps import Float64Array, Int64Array
from assay_prover.passes.quantise.precision import UNBOUNDED, ScalePlan, plan_shift
from assay_prover.passes.quantise.registry import quantises

if TYPE_CHECKING:
    from assay_prover.passes.quantise.quantiser import Quantiser

ROUNDING_CARE = 256
"""Before a rounding to whole numbers the noise of rounded weights is held so many times below a step."""

FLOOR_CARE = 12
"""Bits below an argument's step that a floor looks at."""

DIVISOR_MARGIN = 0.25
"""A divisor is clamped at this part of the least value seen on samples, or at one step."""

ROOT_BITS = 8
"""Precision of a norm beyond that of the vector's elements."""

POWER_LIMIT = 1 << 58


def round_plan(q: Quantiser, op: FloatRound, noise: float) -> ScalePlan:
    """Accumulator of a layer that is rounded to whole numbers next: the requantisation is the rounding."""
    care = ROUNDING_CARE if op.even else 4 / op.margin
    return ScalePlan(1.0, plan_shift(q.precision, noise * care), UNBOUNDED, None)


@quantises(FloatCompare)
def compare(q: Quantiser, op: FloatCompare) -> None:
    """[x s > t] = [x > floor(t / s)], [x s >= t] = [x >= ceil(t / s)]: exact for the integer x.

    An accumulator is compared as it is, before any rounding. The input itself was rounded
    when it was encoded, and the threshold is rounded with it (`_like_the_input`).
    """
    source = q.waiting(op.input)
    scale = q.scales[source]
    ratio = np.clip(op.threshold / scale, -(2.0**60), 2.0**60)
    if source in q.encoded:
        least = _like_the_input(ratio, op.strict, scale)
    else:
        least = np.where(op.strict, np.floor(ratio) + 1, np.ceil(ratio)).astype(np.int64)
    # beyond the worst case every threshold is the same
    tensor = q.tensors[source]
    least = np.clip(least, tensor.min, tensor.max + 1)
    margin = q.part(op.output, "margin")
    identity = ref.Gather(np.arange(least.size, dtype=np.int64), least.size)
    q.define(ref.Affine((source,), margin, op.shape, (identity,), -least), scale, op.label)
    q.append(op, ref.Step(margin, op.output), 1.0)


def _like_the_input(ratio: Float64Array, strict: NDArray[np.bool_], scale: float) -> Int64Array:
    """The least integer that meets each comparison, where the integer is round(x / s) and ratio t / s.

    Encoding is monotone, so that x > t where round(x / s) > round(t / s), and x = t has the threshold's own
    code: [x > t] is [code > round(t / s)] and [x >= t] is [code >= round(t / s)]. Both are what floats decide
    for every x that the encoding tells apart from t, and for t itself. On a scale that is a
    power of two, where data are whole steps, a threshold half-way between two codes lies between two values,
    and both answers are [code >= the upper one].
    """
    below, nearest = np.floor(ratio), np.rint(ratio)
    half = (ratio - below == 0.5) & (np.frexp(scale)[0] == 0.5)
    least = np.where(half, below + 1, np.where(strict, nearest + 1, nearest))
    return np.asarray(least, dtype=np.int64)


@quantises(FloatRound)
def round_(q: Quantiser, op: FloatRound) -> None:
    """To whole numbers, of scale 1."""
    plan = q.plans.get(op.input)
    if plan is not None and plan.scale == 1.0 and plan.clamp is None and len(q.consumers[op.input]) == 1:
        q.plans.pop(op.input)
        _nearest(q, op, q.names[op.input], plan.shift)
        return
    source = q.settled(op.input)
    tensor, scale = q.tensors[source], q.scales[source]
    if scale >= 1 and scale == int(scale):
        whole = ref.Affine((source,), op.output, op.shape, (_times(int(scale), tensor.size),), _zeros(tensor))
        q.append(op, whole, 1.0)
        return
    reach = max(abs(tensor.min), abs(tensor.max), 1)
    mantissa, exponent = np.frexp(scale)
    offset = 0
    if mantissa == 0.5 and exponent <= 0:
        shift = 1 - int(exponent)
    else:
        # no power of two: the factor's rounding moves no argument by more than 2^-13 of its step, and a floor
        # takes what is closer to the next whole number than that for the whole number
        shift = max(1, int(np.ceil(np.log2(reach / min(scale, 1.0)))) + FLOOR_CARE + 1)
        offset = 0 if op.even else int(scale * 2.0 ** (shift - FLOOR_CARE))
    factor = int(np.rint(scale * 2.0**shift))
    scaled = q.part(op.output, "scaled")
    bias = np.full(tensor.size, offset, dtype=np.int64)
    q.define(
        ref.Affine((source,), scaled, op.shape, (_times(factor, tensor.size),), bias), 2.0**-shift, op.label
    )
    _nearest(q, op, scaled, shift)


def _nearest(q: Quantiser, op: FloatRound, source: str, shift: int) -> None:
    """Round an accumulator of scale 2^-shift; a floor is half a step less, rounded."""
    if op.even:
        q.append(op, ref.RoundEven(source, op.output, shift), 1.0)
        return
    lowered = q.part(op.output, "lowered")
    tensor = q.tensors[source]
    half = np.full(tensor.size, -(1 << shift >> 1), dtype=np.int64)
    q.define(ref.Affine((source,), lowered, op.shape, (_times(1, tensor.size),), half), 2.0**-shift, op.label)
    q.append(op, ref.Requantise(lowered, op.output, shift), 1.0)


@quantises(FloatOneHot)
def one_hot(q: Quantiser, op: FloatOneHot) -> None:
    """Of whole numbers that are exact so far.

    Raises:
        QuantisationError: what is coded is no whole number in the circuit.
    """
    source = q.viewed(q.settled(op.input), op.shape[:-1], q.part(op.output, "index"))
    if q.scales[source] != 1.0:
        raise QuantisationError(f"the index of {op.label!r} is no whole number; round it first")
    q.append(op, ref.OneHot(source, op.output, op.lo, op.shape[-1]), 1.0)


def _times(factor: int, size: int) -> ref.LinearMap:
    return ref.Scale(np.full(size, factor, dtype=np.int64))


def _zeros(tensor: ref.Tensor) -> np.ndarray:
    return np.zeros(tensor.size, dtype=np.int64)


@quantises(FloatDivide)
def divide(q: Quantiser, op: FloatDivide) -> None:
    """m a / b with m so large that the quotient has the resolution asked for.

    Raises:
        QuantisationError: the divisor is zero, or has both signs, on the samples.
    """
    seen = q.statistics[op.b]
    if seen.lo <= 0 <= seen.hi:
        raise QuantisationError(
            f"the divisor of {op.label!r} reaches [{seen.lo:g}, {seen.hi:g}] on the samples"
        )
    sign = 1 if seen.lo > 0 else -1
    a = q.viewed(q.settled(op.a), op.shape, q.part(op.output, "a"))
    b = q.viewed(q.settled(op.b), op.shape, q.part(op.output, "b"))
    if sign < 0:
        negated = q.part(op.output, "divisor")
        minus = ref.Affine((b,), negated, op.shape, (_times(-1, q.tensors[b].size),), _zeros(q.tensors[b]))
        q.define(minus, q.scales[b], op.label)
        b = negated
    nearest = min(abs(seen.lo), abs(seen.hi))
    least = max(1, int(DIVISOR_MARGIN * nearest / q.scales[b]))
    if q.tensors[b].min < least:
        clamped = q.requantise(b, q.part(op.output, "clamped"), 0, least, None)
        q.define(clamped, q.scales[b], op.label)
        b = clamped.output
    resolution = q.resolution(op.output)
    reach = q.statistics[op.output].reach or 1.0
    ratio = q.scales[a] / q.scales[b]
    factor = max(1, int(np.ceil(ratio * ((1 << resolution) - 1) / reach)))
    largest = max(abs(q.tensors[a].min), abs(q.tensors[a].max), 1)
    if largest * factor >= POWER_LIMIT:
        raise QuantisationError(f"a quotient of {op.label!r} needs more than 58 bits")
    scaled = q.part(op.output, "dividend")
    times = ref.Affine(
        (a,), scaled, op.shape, (_times(sign * factor, q.tensors[a].size),), _zeros(q.tensors[a])
    )
    q.define(times, q.scales[a] / factor, op.label)
    q.append(op, ref.Divide(scaled, b, op.output), ratio / factor)
    q.bound(op.output, resolution)


@quantises(FloatNormalise)
def normalise(q: Quantiser, op: FloatNormalise) -> None:
    """The unit gives the resolution; epsilon is at least one step squared, so that nothing divides by 0."""
    source = q.settled(op.input)
    tensor, scale = q.tensors[source], q.scales[source]
    reach = min(q.statistics[op.output].reach or 1.0, 1.0)
    unit = 1 << min(24, int(np.ceil(np.log2(((1 << q.resolution(op.output)) - 1) / reach))))
    largest = max(abs(tensor.min), abs(tensor.max), 1)
    epsilon = op.epsilon / scale**2
    if epsilon + op.index.shape[1] * float(largest) ** 2 >= POWER_LIMIT:
        raise QuantisationError(f"a sum of squares in {op.label!r} needs more than 58 bits")
    whole = max(1, int(np.rint(epsilon)))
    power = op.index.shape[1] * largest * largest + whole
    shift = 0
    while (
        shift < ROOT_BITS
        and power << (2 * shift + 2) < POWER_LIMIT
        and (largest * unit) << (shift + 1) < POWER_LIMIT
    ):
        shift += 1
    q.append(op, ref.Normalise(source, op.output, op.index, whole, shift, unit), 1.0 / unit)


@quantises(FloatTrees)
def trees(q: Quantiser, op: FloatTrees) -> None:
    """Leaves' values so fine that all trees' roundings together stay below half a step of the resolution."""
    source = q.settled(op.input)
    reach = max(q.statistics[op.output].reach, float(np.abs(op.values).max()), 1e-30)
    scale = reach / ((1 << q.resolution(op.output)) - 1) / max(op.roots.size, 1)
    values, bias = np.rint(op.values / scale), np.rint(op.bias / scale)
    if max(float(np.abs(values).max()), float(np.abs(bias).max())) >= 2.0**50:
        raise QuantisationError(f"the leaves of {op.label!r} need more than 50 bits")
    integer = ref.Trees(
        source,
        op.output,
        op.shape,
        op.bit,
        op.zero,
        op.one,
        op.roots,
        values.astype(np.int64),
        bias.astype(np.int64),
    )
    q.append(op, integer, scale)
