"""What is the same until the next block: asked once, whoever wants it.

Example::

    head = await chain.head()                       # one request; the same object until there is a new block
    fees, balance, jobs = await asyncio.gather(     # one more, together
        head.fees(policy), head.balance(account), head.jobs(job_ids, account)
    )
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .contracts.types import JobLook, WorkerRecord
from .node.fees import FeePolicy
from .node.types import Header

if TYPE_CHECKING:
    from .chain import Chain

T = TypeVar("T")


class Head:
    """The newest block, and what was asked about it. Made by `Chain.head`."""

    def __init__(self, chain: Chain, header: Header) -> None:
        self.header = header
        self._chain = chain
        self._known: dict[Hashable, asyncio.Future[Any]] = {}

    @property
    def number(self) -> int:
        """The block's number."""
        return self.header.number

    async def once(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives, asked once a block; those who want it meanwhile wait for the same answer.

        A failure is not remembered.
        """
        known = self._known.get(key)
        if known is None:
            known = asyncio.ensure_future(ask())
            known.add_done_callback(lambda done: self._forget_failure(key, done))
            self._known[key] = known
        answer: T = await asyncio.shield(known)  # one who gives up must not take it from the others
        return answer

    def _forget_failure(self, key: Hashable, done: asyncio.Future[Any]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._known.pop(key, None)

    async def fees(self, policy: FeePolicy) -> tuple[int, list[int]]:
        """The next block's base fee and the tips paid lately; wei per gas."""
        key = ("fees", policy.history_blocks, policy.percentile)
        return await self.once(key, lambda: policy.market(self._chain.node))

    async def gas_price(self, policy: FeePolicy) -> int:
        """What gas costs now: base fee and the median of the tips paid lately, wei per gas."""
        base_fee, tips = await self.fees(policy)
        return base_fee + (sorted(tips)[len(tips) // 2] if tips else 0)

    async def data_price(self) -> int:
        """Wei that a rollup takes for 1,000 bytes of a transaction, in its gas or beside it; 0 elsewhere.

        `data_fee(price, calldata)` is what one transaction costs: to be added to prices and reserves.
        """
        return await self.once("data", self._chain.data_fees.price)

    async def balance(self, account: str) -> int:
        """An account's balance in wei."""
        return await self.once(("balance", account), lambda: self._chain.node.balance(account))

    async def worker(self, account: str) -> WorkerRecord:
        """A worker as registered."""
        return await self.once(("worker", account), lambda: self._chain.workers.worker_of(account))

    async def vault_balance(self, account: str) -> int:
        """An account's free balance in the vault, wei."""
        return await self.once(("vault", account), lambda: self._chain.vault.balance_of(account))

    async def jobs(self, job_ids: Sequence[bytes], worker: str | None = None) -> dict[bytes, JobLook]:
        """Jobs and the worker's bids on them as of this block; only those not asked about before are asked.

        Jobs asked for at the same moment, and up to 16 at a time, are one request.
        """
        ids = list(dict.fromkeys(job_ids))
        new = [job_id for job_id in ids if ("job", job_id, worker) not in self._known]
        if new:
            block = hex(self.number)
            batch = asyncio.ensure_future(self._chain.market.look(new, worker, block=block))
            for job_id in new:
                key = ("job", job_id, worker)
                self._known[key] = asyncio.ensure_future(_part(batch, job_id))
                self._known[key].add_done_callback(lambda done, key=key: self._forget_failure(key, done))  # type: ignore[misc]
        looks = await asyncio.gather(*(asyncio.shield(self._known["job", job_id, worker]) for job_id in ids))
        return dict(zip(ids, looks, strict=True))


async def _part(batch: Awaitable[dict[bytes, JobLook]], job_id: bytes) -> JobLook:
    return (await batch)[job_id]
