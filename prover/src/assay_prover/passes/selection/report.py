"""How well the integers answer: quantised against float, on samples.

Precision is chosen on one part of the samples (`search`) and reported on another, since a number that chose
is no evidence; both are in the manifest. Without enough samples to part, the report says `held_out` false.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from assay_prover.errors import InputError
from assay_prover.graph.maps import Float64Array, Int64Array
from assay_prover.passes.quantise import QuantisedModel

CLOSE = 0.01
"""Outputs that are no vector of classes agree when their root mean square error is at most this part of their
span."""

FLOAT_NOISE = 1e-9
"""Outputs whose spread is at most this part of their magnitude do not vary."""

PAIRINGS = 64
"""Rounds of giving each sample another one's error; see `flip_risk`."""


Part = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[float, Field(ge=0)]
Fit = Annotated[float, Field(le=1, allow_inf_nan=False)]


class AccuracyReport(BaseModel):
    """Float network against its integers on the samples given.

    agreement: part of the samples with the same top-1 class (outputs that are no vector of classes: with a
    root mean square error within 1 % of the span).
    risk: expected part of samples whose top-1 class errors like those seen would change; None where there are
    no classes. What a few hundred samples can tell of rare flips, which few of them show.
    accuracy_float, accuracy_quantised: top-1 accuracy against the labels; None without labels.
    classes: whether the answer is a class; otherwise it is numbers that mean themselves, a regression's.
    r2_float, r2_quantised: part of the labels' variance that a regression explains, at most 1.
    mae_float, mae_quantised: a regression's mean absolute error against the labels. None without labels.
    error_*: absolute error of the outputs in real values; None for a label.
    output_span: greatest less least float output; their magnitude where they do not vary, as on one sample.
    saturated: part of input values outside the declared range, which were clipped.
    held_out: the precision was chosen on other samples than these.
    error_percentiles: (percentile, absolute error) pairs; empty for a label.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int = Field(ge=0)
    synthetic: bool
    agreement: Part
    accuracy_float: Part | None
    accuracy_quantised: Part | None
    error_median: Size | None
    error_p99: Size | None
    error_max: Size | None
    output_span: Size
    saturated: Part
    held_out: bool = False
    error_percentiles: tuple[tuple[float, Size], ...] = ()
    risk: Part | None = None
    classes: bool = True
    r2_float: Fit | None = None
    r2_quantised: Fit | None = None
    mae_float: Size | None = None
    mae_quantised: Size | None = None

    @property
    def accuracy_loss(self) -> float:
        """Accuracy lost to quantisation, negative if it gained; 0 without labels."""
        if self.accuracy_float is None or self.accuracy_quantised is None:
            return 0.0
        return self.accuracy_float - self.accuracy_quantised


CHUNK_VALUES = 1 << 21
"""Samples are run in chunks of about this many integers at once (16 MB)."""

CHUNK_SAMPLES = 32
"""Longest chunk: a goal that is out of reach is noticed after each."""

PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)


class Limit(Protocol):
    """What may stop an assessment early (`assay_prover.passes.selection.goals.Goal`)."""

    @property
    def p99_error(self) -> float:
        """Largest 99th percentile of the error, as a part of the outputs' span."""

    def hopeless(self, total: int, different: int, values: int, far: int) -> bool:
        """Whether the counts so far already break the goal over `total` samples and `values` values."""


def chunks(model: QuantisedModel, samples: Float64Array) -> Iterator[tuple[slice, Int64Array]]:
    """Output integers of every sample, chunk by chunk: (which, `[chunk, outputs]`)."""
    graph = model.graph
    step = min(max(1, CHUNK_VALUES // graph.values_alive), CHUNK_SAMPLES)
    for start in range(0, len(samples), step):
        which = slice(start, start + step)
        integers = graph.answers(model.encode(samples[which]))
        yield which, integers.reshape(len(integers), -1)


def assess(
    model: QuantisedModel,
    samples: Float64Array,
    expected: Float64Array,
    labels: NDArray[Any] | None,
    synthetic: bool,
    limit: Limit | None = None,
    *,
    held_out: bool = False,
) -> AccuracyReport:
    """Compare with the float outputs `expected` of the same samples.

    Labels are class numbers `[n]`, a regression's values `[n, outputs]` in floats, or None.

    With `limit` it stops as soon as the goal is out of reach; the report is then about the samples seen.
    """
    exact = expected.reshape(len(samples), -1)
    regression = labels is not None and labels.dtype.kind == "f"
    classes = sum(width > 1 for width in expected.shape[1:]) == 1 and not regression
    lo, hi = model.input.lo * model.input.scale, model.input.hi * model.input.scale
    slack = model.input.scale
    outside = float(((samples < lo - slack) | (samples > hi + slack)).mean())
    span = _span(exact)
    parts: list[Int64Array] = []
    seen = different = far = 0
    for which, part in chunks(model, samples):
        parts.append(part)
        seen += len(part)
        if limit is None:
            continue
        errors = None if model.is_label else np.abs(part * model.output_scale - exact[which])
        different += int((~_same(part, exact[which], errors, span, classes)).sum())
        far += 0 if errors is None else int((errors > limit.p99_error * span).sum())
        if limit.hopeless(len(samples), different, exact.size, far):
            break
    integers, exact = np.concatenate(parts), exact[:seen]
    labels = None if labels is None else labels[:seen]
    signed = None if model.is_label else integers * model.output_scale - exact
    errors = None if signed is None else np.abs(signed)
    same = _same(integers, exact, errors, span, classes)
    if model.is_label:
        top_float, top_quantised = exact[:, 0], integers[:, 0]
    else:
        top_float, top_quantised = exact.argmax(axis=1), integers.argmax(axis=1)
    scored = labels is not None and not regression and (model.is_label or classes)
    fits: dict[str, float | None] = {}
    if regression and labels is not None and not model.is_label:
        fits = _fits(labels, exact, np.asarray(integers * model.output_scale, dtype=np.float64))
    percentiles = () if errors is None else np.percentile(errors, PERCENTILES)
    return AccuracyReport(
        samples=seen,
        synthetic=synthetic,
        agreement=float(same.mean()),
        accuracy_float=float((top_float == labels).mean()) if scored else None,
        accuracy_quantised=float((top_quantised == labels).mean()) if scored else None,
        error_median=None if errors is None else float(np.median(errors)),
        error_p99=None if errors is None else float(np.quantile(errors, 0.99)),
        error_max=None if errors is None else float(errors.max()),
        output_span=span,
        saturated=outside,
        held_out=held_out,
        error_percentiles=tuple(
            (q, float(value)) for q, value in zip(PERCENTILES, percentiles, strict=False)
        ),
        risk=flip_risk(exact, signed) if signed is not None and classes else None,
        classes=model.is_label or classes,
        **fits,
    )


def _fits(labels: Float64Array, exact: Float64Array, answers: Float64Array) -> dict[str, float | None]:
    """How well floats and integers of a regression meet the labels."""
    if labels.shape != exact.shape:
        raise InputError(f"labels have {labels.shape[1]} values a sample, the network gives {exact.shape[1]}")
    spread = float(((labels - labels.mean(axis=0)) ** 2).sum())

    def r2(given: Float64Array) -> float | None:
        return None if not spread else 1.0 - float(((given - labels) ** 2).sum()) / spread

    return {
        "r2_float": r2(exact),
        "r2_quantised": r2(answers),
        "mae_float": float(np.abs(exact - labels).mean()),
        "mae_quantised": float(np.abs(answers - labels).mean()),
    }


def describe(report: AccuracyReport) -> str:
    """The report in half a sentence: how often classes agree, or how far numbers are apart."""
    if report.classes:
        return f"the class is that of the floats for {report.agreement:.2%} of {report.samples} samples"
    span = report.output_span or 1.0
    part = (report.error_p99 or 0.0) / span
    return f"99 % of {report.samples} samples' values are within {part:.3%} of the outputs' span"


def _span(exact: Float64Array) -> float:
    spread, magnitude = float(exact.max() - exact.min()), float(np.abs(exact).max())
    return spread if spread > FLOAT_NOISE * magnitude else magnitude


def flip_risk(exact: Float64Array, errors: Float64Array) -> float:
    """Expected part of samples whose top-1 class changes, from `[n, classes]` float outputs and their errors.

    Each sample is given its own error and those of up to 63 others, spread over all. One flip in n samples is
    luck; n margins against n errors are not: the estimate's noise is that of n PAIRINGS trials.
    """
    top = exact.argmax(axis=1)
    shifts = range(0, len(exact), max(1, len(exact) // PAIRINGS))
    changed = [((exact + np.roll(errors, shift, axis=0)).argmax(axis=1) != top).mean() for shift in shifts]
    return float(np.mean(changed))


def _same(
    integers: Int64Array, exact: Float64Array, errors: Float64Array | None, span: float, classes: bool
) -> NDArray[np.bool_]:
    """Which samples agree: the label, the top-1 class, or else the values within CLOSE of the span."""
    if errors is None:
        return np.asarray((integers == exact).all(axis=1))
    if not classes:
        return np.asarray((errors**2).mean(axis=1) ** 0.5 <= CLOSE * max(span, np.finfo(float).tiny))
    return np.asarray(exact.argmax(axis=1) == integers.argmax(axis=1))
