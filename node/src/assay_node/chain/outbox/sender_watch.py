"""Notices that something else sends with our account: a copy of the keystore in another home, on any machine.

A lock keeps out a second process that shares the keystore's folder; a copy elsewhere it cannot see. The chain
can: nonces that were used since this outbox was opened, or wait in the node's pool, and that it never signed.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from .outbox_store import OutboxStore

_log = structlog.get_logger(__name__)

REMEMBERED = 600.0
"""Seconds for which a foreign transaction counts as a sign that there will be more."""


class SenderWatch:
    """The watch over one account.

    Args:
        address: the account.
        store: what was signed here.
        used: nonces used before the watch began: whoever used them, it is over.
        clock: seconds since the epoch.
    """

    def __init__(self, address: str, store: OutboxStore, used: int, clock: Callable[[], float]) -> None:
        self._address = address
        self._store = store
        self._seen = used
        self._clock = clock
        self._last: float | None = None

    def see(self, pending: int) -> None:
        """Takes note of how many nonces chain and pool have used together."""
        foreign = [nonce for nonce in range(self._seen, pending) if not self._store.has_nonce(nonce)]
        self._seen = max(self._seen, pending)
        if foreign:
            self.found(foreign)

    def found(self, nonces: list[int]) -> None:
        """These nonces were used by transactions that are not ours."""
        self._last = self._clock()
        _log.error("account.shared", account=self._address, nonces=nonces, advice=ADVICE)

    @property
    def trouble(self) -> str:
        """What there is to say if a foreign transaction was seen lately; "" if none was."""
        if self._last is None or self._clock() - self._last > REMEMBERED:
            return ""
        return f"another program sends with the account {self._address}. {ADVICE}"


ADVICE = "Stop it, or give it a key of its own: two senders take each other's nonces, and miss deadlines"
