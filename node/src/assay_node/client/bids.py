"""The bids on an open job, and whose to take where the lowest can't be relied upon.

The market awards to the lowest bid once the window is over. A worker that bids nothing and never accepts
costs the requester a round that way; but every bid of the round stands, and until then the requester may
choose any.

Anybody may bid, and bidding less than others is free to those who never mean to work. So bids are read in
lots, the lowest first, until enough are found that the requester would take: how many others there are costs
it requests, and neither its memory nor the bid it wants.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ..chain import BidPlaced, Chain, JobAwarded, JobState, WorkerRecord
from .errors import JobNotFound
from .history import events_of_job

MOST = 200
"""Bids given, lowest first; and how many workers are looked at together."""
MOST_LOOKED_AT = 20_000
"""Bids of a round whose workers are looked at, lowest first. Each of them is another registered worker with
the stake that the job asks for: to hide an honest bid takes that many.
"""
FEW = 20
"""Bids that nobody wants which are given beside the others, to say why they are not taken."""


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
    """Bids on a job by round and price: the lowest `MOST` of each round, and whichever was awarded.

    Raises:
        JobNotFound: the market has no such job.
    """
    rounds: dict[int, dict[str, int]] = {}
    awards: dict[int, str] = {}
    found_any = False
    async for event in events_of_job(chain, job_id):
        found_any = True
        if isinstance(event, BidPlaced):
            _note(rounds.setdefault(event.round, {}), event)
        elif isinstance(event, JobAwarded):
            awards[event.round] = event.worker
    if not found_any:
        raise JobNotFound(
            f"the market has no job 0x{job_id.hex()}", "Check the id and that this is the right chain"
        )
    job = await chain.market.job_of(job_id)
    shown: list[tuple[int, str, int]] = []
    for round_, prices in sorted(rounds.items()):
        keep = {awards.get(round_), job.worker if round_ == job.round else None}
        first = _lowest(prices, MOST, named={worker.lower() for worker in keep if worker})
        shown += [(round_, worker, price) for worker, price in first]
    records = await records_of(chain, list(dict.fromkeys(worker for _, worker, _ in shown)))
    open_leader = (job.round, job.worker) if job.state is JobState.OPEN else None
    return [
        PastBid(
            worker,
            round_,
            price,
            leads=open_leader == (round_, worker),
            awarded=awards.get(round_) == worker,
            record=records[worker],
        )
        for round_, worker, price in shown
    ]


async def standing_bids(
    chain: Chain,
    job_id: bytes,
    *,
    named: Collection[str] = (),
    wanted: Callable[[StandingBid], bool] | None = None,
) -> list[StandingBid]:
    """Bids of an open job's current round, lowest first; none of a job that is not open.

    Args:
        chain: the market's.
        job_id: the job.
        named: addresses in lower case whose bids are looked at in any case, however many strangers bid less.
        wanted: what the requester would take. All bids that are, `MOST` at most, and beside them the first
            `FEW` that are not; by default the lowest `MOST`.
    """
    (leader, _), job, prices = await asyncio.gather(
        chain.market.best_bid(job_id), chain.market.job_of(job_id), _prices(chain, job_id, named)
    )
    if leader not in prices.get(job.round, {}):
        return []
    ordered = _lowest(prices[job.round], MOST_LOOKED_AT if wanted else MOST, named=named)
    taken: list[StandingBid] = []
    others: list[StandingBid] = []
    for start in range(0, len(ordered), MOST):
        lot = ordered[start : start + MOST]
        records = await records_of(chain, [worker for worker, _ in lot])
        for worker, price in lot:
            bid = StandingBid(worker, price, worker == leader, records[worker])
            if wanted is None or wanted(bid):
                taken.append(bid)
            elif len(others) < FEW:
                others.append(bid)
        if len(taken) >= MOST:
            break
    return sorted([*taken[:MOST], *others], key=lambda bid: bid.price)


async def _prices(chain: Chain, job_id: bytes, named: Collection[str]) -> dict[int, dict[str, int]]:
    """The last bid of each worker, by round."""
    rounds: dict[int, dict[str, int]] = {}
    async for event in events_of_job(chain, job_id):
        if isinstance(event, BidPlaced):
            _note(rounds.setdefault(event.round, {}), event, named)
    return rounds


def _note(prices: dict[str, int], event: BidPlaced, named: Collection[str] = ()) -> None:
    """A bid beside the others of its round; of too many the highest are let go."""
    prices[event.worker] = event.price
    if len(prices) >= 2 * MOST_LOOKED_AT:
        kept = _lowest(prices, MOST_LOOKED_AT, named=named)
        prices.clear()
        prices.update(kept)


def _lowest(prices: dict[str, int], most: int, *, named: Collection[str]) -> list[tuple[str, int]]:
    """Workers and prices, the lowest so many and those named, by price."""
    first = sorted(prices.items(), key=lambda bid: (bid[0].lower() not in named, bid[1]))[:most]
    return sorted(first, key=lambda bid: bid[1])


def choice(bids: Sequence[StandingBid]) -> StandingBid | None:
    """The lowest bid of a proven worker; None if there is none, or it leads already."""
    best = next((bid for bid in bids if bid.proven), None)
    return None if best is None or best.leads else best
