"""Moves transactions that were signed towards the chain: look, settle, broadcast again, replace, fill gaps.

What is to become of an intent was decided when it was stored; here is only what a chain and its pools do to
it on the way. Whether it was mined is read from receipts, whether its nonce is used from the chain.

A round costs two HTTP requests at most while all is well, however many intents there are: receipts are asked
for where the nonce is used, and a mined intent is looked at again only if the newest block does not descend
from the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from ..contracts.types import Call
from ..errors import FeesTooHigh, InsufficientFunds, NodeUnavailable, RpcError
from ..node.finality import FinalityPolicy, final_number
from ..node.types import Header, Node, Receipt
from .budget import Budget, Market
from .nonces import Nonces
from .outbox_store import Attempt, Intent, IntentStatus, OutboxStore
from .sender_watch import SenderWatch
from .signing import EMPTY_GAS, Signer

_log = structlog.get_logger(__name__)

MISSES_BEFORE_LOST = 3
"""Rounds in which a nonce is used and none of our transactions mined, before that is believed."""
POOL_PATIENCE = 4
"""Times longer that an unused nonce is left alone if the pool is said to have a transaction with it."""
LOOKED_FOR_AT_ONCE = 16
"""Receipts that are asked for before it is known whether the nonce is used."""
MOST_RESENT = 256
"""Transactions, the newest, that are sent again on a chain that went back."""
PRUNE_EVERY = 3600.0
MOST_GAPS = 3
"""Unused nonces below ours that are filled. Above more than that our transactions are given up: filling costs
a transaction for each, and so many are more likely a node's error than another program's transactions."""


@dataclass(frozen=True, slots=True)
class OutboxConfig:
    """How patient the outbox is; seconds.

    Attributes:
        resubmit_after: a transaction this old is replaced at higher fees.
        rebroadcast_after: between two broadcasts of the same bytes; free, and heals a forgetful pool.
        poll: between two looks in `wait`.
        wait_timeout: of `wait`, unless told.
        retention: how long what was settled for good is kept.
        outage: how long a node may be away while `wait` waits.
    """

    resubmit_after: float = 45.0
    rebroadcast_after: float = 5.0
    poll: float = 0.5
    wait_timeout: float = 600.0
    outage: float = 10.0
    retention: float = 30 * 86_400.0


class Dispatcher:
    """The way of one account's transactions from disk to chain.

    Args:
        node: where to send and look.
        store: intents and transactions.
        signer: signs replacements.
        budget: what they may cost.
        watch: told of nonces that others used.
        nonces: told of nonces that the pool was said to have, and nobody used.
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
        nonces: Nonces,
        finality: FinalityPolicy,
        config: OutboxConfig,
        clock: Callable[[], float],
    ) -> None:
        self._node = node
        self._store = store
        self._signer = signer
        self._budget = budget
        self._watch = watch
        self._nonces = nonces
        self._finality = finality
        self._config = config
        self._clock = clock
        self._gap_seen: dict[int, float] = {}
        self._broadcasts: dict[bytes, float] = {}
        self._pushes: dict[bytes, float] = {}
        self._hurried: set[str] = set()
        self._reorganised: set[int] = set()
        self._receipts: dict[bytes, Receipt] = {}
        self._head: Header | None = None
        self._undone = 0
        self._pruned = float("-inf")

    def hurry(self, upto: int) -> None:
        """What waits with a nonce up to this one is replaced in the next round, without patience."""
        pending = (intent for intent in self._store.active() if intent.status is IntentStatus.PENDING)
        self._hurried |= {intent.key for intent in pending if intent.nonce <= upto}

    async def step(self, header: Header | None = None) -> None:
        """One round over everything not settled for good. Raises `NodeUnavailable`; then nothing is lost.

        Args:
            header: the newest block's, if it is known.
        """
        self._forget_old()
        active = self._store.active()
        last = self._store.last_final()
        if not active and last is None:
            return
        pending = [intent for intent in active if intent.status is IntentStatus.PENDING]
        if header is not None and not pending and self._head is not None and self._head.hash == header.hash:
            return
        header, used = await self._look(header, active, pending)
        mined = [intent for intent in active if intent.status is IntentStatus.MINED]
        final, linked = await asyncio.gather(
            final_number(self._node, self._finality, header) if mined else _nothing(), self._links(header)
        )
        if not linked and last is not None and await self._went_back(last):
            return  # what follows is for the next round, with what is to be sent again
        doubtful = [] if linked else await self._not_in_their_blocks(mined)
        waiting = [intent for intent in pending if used > intent.nonce]
        await self._settle([*doubtful, *waiting], header, used, final)
        gone = {intent.row for intent in doubtful}
        self._finish((intent for intent in mined if intent.row not in gone), final)
        self._head = None if self._undone else header  # what is doubtful is looked at again
        rows = {intent.row for intent in (*mined, *waiting)} - gone
        await self._press_on([intent for intent in self._store.active() if intent.row not in rows], used)
        await self._fill_gap(used)
        self._store.database.flush()

    async def _look(
        self, header: Header | None, active: Sequence[Intent], pending: Sequence[Intent]
    ) -> tuple[Header, int]:
        """The newest block and the nonces used, and receipts of the first that wait, in one request."""
        newest = [self._store.attempts(intent)[0].tx_hash for intent in pending[:LOOKED_FOR_AT_ONCE]]
        found, used, receipts = await asyncio.gather(
            _is(header) if header is not None else self._node.header("latest"),
            self._node.nonce(self._signer.address) if active else _nothing(),
            asyncio.gather(*(self._node.receipt(tx_hash) for tx_hash in newest)),
        )
        if found is None:
            raise NodeUnavailable("the node has no newest block", "Use another node")
        self._receipts = {receipt.tx_hash: receipt for receipt in receipts if receipt is not None}
        return found, used

    async def receipt(self, intent: Intent) -> Receipt | None:
        """The receipt of a mined intent: as the last round saw it, or asked for."""
        assert intent.tx_hash is not None  # noqa: S101 - a mined intent has one
        known = self._receipts.get(intent.tx_hash)
        if known is not None and known.block_hash == intent.block_hash:
            return known
        return await self._node.receipt(intent.tx_hash)

    async def _receipt(self, tx_hash: bytes) -> Receipt | None:
        return self._receipts.get(tx_hash) or await self._node.receipt(tx_hash)

    async def _links(self, header: Header) -> bool:
        """Whether a block descends from the one that the last round saw."""
        last = self._head
        if last is None:
            return False
        if last.hash in (header.hash, header.parent_hash):
            return True
        if header.number <= last.number:
            return False
        known = await self._node.header(last.number)
        return known is not None and known.hash == last.hash

    async def _went_back(self, last: Intent) -> bool:
        """Whether transactions that were settled for good are not on the chain any more; they are sent again.

        That is a re-org deeper than the policy, or a chain that was set back to an older state (a snapshot of
        a development chain, a provider's restored node). A node that lags looks alike for some rounds.
        """
        if not await self._not_in_their_blocks([last]):
            self._undone = 0
            return False
        self._undone += 1
        if self._undone < MISSES_BEFORE_LOST:
            return False
        self._undone = 0
        undone = await self._not_in_their_blocks(self._store.newest_final(MOST_RESENT))
        taken = {intent.nonce for intent in self._store.active()}
        undone = [intent for intent in undone if intent.nonce not in taken]
        _log.error("chain.went_back", transactions=len(undone), from_nonce=min(i.nonce for i in undone))
        with self._store.database.transaction():
            for intent in undone:
                self._store.set_pending(intent, 0)
        self._reorganised |= {intent.row for intent in undone}
        return True

    def _forget_old(self) -> None:
        """Deletes what was settled long ago, once an hour."""
        now = self._clock()
        if now - self._pruned >= PRUNE_EVERY:
            self._pruned = now
            self._store.prune(now - self._config.retention)

    async def _not_in_their_blocks(self, mined: Sequence[Intent]) -> list[Intent]:
        """Mined intents whose block is not the chain's any more, or not known to the node."""
        numbers = sorted({intent.block_number for intent in mined if intent.block_number is not None})
        headers = await asyncio.gather(*(self._node.header(number) for number in numbers))
        hashes = {number: found and found.hash for number, found in zip(numbers, headers, strict=True)}
        return [
            intent
            for intent in mined
            if intent.block_number is None or hashes[intent.block_number] != intent.block_hash
        ]

    async def _settle(self, intents: Sequence[Intent], header: Header, used: int, final: int) -> None:
        """Reads receipts of intents whose nonce is used, or whose block is gone."""
        attempts = [(intent, attempt) for intent in intents for attempt in self._store.attempts(intent)]
        receipts = await asyncio.gather(*(self._receipt(attempt.tx_hash) for _, attempt in attempts))
        found: dict[int, tuple[Attempt, Receipt]] = {}
        for (intent, attempt), receipt in zip(attempts, receipts, strict=True):
            if receipt is not None:
                found[intent.row] = (attempt, receipt)
        with self._store.database.transaction():
            for intent in intents:
                if intent.row in found:
                    self._note_mined(intent, *found[intent.row], final)
        for intent in intents:
            if intent.row not in found:
                await self._note_missing(intent, header, used)

    async def _note_missing(self, intent: Intent, header: Header, used: int) -> None:
        """No transaction of an intent is in a block, as far as the node says."""
        if intent.status is IntentStatus.MINED:
            if used > intent.nonce and not await self._is_gone(intent):
                return
            _log.warning("transaction.reorganised", intent=intent.key, nonce=intent.nonce)
            self._store.set_pending(intent, 0)
            self._reorganised.add(intent.row)
        if used > intent.nonce:
            await self._miss(intent, header.number)

    async def _is_gone(self, intent: Intent) -> bool:
        """Whether a second look finds neither block nor transaction: one null answer proves nothing."""
        assert intent.block_number is not None  # noqa: S101 - a mined intent has one
        assert intent.tx_hash is not None  # noqa: S101
        header, receipt = await asyncio.gather(
            self._node.header(intent.block_number), self._node.receipt(intent.tx_hash)
        )
        return receipt is None and (header is None or header.hash != intent.block_hash)

    def _finish(self, mined: Iterable[Intent], final: int) -> None:
        """Settles for good what is in blocks that are."""
        with self._store.database.transaction():
            for intent in mined:
                if intent.block_number is not None and intent.block_number <= final:
                    self._store.set_status(intent, self._final_status(intent))

    def _final_status(self, intent: Intent) -> IntentStatus:
        if intent.cancelling:
            empty = {attempt.tx_hash for attempt in self._store.attempts(intent) if attempt.empty}
            if intent.tx_hash in empty:
                return IntentStatus.CANCELLED
        return IntentStatus.DONE if intent.succeeded else IntentStatus.FAILED

    async def _press_on(self, intents: Sequence[Intent], used: int) -> None:
        """Broadcasts and replaces what is not mined."""
        now = self._clock()
        sends: list[tuple[Intent, Attempt]] = []
        stuck: list[tuple[Intent, Attempt]] = []
        for intent in intents:
            if intent.status is not IntentStatus.PENDING or used > intent.nonce:
                continue
            if intent.misses:
                self._store.set_pending(intent, 0)
            newest = self._store.attempts(intent)[0]
            if newest.sent is None or intent.row in self._reorganised or now < newest.sent:
                self._reorganised.discard(intent.row)
                sends.append((intent, newest))
            elif intent.key in self._hurried or self._is_stuck(newest, now):
                stuck.append((intent, newest))
            elif now - self._broadcasts.get(newest.tx_hash, 0.0) >= self._config.rebroadcast_after:
                sends.append((intent, newest))
        await asyncio.gather(*(self.broadcast(intent, newest) for intent, newest in sends))
        if stuck:
            market = await self._budget.look()
            for intent, newest in stuck:
                await self._push(intent, newest, market)

    def _is_stuck(self, newest: Attempt, now: float) -> bool:
        since = max(newest.sent or 0.0, self._pushes.get(newest.tx_hash, 0.0))
        return now - since >= self._config.resubmit_after

    def _note_mined(self, intent: Intent, attempt: Attempt, receipt: Receipt, final: int) -> None:
        self._hurried.discard(intent.key)
        status = IntentStatus.MINED
        if receipt.block_number <= final:
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

    async def _push(self, intent: Intent, newest: Attempt, market: Market) -> None:
        """Replaces a stuck transaction at higher fees, or broadcasts it again if the budget has none."""
        self._hurried.discard(intent.key)
        self._pushes[newest.tx_hash] = self._clock()
        gas = EMPTY_GAS if newest.empty else intent.gas
        try:
            fees = self._budget.replacement(intent, newest, gas, market)
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
        used, pooled = await asyncio.gather(
            self._node.nonce(self._signer.address), self._node.nonce(self._signer.address, "pending")
        )
        lowest, now = active[0].nonce, self._clock()
        missing = range(used, min(lowest, used + MOST_GAPS + 1))
        ages = {nonce: now - self._gap_seen.setdefault(nonce, now) for nonce in missing}
        due = [
            nonce
            for nonce, age in ages.items()
            if age >= self._config.resubmit_after * (POOL_PATIENCE if nonce < pooled else 1)
        ]
        if not due:
            return
        self._nonces.distrust()
        if lowest - used > MOST_GAPS:
            self._strand([intent for intent in active if intent.status is IntentStatus.PENDING], used)
            return
        market = await self._budget.look()
        for nonce in due:
            key = f"gap/{nonce}"
            call = Call(self._signer.address, b"", 0, f"fill the unused nonce {nonce}", EMPTY_GAS)
            try:
                fees = self._budget.offer(key, call, EMPTY_GAS, nonce, market)
            except (FeesTooHigh, InsufficientFunds) as error:  # which must not stop what else there is to do
                _log.warning("transaction.gap_stays", nonce=nonce, reason=str(error))
                return
            attempt = self._signer.sign_empty(nonce, fees)
            known = self._store.latest(key)
            generation = 0 if known is None else known.generation + 1
            intent = self._store.add(key, generation, call, EMPTY_GAS, nonce, attempt, now)
            _log.warning("transaction.gap", nonce=nonce)
            await self.broadcast(intent, attempt)

    def _strand(self, intents: Sequence[Intent], used: int) -> None:
        """Gives up transactions whose nonces the account is far from: their senders decide anew.

        They cannot be mined before as many others are, and by then their nonces are taken by those that are
        signed next.
        """
        with self._store.database.transaction():
            for intent in intents:
                _log.error("transaction.stranded", intent=intent.key, nonce=intent.nonce, used=used)
                self._store.set_lost(intent)
        self._gap_seen.clear()


async def _is(header: Header) -> Header | None:
    return header


async def _nothing() -> int:
    return -1
