"""What happened to a job and why it ended, in words, from its events."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ..amounts import ether
from ..chain import (
    BidPlaced,
    CallbackFailed,
    Chain,
    JobAccepted,
    JobAwarded,
    JobCancelled,
    JobDeclined,
    JobEvent,
    JobExpired,
    JobLapsed,
    JobRefunded,
    JobReopened,
    JobSettled,
    JobSubmitted,
)
from .errors import JobNotFound
from .history import events_of_job

MOST_BIDS_TOLD = 1000
"""Bids of a job's history, the newest: anybody may add to them."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One event of a job: the block, a word for it, and a sentence without full stop."""

    block: int
    what: str
    text: str


async def job_history(chain: Chain, job_id: bytes) -> list[JobEvent]:
    """A job's events in chain order, of its bids the newest `MOST_BIDS_TOLD`. JobNotFound if the market has
    logged none.
    """
    events: list[JobEvent] = []
    bids: deque[JobEvent] = deque(maxlen=MOST_BIDS_TOLD)
    async for event in events_of_job(chain, job_id):
        (bids if isinstance(event, BidPlaced) else events).append(event)
    events = sorted([*events, *bids], key=lambda each: (each.origin.block_number, each.origin.log_index))
    if not events:
        raise JobNotFound(
            f"the market has no job 0x{job_id.hex()}", "Check the id and that this is the right chain"
        )
    return events


def moments(events: Sequence[JobEvent]) -> list[Moment]:
    """Events in words."""
    return [Moment(event.origin.block_number, *_words(event)) for event in events]


def _words(event: JobEvent) -> tuple[str, str]:
    match event:
        case JobSubmitted():
            ceiling, window = event.request.max_price, event.request.bid_window
            return (
                "posted",
                f"posted by {event.requester} with a ceiling of {ether(ceiling)}, bids for {window} s",
            )
        case BidPlaced():
            return "bid", f"{event.worker} bids {ether(event.price)}" + (" and leads" if event.leads else "")
        case JobAwarded():
            return "awarded", f"awarded to {event.worker} for {ether(event.price)}"
        case JobAccepted():
            return "accepted", f"accepted by {event.worker}, {ether(event.collateral)} of its stake at risk"
        case JobDeclined():
            return "declined", f"{event.worker} gave the award back"
        case JobLapsed():
            return "lapsed", f"{event.worker} neither proved nor accepted nor declined in time"
        case JobReopened():
            return "reopened", f"open for bids again, round {event.round + 1}"
        case JobSettled():
            return "settled", f"{event.worker} proved it and was paid {ether(event.price)}"
        case JobExpired():
            return "expired", (
                f"{event.worker} accepted and did not prove in time: the requester has "
                f"{ether(event.refund)} back and {ether(event.collateral)} of the worker's stake besides"
            )
        case JobRefunded():
            return "refunded", f"{ether(event.refund)} went back to the requester"
        case JobCancelled():
            return "cancelled", f"the requester withdrew it and has {ether(event.refund)} back"
        case CallbackFailed():
            return "callback", f"the callback of {event.callback} failed"
        case _:
            return type(event).__name__, ""


def why_it_ended(events: Sequence[JobEvent], remark: str = "") -> str:
    """Why a job ended without a result, as a sentence without full stop; empty if it did not.

    Args:
        events: of the job, in chain order.
        remark: what its requester noted of it (`JobRecord.remark`).
    """
    ends = (JobRefunded, JobCancelled, JobExpired)
    end = next((event for event in events if isinstance(event, ends)), None)
    if end is None:
        return ""
    if isinstance(end, JobExpired):
        return _words(end)[1]
    if isinstance(end, JobCancelled):
        return remark or "its requester withdrew it"
    given_up = [event for event in events if isinstance(event, JobDeclined | JobLapsed)]
    told = [_words(event)[1] for event in given_up]
    last_round = max((event.round for event in events if isinstance(event, JobReopened)), default=0)
    bids = [event for event in events if isinstance(event, BidPlaced) and event.round == last_round]
    if not bids:
        told.append("nobody bid" + (f" in round {last_round + 1}" if last_round else ""))
    elif not any(event.round == last_round for event in given_up):
        told.append(
            f"of {len(bids)} bid{'s' * (len(bids) != 1)} none was awarded in time: its requester, who alone "
            "could, did not"
        )
    return "; ".join(told)
