"""What the market's events say: new jobs, of which most are dismissed unseen, and news of jobs in hand.

Whoever posts jobs is a stranger, and may post thousands. A job of a model that is not served, or whose own
terms rule it out (a price below cost, windows too short or too long), is dismissed by what stands in its log,
without a request to the node and without a place in memory.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from ..amounts import ether
from ..chain import (
    AWARD_GRACE,
    Batch,
    ChainEvent,
    JobAccepted,
    JobAwarded,
    JobEvent,
    JobExpired,
    JobSettled,
    JobSubmitted,
)
from .inbox.reasons import reason_of_price
from .pricing.pricing_inputs import Promises

if TYPE_CHECKING:
    from .jobs import JobManager

_log = structlog.get_logger(__name__)

LATENESS = 86_400
"""Seconds that exits open to anyone may be late before a job counts as history."""
AT_ONCE = 200
"""Events that are taken in before what is in hand has its turn again."""


class Discovery:
    """Hears events for a job manager.

    Args:
        manager: whose jobs these are.
    """

    def __init__(self, manager: JobManager) -> None:
        self._manager = manager
        self.settled = False
        """Whether a job of this worker was settled since this was last reset: there are earnings."""

    async def hear(self, batch: Batch) -> None:
        """Takes in what happened; when it returns it is on disk. Hearing it twice changes nothing."""
        manager = self._manager
        if batch.rewound_to is not None:
            manager.touch_all()
        submitted = [event for event in batch.events if isinstance(event, JobSubmitted)]
        for model_id in {event.model_id for event in submitted}:
            await manager.library.find(manager.chain.models, model_id)
        promises = None
        if any(manager.library.known(event.model_id) is not None for event in submitted):
            situation = await manager.pricing_inputs.refresh()
            promises = manager.pricing_inputs.promises(
                manager.jobs.values(), manager.clock.now(), gas_price=situation.gas_price
            )
        for first in range(0, len(batch.events), AT_ONCE):
            with manager.store.database.transaction():
                for event in batch.events[first : first + AT_ONCE]:
                    self._hear(event, promises)
            await asyncio.sleep(0)

    def _hear(self, event: ChainEvent, promises: Promises | None) -> None:
        manager = self._manager
        if not isinstance(event, JobEvent):
            return
        if isinstance(event, JobSubmitted):
            if event.job_id not in manager.jobs and promises is not None:
                self._consider(event, promises)
            return
        mine = getattr(event, "worker", None) == manager.policy.address
        if isinstance(event, JobSettled) and mine:
            manager.metrics.earned.inc((event.price - event.royalty) / 1e18)
            self.settled = True
        if event.job_id not in manager.jobs:
            # Closed, and a re-org or another's failure brought it back.
            if manager.store.job(event.job_id) is None:
                return
            manager.store.reopen(event.job_id)
            manager.take(event.job_id)
        given = isinstance(event, JobAwarded | JobAccepted | JobSettled | JobExpired)
        manager.touch(event.job_id, urgent=mine and given)

    def _consider(self, event: JobSubmitted, promises: Promises) -> None:
        """Takes a new job in hand, unless it is dismissed."""
        manager = self._manager
        model = manager.library.known(event.model_id)
        if model is None:
            manager.metrics.declined.labels("model").inc()
            return
        if manager.store.job(event.job_id) is not None:
            manager.store.reopen(event.job_id)
            manager.take(event.job_id)
            return
        price = manager.pricing_inputs.price(
            event.request, model, promises, bid_deadline=event.bid_deadline, now=manager.clock.now()
        )
        job = "0x" + event.job_id.hex()
        if is_history(event, manager.clock.now()):
            return
        if price.ask is None and not price.passing and price.why != "over":
            manager.metrics.declined.labels(price.why).inc()
            manager.store.decide(event.job_id, "declined", price.reason, {})
            manager.reasons.tell(event.job_id, reason_of_price(price))
            _log.debug("job.dismissed", job=job, reason=price.reason)
            return
        # That the terms are those of the job with this id, the follower has checked.
        manager.store.add_job(event)
        _log.info("job.seen", job=job, ceiling=ether(event.request.max_price))
        manager.take(event.job_id, in_time=price.why != "over")


def is_history(event: JobSubmitted, now: int) -> bool:
    """Whether a job must be over, whatever happened to it: a worker that is new reads many of those."""
    request = event.request
    round_ = request.bid_window + AWARD_GRACE + request.accept_window
    return now > event.bid_deadline + request.rounds * round_ + request.prove_window + LATENESS
