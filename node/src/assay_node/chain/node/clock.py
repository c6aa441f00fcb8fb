"""What time it will be in the next block, which is what deadlines are compared with."""

from __future__ import annotations

import time
from collections.abc import Callable

from .types import Header

FRESH = 30.0
"""Seconds between two looks at the newest block within which a new one was seen to arrive, not found."""


class ChainClock:
    """The chain's time between blocks.

    Deadlines are the contract's, so the time is the chain's: the newest block's timestamp, and what has
    passed since that block arrived. Until one has been seen to arrive, the newest may be hours old (a quiet
    chain) and this machine's clock stands in. From then on it has no say: a clock that is an hour ahead would
    give up accepted jobs, and their collateral, that the chain has time for.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._timestamp = 0
        self._seen = self._looked = monotonic()
        self._hash = b""
        self._live = False

    @property
    def live(self) -> bool:
        """Whether the time is the chain's, and no longer this machine's."""
        return self._live

    def see(self, header: Header) -> bool:
        """Takes note of the newest block; to be called with every look at it.

        Returns:
            Whether the time is the chain's from now on, and was this machine's before: what was judged by it
            is to be judged again.
        """
        moment = self._monotonic()
        before = self._live
        if header.hash != self._hash:
            if self._hash and moment - self._looked <= FRESH:
                self._live = True
            self._hash, self._timestamp, self._seen = header.hash, header.timestamp, moment
        self._looked = moment
        return self._live and not before

    def now(self) -> int:
        """Seconds since the epoch."""
        chain = self._timestamp + int(self._monotonic() - self._seen)
        return chain if self._live else max(int(self._wall()), chain)
