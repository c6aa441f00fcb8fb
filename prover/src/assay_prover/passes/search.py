"""Search: the cheapest precision whose answers are good enough, by measuring both.

The candidates cross limb widths with activation widths. Each is quantised and its circuit planned (no
constraint is emitted), and from the cheapest upwards the samples are run until one meets the target. Wider
inputs are tried only when no candidate does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay_prover.errors import QuantisationError
from assay_prover.frontend.graph import FloatGraph
from assay_prover.frontend.maps import Float64Array
from assay_prover.passes.calibrate import Calibration
from assay_prover.passes.precision import Precision
from assay_prover.passes.quantise import QuantisedModel, quantise
from assay_prover.passes.report import AccuracyReport, assess

Target = Literal["balanced", "accuracy", "speed"]

SEARCH_SAMPLES = 512
"""Samples used to choose; the report covers all."""


@dataclass(frozen=True)
class Goal:
    """What a target accepts, and the precisions it considers.

    p99_error is a part of the float outputs' span.
    """

    agreement: float
    accuracy_loss: float
    p99_error: float
    limb_bits: tuple[int, ...]
    activation_bits: tuple[int, ...]
    input_bits: tuple[int, ...]
    weight_noise: float

    def accepts(self, report: AccuracyReport) -> bool:
        """Whether the answers are good enough."""
        close = report.error_p99 is None or report.error_p99 <= self.p99_error * report.output_span
        return report.agreement >= self.agreement and report.accuracy_loss <= self.accuracy_loss and close


GOALS: dict[Target, Goal] = {
    "speed": Goal(0.98, 0.01, 0.05, (1, 4, 5, 7, 8), (4, 5, 6, 7), (6, 8, 12), 0.6),
    "balanced": Goal(0.995, 0.003, 0.01, (1, 4, 5, 7, 8, 10), (5, 6, 7, 8), (8, 10, 13), 0.3),
    "accuracy": Goal(0.999, 0.0, 0.002, (1, 4, 7, 8, 10), (8, 9, 10, 12), (8, 12, 16), 0.2),
}


@dataclass(frozen=True, eq=False)
class Choice:
    """The chosen model, its report and planned cost; `met` says whether it reached the goal."""

    model: QuantisedModel
    report: AccuracyReport
    cost: float
    candidates: int
    met: bool


def search(
    graph: FloatGraph,
    calibration: Calibration,
    samples: Float64Array,
    labels: NDArray[Any] | None,
    cost: Callable[[QuantisedModel], float],
    *,
    target: Target,
    synthetic: bool,
    private: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> Choice:
    """The cheapest candidate that meets the target's goal, else the one that agrees most.

    `cost` plans a circuit, `private` keeps the weights out of it. `progress(stage, fraction)` is called now
    and then.

    Raises:
        QuantisationError: no candidate has an integer form within the arithmetic's limits.
    """
    goal = GOALS[target]
    chosen = slice(None, None, max(1, len(samples) // SEARCH_SAMPLES))
    subset, expected = samples[chosen], calibration.outputs[chosen]
    subset_labels = None if labels is None else labels[chosen]
    best: Choice | None = None
    weighed = 0
    failure: QuantisationError | None = None
    for round_, input_bits in enumerate(goal.input_bits):
        models: list[tuple[float, int, QuantisedModel]] = []
        for precision in _precisions(goal, input_bits):
            try:
                model = quantise(graph, calibration, precision, private=private)
            except QuantisationError as error:
                failure = error
                continue
            models.append((cost(model), len(models), model))
            if progress:
                progress("search", len(models) / (len(goal.limb_bits) * len(goal.activation_bits)))
        weighed += len(models)
        for price, _, model in sorted(models, key=lambda entry: entry[:2]):
            report = assess(model, subset, expected, subset_labels, synthetic)
            if goal.accepts(report):
                full = assess(model, samples, calibration.outputs, labels, synthetic)
                return Choice(model, full, price, weighed, met=True)
            if best is None or _better(report, best.report):
                best = Choice(model, report, price, weighed, met=False)
        if progress:
            progress("search", (round_ + 1) / len(goal.input_bits))
    if best is None:
        raise failure or QuantisationError("no precision gives an integer form")
    full = assess(best.model, samples, calibration.outputs, labels, synthetic)
    return Choice(best.model, full, best.cost, weighed, met=False)


def _better(a: AccuracyReport, b: AccuracyReport) -> bool:
    return (a.agreement, -(a.error_p99 or 0.0)) > (b.agreement, -(b.error_p99 or 0.0))


def _precisions(goal: Goal, input_bits: int) -> Iterator[Precision]:
    for limb in goal.limb_bits:
        for activation in goal.activation_bits:
            wanted = int(np.ceil(input_bits / limb)) * limb
            # an image of 8 bits in limbs of 7 takes 7, not 14
            bits = limb if limb == input_bits - 1 else wanted
            yield Precision(
                limb_bits=limb,
                input_bits=bits,
                activation_bits=activation,
                output_bits=activation + 2,
                weight_noise=goal.weight_noise,
                table_bits=min(activation + 2, 12),
            )
