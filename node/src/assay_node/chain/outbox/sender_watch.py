"""Notices that something else sends with our account: a copy of the keystore in another home, on any machine.

A lock keeps out a second process that shares the keystore's folder; a copy elsewhere it cannot see. The chain
can: nonces that were used since this outbox was opened, or wait in the node's pool, and that it never signed.

Of two that find each other, one takes over: each pauses for a time drawn by lot, and whoever comes back first
sends, which the other sees and pauses anew, for longer.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import structlog

from .outbox_store import OutboxStore

_log = structlog.get_logger(__name__)

REMEMBERED = 600.0
"""Seconds for which a foreign transaction counts as a sign that there will be more, at most."""
SHORTEST_PAUSE, LONGEST_PAUSE = 15.0, 60.0
"""Seconds between which the first pause is drawn; each later one is twice as long."""
MOST_LOOKED_AT = 1000
"""Nonces looked up at a time, in case the account sends much elsewhere."""


class SenderWatch:
    """The watch over one account.

    Args:
        address: the account.
        store: what was signed here.
        used: nonces used before the watch began: whoever used them, it is over.
        clock: seconds since the epoch.
        lot: a number from 0 to 1, drawn for each pause.
    """

    def __init__(
        self,
        address: str,
        store: OutboxStore,
        used: int,
        clock: Callable[[], float],
        lot: Callable[[], float] = random.random,
    ) -> None:
        self._address = address
        self._store = store
        self.seen = used
        """Nonces that chain and pool were seen to have used."""
        self._clock = clock
        self._lot = lot
        self._until = 0.0
        self._pause = 0.0
        self._strikes = 0

    def see(self, pending: int) -> None:
        """Takes note of how many nonces chain and pool have used together."""
        first = max(self.seen, pending - MOST_LOOKED_AT)
        foreign = [nonce for nonce in range(first, pending) if not self._store.has_nonce(nonce)]
        self.seen = max(self.seen, pending)
        if foreign:
            self.found(foreign)

    def found(self, nonces: list[int]) -> None:
        """These nonces were used by transactions that are not ours."""
        now = self._clock()
        if now >= self._until:
            span = LONGEST_PAUSE - SHORTEST_PAUSE
            self._pause = min(REMEMBERED, (SHORTEST_PAUSE + span * self._lot()) * 2**self._strikes)
            self._strikes += 1
        self._until = now + self._pause
        _log.error(
            "account.shared",
            account=self._address,
            nonces=nonces[:10],
            pause=round(self._pause),
            advice=ADVICE,
        )

    @property
    def trouble(self) -> str:
        """What there is to say if a foreign transaction was seen lately; "" if none was."""
        if self._clock() >= self._until:
            return ""
        return f"another program sends with the account {self._address}. {ADVICE}"


ADVICE = "Stop it, or give it a key of its own: two senders take each other's nonces, and miss deadlines"
