"""The next nonce of an account, though a node may be wrong about how many are used.

A count that is too high by n, believed once, leaves n unused nonces below the transaction: it hangs until
they are filled, and filling them costs n transactions. So a count above what this outbox knows of is asked
for twice, and one above a few is not believed at all: then the transaction takes a nonce that somebody else's
pending one may have, which the outbox finds out and mends, at no cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from ..node.types import Node
from .outbox_store import OutboxStore
from .sender_watch import SenderWatch

_log = structlog.get_logger(__name__)

MOST_FOREIGN = 3
"""Pending transactions of others that are believed in, beyond what is mined and what is ours."""
DISTRUST = 3600.0
"""Seconds for which the pool's count is not believed after nonces that it counted had to be filled."""


class Nonces:
    """Counts one account's nonces.

    Args:
        node: where to look.
        address: the account.
        store: what was signed here.
        watch: told of nonces that others used.
        clock: seconds since the epoch.
    """

    def __init__(
        self, node: Node, address: str, store: OutboxStore, watch: SenderWatch, clock: Callable[[], float]
    ) -> None:
        self._node = node
        self._address = address
        self._store = store
        self._watch = watch
        self._clock = clock
        self._distrusted_until = 0.0

    def distrust(self) -> None:
        """Nonces that the pool was said to have were never used: its count is not believed for a while."""
        self._distrusted_until = self._clock() + DISTRUST

    async def next(self) -> int:
        """The nonce of the next intent. Raises `NodeUnavailable`."""
        active = self._store.active()
        ours = max((intent.nonce + 1 for intent in active), default=0)
        used, pooled = await self._counts()
        if max(used, pooled) > max(ours, self._watch.seen):
            again = await self._counts()
            used, pooled = min(used, again[0]), min(pooled, again[1])
        floor = self._store.final_nonce()
        if used < floor and not await self._went_back():
            used = floor  # the node lags behind what is final
        least = max(used, ours)
        if pooled - least > MOST_FOREIGN or (pooled > least and self._clock() < self._distrusted_until):
            _log.error("account.count_not_believed", account=self._address, mined=used, pending=pooled)
            pooled = least
        self._watch.see(max(used, pooled))
        return max(least, pooled)

    async def _counts(self) -> tuple[int, int]:
        used, pooled = await asyncio.gather(
            self._node.nonce(self._address), self._node.nonce(self._address, "pending")
        )
        return used, pooled

    async def _went_back(self) -> bool:
        """Whether the block of our last final transaction is not the chain's any more."""
        last = self._store.last_final()
        if last is None or last.block_number is None:
            return False
        header = await self._node.header(last.block_number)
        return header is None or header.hash != last.block_hash
