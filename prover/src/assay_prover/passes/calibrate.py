"""Calibrate: what each tensor's values look like on real samples.

Calibration only chooses scales, so it decides accuracy and cost. Whether every input proves never depends on
it: ranges come from the worst case (`reference.IntegerGraph`) and from clamps the circuit proves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from assay_prover.errors import InputError
from assay_prover.graph.graph import FloatGraph
from assay_prover.graph.maps import Float64Array

CHUNK_VALUES = 1 << 21
"""Samples are run in chunks of about this many values at once (16 MB)."""

PROBES = 32
"""Corners of the declared range that are probed, and as many points inside."""

NATURAL_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
MARGIN = 0.1
"""Part of the samples' span that is added at each side, unless they fill a natural range."""


@dataclass(frozen=True)
class TensorStatistics:
    """Least and greatest value and root mean square over all samples and elements.

    `far` is what probes of the declared range reach beyond that: clamps and tables hold it, scales ignore it.
    """

    lo: float
    hi: float
    rms: float
    far: tuple[float, float] | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The least and greatest value of samples and probes."""
        if self.far is None:
            return self.lo, self.hi
        return min(self.lo, self.far[0]), max(self.hi, self.far[1])

    @property
    def far_reach(self) -> float:
        """Largest absolute value of samples and probes."""
        return max(map(abs, self.ends))

    @property
    def reach(self) -> float:
        """Largest absolute value."""
        return max(abs(self.lo), abs(self.hi))

    @property
    def span(self) -> float:
        """Distance of the least and the greatest value."""
        return self.hi - self.lo


@dataclass(frozen=True)
class Calibration:
    """Statistics of every tensor, and the network's own answers on the samples, `[n, *output_shape]`."""

    tensors: dict[str, TensorStatistics]
    outputs: Float64Array
    samples: int
    input_range: tuple[float, float]


def declare_range(
    samples: Float64Array | None, given: tuple[float, float] | None, *, whole: bool = False
) -> tuple[float, float]:
    """The range of input values that must prove.

    Given, or one of the natural ranges [0, 1], [-1, 1], [0, 255] if the samples fill it, or their span with
    a margin of 10 % at each side. Of whole numbers (`whole`) the samples' span itself.

    Raises:
        InputError: an empty or infinite range, or neither a range nor samples.
    """
    if given is not None:
        lo, hi = float(given[0]), float(given[1])
        if not (np.isfinite(lo) and np.isfinite(hi) and lo < hi):
            raise InputError(f"input range [{lo}, {hi}] is empty or infinite")
        return lo, hi
    if samples is None:
        raise InputError(
            "give samples, or the range of the input's values (--range, from Python input_range)"
        )
    lo, hi = float(samples.min()), float(samples.max())
    if whole:
        return lo, max(hi, lo + 1)
    for natural_lo, natural_hi in NATURAL_RANGES:
        span = natural_hi - natural_lo
        if natural_lo <= lo <= natural_lo + span / 50 and natural_hi - span / 50 <= hi <= natural_hi:
            return natural_lo, natural_hi
    if lo == hi:
        return lo - 0.5, hi + 0.5
    return lo - MARGIN * (hi - lo), hi + MARGIN * (hi - lo)


def synthetic_samples(graph: FloatGraph, input_range: tuple[float, float], count: int = 256) -> Float64Array:
    """Uniform noise over the declared range, the same on every call: for models that come without samples."""
    rng = np.random.default_rng(0)
    samples = rng.uniform(*input_range, size=(count, *graph.input_shape))
    return np.rint(samples) if graph.whole_input else samples


def probe_range(graph: FloatGraph, input_range: tuple[float, float]) -> Float64Array:
    """Inputs that a declared range allows and samples may not show: ends, corners, noise; always the same."""
    rng = np.random.default_rng(0)
    lo, hi = input_range
    ends = [np.full((1, *graph.input_shape), end) for end in (lo, hi)]
    corners = np.where(rng.random((PROBES, *graph.input_shape)) < 0.5, lo, hi)
    noise = rng.uniform(lo, hi, size=(PROBES, *graph.input_shape))
    return np.concatenate([*ends, corners, np.rint(noise) if graph.whole_input else noise])


def calibrate(
    graph: FloatGraph,
    samples: Float64Array,
    input_range: tuple[float, float],
    probes: Float64Array | None = None,
) -> Calibration:
    """Run the samples, `[n, *input_shape]`, clipped to the declared range, in float64.

    Args:
        graph: the network.
        samples: typical inputs; scales and errors are judged by them.
        input_range: where inputs are clipped.
        probes: further inputs (`probe_range`) whose values widen clamps and tables, and nothing else.
    """
    chunk = max(1, CHUNK_VALUES // graph.values_alive)
    lo: dict[str, float] = {}
    hi: dict[str, float] = {}
    squares: dict[str, float] = {}
    outputs = []
    for start in range(0, len(samples), chunk):
        for name, value in graph.stream(np.clip(samples[start : start + chunk], *input_range)):
            lo[name] = min(lo.get(name, np.inf), float(value.min()))
            hi[name] = max(hi.get(name, -np.inf), float(value.max()))
            squares[name] = squares.get(name, 0.0) + float((value**2).sum())
            if name == graph.output:
                outputs.append(value)
    shapes = graph.shapes
    tensors = {
        name: TensorStatistics(
            lo[name], hi[name], (squares[name] / (len(samples) * prod(shapes[name]))) ** 0.5
        )
        for name in lo
    }
    if probes is not None:
        for name, far in _extremes(graph, np.clip(probes, *input_range), chunk).items():
            tensors[name] = replace(tensors[name], far=far)
    return Calibration(tensors, np.concatenate(outputs), len(samples), input_range)


def _extremes(graph: FloatGraph, inputs: Float64Array, chunk: int) -> dict[str, tuple[float, float]]:
    """Least and greatest finite value of each tensor; a function may be undefined where no sample goes."""
    found: dict[str, tuple[float, float]] = {}
    for start in range(0, len(inputs), chunk):
        for name, value in graph.stream(inputs[start : start + chunk]):
            finite = value[np.isfinite(value)]
            if finite.size:
                lo, hi = found.get(name, (np.inf, -np.inf))
                found[name] = min(lo, float(finite.min())), max(hi, float(finite.max()))
    return found


def run_float(graph: FloatGraph, samples: Float64Array, input_range: tuple[float, float]) -> Float64Array:
    """The float network's outputs, `[n, *output_shape]`, on samples clipped to the declared range."""
    chunk = max(1, CHUNK_VALUES // graph.values_alive)
    parts = [
        graph.run(np.clip(samples[start : start + chunk], *input_range), [graph.output])[graph.output]
        for start in range(0, len(samples), chunk)
    ]
    return np.concatenate(parts)
