"""How well the integers answer: quantised against float, on samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from assay_prover.frontend.maps import Float64Array, Int64Array
from assay_prover.passes.quantise import QuantisedModel

CLOSE = 0.01
"""A single-valued output agrees when it is this close, as a part of the outputs' span."""


class AccuracyReport(BaseModel):
    """Float network against its integers on the samples given.

    agreement: part of the samples with the same top-1 class (for a single output: within 1 % of the span).
    accuracy_float, accuracy_quantised: top-1 accuracy against the labels; None without labels.
    error_*: absolute error of the outputs in real values; None for a label.
    saturated: part of input values outside the declared range, which were clipped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int
    synthetic: bool
    agreement: float
    accuracy_float: float | None
    accuracy_quantised: float | None
    error_median: float | None
    error_p99: float | None
    error_max: float | None
    output_span: float
    saturated: float

    @property
    def accuracy_loss(self) -> float:
        """Accuracy lost to quantisation, negative if it gained; 0 without labels."""
        if self.accuracy_float is None or self.accuracy_quantised is None:
            return 0.0
        return self.accuracy_float - self.accuracy_quantised


CHUNK_VALUES = 1 << 24
"""Samples are run in chunks of about this many intermediate integers (128 MB)."""


def run_quantised(model: QuantisedModel, samples: Float64Array) -> Int64Array:
    """Output integers of every sample, `[n, *output_shape]`."""
    name = model.graph.output
    chunk = max(1, CHUNK_VALUES // sum(tensor.size for tensor in model.graph.tensors.values()))
    parts = [
        model.graph.run(model.encode(samples[start : start + chunk]))[name]
        for start in range(0, len(samples), chunk)
    ]
    return np.concatenate(parts)


def assess(
    model: QuantisedModel,
    samples: Float64Array,
    expected: Float64Array,
    labels: NDArray[Any] | None,
    synthetic: bool,
) -> AccuracyReport:
    """Compare with the float outputs `expected` of the same samples; labels are class numbers or None."""
    integers = run_quantised(model, samples).reshape(len(samples), -1)
    exact = expected.reshape(len(samples), -1)
    lo, hi = model.input.lo * model.input.scale, model.input.hi * model.input.scale
    slack = model.input.scale
    outside = float(((samples < lo - slack) | (samples > hi + slack)).mean())
    span = float(exact.max() - exact.min())
    if model.is_label:
        same = (integers == exact).all(axis=1)
        top_float, top_quantised = exact[:, 0], integers[:, 0]
        errors: Float64Array | None = None
    else:
        errors = np.abs(integers * model.output_scale - exact)
        top_float, top_quantised = exact.argmax(axis=1), integers.argmax(axis=1)
        if exact.shape[1] == 1:
            same = errors[:, 0] <= CLOSE * max(span, np.finfo(float).tiny)
        else:
            same = top_float == top_quantised
    scored = labels is not None and (model.is_label or exact.shape[1] > 1)
    return AccuracyReport(
        samples=len(samples),
        synthetic=synthetic,
        agreement=float(same.mean()),
        accuracy_float=float((top_float == labels).mean()) if scored else None,
        accuracy_quantised=float((top_quantised == labels).mean()) if scored else None,
        error_median=None if errors is None else float(np.median(errors)),
        error_p99=None if errors is None else float(np.quantile(errors, 0.99)),
        error_max=None if errors is None else float(errors.max()),
        output_span=span,
        saturated=outside,
    )
