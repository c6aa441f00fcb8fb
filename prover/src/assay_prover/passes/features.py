"""A scale, a range and a kind for each feature of a table, at no constraint.

A feature's integer counts its own steps: x = scale (q - zero). The network is given these steps as its
input, and its first operation makes real numbers of them, which the layer behind absorbs. Ages, incomes and
shares are then each as fine as they need to be, and whole numbers are what they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from assay_prover.errors import InputError
from assay_prover.graph.graph import FloatAffine, FloatGraph, FloatOp
from assay_prover.graph.maps import Float64Array, FloatGather, FloatScale, Int64Array
from assay_prover.passes.calibrate import MARGIN, NATURAL_RANGES

REAL_BITS = 14
"""Steps of a real feature: 16,383 over its range; trees with thresholds between close values need them."""

WHOLE_BITS = 20
"""Whole numbers up to so many bits are taken as they are."""

UNEQUAL = 4.0
"""Features share one scale as long as their spans differ by less than this factor."""

FRACTION_BITS = 4
"""A feature whose values are multiples of 2^-4, or of less, has steps of just that."""


@dataclass(frozen=True, eq=False)
class Features:
    """How each element of the input is represented, all flat, `[features]`.

    Attributes:
        scale: the real value of one step.
        zero: the integer of x = 0: q = round(x / scale) + zero.
        lo: the least value that is declared.
        hi: the greatest.
        bits: q is in [0, 2^bits - 1].
    """

    scale: Float64Array
    zero: Int64Array
    lo: Float64Array
    hi: Float64Array
    bits: int

    def steps(self, samples: Float64Array) -> Float64Array:
        """Real inputs `[n, ..]` in steps, within the declared ranges, not rounded."""
        flat = samples.reshape(len(samples), -1)
        clipped = np.clip(flat, self.lo, self.hi)
        return np.asarray(clipped / self.scale + self.zero).reshape(samples.shape)


def features_of(
    samples: Float64Array | None,
    shape: tuple[int, ...],
    ranges: Float64Array | None = None,
    common: tuple[float, float] | None = None,
    whole: np.ndarray | None = None,
) -> Features | None:
    """The representation that a table's samples ask for; None where one scale serves all its features.

    Args:
        samples: `[n, *shape]`, or None.
        shape: the input's; a table has one row of several features.
        ranges: `[features, 2]`, the least and greatest value of each; by default those of the samples with a
            margin, and of whole numbers all that the same bits hold.
        common: a range that all features share: they then have one scale, unless all hold whole numbers.
        whole: which features hold whole numbers whatever the samples show, `[features]`.

    Raises:
        InputError: ranges of another shape, empty or infinite; neither ranges nor samples.
    """
    size = prod(shape)
    if ranges is not None and (
        ranges.shape != (size, 2) or not np.isfinite(ranges).all() or (ranges[:, 0] >= ranges[:, 1]).any()
    ):
        raise InputError(
            f"the ranges of the features must be {size} pairs of a least and a greater value, finite; "
            f"got an array of {list(ranges.shape)}"
        )
    forced = whole is not None and bool(whole.any())
    table = len(shape) <= 2 and (len(shape) < 2 or shape[0] == 1) and size > 1
    if samples is None and ranges is None:
        if forced:
            raise InputError("inputs of real and of whole numbers need samples, or a range for each (ranges)")
        return None
    if not (forced or ranges is not None or table):
        return None
    flat = None if samples is None else samples.reshape(len(samples), -1)
    lo, hi = (flat.min(axis=0), flat.max(axis=0)) if flat is not None else (ranges[:, 0], ranges[:, 1])  # type: ignore[index]
    step = np.zeros(size) if flat is None else _grid(flat, hi - lo)
    if whole is not None:
        step = np.where(whole, 1.0, step)
    exact = step > 0
    if not forced and ranges is None:
        one_scale = not exact.all() or (np.asarray(common) % 1 != 0).any() if common else False
        if one_scale or not (common or _worthwhile(lo, hi, step)):
            return None
    if ranges is not None:
        lo, hi = ranges[:, 0], ranges[:, 1]
    elif common is not None:
        lo, hi = (np.full(size, end) for end in common)
    else:
        margin = MARGIN * np.where(hi > lo, hi - lo, np.maximum(np.abs(hi), 1.0))
        # whole numbers that are not negative stay so: they may be positions
        below = np.where(lo >= 0, np.maximum(lo - np.rint(margin), 0), lo - np.rint(margin))
        lo, hi = np.where(exact, below, lo - margin), np.where(exact, hi, hi + margin)
    spans = np.where(exact, (hi - lo) / np.where(exact, step, 1.0), 0.0)
    bits = max(*(int(np.ceil(span)).bit_length() for span in spans), REAL_BITS if not exact.all() else 1)
    if ranges is None and common is None:
        # of whole numbers all that the bits hold
        hi = np.where(exact, lo + step * ((1 << bits) - 1), hi)
    scale = np.where(exact, step, (hi - lo) / ((1 << bits) - 1) * (1 + 2.0**-40))
    return Features(scale, -np.rint(lo / scale).astype(np.int64), lo, hi, bits)


def _grid(flat: Float64Array, spans: Float64Array) -> Float64Array:
    """For each feature the power of two of which all its samples are multiples; 0 where there is none."""
    step = np.zeros(flat.shape[1])
    for power in range(FRACTION_BITS + 1):
        fits = (flat * 2.0**power == np.rint(flat * 2.0**power)).all(axis=0)
        small = spans * 2.0**power < (1 << WHOLE_BITS) - 1
        step = np.where((step == 0) & fits & small & (spans > 0), 2.0**-power, step)
    return step


def _worthwhile(lo: Float64Array, hi: Float64Array, step: Float64Array) -> bool:
    """Whether one scale for all would lose what the features hold."""
    least, most = float(lo.min()), float(hi.max())
    for natural_lo, natural_hi in NATURAL_RANGES:
        span = natural_hi - natural_lo
        if natural_lo <= least <= natural_lo + span / 50 and natural_hi - span / 50 <= most <= natural_hi:
            return False
    spans = (hi - lo)[hi > lo]
    if not spans.size:
        return False
    return bool(spans.max() >= UNEQUAL * spans.min()) or bool((step > 0).any())


def in_steps(graph: FloatGraph, features: Features) -> FloatGraph:
    """The same network of the steps: its input holds whole numbers from 0 to 2^bits - 1.

    What only moves features is done with the steps, so that each layer meets its scales itself.
    """
    taken = set(graph.shapes)
    source = _apart(f"{graph.input}/steps", taken)
    ops: list[FloatOp] = []
    moved: dict[str, tuple[str, Float64Array, Float64Array]] = {}

    def define(
        name: str, shape: tuple[int, ...], steps: str, scale: Float64Array, bias: Float64Array
    ) -> None:
        moved[name] = steps, scale, bias
        ops.append(FloatAffine((steps,), name, shape, (FloatScale(scale),), bias, name))

    define(graph.input, graph.input_shape, source, features.scale, -features.scale * features.zero)
    for op in graph.ops:
        known = moved.get(op.inputs[0]) if isinstance(op, FloatAffine) and op.only_moves else None
        if known is None or not isinstance(op, FloatAffine) or len(op.inputs) > 1:
            ops.append(op)
            continue
        steps, scale, bias = known
        (gather,) = op.maps
        index = gather.index if isinstance(gather, FloatGather) else np.arange(op.bias.size)
        name = _apart(f"{op.output}/steps", taken)
        ops.append(replace(op, inputs=(steps,), output=name))
        present = index >= 0
        define(
            op.output,
            op.shape,
            name,
            np.where(present, scale[index], 1.0),
            np.where(present, bias[index], 0.0),
        )
    return replace(graph, input=source, ops=tuple(ops), whole_input=True)


def _apart(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    taken.add(name)
    return name
