"""Search: the cheapest precision whose answers are good enough, by measuring both.

The candidates cross limb widths with activation widths. Within one limb width a wider activation costs more,
so the search goes best first: it holds the coarsest candidate not yet refused of each limb width, takes the
cheapest, and runs samples until the goal is met or out of reach (most candidates fall within the first few).
By how much a candidate misses the goal says how much finer the next of its limb width has to be. Costs are
planned once, without emitting a constraint, and only prices and knobs are kept: one network is in memory at a
time. Wider inputs are tried only when no candidate does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay_prover.errors import QuantisationError
from assay_prover.graph.graph import FloatGraph
from assay_prover.graph.maps import Float64Array
from assay_prover.passes.calibrate import Calibration
from assay_prover.passes.quantise import QuantisedModel, quantise
from assay_prover.passes.quantise.precision import Precision
from assay_prover.passes.selection.frontier import Frontier
from assay_prover.passes.selection.goals import GOALS, Goal, Target, precision_of
from assay_prover.passes.selection.report import AccuracyReport, assess
from assay_prover.passes.selection.work import sample_work

SEARCH_SAMPLES = 512
"""Samples used to choose; the report covers all."""

SEARCH_WORK = 1 << 33
"""Multiplications that judging a candidate may take, 10 s of a core; a large network sees fewer samples."""

FEWEST_SAMPLES = 64

PATIENCE = 4
"""Refusals after which the finest candidate is asked whether the goal can be met at all."""

NEAR_FINEST = 3
"""Activation widths, the finest included, that can come close to the finest's errors."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Samples that neither scales nor precision were chosen on, and the float network's outputs on them."""

    samples: Float64Array
    outputs: Float64Array
    labels: NDArray[Any] | None


FEWEST_HELD_OUT = 32
"""With fewer than twice as many samples none are held out: both halves would say little."""


def hold_out(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (chosen on, held out) of `count` samples: a fixed random half each, or all and none."""
    if count < 2 * FEWEST_HELD_OUT:
        return np.arange(count), np.arange(0)
    order = np.random.default_rng(0).permutation(count)
    return np.sort(order[: -(count // 2)]), np.sort(order[-(count // 2) :])


@dataclass(frozen=True, eq=False)
class Choice:
    """The chosen model and its planned cost.

    `report` is about the held-out samples (all, if there were too few to hold any out), `selection` about
    those that chose; `met` says whether these reached the goal.
    """

    model: QuantisedModel
    report: AccuracyReport
    selection: AccuracyReport
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
    held_out: HeldOut | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Choice:
    """The cheapest candidate that meets the target's goal.

    If not even the finest one does, the cheapest that comes close to it (`Goal.relaxed`).

    `cost` plans a circuit, `private` keeps the weights out of it. `progress(stage, fraction)` is called now
    and then.

    Raises:
        QuantisationError: no candidate has an integer form within the arithmetic's limits.
    """
    goal = GOALS[target]
    chosen = slice(None, None, max(1, len(samples) // _affordable(graph)))
    subset, expected = samples[chosen], calibration.outputs[chosen]
    subset_labels = None if labels is None else labels[chosen]
    best: tuple[AccuracyReport, float, Precision] | None = None

    def integers(precision: Precision) -> QuantisedModel:
        return quantise(graph, calibration, precision, private=private)

    frontier = Frontier(integers, cost, goal, progress)

    def settle(model: QuantisedModel, price: float, met: bool) -> Choice:
        selection = assess(model, samples, calibration.outputs, labels, synthetic)
        report = selection
        if held_out is not None:
            report = assess(
                model, held_out.samples, held_out.outputs, held_out.labels, synthetic, held_out=True
            )
        return Choice(model, report, selection, price, frontier.weighed, met)

    def attempt(goal: Goal, patience: int | None, first: int = 0) -> tuple[QuantisedModel, float] | None:
        """The first acceptable candidate, best first, of activation widths from number `first` on.

        None if there is none, or patience runs out in vain.
        """
        nonlocal best
        refused = 0
        for input_bits in goal.input_bits:
            frontier.start(input_bits, first)
            while (candidate := frontier.cheapest()) is not None:
                price, precision = candidate
                report = assess(frontier.model(precision), subset, expected, subset_labels, synthetic, goal)
                if goal.accepts(report):
                    return frontier.model(precision), price
                if best is None or _better(report, best[0]):
                    best = report, price, precision
                refused += 1
                if refused == patience and (limit := finest()) is not None and not goal.accepts(limit):
                    return None
                frontier.refuse(precision, goal.missing(report))
        return None

    @cache
    def finest() -> AccuracyReport | None:
        """What the finest candidates reach, the best of all limb widths; None without an integer form."""
        leader: tuple[AccuracyReport, Precision] | None = None
        for limb in reversed(goal.limb_bits):
            precision = precision_of(goal, limb, goal.input_bits[-1], goal.activation_bits[-1])
            try:
                model = frontier.model(precision)
            except QuantisationError:
                continue
            report = assess(model, subset, expected, subset_labels, synthetic, goal)
            if goal.accepts(report):
                return report
            if leader is None or _better(report, leader[0]):
                leader = report, precision
            del model  # one network is in memory at a time
        if leader is None:
            return None
        # what was seen before each refusal ranks them; what is asked of others needs all samples
        return assess(frontier.model(leader[1]), subset, expected, subset_labels, synthetic)

    found = attempt(goal, PATIENCE)
    if found is not None:
        return settle(*found, met=True)
    if (reachable := finest()) is not None:
        frontier.restart()
        found = attempt(goal.relaxed(reachable), None, max(0, len(goal.activation_bits) - NEAR_FINEST))
    if found is not None:
        return settle(*found, met=False)
    if best is None:
        raise frontier.failure or QuantisationError("no precision gives an integer form")
    return settle(frontier.model(best[2]), best[1], met=False)


def _affordable(graph: FloatGraph) -> int:
    """Samples that a candidate may be judged by."""
    return max(FEWEST_SAMPLES, min(SEARCH_SAMPLES, SEARCH_WORK // sample_work(graph)))


def _better(a: AccuracyReport, b: AccuracyReport) -> bool:
    """By what was seen of each before its refusal."""
    return (a.agreement, -(a.error_p99 or 0.0)) > (b.agreement, -(b.error_p99 or 0.0))
