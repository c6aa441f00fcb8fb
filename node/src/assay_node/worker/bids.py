"""Prices strangers' jobs and bids on them: a bounded time at once, from each requester in turn."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from ..amounts import ether, rounded
from .agenda import FairQueue
from .inbox.reasons import reason_of_price
from .lifecycle.events import Observed, Quoted
from .lifecycle.instructions import Quote, Send
from .lifecycle.progress import failing_with_collateral
from .pricing.pricing_inputs import Promises
from .pricing.quote import Price
from .transactions import AT_ONCE

if TYPE_CHECKING:
    from .jobs import JobManager

_log = structlog.get_logger(__name__)

BIDDING_SECONDS = 1.0
"""Time that one pass may spend on prices and bids, so that newer jobs have their turn."""
PRICE_AGAIN = 2
"""Seconds after which a job that could not be taken is priced again, if the reason may pass."""
PRICED_AT_ONCE = 100
"""Prices that are made before the event loop has its turn."""
PRICED_AGAIN = 64
"""Jobs that are priced again in one pass, at most."""


class Bidder:
    """What is to be priced and bid on.

    Args:
        manager: whose jobs these are.
    """

    def __init__(self, manager: JobManager) -> None:
        self._manager = manager
        self._queue: FairQueue[Quote | Send] = FairQueue()
        self._postponed: dict[bytes, tuple[int, int]] = {}
        self._faults: dict[bytes, str] = {}

    def __len__(self) -> int:
        """How many prices and bids are to be made."""
        return len(self._queue)

    def add(self, job_id: bytes, instruction: Quote | Send) -> None:
        """Lists a price to be made, or a bid."""
        self._queue.add(self._manager.jobs[job_id].requester, job_id, instruction)

    def waits(self, job_id: bytes) -> bool:
        """Whether a job was priced and declined for a reason that may pass."""
        return job_id in self._postponed

    def forget(self, job_id: bytes) -> None:
        """The job is closed."""
        self._postponed.pop(job_id, None)
        self._faults.pop(job_id, None)

    def price_again(self) -> None:
        """What spoke against postponed jobs may have passed: they are priced again in the next pass."""
        self._postponed = {job_id: (round_, 0) for job_id, (round_, _) in self._postponed.items()}
        self._manager.wake_bidding.set()

    async def step(self) -> None:
        """Goes through the list for a bounded time. Raises `ChainError`; then nothing is lost."""
        manager = self._manager
        self._list_postponed()
        if not self._queue:
            return
        situation, _ = await asyncio.gather(
            manager.pricing_inputs.refresh(),
            manager.outbox.next_nonce(),  # which shows whether somebody else has used one
        )
        promises = manager.pricing_inputs.promises(
            manager.jobs.values(), manager.clock.now(), gas_price=situation.gas_price
        )
        until = time.monotonic() + BIDDING_SECONDS
        while self._queue and time.monotonic() < until:
            await self._bid(self._work_off(promises))

    def _work_off(self, promises: Promises) -> list[tuple[bytes, Send, str]]:
        """Makes prices, and gives the bids that have their turn, with what speaks against them."""
        manager = self._manager
        bids: list[tuple[bytes, Send, str]] = []
        with manager.store.database.transaction():
            for _ in range(PRICED_AT_ONCE):
                if not self._queue or len(bids) == AT_ONCE:
                    break
                job_id, instruction = self._queue.pop()
                if job_id not in manager.jobs:
                    continue
                if isinstance(instruction, Quote):
                    self._quote(job_id, instruction.round, promises)
                    continue
                objection = manager.outbox.shared or self.objection(job_id, instruction, promises)
                bids.append((job_id, instruction, objection))
                if not objection:
                    manager.pricing_inputs.promise(manager.jobs[job_id], promises)
        return bids

    async def _bid(self, bids: list[tuple[bytes, Send, str]]) -> None:
        manager = self._manager
        await asyncio.sleep(0)  # what is in hand has its turn
        if not bids:
            return
        sent = set(await manager.transactions.submit(bids))
        with manager.store.database.transaction():
            for job_id, send, _ in bids:
                if job_id in sent:
                    manager.metrics.bids.inc()
                    manager.reasons.tell(job_id, "")
                    manager.store.decide(job_id, "bid", f"{ether(send.price or 0)} in round {send.round}", {})

    def _list_postponed(self) -> None:
        now, listed = self._manager.clock.now(), 0
        for job_id, (round_, moment) in list(self._postponed.items()):
            if job_id not in self._manager.jobs:
                del self._postponed[job_id]
            # A moment further away is from before a re-org that set the chain's clock back.
            elif not now < moment <= now + PRICE_AGAIN and listed < PRICED_AGAIN:
                listed += 1
                del self._postponed[job_id]  # and goes to the end
                self._postponed[job_id] = (round_, now + PRICE_AGAIN)
                self.add(job_id, Quote(round_))

    def _quote(self, job_id: bytes, round_: int, promises: Promises) -> None:
        manager, progress = self._manager, self._manager.jobs[job_id].progress
        if not progress.quote_asked or progress.quote_round != round_:
            self._postponed.pop(job_id, None)
            return
        price = self.price(job_id, promises)
        job = "0x" + job_id.hex()
        if price.passing:
            if job_id not in self._postponed:
                manager.store.decide(job_id, "postponed", price.reason, price.details)
                manager.reasons.tell(job_id, reason_of_price(price))
                manager.metrics.postponed.labels(price.why).inc()
                _log.info("job.postponed", job=job, round=round_, reason=price.reason)
            self._postponed[job_id] = (round_, manager.clock.now() + PRICE_AGAIN)
            return
        self._postponed.pop(job_id, None)
        what = "declined" if price.ask is None else "quoted"
        manager.store.decide(job_id, what, price.reason, price.details)
        _log.info(f"job.{what}", job=job, round=round_, reason=price.reason)
        if price.ask is None:
            manager.metrics.declined.labels(price.why).inc()
            manager.reasons.tell(job_id, reason_of_price(price))
        manager.feed(job_id, Quoted(round_, price.ask, price.floor, price.gas_cost))
        view = manager.jobs[job_id].progress.view
        if view is not None and price.ask is not None:
            # The bid is made on what the market said a moment ago: no need to ask again.
            manager.feed(job_id, Observed(view, manager.clock.now()))

    def price(self, job_id: bytes, promises: Promises) -> Price:
        """The price of a job beside what is promised."""
        manager = self._manager
        job = manager.jobs[job_id]
        view, model = job.progress.view, manager.library.known(job.model_id)
        if model is None or view is None:
            return Price(None, 0, 0, 0, "declined: the model is not served any more", {}, "model")
        fault, passing = manager.library.fitness.objection(model.path)
        if fault:
            return Price(
                None,
                0,
                0,
                0,
                f"declined: this worker cannot prove the model: {fault}",
                {},
                "proving",
                passing,
            )
        if job_id not in self._faults:
            self._faults[job_id] = model.packing_fault(job.input_words)
        if fault := self._faults[job_id]:
            return Price(None, 0, 0, 0, f"declined: {fault}", {}, "input")
        return manager.pricing_inputs.price(
            job.request, model, promises, bid_deadline=view.deadline, now=manager.clock.now()
        )

    def objection(self, job_id: bytes, send: Send, promises: Promises) -> str:
        """Why a bid must not be placed now: other jobs, or what has changed since the price was set; "" if it
        may.
        """
        manager = self._manager
        every = (job.progress for job in manager.jobs.values())
        if failed := failing_with_collateral(every, manager.policy):
            return f"no bids while a failed job holds collateral ({failed})"
        if promises.bidding >= manager.config.max_bids:
            return f"{promises.bidding} bids are under way, which is as many as allowed"
        if promises.working >= manager.config.max_jobs:
            return f"{promises.working} jobs are to be proven, which is as many as allowed"
        # A bidding window may last for hours: gas, stake and purse are no longer what they were at the quote.
        assert send.price is not None  # noqa: S101 - every bid has one
        now = self.price(job_id, promises)
        if now.ask is None:
            return now.reason
        if send.price < now.floor:
            return f"the lowest price that pays is {rounded(now.floor)} by now"
        return ""
