"""Search: the cheapest precision whose answers are good enough, by measuring both.

The candidates cross limb widths with activation widths. Within one limb width a wider activation costs more,
so the search goes best first: it holds the coarsest candidate not yet refused of each limb width, takes the
cheapest, and runs samples until the goal is met or out of reach (most candidates fall within the first few).
By how much a candidate misses the goal says how much finer the next of its limb width has to be. Costs are
planned once, without emitting a constraint, and only prices and knobs are kept: one network is in memory at a
time. Wider inputs are tried only when no candidate does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from math import floor, log2, prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay_prover.errors import QuantisationError
from assay_prover.graph.graph import FloatAffine, FloatGraph, FloatMatMul
from assay_prover.graph.maps import Float64Array, FloatConv
from assay_prover.passes.calibrate import Calibration
from assay_prover.passes.precision import Precision
from assay_prover.passes.quantise import QuantisedModel, quantise
from assay_prover.passes.report import AccuracyReport, assess

Target = Literal["balanced", "accuracy", "speed"]

SEARCH_SAMPLES = 512
"""Samples used to choose; the report covers all."""

SEARCH_WORK = 1 << 33
"""Multiplications that judging a candidate may take, 10 s of a core; a large network sees fewer samples."""

ELEMENT_WORK = 64
"""Multiplications in whose time a tensor's element is moved, rounded and clipped."""

FEWEST_SAMPLES = 64

PATIENCE = 4
"""Refusals after which the finest candidate is asked whether the goal can be met at all."""

SAME_PRICE = 1.001
"""A finer activation width that costs no more than this is taken at once."""

SPARED_BITS = 0.5
"""Taken off the bits that a candidate lacks: what a few samples show of errors is rough."""

RISK_DOUBT = 8.0
"""By so much the samples of one chunk may overstate the risk."""

TINY, HUGE = float(np.finfo(float).tiny), float(np.finfo(float).max)

NEAR_FINEST = 3
"""Activation widths, the finest included, that can come close to the finest's errors."""

RELAXATION = 2.0
"""Of the finest candidate's errors, where they exceed the goal: about a bit."""


@dataclass(frozen=True)
class Goal:
    """What a target accepts, and the precisions it considers.

    p99_error is a part of the float outputs' span. `risk` bounds the expected part of answers that change
    (`assay_prover.passes.report.flip_risk`), a few times below the loss that users are promised, since the
    samples which chose show too few flips to judge by. Synthetic samples are exempt: their margins are noise.
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

    frontier = _Frontier(integers, cost, goal, progress)

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
            precision = _precision(goal, limb, goal.input_bits[-1], goal.activation_bits[-1])
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


def sample_work(graph: FloatGraph) -> int:
    """What running one sample takes, in multiplications at the speed of large matrices."""
    return multiplications(graph) + ELEMENT_WORK * sum(prod(shape) for shape in graph.shapes.values())


def multiplications(graph: FloatGraph) -> int:
    """Multiply-accumulates of one sample, those by constants included."""
    shapes = graph.shapes
    total = 0
    for op in graph.ops:
        if isinstance(op, FloatAffine):
            for linear in op.maps:
                size = linear.coefficients.size
                if isinstance(linear, FloatConv):
                    size *= prod(op.shape) // linear.weight.shape[0]
                total += size
        elif isinstance(op, FloatMatMul):
            total += prod(op.shape) * shapes[op.a][-1]
    return total


class _Frontier:
    """Of each limb width the coarsest candidate that was not refused, by price."""

    def __init__(
        self,
        integers: Callable[[Precision], QuantisedModel],
        cost: Callable[[QuantisedModel], float],
        goal: Goal,
        progress: Callable[[str, float], None] | None,
    ) -> None:
        self.integers = integers
        self.cost = cost
        self.goal = goal
        self.progress = progress
        self.failure: QuantisationError | None = None
        self._heap: list[tuple[float, int, Precision]] = []
        self._order = count()
        self._prices: dict[Precision, float | None] = {}
        self._latest: tuple[Precision, QuantisedModel] | None = None

    def model(self, precision: Precision) -> QuantisedModel:
        """The integers of a candidate; the last one asked for is kept, and no other."""
        if self._latest is None or self._latest[0] != precision:
            self._latest = None
            self._latest = precision, self.integers(precision)
        return self._latest[1]

    def restart(self) -> None:
        """Forget the candidates that are left."""
        self._heap.clear()

    def start(self, input_bits: int, first: int) -> None:
        """Weigh every limb width's coarsest candidate, or that of activation width number `first`."""
        for limb in self.goal.limb_bits:
            self._weigh(limb, input_bits, first)

    def cheapest(self) -> tuple[float, Precision] | None:
        """Take it out; of the activation widths that cost the same, the finest."""
        if not self._heap:
            return None
        price, _, precision = heapq.heappop(self._heap)
        most = price * SAME_PRICE
        for activation in self.goal.activation_bits[self._place(precision) + 1 :]:
            finer = _precision(self.goal, precision.limb_bits, precision.input_bits, activation)
            cost = self._price(finer)
            if cost is None or cost > most:
                break
            price, precision = cost, finer
        return price, precision

    def _place(self, precision: Precision) -> int:
        return self.goal.activation_bits.index(precision.activation_bits)

    def refuse(self, precision: Precision, missing: int) -> None:
        """Weigh an activation width of the same limbs `missing` bits finer, or the finest there is."""
        widths = self.goal.activation_bits
        place = self._place(precision) + 1
        wanted = precision.activation_bits + missing
        while place < len(widths) - 1 and widths[place] < wanted:
            place += 1
        self._weigh(precision.limb_bits, precision.input_bits, place)

    def _price(self, precision: Precision) -> float | None:
        """Planned once, however often the candidates are gone through; None without an integer form."""
        if precision not in self._prices:
            if self.progress is not None:
                most = len(self.goal.limb_bits) * len(self.goal.activation_bits)
                self.progress("search", min(1.0, len(self._prices) / most))
            try:
                self._prices[precision] = self.cost(self.model(precision))
            except QuantisationError as error:
                # its traceback would keep the half-made network
                self.failure = error.with_traceback(None)
                self._prices[precision] = None
        return self._prices[precision]

    @property
    def weighed(self) -> int:
        """Candidates that were priced."""
        return sum(price is not None for price in self._prices.values())

    def _weigh(self, limb: int, input_bits: int, start: int) -> None:
        """Add the first activation width from `start` that has an integer form."""
        for activation in self.goal.activation_bits[start:]:
            precision = _precision(self.goal, limb, input_bits, activation)
            price = self._price(precision)
            if price is not None:
                heapq.heappush(self._heap, (price, next(self._order), precision))
                return


def middle_precisions(target: Target) -> tuple[Precision, ...]:
    """Precisions that often meet the target in a large network: the third activation width.

    Every other width of limbs is enough for a price.
    """
    goal = GOALS[target]
    middle = goal.activation_bits[2]
    return tuple(_precision(goal, limb, goal.input_bits[0], middle) for limb in goal.limb_bits[2::2])


def _better(a: AccuracyReport, b: AccuracyReport) -> bool:
    """By what was seen of each before its refusal."""
    return (a.agreement, -(a.error_p99 or 0.0)) > (b.agreement, -(b.error_p99 or 0.0))


def _precision(goal: Goal, limb: int, input_bits: int, activation: int) -> Precision:
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
