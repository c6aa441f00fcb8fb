"""The candidates that are left, cheapest first."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from assay_prover.errors import QuantisationError
from assay_prover.passes.quantise import QuantisedModel
from assay_prover.passes.quantise.precision import Precision
from assay_prover.passes.selection.goals import Goal, precision_of

SAME_PRICE = 1.001
"""A finer activation width that costs no more than this is taken at once."""


class Frontier:
    """Priority queue of candidates: for each limb width the coarsest one not yet refused, ordered by cost."""

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
            finer = precision_of(self.goal, precision.limb_bits, precision.input_bits, activation)
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
            precision = precision_of(self.goal, limb, input_bits, activation)
            price = self._price(precision)
            if price is not None:
                heapq.heappush(self._heap, (price, next(self._order), precision))
                return
