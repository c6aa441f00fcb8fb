"""Moves transactions that were signed towards the chain: look, settle, broadcast again, replace, fill gaps.

What is to become of an intent was decided when it was stored; here is only what a chain and its pools do to
it on the way. Whether it was mined is read from receipts, whether its nonce is used from the chain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ..contracts.types import Call
from ..errors import FeesTooHigh, InsufficientFunds, NodeUnavailable, RpcError
from ..node.finality import FinalityPolicy
from ..node.rpc import Node, Receipt
from .budget import Budget
from .outbox_store import Attempt, Intent, IntentStatus, OutboxStore
from .sender_watch import SenderWatch
from .signing import EMPTY_GAS, Signer

_log = structlog.get_logger(__name__)

MISSES_BEFORE_LOST = 3
"""Rounds in which a nonce is used and none of our transactions mined, before that is believed."""


@dataclass(frozen=True, slots=True)
class OutboxConfig:
    """How patient the outbox is; seconds.

    Attributes:
        resubmit_after: a transaction this old is replaced at higher fees.
        rebroadcast_after: between two broadcasts of the same bytes; free, and heals a forgetful pool.
        poll: between two looks in `wait`.
        wait_timeout: of `wait`, unless told.
        outage: how long a node may be away while `wait` waits.
    """

    resubmit_after: float = 45.0
    rebroadcast_after: float = 5.0
    poll: float = 0.5
    wait_timeout: float = 600.0
    outage: float = 10.0


class Dispatcher:
    """The way of one account's transactions from disk to chain.

    Args:
        node: where to send and look.
        store: intents and transactions.
        signer: signs replacements.
        budget: what they may cost.
        watch: told of nonces that others used.
        finality: when an intent is settled for good.
        config: patience.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        node: Node,
        store: OutboxStore,
        signer: Signer,
        budget: Budget,
        watch: SenderWatch,
        finality: FinalityPolicy,
        config: OutboxConfig,
        clock: Callable[[], float],
    ) -> None:
        self._node = node
        self._store = store
        self._signer = signer
        self._budget = budget
        self._watch = watch
        self._finality = finality
        self._config = config
        self._clock = clock
        self._gap_seen: dict[int, float] = {}
        self._broadcasts: dict[bytes, float] = {}
        self._pushes: dict[bytes, float] = {}
        self._hurried: set[str] = set()

    def hurry(self, upto: int) -> None:
        """What waits with a nonce up to this one is replaced in the next round, without patience."""
        pending = (intent for intent in self._store.active() if intent.status is IntentStatus.PENDING)
        self._hurried |= {intent.key for intent in pending if intent.nonce <= upto}

    async def step(self) -> None:
        """One round over everything not settled for good. Raises `NodeUnavailable`; then nothing is lost."""
        active = self._store.active()
        if not active:
            return
        head = await self._node.block_number()
        used = await self._node.nonce(self._signer.address)
        for intent in active:
            await self._look(intent, head, used)
        await self._fill_gap(used)

    async def _look(self, intent: Intent, head: int, used: int) -> None:
        attempts = self._store.attempts(intent)
        for attempt in attempts:
            receipt = await self._node.receipt(attempt.tx_hash)
            if receipt is not None:
                self._settle(intent, attempt, receipt, head)
                return
        if intent.status is IntentStatus.MINED:
            _log.warning("transaction.reorganised", intent=intent.key, nonce=intent.nonce)
            self._store.set_pending(intent, 0)
        if used > intent.nonce:
            await self._miss(intent, head)
            return
        if intent.misses:
            self._store.set_pending(intent, 0)
        newest = attempts[0]
        reorganised = intent.status is IntentStatus.MINED
        now = self._clock()
        if newest.sent is None or reorganised or now < newest.sent:
            await self.broadcast(intent, newest)
        elif intent.key in self._hurried or self._is_stuck(newest, now):
            await self._push(intent, newest)
        elif now - self._broadcasts.get(newest.tx_hash, 0.0) >= self._config.rebroadcast_after:
            await self.broadcast(intent, newest)

    def _is_stuck(self, newest: Attempt, now: float) -> bool:
        since = max(newest.sent or 0.0, self._pushes.get(newest.tx_hash, 0.0))
        return now - since >= self._config.resubmit_after

    def _settle(self, intent: Intent, attempt: Attempt, receipt: Receipt, head: int) -> None:
        self._hurried.discard(intent.key)
        status = IntentStatus.MINED
        if head - receipt.block_number >= self._finality.final_after:
            if attempt.empty and intent.cancelling:
                status = IntentStatus.CANCELLED
            else:
                status = IntentStatus.DONE if receipt.succeeded else IntentStatus.FAILED
        if (intent.status, intent.block_hash) == (status, receipt.block_hash):
            return
        if intent.status is IntentStatus.PENDING:
            _log.info(
                "transaction.mined",
                intent=intent.key,
                nonce=intent.nonce,
                block=receipt.block_number,
                gas=receipt.gas_used,
                succeeded=receipt.succeeded,
            )
        self._store.set_mined(
            intent, status, receipt.tx_hash, receipt.block_number, receipt.block_hash, receipt.succeeded
        )

    async def _miss(self, intent: Intent, head: int) -> None:
        """The nonce is used, none of ours is mined: a foreign one is, or the node lags."""
        misses = intent.misses + 1
        self._store.set_pending(intent, misses)
        if misses < MISSES_BEFORE_LOST:
            return
        deep = max(0, head - self._finality.final_after)
        if await self._node.nonce(self._signer.address, hex(deep)) > intent.nonce:
            _log.error("transaction.lost", intent=intent.key, nonce=intent.nonce)
            self._store.set_lost(intent)
            self._watch.found([intent.nonce])

    async def _push(self, intent: Intent, newest: Attempt) -> None:
        """Replaces a stuck transaction at higher fees, or broadcasts it again if the budget has none."""
        self._hurried.discard(intent.key)
        self._pushes[newest.tx_hash] = self._clock()
        gas = EMPTY_GAS if newest.empty else intent.gas
        try:
            fees = await self._budget.replacement(intent, newest, gas)
        except FeesTooHigh as error:
            self._store.note(intent, str(error))
            fees = None
        if fees is None:
            await self.broadcast(intent, newest)
        elif newest.empty:
            await self.replace(intent, self._signer.sign_empty(intent.nonce, fees))
        else:
            await self.replace(intent, self._signer.sign(intent.call, intent.gas, intent.nonce, fees))

    async def replace(self, intent: Intent, attempt: Attempt) -> None:
        """Stores another transaction for an intent, then broadcasts it."""
        self._store.add_attempt(intent, attempt)
        _log.info(
            "transaction.replaced",
            intent=intent.key,
            nonce=intent.nonce,
            max_fee=attempt.fees.max_fee,
            tip=attempt.fees.tip,
            empty=attempt.empty,
        )
        await self.broadcast(intent, attempt)

    async def broadcast(self, intent: Intent, attempt: Attempt) -> None:
        """Hands a transaction to the node.

        No answer concludes anything: receipts and nonces do, in `step`.
        """
        note = ""
        try:
            await self._node.send_raw(attempt.raw)
        except NodeUnavailable as error:
            self._store.note(intent, str(error))
            return
        except RpcError as error:
            if "already" not in error.message.lower():  # "already known", "already imported"
                note = error.message
                _log.warning("transaction.refused", intent=intent.key, nonce=intent.nonce, reason=note)
        # Refused or not, the clock of `resubmit_after` starts: a refusal is pressed no harder than silence.
        self._broadcasts[attempt.tx_hash] = self._clock()
        if attempt.sent is None:
            self._store.mark_sent(attempt, self._clock())
        if note != intent.note:
            self._store.note(intent, note)

    async def _fill_gap(self, used: int) -> None:
        """Fills nonces below our lowest that neither chain nor pool has had for a while."""
        active = self._store.active()
        if not active or active[0].nonce <= used:
            self._gap_seen.clear()
            return
        pooled = await self._node.nonce(self._signer.address, "pending")
        for nonce in range(max(used, pooled), active[0].nonce):
            since = self._gap_seen.setdefault(nonce, self._clock())
            if self._clock() - since < self._config.resubmit_after:
                continue
            key = f"gap/{nonce}"
            call = Call(self._signer.address, b"", 0, f"fill the unused nonce {nonce}", EMPTY_GAS)
            try:
                fees = await self._budget.offer(key, call, EMPTY_GAS, nonce)
            except (FeesTooHigh, InsufficientFunds) as error:  # which must not stop what else there is to do
                _log.warning("transaction.gap_stays", nonce=nonce, reason=str(error))
                return
            attempt = self._signer.sign_empty(nonce, fees)
            known = self._store.latest(key)
            generation = 0 if known is None else known.generation + 1
            intent = self._store.add(key, generation, call, EMPTY_GAS, nonce, attempt, self._clock())
            _log.warning("transaction.gap", nonce=nonce)
            await self.broadcast(intent, attempt)
