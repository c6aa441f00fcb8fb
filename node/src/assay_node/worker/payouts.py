"""Moves earnings from the vault to the payout account, so that the operating key guards little."""

from __future__ import annotations

import os
from pathlib import Path

import structlog

from ..amounts import ether
from ..chain import Chain, ChainError, IntentStatus, Outbox
from .store import WorkerStore

_log = structlog.get_logger(__name__)
_COUNTER = "withdrawals"
LONGEST_REQUEST = 39
"""Digits of the largest amount that the vault holds."""


def request_file(folder: Path, chain_id: int, address: str) -> Path:
    """The file that asks a running worker to withdraw from the vault into its own account.

    It stands beside the key, where the lock of its one sender is, and says nothing but how much: what another
    program could write must not choose where money goes.

    Args:
        folder: the keystore's.
        chain_id: which chain.
        address: the worker's account.
    """
    return folder / f"{chain_id}-{address.lower()}.withdraw"


def ask_to_withdraw(request: Path, amount: int | None) -> None:
    """Asks the worker that runs with a key to withdraw in its next round.

    Args:
        request: its `request_file`.
        amount: wei; None for everything.
    """
    part = request.with_name(f"{request.name}.{os.getpid()}")  # never half written when it is read
    part.write_text("" if amount is None else str(amount))
    part.chmod(0o600)
    part.replace(request)


def asked_amount(request: Path) -> int | None:
    """How much the operator asks for, in wei; None for everything.

    Raises:
        ValueError: the file says something else.
        OSError: it cannot be read.
    """
    with request.open("rb") as file:
        text = file.read(LONGEST_REQUEST + 1).decode(errors="replace").strip()
    if not text:
        return None
    if len(text) > LONGEST_REQUEST or not (text.isascii() and text.isdecimal()) or int(text) == 0:
        raise ValueError("it is no amount of wei")
    return int(text)


class Payouts:
    """The withdrawal policy: everything, whenever it is at least a threshold, or when the operator asks.

    Each withdrawal is an intent numbered by a counter on disk, which moves on only when the last one is in a
    block: a worker killed at any point repeats the same intent, and the outbox sends it once.

    Args:
        chain, outbox, store: the worker's.
        payout: where to; None leaves everything in the vault.
        threshold: wei from which a withdrawal is worth its gas.
        request: `request_file`, which asks for a withdrawal to the account itself.
    """

    def __init__(
        self,
        chain: Chain,
        outbox: Outbox,
        store: WorkerStore,
        payout: str | None,
        threshold: int,
        request: Path | None = None,
    ) -> None:
        self._request = request
        self._chain = chain
        self._outbox = outbox
        self._store = store
        self._payout = payout
        self._threshold = threshold

    @property
    def asked(self) -> bool:
        """Whether the operator asks for a withdrawal now."""
        return self._request is not None and self._request.exists()

    async def step(self) -> None:
        """Withdraws if there is enough; called every so often."""
        asked, wanted = self.asked, None
        if asked and self._request is not None:
            try:
                wanted = asked_amount(self._request)
            except (OSError, ValueError) as error:
                _log.warning("earnings.request_refused", file=str(self._request), reason=str(error))
                self._answered(asked)
                return
        to = str(self._outbox.account.address) if asked else self._payout
        if to is None:
            return
        number = self._store.counter(_COUNTER)
        intent = self._outbox.intent(f"withdraw/{number}")
        if intent is not None:
            if intent.status is IntentStatus.PENDING:
                return
            self._store.set_counter(_COUNTER, number + 1)
            number += 1
        balance = await self._chain.vault.balance_of(self._outbox.account.address)
        if balance < (1 if asked else self._threshold):
            self._answered(asked)
            return
        amount = balance if wanted is None else min(wanted, balance)
        try:
            await self._outbox.submit(f"withdraw/{number}", self._chain.vault.withdraw(amount, to))
        except ChainError as error:
            _log.warning("earnings.not_withdrawn", reason=str(error))
            return
        self._answered(asked)
        _log.info("earnings.withdrawn", amount=ether(amount), to=to)

    def _answered(self, asked: bool) -> None:
        if asked and self._request is not None:
            self._request.unlink(missing_ok=True)
