"""What a worker's actions are on chain: the call, the name of its intent, its outcome, what it may cost."""

from __future__ import annotations

from ..chain import Call, Intent, IntentStatus, Job, JobState, Market
from .config import WorkerConfig
from .lifecycle.events import JobView
from .lifecycle.instructions import Action, Send
from .store import StoredJob, WorkerStore


def intent_key(job_id: bytes, send: Send) -> str:
    """The intent's name in the outbox, unique for the job, the action and its round."""
    return f"job/{job_id.hex()}/{send.key}"


def call_of(market: Market, job: StoredJob, send: Send, store: WorkerStore) -> Call:
    """The contract call that an action is; a proof comes from the store."""
    match send.action:
        case Action.BID:
            assert send.price is not None  # noqa: S101 - every bid has one
            return market.place_bid(job.job_id, send.price)
        case Action.AWARD:
            return market.award(job.job_id)
        case Action.ACCEPT:
            return market.accept(job.job_id)
        case Action.DECLINE:
            return market.decline(job.job_id)
        case Action.LAPSE:
            return market.lapse(job.job_id)
        case Action.EXPIRE:
            return market.expire(job.job_id)
        case Action.PROVE:
            proof = store.proof_of(job.job_id)
            assert proof is not None  # noqa: S101 - READY is set after it is stored
            return market.submit_proof(job.job_id, job.input_words, proof.output_words, proof.proof)


def outcome_of(intent: Intent) -> str:
    """Why an intent came to nothing, in words."""
    if intent.status in (IntentStatus.LOST, IntentStatus.CANCELLED):
        return f"the transaction was {intent.status}"
    return "the transaction was mined and reverted"


def view_of(job: Job, own_bid: int | None) -> JobView:
    """What a job in the market's storage means for one worker."""
    return JobView(
        job.state,
        job.round,
        job.worker,
        job.price,
        job.deadline,
        job.max_price,
        own_bid,
        rounds=job.rounds,
        requester_awards=job.requester_awards,
        accept_window=job.accept_window,
        collateral=job.collateral,
        backing=max(job.min_stake, job.collateral),
    )


def rescue_spend(config: WorkerConfig, job: StoredJob, send: Send, royalty_bps: int, now: int) -> int | None:
    """Wei that a proof's gas may cost now, whatever the cap on a unit of it; None if the cap holds.

    From `rescue_seconds` before the deadline (half the window at most) it is a share of what would be lost:
    the price less royalty, and the collateral if the job was accepted.
    """
    view = job.progress.view
    if send.action is not Action.PROVE or view is None:
        return None
    accepted = view.state is JobState.ACCEPTED
    whole = job.request.prove_window if accepted else job.request.accept_window
    window = min(config.rescue_seconds, whole // 2)
    if window == 0 or view.deadline - now > window:
        return None
    at_stake = (job.request.collateral if accepted else 0) + view.price * (10_000 - royalty_bps) // 10_000
    return at_stake * config.rescue_percent // 100
