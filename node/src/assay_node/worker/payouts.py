"""Moves earnings from the vault to the payout account, so that the operating key guards little."""

from __future__ import annotations

import structlog

from ..chain import Chain, ChainError, IntentStatus, Outbox
from .store import WorkerStore

_log = structlog.get_logger(__name__)
_COUNTER = "withdrawals"


class Payouts:
    """The withdrawal policy: everything, whenever it is at least a threshold.

    Each withdrawal is an intent numbered by a counter on disk, which moves on only when the last one is in a
    block: a worker killed at any point repeats the same intent, and the outbox sends it once.

    Args:
        chain, outbox, store: the worker's.
        payout: where to; None leaves everything in the vault.
        threshold: wei from which a withdrawal is worth its gas.
    """

    def __init__(
        self, chain: Chain, outbox: Outbox, store: WorkerStore, payout: str | None, threshold: int
    ) -> None:
        self._chain = chain
        self._outbox = outbox
        self._store = store
        self._payout = payout
        self._threshold = threshold

    async def step(self) -> None:
        """Withdraws if there is enough; called every so often."""
        if self._payout is None:
            return
        number = self._store.counter(_COUNTER)
        intent = self._outbox.intent(f"withdraw/{number}")
        if intent is not None:
            if intent.status is IntentStatus.PENDING:
                return
            self._store.set_counter(_COUNTER, number + 1)
            number += 1
        balance = await self._chain.vault.balance_of(self._outbox.account.address)
        if balance < self._threshold:
            return
        try:
            await self._outbox.submit(f"withdraw/{number}", self._chain.vault.withdraw(balance, self._payout))
        except ChainError as error:
            _log.warning("earnings.not_withdrawn", reason=str(error))
            return
        _log.info("earnings.withdrawn", wei=balance, to=self._payout)
