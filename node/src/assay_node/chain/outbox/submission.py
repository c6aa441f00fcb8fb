"""From what is wanted to what is signed, stored and sent: estimate, price, number, sign, commit, broadcast.

Estimates, fees, balance and nonce are asked for together, and everything signed is on disk in one commit
before a node sees any of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from ..contracts.contracts import interfaces
from ..contracts.reverts import as_revert
from ..contracts.types import Call
from ..errors import ChainError, FeesTooHigh, InsufficientFunds, RpcError
from ..node.types import Node
from .budget import Budget, Market
from .dispatcher import Dispatcher
from .nonces import Nonces
from .outbox_store import UNSUCCESSFUL, Attempt, Intent, IntentStatus, OutboxStore
from .signing import Signer

_log = structlog.get_logger(__name__)

GAS_MARGIN_PERCENT = 25
"""Added to an estimate: state may change before the transaction is mined (a cold slot, a longer array)."""


@dataclass(frozen=True, slots=True)
class Want:
    """One thing to be done on chain; see `Outbox.submit` for what its fields mean."""

    key: str
    call: Call
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Plan:
    want: Want
    generation: int
    gas: int


class Submission:
    """Submits for one account.

    Args:
        node: where to ask.
        signer: the account.
        store: what was signed before, and will be.
        budget: what it may cost.
        nonces: counts.
        dispatcher: broadcasts.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        node: Node,
        signer: Signer,
        store: OutboxStore,
        budget: Budget,
        nonces: Nonces,
        dispatcher: Dispatcher,
        clock: Callable[[], float],
    ) -> None:
        self._node = node
        self._signer = signer
        self._store = store
        self._budget = budget
        self._nonces = nonces
        self._dispatcher = dispatcher
        self._clock = clock

    async def many(self, wants: Sequence[Want]) -> list[Intent | ChainError]:
        """See `Outbox.submit_many`; to be called by one at a time."""
        opened, outcomes = await self._open(wants)
        if opened:
            gas, market, nonce = await asyncio.gather(
                asyncio.gather(*(self._gas(want.call) for want, _ in opened), return_exceptions=True),
                self._budget.look(),
                self._nonces.next(),
            )
            plans = self._plan(opened, gas, outcomes)
            signed = self._sign(plans, outcomes, market, nonce)
            await asyncio.gather(*(self._dispatcher.broadcast(*each) for each in signed))
            self._store.database.flush()
        return [outcomes[want.key] for want in wants]

    async def _open(
        self, wants: Sequence[Want]
    ) -> tuple[list[tuple[Want, int]], dict[str, Intent | ChainError]]:
        """What is to be signed, with its generation, and what there is already."""
        outcomes: dict[str, Intent | ChainError] = {}
        open_: list[tuple[Want, int]] = []
        for want in wants:
            known = self._store.latest(want.key)
            if known is not None and want.again and known.status is IntentStatus.DONE:
                known = await self._recheck(known)
            if known is not None and not (want.again and came_to_nothing(known)):
                outcomes[want.key] = known
            else:
                open_.append((want, 0 if known is None else known.generation + 1))
        return open_, outcomes

    def _plan(
        self,
        opened: Sequence[tuple[Want, int]],
        gas: Sequence[int | BaseException],
        outcomes: dict[str, Intent | ChainError],
    ) -> list[_Plan]:
        """What would not revert, with its gas; the errors of the others become their outcomes."""
        plans: list[_Plan] = []
        for (want, generation), limit in zip(opened, gas, strict=True):
            if isinstance(limit, ChainError):
                outcomes[want.key] = limit
            elif isinstance(limit, BaseException):
                raise limit
            else:
                plans.append(_Plan(want, generation, limit))
        return plans

    def _sign(
        self, plans: Sequence[_Plan], outcomes: dict[str, Intent | ChainError], market: Market, nonce: int
    ) -> list[tuple[Intent, Attempt]]:
        """Signs and stores, in one commit; only what is on disk then is sent."""
        signed: list[tuple[Intent, Attempt]] = []
        with self._store.database.transaction():
            for plan in plans:
                key, call = plan.want.key, plan.want.call
                try:
                    fees = self._budget.offer(key, call, plan.gas, nonce, market)
                except (FeesTooHigh, InsufficientFunds) as error:
                    outcomes[key] = error
                    continue
                attempt = self._signer.sign(call, plan.gas, nonce, fees)
                intent = self._store.add(key, plan.generation, call, plan.gas, nonce, attempt, self._clock())
                outcomes[key] = intent
                signed.append((intent, attempt))
                if self._budget.allows_more(key):
                    self._dispatcher.hurry(nonce - 1)  # what would hold it up
                nonce += 1
        for intent, attempt in signed:
            _log.info(
                "transaction.signed",
                intent=intent.key,
                what=intent.call.description,
                nonce=intent.nonce,
                tx="0x" + attempt.tx_hash.hex(),
            )
        return signed

    async def _recheck(self, intent: Intent) -> Intent:
        """A final intent that is wanted again: a re-org deeper than the policy may have undone it."""
        assert intent.tx_hash is not None  # noqa: S101 - a final intent has one
        if await self._node.receipt(intent.tx_hash) is not None:
            return intent
        _log.error("transaction.final_undone", intent=intent.key, nonce=intent.nonce)
        if any(other.nonce == intent.nonce for other in self._store.active()):
            self._store.set_lost(intent)
        else:
            self._store.set_pending(intent, 0)
            await self._dispatcher.broadcast(intent, self._store.attempts(intent)[0])
        return self._store.get(intent)

    async def _gas(self, call: Call) -> int:
        """The gas limit of a call: as given, or estimated, which tells whether it would revert."""
        if call.gas:
            return call.gas
        try:
            gas = await self._node.estimate_gas(self._signer.address, call.to, call.data, call.value)
        except RpcError as error:
            if "insufficient funds" in error.message.lower():
                balance = await self._node.balance(self._signer.address)
                raise self._budget.unfunded(call, balance) from error
            revert = as_revert(error, interfaces())
            if revert is not None and call.description:
                revert.what = f"cannot {call.description}: {revert.what}"
            raise (revert or error) from error
        return gas + gas * GAS_MARGIN_PERCENT // 100


def came_to_nothing(intent: Intent) -> bool:
    """Whether an intent had no effect, as far as the chain says now."""
    return intent.status in UNSUCCESSFUL or intent.succeeded is False
