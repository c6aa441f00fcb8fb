"""The bids on an open job, and whose to take where the lowest can't be relied upon.

The market awards to the lowest bid once the window is over. A worker that bids nothing and never accepts
costs the requester a round that way; but every bid of the round stands, and until then the requester may
choose any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..chain import BidPlaced, Chain, JobAwarded, JobState, WorkerRecord
from .errors import JobNotFound
from .history import job_events

MOST = 200
"""Bids looked at, lowest first: each costs a stranger a transaction, and us a look at its worker."""


@dataclass(frozen=True, slots=True)
class StandingBid:
    """A worker's bid in the job's current round.

    Attributes:
        worker: whose.
        price: wei.
        leads: the job goes to it unless the requester chooses another, or a lower one comes.
        record: the worker as registered, with what became of its jobs.
    """

    worker: str
    price: int
    leads: bool
    record: WorkerRecord

    @property
    def proven(self) -> bool:
        """Whether the worker has been paid for jobs, and let no more awards lapse than that."""
        return 0 < self.record.completed >= self.record.missed


async def records_of(chain: Chain, workers: Sequence[str]) -> dict[str, WorkerRecord]:
    """The records of workers by address, asked for together."""
    found = await chain.workers.views([("workerOf", (worker,)) for worker in workers])
    return {worker: WorkerRecord(**fields) for worker, fields in zip(workers, found, strict=True)}


@dataclass(frozen=True, slots=True)
class PastBid:
    """A worker's last bid in one round of a job, whatever became of it.

    Attributes:
        worker: whose.
        round: from 0.
        price: wei.
        leads: the open job goes to it unless the requester chooses another.
        awarded: the round was awarded to it.
        record: the worker as registered now.
    """

    worker: str
    round: int
    price: int
    leads: bool
    awarded: bool
    record: WorkerRecord


async def all_bids(chain: Chain, job_id: bytes) -> list[PastBid]:
    """All bids on a job, by round and price. JobNotFound if the market has no such job."""
    events = await job_events(chain, job_id)
    if not events:
        raise JobNotFound(
            f"the market has no job 0x{job_id.hex()}", "Check the id and that this is the right chain"
        )
    placed = {(event.round, event.worker): event.price for event in events if isinstance(event, BidPlaced)}
    awards = {(event.round, event.worker) for event in events if isinstance(event, JobAwarded)}
    job = await chain.market.job_of(job_id)
    shown = sorted(placed.items(), key=lambda bid: (bid[0][0], bid[1]))[:MOST]
    records = await records_of(chain, list(dict.fromkeys(worker for (_, worker), _ in shown)))
    found = []
    for (round_, worker), price in shown:
        leads = job.state is JobState.OPEN and (round_, worker) == (job.round, job.worker)
        awarded = (round_, worker) in awards
        found.append(PastBid(worker, round_, price, leads, awarded, records[worker]))
    return found


async def standing_bids(chain: Chain, job_id: bytes, *, named: Collection[str] = ()) -> list[StandingBid]:
    """The bids of an open job's current round, lowest first; none of a job that is not open.

    Args:
        chain: the market's.
        job_id: the job.
        named: addresses in lower case whose bids are looked at in any case, however many strangers bid less.
    """
    (leader, _), job, events = await asyncio.gather(
        chain.market.best_bid(job_id), chain.market.job_of(job_id), job_events(chain, job_id)
    )
    prices = {
        event.worker: event.price
        for event in events
        if isinstance(event, BidPlaced) and event.round == job.round
    }
    if leader not in prices:
        return []
    first = sorted(prices.items(), key=lambda bid: (bid[0].lower() not in named, bid[1]))[:MOST]
    lowest = sorted(first, key=lambda bid: bid[1])
    records = await records_of(chain, [worker for worker, _ in lowest])
    return [StandingBid(worker, price, worker == leader, records[worker]) for worker, price in lowest]


def choice(bids: Sequence[StandingBid]) -> StandingBid | None:
    """The lowest bid of a proven worker; None if there is none, or it leads already."""
    best = next((bid for bid in bids if bid.proven), None)
    return None if best is None or best.leads else best
