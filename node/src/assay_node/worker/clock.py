"""What time it will be in the next block, which is what deadlines are compared with."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..chain import Header


class ChainClock:
    """The chain's time between blocks.

    The next block is not before the newest one plus the time since it was seen (a chain whose clock was moved
    forward, as test chains are), nor before this machine's clock (a quiet chain whose newest block is old).
    Being wrong costs nothing but a refused transaction: the contract judges by its own clock.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._timestamp = 0
        self._seen = monotonic()
        self._hash = b""

    def see(self, header: Header) -> None:
        """Takes note of the newest block."""
        if header.hash != self._hash:
            self._hash, self._timestamp, self._seen = header.hash, header.timestamp, self._monotonic()

    def now(self) -> int:
        """Seconds since the epoch."""
        return max(int(self._wall()), self._timestamp + int(self._monotonic() - self._seen))
