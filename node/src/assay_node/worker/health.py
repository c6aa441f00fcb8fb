"""Whether a worker does what it is there for, and if not, why not."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .metrics import Metrics

STALE = 60.0
"""Seconds without a good round after which a task counts as failing."""
SLOW = 30.0
"""Seconds of a round above which it is too slow for ordinary bidding windows."""
BEHIND = 50
"""Blocks that events may be behind the newest block."""
OLD_HEAD = 300.0
"""Seconds of age of the newest block, on a chain that has blocks all the time."""
STUCK = 180.0
"""Seconds after which a transaction that is not mined counts as stuck."""
REMEMBERED = 600.0
"""Seconds for which a missed window is told of."""
LEAST_DISK = 64 << 20
"""Bytes free on the disk of the databases, below which they may soon fail."""


class Health:
    """What is known of a worker's tasks. Times are of a clock that only grows.

    Args:
        tasks: names of the tasks whose rounds are watched.
        folder: where the databases are.
        metrics: told of rounds.
        clock: seconds.
    """

    def __init__(
        self,
        tasks: tuple[str, ...],
        folder: Path,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._metrics = metrics
        self._clock = clock
        self._good: dict[str, float | None] = dict.fromkeys(tasks)
        self._took = dict.fromkeys(tasks, 0.0)
        self._begun: dict[str, float] = {}
        self._missed: deque[float] = deque(maxlen=1000)
        self.trouble: dict[str, str] = {}
        self.behind = 0
        self.head_age = 0.0
        """Seconds; 0 on a chain that has blocks only when there is something to put into them."""
        self.oldest_transaction = 0.0
        self.notes: list[str] = []
        """What else is wrong, as found in the last round."""

    @contextmanager
    def round(self, task: str) -> Iterator[None]:
        """Watches a round; one that raises is no good one."""
        begun = self._begun[task] = self._clock()
        try:
            yield
        finally:
            del self._begun[task]
            self._took[task] = took = self._clock() - begun
            self._metrics.round_seconds.labels(task).observe(took)
        self._good[task] = self._clock()
        self.trouble.pop(task, None)

    def missed_window(self) -> None:
        """A job's bidding was over before it was priced."""
        self._metrics.missed_windows.inc()
        self._missed.append(self._clock())

    def since_good(self, task: str) -> float | None:
        """Seconds since a task's last good round; None if it had none."""
        good = self._good[task]
        return None if good is None else self._clock() - good

    def reasons(self) -> list[str]:
        """What is wrong, worst first; nothing if all is well."""
        found: list[str] = []
        now = self._clock()
        for task, good in self._good.items():
            trouble = self.trouble.get(task, "")
            if good is None:
                found.append(f"{task}: no round has succeeded yet" + (f" ({trouble})" if trouble else ""))
            elif now - good >= STALE:
                found.append(f"{task}: no round has succeeded for {now - good:.0f} s ({trouble or 'slow'})")
            else:
                took = max(self._took[task], now - self._begun.get(task, now))
                if took > SLOW:
                    found.append(f"{task}: a round takes {took:.0f} s, longer than windows may be")
        missed = sum(now - moment < REMEMBERED for moment in self._missed)
        if missed:
            found.append(f"{missed} jobs lately took bids for too short a time to be priced: rounds are slow")
        if self.behind > BEHIND:
            found.append(f"events are read {self.behind} blocks behind the newest")
        if self.head_age > OLD_HEAD:
            found.append(
                f"the newest block is {self.head_age:.0f} s old: the node is behind, or this machine's clock "
                "is wrong"
            )
        if self.oldest_transaction > STUCK:
            found.append(f"a transaction has not been mined for {self.oldest_transaction:.0f} s")
        free = shutil.disk_usage(self._folder).free
        if free < LEAST_DISK:
            found.append(f"the disk of {self._folder} has {free >> 20} MiB left")
        return found + self.notes
