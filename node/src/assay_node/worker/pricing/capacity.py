"""Whether a job can be proven in time beside what is promised: earliest deadline first, pure.

The executor proves the most urgent job first, so a job waits for those that are due before it and for no
others. Work that is due in a week idles nobody today, whoever had it promised: bids and awards with long
windows cost a worker nothing but what they really take.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

WEIGHT = 0.2
"""Share of a new measurement in a running average."""


@dataclass(frozen=True, slots=True, order=True)
class Load:
    """What one job still takes.

    Attributes:
        due: chain time by which its proof must be mined.
        seconds: of proving.
    """

    due: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How long transactions of this worker take, as measured.

    Attributes:
        inclusion: seconds from signing until a receipt was seen: latency, block time, and the queue.
        sending: seconds that making, signing and handing over one takes; they go one after another.
    """

    inclusion: float = 0.0
    sending: float = 0.0

    def mined(self, seconds: float) -> Pace:
        """With one more transaction's way from signing to receipt."""
        return replace(self, inclusion=_average(self.inclusion, seconds))

    def sent(self, seconds: float) -> Pace:
        """With the time of sending one more."""
        return replace(self, sending=_average(self.sending, seconds))


def _average(known: float, seconds: float) -> float:
    return seconds if known == 0.0 else known + WEIGHT * (seconds - known)


@dataclass(slots=True)
class Capacity:
    """The promises of a worker at one moment, by deadline."""

    loads: list[Load] = field(default_factory=list)

    @classmethod
    def of(cls, loads: Iterable[Load]) -> Capacity:
        """From loads in any order."""
        return cls(sorted(loads))

    def add(self, load: Load) -> None:
        """One promise more."""
        insort(self.loads, load)

    def ahead(self, due: int) -> tuple[float, int]:
        """Seconds of proving, and how many proofs, that are due at `due` or before."""
        first = bisect_right(self.loads, Load(due, float("inf")))
        return sum(load.seconds for load in self.loads[:first]), first
