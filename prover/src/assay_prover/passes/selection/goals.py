"""What a target asks of the answers, and the precisions that may reach it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, log2
from typing import Literal

import numpy as np

from assay_prover.passes.quantise.precision import Precision
from assay_prover.passes.selection.report import AccuracyReport

Target = Literal["balanced", "accuracy", "speed"]

SPARED_BITS = 0.5
"""Taken off the bits that a candidate lacks: what a few samples show of errors is rough."""

RISK_DOUBT = 8.0
"""By so much the samples of one chunk may overstate the risk."""

TINY, HUGE = float(np.finfo(float).tiny), float(np.finfo(float).max)

RELAXATION = 2.0
"""Of the finest candidate's errors, where they exceed the goal: about a bit."""


@dataclass(frozen=True)
class Goal:
    """What a target accepts, and the precisions it considers.

    p99_error is a part of the float outputs' span. `risk` bounds the expected part of answers that change
    (`passes.selection.report.flip_risk`), a few times below the loss that users are promised, since samples
    which chose show too few flips to judge by. Synthetic samples are exempt: their margins are noise.
    """

    agreement: float
    accuracy_loss: float
    risk: float
    p99_error: float
    limb_bits: tuple[int, ...]
    activation_bits: tuple[int, ...]
    input_bits: tuple[int, ...]
    weight_noise: float

    def hopeless(self, total: int, different: int, values: int, far: int) -> bool:
        """Whether `different` of `total` samples and `far` of all `values` already break the goal."""
        return different > (1 - self.agreement) * total or far > 0.01 * values + 1

    def missing(self, report: AccuracyReport) -> int:
        """Bits that a refused candidate lacks at least, errors and risk halving with each; 1 or more."""
        factors = [1.0]
        if report.error_p99 is not None:
            factors.append(report.error_p99 / max(self.p99_error * report.output_span, TINY))
        if report.risk is not None and not report.synthetic:
            factors.append(report.risk / max(RISK_DOUBT * self.risk, TINY))
        # outputs that are all 0 have no span, and no error but 0 is a finite part of it
        return max(1, floor(log2(min(max(factors), HUGE)) - SPARED_BITS))

    def accepts(self, report: AccuracyReport) -> bool:
        """Whether the answers are good enough."""
        close = report.error_p99 is None or report.error_p99 <= self.p99_error * report.output_span
        safe = report.risk is None or report.synthetic or report.risk <= self.risk
        agrees = report.agreement >= self.agreement and report.accuracy_loss <= self.accuracy_loss
        return agrees and safe and close

    def relaxed(self, reachable: AccuracyReport) -> Goal:
        """What may be asked of candidates if not even the finest, of which `reachable` is, meets the goal."""
        p99 = (reachable.error_p99 or 0.0) / (reachable.output_span or 1.0)
        return replace(
            self,
            agreement=min(self.agreement, reachable.agreement - (1 - self.agreement)),
            accuracy_loss=max(self.accuracy_loss, reachable.accuracy_loss + self.accuracy_loss),
            risk=max(self.risk, RELAXATION * (reachable.risk or 0.0)),
            p99_error=max(self.p99_error, RELAXATION * p99),
        )


GOALS: dict[Target, Goal] = {
    "speed": Goal(0.98, 0.01, 0.01, 0.05, (1, 4, 5, 7, 8, 10, 12), (4, 5, 6, 7), (6, 8, 12), 0.6),
    "balanced": Goal(
        0.995, 0.003, 0.001, 0.0075, (1, 4, 5, 7, 8, 10, 11, 12, 13), (5, 6, 7, 8, 9, 10), (8, 10, 13), 0.3
    ),
    "accuracy": Goal(
        0.999, 0.0, 0.0003, 0.002, (1, 4, 7, 8, 10, 11, 12, 13), (8, 9, 10, 12), (8, 12, 16), 0.2
    ),
}


def precision_of(goal: Goal, limb: int, input_bits: int, activation: int) -> Precision:
    """A candidate: inputs in whole limbs, outputs two bits finer than activations."""
    wanted = int(np.ceil(input_bits / limb)) * limb
    # an image of 8 bits in limbs of 7 takes 7, not 14, and in limbs of 12 no more than it has
    bits = limb if limb == input_bits - 1 else input_bits if limb > input_bits else wanted
    return Precision(
        limb_bits=limb,
        input_bits=bits,
        activation_bits=activation,
        output_bits=activation + 2,
        weight_noise=goal.weight_noise,
        table_bits=min(activation + 2, 12),
    )


def middle_precisions(target: Target) -> tuple[Precision, ...]:
    """Precisions that often meet the target in a large network: the third activation width.

    Every other width of limbs is enough for a price.
    """
    goal = GOALS[target]
    middle = goal.activation_bits[2]
    return tuple(precision_of(goal, limb, goal.input_bits[0], middle) for limb in goal.limb_bits[2::2])
