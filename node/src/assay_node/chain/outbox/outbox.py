"""Transactions that happen once, through crashes, lost answers, full pools and re-orgs.

The rule everything follows from: what is about to be sent is on disk before a node sees it. An intent gets
its nonce and its first signed transaction in one commit, a replacement is committed before it is broadcast,
and nothing is ever concluded from an answer that did not come. Whether a transaction was mined is read from
its receipt, whether a nonce is used from the chain; a node's error message only ever delays.

* **Once.** An intent's key is unique, and all its transactions share one nonce, so at most one of them is
  mined.
* **Forgotten.** The same bytes are broadcast again every `rebroadcast_after` seconds, and after every start.
* **Stuck.** After `resubmit_after` seconds a transaction is signed anew at higher fees (EIP-1559 pools ask
  for +10 % on both), never above the operator's cap, but for one whose absence costs more (`allow`).
* **Re-org.** A mined intent whose receipt is gone is pending again, and broadcast again. Only `final_after`
  blocks make it done.
* **Gap.** A nonce that a foreign transaction was to use and never did would block all later ones; it is
  filled with an empty transaction. A foreign transaction that did use our nonce makes the intent lost, and
  the caller decides anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import structlog
from eth_account.signers.local import LocalAccount

from ..contracts.contracts import interfaces
from ..contracts.reverts import as_revert
from ..contracts.types import Call
from ..errors import (
    ChainError,
    FeesTooHigh,
    NodeUnavailable,
    RpcError,
    TransactionFailed,
    TransactionLost,
    TransactionPending,
)
from ..node.fees import FeePolicy
from ..node.finality import FinalityPolicy, finality_at
from ..node.types import Header, Node, Receipt
from ..together import Together
from ..waiting import Waiting
from .budget import Budget
from .dispatcher import Dispatcher, OutboxConfig
from .nonces import Nonces
from .outbox_store import Intent, IntentStatus, OutboxStore
from .registrations import Registrations
from .sender_lock import SenderLock
from .sender_watch import SenderWatch
from .signing import EMPTY_GAS, Signer
from .submission import Submission, Want

_log = structlog.get_logger(__name__)


class Outbox:
    """The one sender of an account. Open it with `Outbox.open`, and close it."""

    def __init__(
        self,
        node: Node,
        signer: Signer,
        store: OutboxStore,
        lock: SenderLock | None,
        budget: Budget,
        watch: SenderWatch,
        nonces: Nonces,
        dispatcher: Dispatcher,
        config: OutboxConfig,
        clock: Callable[[], float],
    ) -> None:
        self.node = node
        self._signer = signer
        self._store = store
        self._lock = lock
        self._budget = budget
        self._watch = watch
        self._nonces = nonces
        self._dispatcher = dispatcher
        self._submission = Submission(node, signer, store, budget, nonces, dispatcher, clock)
        self._config = config
        self._clock = clock
        self._turn = asyncio.Lock()
        self._together = Together(self._many, self._turn)
        self._begun = self._completed = 0

    @property
    def account(self) -> LocalAccount:
        """The sender."""
        return self._signer.account

    @property
    def chain_id(self) -> int:
        """Its chain."""
        return self._signer.chain_id

    @property
    def registrations(self) -> Registrations:
        """What the account has signed of itself as a worker."""
        return Registrations(self._store.database)

    @property
    def shared(self) -> str:
        """What to tell the operator if another program was seen to send with this account; "" if none was."""
        return self._watch.trouble

    @classmethod
    async def open(
        cls,
        node: Node,
        account: LocalAccount,
        path: Path | str,
        *,
        lock_dir: Path | None = None,
        fees: FeePolicy | None = None,
        finality: FinalityPolicy | None = None,
        config: OutboxConfig | None = None,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Opens an account's outbox.

        Args:
            node: where to send.
            account: the sender.
            path: SQLite file, or ":memory:" for an outbox that need not survive.
            lock_dir: folder of the sender lock; by default that of `path`. Processes that could use the same
                key must share it.
            fees: what gas may cost.
            finality: depths; by default those of the chain.
            config: patience.
            clock: seconds since the epoch.

        Raises:
            SenderBusy: another process has this key's lock.
            ChainError: the outbox belongs to another chain or sender.
        """
        chain_id, genesis = await asyncio.gather(node.chain_id(), node.header(0))
        if genesis is None:
            raise ChainError("the node has no block 0", "Use a node that serves headers from the start")
        policy = finality or await finality_at(node, chain_id)
        folder = lock_dir or (Path(path).parent if str(path) != ":memory:" else None)
        lock = SenderLock(folder, chain_id, account.address) if folder is not None else None
        try:
            store = _open_store(path, (chain_id, genesis.hash, account.address))
            try:
                used = await asyncio.gather(*(node.nonce(account.address) for _ in range(2)))
                watch = SenderWatch(account.address, store, min(used), clock)
                nonces = Nonces(node, account.address, store, watch, clock)
                await nonces.next()
            except BaseException:
                store.close()
                raise
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        config = config or OutboxConfig()
        signer = Signer(account, chain_id)
        budget = Budget(fees or FeePolicy(), node, store, account.address)
        dispatcher = Dispatcher(
            node,
            store,
            signer,
            budget,
            watch,
            nonces,
            policy,
            config,
            clock,
        )
        return cls(node, signer, store, lock, budget, watch, nonces, dispatcher, config, clock)

    async def __aenter__(self) -> Self:
        """The outbox is open already."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Closes the file and lets go of the key.

        What is pending stays so until the outbox is opened again.
        """
        self._store.close()
        if self._lock is not None:
            self._lock.release()

    def intent(self, key: str) -> Intent | None:
        """The newest intent of a key, as the outbox knows it."""
        return self._store.latest(key)

    def pending(self) -> list[Intent]:
        """Intents not settled for good, by nonce."""
        return self._store.active()

    async def next_nonce(self) -> int:
        """The nonce the next intent will have. Looking shows whether another program uses the account."""
        return await self._nonces.next()

    async def submit(self, key: str, call: Call, *, again: bool = False) -> Intent:
        """Makes sure that `call` is on its way, once. Several at the same time go as `submit_many` does.

        Args:
            key: names the intent. A second call with the same key returns the first one's intent and sends
                nothing.
            call: what to do.
            again: if the key's intent came to nothing (reverted, lost, cancelled), make a new one. A revert
                counts although a re-org may still undo it, so this is for calls the contract takes only once.

        Raises:
            ContractReverted: it would revert now; nothing was signed.
            InsufficientFunds, FeesTooHigh, NodeUnavailable: nothing was signed.
        """
        intent = await self._together(Want(key, call, again))
        if isinstance(intent, ChainError):
            raise intent
        return intent

    async def submit_many(self, wants: Sequence[Want]) -> list[Intent | ChainError]:
        """As `submit`, for several: three HTTP requests and one commit, however many there are.

        They get consecutive nonces in their order. One that cannot be sent does not keep back the others.

        Args:
            wants: what to do; keys differ.

        Returns:
            For each, in order, its intent, or the error that `submit` would have raised.

        Raises:
            NodeUnavailable: no answer to what all of them depend on; nothing was signed.

        Example:
            sent = await outbox.submit_many([Want(f"bid/{job.hex()}", market.place_bid(job, price)), ...])
        """
        async with self._turn:
            return await self._submission.many(wants)

    async def _many(self, wants: Sequence[Want]) -> list[Intent | ChainError]:
        """As `submit_many`, for callers that do not know of each other: one key is one want."""
        again = {want.key for want in wants if want.again}
        distinct: dict[str, Want] = {}
        for want in wants:
            distinct.setdefault(want.key, Want(want.key, want.call, want.key in again))
        outcomes = await self._submission.many(list(distinct.values()))
        found = dict(zip(distinct, outcomes, strict=True))
        return [found[want.key] for want in wants]

    def allow(self, key: str, spend: int) -> None:
        """Lets an intent's gas cost up to `spend` wei, whatever the cap, because its absence would cost more.

        It may be there already or be submitted later; what waits is replaced in the next round. To be said
        again after a restart.
        """
        if not self._budget.allow(key, spend):
            return
        _log.warning("transaction.cap_raised", intent=key, spend=spend)
        intent = self._store.latest(key)
        if intent is not None and intent.status is IntentStatus.PENDING:
            self._dispatcher.hurry(intent.nonce)

    async def send(
        self, key: str, call: Call, *, again: bool = False, timeout: float | None = None
    ) -> Receipt:
        """`submit`, then `wait`, for `timeout` seconds at most: see both for what is raised."""
        await self.submit(key, call, again=again)
        return await self.wait(key, timeout=timeout)

    async def wait(self, key: str, *, timeout: float | None = None) -> Receipt:
        """The receipt of a key's newest intent once it is in a block and succeeded.

        Args:
            key: the intent's name.
            timeout: seconds to wait for a block; None for as long as it takes.

        Raises:
            TransactionFailed: it was mined and reverted.
            TransactionLost: its nonce was used by another transaction, or it was cancelled.
            TransactionPending: not mined in time; it may still be.
            NodeUnavailable: the node has been away for `outage`; the transaction is kept.
            KeyError: there is no such intent.
        """
        limit = self._clock() + (self._config.wait_timeout if timeout is None else timeout)
        answered = self._clock()
        waiting: Waiting | None = None
        looked = False
        while True:
            intent = self._store.latest(key)
            if intent is None:
                raise KeyError(key)
            try:
                receipt = await self._outcome(intent, looked=looked)
                if receipt is not None:
                    return receipt
                if self._clock() > limit:
                    note = f" (the node says: {intent.note})" if intent.note else ""
                    raise TransactionPending(
                        f"the transaction to {_what(intent)} is not mined yet{note}",
                        "It may still be; look again later",
                    )
                await self.step()
                answered, looked = self._clock(), True
            except NodeUnavailable as error:
                if self._clock() - answered >= self._config.outage:
                    raise NodeUnavailable(
                        f"the transaction to {_what(intent)} is signed, and whether it was mined is not"
                        f" known: {error.what}",
                        "It is kept, and sent again by the next command that sends with this key",
                    ) from error
            waiting = waiting or Waiting(f"the transaction to {_what(intent)} to be mined")
            waiting.still(intent.note)
            after = self._store.latest(key)
            if after is not None and after.status is IntentStatus.PENDING:
                await asyncio.sleep(self._config.poll)

    async def _outcome(self, intent: Intent, *, looked: bool) -> Receipt | None:
        """The receipt of a mined intent that succeeded; None if it is not mined.

        What a round just now read is not asked for again (`looked`); what an earlier one read, a re-org
        may have undone.
        """
        if intent.status is IntentStatus.LOST:
            raise TransactionLost(
                f"the transaction to {_what(intent)} was displaced by another with its nonce",
                "Let no other program use this key, then try again",
            )
        if intent.tx_hash is None or intent.status is IntentStatus.PENDING:
            return None
        if looked:
            receipt = await self._dispatcher.receipt(intent)
        else:
            receipt = await self.node.receipt(intent.tx_hash)
        if receipt is None:
            return None
        if intent.cancelling and self._is_empty(intent, receipt.tx_hash):
            raise TransactionLost(f"the transaction to {_what(intent)} was cancelled")
        if not receipt.succeeded:
            reason = await self._reason(intent)
            raise TransactionFailed(f"the transaction to {_what(intent)} was mined and reverted: {reason}")
        return receipt

    async def cancel(self, key: str) -> None:
        """Gives an intent up: an empty transaction takes its nonce, unless the original is mined first.

        Raises:
            FeesTooHigh: the empty transaction would cost more than the cap allows, or than there is.
            NodeUnavailable: no answer.
        """
        async with self._turn:
            intent = self._store.latest(key)
            if intent is None or intent.status is not IntentStatus.PENDING or intent.cancelling:
                return
            newest = self._store.attempts(intent)[0]
            fees = self._budget.replacement(intent, newest, EMPTY_GAS, await self._budget.look())
            if fees is None:
                raise FeesTooHigh(
                    f"cancelling {key} needs fees above the cap, or more than there is", "Raise the cap"
                )
            await self._dispatcher.replace(intent, self._signer.sign_empty(intent.nonce, fees))

    async def step(self, header: Header | None = None) -> None:
        """One round over everything not settled for good: look, settle, rebroadcast, replace, fill gaps.

        A node that cannot be reached raises `NodeUnavailable`; nothing is lost, and the next round goes on.
        Whoever has to wait for a round that another then begins has no need of one more.

        Args:
            header: the newest block's, if the caller has just asked for it. A round that has it and has
                nothing waiting costs no request.
        """
        awaited = self._begun + 1
        async with self._turn:
            if self._completed >= awaited:
                return
            self._begun += 1
            await self._dispatcher.step(header)
            self._completed = self._begun

    async def _reason(self, intent: Intent) -> str:
        """Why a mined transaction reverted, by running it again on the block before; best effort."""
        if intent.call.to is None or intent.block_number is None:
            return "no reason is known"
        try:
            await self.node.call(
                intent.call.to,
                intent.call.data,
                sender=self.account.address,
                block=hex(intent.block_number - 1),
            )
        except RpcError as error:
            revert = as_revert(error, interfaces())
            return str(revert or error)
        return "it would have succeeded a block earlier"

    def _is_empty(self, intent: Intent, tx_hash: bytes) -> bool:
        return any(attempt.empty for attempt in self._store.attempts(intent) if attempt.tx_hash == tx_hash)


def _open_store(path: Path | str, identity: tuple[int, bytes, str]) -> OutboxStore:
    store = OutboxStore(path)
    known = store.identity()
    if known is None:
        store.set_identity(*identity)
    elif known != identity:
        store.close()
        what = "another account" if known[2] != identity[2] else "another chain, or one started anew"
        raise ChainError(f"the outbox {path} belongs to {what}", "Use a folder for each account and chain")
    return store


def _what(intent: Intent) -> str:
    return intent.call.description or intent.key
