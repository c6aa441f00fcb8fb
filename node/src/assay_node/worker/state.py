"""The life of a job at a worker, as a pure function.

`handle_event(progress, event, policy)` gives the next progress and the instructions to carry out. It has no
clock, no I/O and no randomness: time comes with the events. A `JobProgress` is what the worker knows of one
job; it is stored whenever it changes, before the instructions that follow from the change are carried out.

**The contract is the truth.** Where a job stands is never inferred from what this worker did: the machine
acts on what the market's storage says (`Observed`), which may be anything at all from one look to the next,
because a re-org can undo any of it. So every look is a fresh start, and a re-org across award, accept or
settle is nothing special. What a progress does remember is the worker's own: the quote, the input, the
proof, and which instruction has not been answered yet.

**One instruction at a time.** `sending`, `proof is RUNNING` and `quote_asked` note that an instruction was
given and not answered; it is not given again until the answer comes, or until a restart. An answer to an
instruction that was never given is a defect of the program and raises `ImpossibleTransition` with the job's
story.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from ..chain import AWARD_GRACE, JobState
from .errors import ImpossibleTransition
from .messages import (
    Action,
    CheckInput,
    Confirmed,
    Event,
    InputRejected,
    InputStored,
    InputVerified,
    Instruction,
    JobView,
    Observed,
    ProofFailed,
    ProofStopped,
    Prove,
    Proved,
    Quote,
    Quoted,
    Refused,
    Restarted,
    Send,
    StopProving,
)

STORY_LENGTH = 40
"""Events a progress remembers, for the error message that hopefully never comes."""
FIRST_PAUSE, LONGEST_PAUSE = 1, 60
"""Seconds before a refused action is tried again, doubling."""
PROOF_ATTEMPTS = 3
"""Proving failures (out of memory, say) after which a job is left to expire."""
BID_STEP_DIVISOR = 100
"""The market's: a bid beats the leading one by 1 % of it, rounded up."""


class InputState(StrEnum):
    """What the worker has of a job's input."""

    MISSING = "missing"
    STORED = "stored"
    VERIFIED = "verified"


class ProofState(StrEnum):
    """What the worker has of a job's proof."""

    IDLE = "idle"
    RUNNING = "running"
    READY = "ready"


class Phase(StrEnum):
    """Where a job stands for this worker, in one word; for people and metrics, nothing acts on it."""

    WATCHING = "watching"
    DECLINED = "declined"
    BIDDING = "bidding"
    OUTBID = "outbid"
    LEADING = "leading"
    LOST = "lost"
    AWAITING_INPUT = "awaiting input"
    ACCEPTING = "accepting"
    PROVING = "proving"
    SETTLING = "settling"
    FAILING = "failing"
    PAID = "paid"
    FAILED = "failed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class JobProgress:
    """What the worker knows of one job.

    Attributes:
        view: what the market last said; None before the first look.
        quote_round: round the quote is for; -1 for none.
        quote_asked: a quote is being made.
        ask: opening price; None if the worker stays out.
        floor: lowest price that pays.
        gas_cost: lowest price that could pay anybody.
        bids: bids sent in `quote_round`.
        input: see `InputState`.
        checking: the stored input is being checked.
        proof: see `ProofState`.
        proof_failures: how often proving failed.
        stopping: the proof under way was told to stop.
        sending: key of the action whose transaction is out; "" for none.
        pause_until: no action before this time, after a refusal.
        refusals: refusals in a row.
        trouble: the last refusal or failure, for people.
        story: the events so far, newest last.
    """

    view: JobView | None = None
    quote_round: int = -1
    quote_asked: bool = False
    ask: int | None = None
    floor: int = 0
    gas_cost: int = 0
    bids: int = 0
    input: InputState = InputState.MISSING
    checking: bool = False
    proof: ProofState = ProofState.IDLE
    proof_failures: int = 0
    stopping: bool = False
    sending: str = ""
    pause_until: int = 0
    refusals: int = 0
    trouble: str = ""
    story: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> JobProgress:
        """The inverse of `to_json`."""
        view = fields["view"]
        if view is not None:
            view = JobView(**{**view, "state": JobState(view["state"])})
        return cls(
            **{
                **fields,
                "view": view,
                "input": InputState(fields["input"]),
                "proof": ProofState(fields["proof"]),
                "story": tuple(fields["story"]),
            }
        )


@dataclass(frozen=True, slots=True)
class BiddingPolicy:
    """The worker, as far as the machine must know it.

    Attributes:
        address: EIP-55 address.
        max_bids: bids in a round before the job is left to others.
        undercut_percent: how far below the leading bid a new one goes, if the floor allows.
    """

    address: str
    max_bids: int = 3
    undercut_percent: int = 5


def handle_event(
    progress: JobProgress, event: Event, policy: BiddingPolicy
) -> tuple[JobProgress, tuple[Instruction, ...]]:
    """The progress after an event, and the instructions that come of it.

    Raises:
        ImpossibleTransition: the event answers a question that was not put.
    """
    progress = replace(progress, story=(*progress.story, _tell(event))[-STORY_LENGTH:])
    match event:
        case Observed(view, now):
            return _observe(progress, view, now, policy)
        case Quoted():
            return _quoted(progress, event), ()
        case InputStored():
            return replace(progress, input=InputState.STORED, checking=True), (CheckInput(),)
        case InputVerified():
            if progress.input is InputState.MISSING:
                raise _impossible(progress, "verified an input that is not there")
            return replace(progress, input=InputState.VERIFIED, checking=False, trouble=""), ()
        case InputRejected(reason):
            if progress.input is not InputState.STORED:
                raise _impossible(progress, "rejected an input that was not being checked")
            return replace(progress, input=InputState.MISSING, checking=False, trouble=reason), ()
        case Proved():
            _require_running(progress)
            return replace(progress, proof=ProofState.READY, stopping=False, trouble=""), ()
        case ProofFailed(reason, now):
            _require_running(progress)
            failures = progress.proof_failures + 1
            idle = replace(
                progress, proof=ProofState.IDLE, proof_failures=failures, stopping=False, trouble=reason
            )
            return _pause(idle, now), ()
        case ProofStopped():
            _require_running(progress)
            return replace(progress, proof=ProofState.IDLE, stopping=False), ()
        case Confirmed(action):
            _require_sending(progress, action)
            return replace(progress, sending="", refusals=0, pause_until=0, trouble=""), ()
        case Refused(action, reason, now):
            _require_sending(progress, action)
            bids = progress.bids - 1 if action is Action.BID else progress.bids
            return _pause(replace(progress, sending="", trouble=reason, bids=bids), now), ()
        case Restarted():
            return _restart(progress)


def phase(progress: JobProgress, policy: BiddingPolicy) -> Phase:
    """Where the job stands, in one word."""
    view = progress.view
    if view is None or view.state is JobState.NONE:
        return Phase.WATCHING
    mine = view.worker == policy.address
    if view.state is JobState.OPEN:
        if mine:
            return Phase.LEADING
        if progress.quote_round != view.round or progress.quote_asked:
            return Phase.WATCHING
        if progress.ask is None:
            return Phase.DECLINED
        if progress.sending:
            return Phase.BIDDING
        return Phase.OUTBID if progress.bids else Phase.WATCHING
    if view.state is JobState.AWARDED and mine:
        return Phase.ACCEPTING if progress.input is InputState.VERIFIED else Phase.AWAITING_INPUT
    if view.state is JobState.ACCEPTED and mine:
        if progress.proof is ProofState.READY:
            return Phase.SETTLING
        return Phase.FAILING if progress.proof_failures >= PROOF_ATTEMPTS else Phase.PROVING
    if view.state is JobState.SETTLED and mine:
        return Phase.PAID
    if view.state is JobState.EXPIRED and mine:
        return Phase.FAILED
    return Phase.ENDED if view.state.final and not progress.bids else Phase.LOST


def workload(jobs_progress: Iterable[JobProgress], policy: BiddingPolicy) -> tuple[int, str]:
    """What stands against bidding again.

    Returns:
        How many jobs the worker bids on, leads, has won or has accepted, and, if one of them has failed but
        still holds its collateral, why no bid may be placed until that is proven or given up ("" otherwise).
        Operators who bid on while failed jobs pile up burn their stake job by job.
    """
    load, reason = 0, ""
    for progress in jobs_progress:
        view = progress.view
        if view is None:
            continue
        if view.worker != policy.address:
            load += progress.sending.startswith(Action.BID)
            continue
        if view.state in (JobState.OPEN, JobState.AWARDED, JobState.ACCEPTED):
            load += 1
        if (
            view.state is JobState.ACCEPTED
            and progress.proof_failures
            and progress.proof is not ProofState.READY
        ):
            reason = progress.trouble or "a proof failed"
    return load, reason


def next_bid(progress: JobProgress, view: JobView, policy: BiddingPolicy) -> int | None:
    """The price to bid now, or None: between floor and ask, below the leader by the market's step.

    Where the lead can't be taken, one bid stands beside it if the leader is not to be relied upon: its price
    does not even pay the gas, or an award of this job has lapsed already. The requester may choose any bid.
    """
    if progress.ask is None or progress.quote_round != view.round or progress.bids >= policy.max_bids:
        return None
    price = min(progress.ask, view.max_price)
    if int(view.worker, 16) != 0:
        highest = view.price - (view.price + BID_STEP_DIVISOR - 1) // BID_STEP_DIVISOR
        if view.price == 0 or highest < progress.floor:
            doubtful = view.price < progress.gas_cost or view.round > 0
            return price if doubtful and view.own_bid is None and price >= progress.floor else None
        price = min(
            price, max(progress.floor, min(highest, view.price * (100 - policy.undercut_percent) // 100))
        )
    return price if price >= progress.floor else None


# ------------------------------------------------------------------------------------------------ transitions


def _observe(
    progress: JobProgress, view: JobView, now: int, policy: BiddingPolicy
) -> tuple[JobProgress, tuple[Instruction, ...]]:
    known = progress.view
    if (
        known is not None
        and JobState.NONE not in (known.state, view.state)
        and known.max_price != view.max_price
    ):
        raise _impossible(progress, "the job's ceiling changed, which the contract does not allow")
    progress = replace(progress, view=view)
    instructions: list[Instruction] = []
    if progress.input is InputState.STORED and not progress.checking:
        progress = replace(progress, checking=True)
        instructions.append(CheckInput())
    wanted = _wanted(progress, view, now, policy)
    if progress.proof is ProofState.RUNNING and not progress.stopping and not _may_prove(view, now, policy):
        progress = replace(progress, stopping=True)
        instructions.append(StopProving())
    match wanted:
        case Quote(round_):
            progress = replace(
                progress, quote_asked=True, quote_round=round_, ask=None, floor=0, gas_cost=0, bids=0
            )
            instructions.append(wanted)
        case Prove():
            progress = replace(progress, proof=ProofState.RUNNING)
            instructions.append(wanted)
        case Send(action):
            bids = progress.bids + 1 if action is Action.BID else progress.bids
            progress = replace(progress, sending=wanted.key, bids=bids)
            instructions.append(wanted)
    return progress, tuple(instructions)


def _wanted(
    progress: JobProgress, view: JobView, now: int, policy: BiddingPolicy
) -> Quote | Send | Prove | None:
    """The one thing to do next, given what the market says; None while an answer is out or a pause lasts."""
    if progress.sending or now < progress.pause_until:
        return None
    mine = view.worker == policy.address
    late = now > view.deadline
    match view.state:
        case JobState.OPEN if not late:
            if progress.quote_round != view.round:
                return None if progress.quote_asked else Quote(view.round)
            if (
                not mine
                and not progress.quote_asked
                and (price := next_bid(progress, view, policy)) is not None
            ):
                return Send(Action.BID, view.round, price)
        case JobState.OPEN if mine and now > view.deadline + AWARD_GRACE:
            return Send(Action.EXPIRE, view.round)  # frees the stake behind the bid
        case JobState.OPEN if mine and not view.requester_awards:
            return Send(Action.AWARD, view.round)
        case JobState.AWARDED if mine and not late and progress.input is InputState.VERIFIED:
            return Send(Action.ACCEPT, view.round)
        case JobState.AWARDED if not mine and late and view.own_bid is not None:
            return Send(Action.LAPSE, view.round)  # another chance to win it
        case JobState.ACCEPTED if mine and late:
            return Send(Action.EXPIRE, view.round)  # lost; frees this worker to bid again
        case JobState.ACCEPTED if mine and progress.proof is ProofState.READY:
            return Send(Action.PROVE, view.round)
        case JobState.ACCEPTED if mine and progress.proof is ProofState.IDLE:
            if progress.input is InputState.VERIFIED and progress.proof_failures < PROOF_ATTEMPTS:
                return Prove(view.deadline)
        case _:
            pass
    return None


def _may_prove(view: JobView, now: int, policy: BiddingPolicy) -> bool:
    """Whether a proof can still be worth anything.

    A re-org to an earlier state may yet bring the job back.
    """
    if view.state.final or (view.state is JobState.ACCEPTED and now > view.deadline):
        return False
    return view.state is JobState.OPEN or view.worker == policy.address


def _quoted(progress: JobProgress, event: Quoted) -> JobProgress:
    if not progress.quote_asked:
        raise _impossible(progress, "was given a quote that nobody asked for")
    if event.round != progress.quote_round:
        raise _impossible(
            progress, f"was quoted for round {event.round}, having asked for {progress.quote_round}"
        )
    if event.ask is not None and event.ask < event.floor:
        raise _impossible(progress, "was quoted a price below its own floor")
    return replace(progress, quote_asked=False, ask=event.ask, floor=event.floor, gas_cost=event.gas_cost)


def _restart(progress: JobProgress) -> tuple[JobProgress, tuple[Instruction, ...]]:
    """Memory is gone, disk is not: what was under way starts again; the outbox knows what was sent."""
    if progress.quote_asked:
        progress = replace(progress, quote_asked=False, quote_round=-1)
    if progress.proof is ProofState.RUNNING:
        progress = replace(progress, proof=ProofState.IDLE)
    # Whatever made proofs fail (memory, a missing bundle) may be what the operator restarted for.
    progress = replace(progress, proof_failures=0)
    if progress.sending.startswith(Action.BID):
        progress = replace(progress, bids=progress.bids - 1)
    return replace(progress, sending="", checking=False, stopping=False, pause_until=0), ()


def _pause(progress: JobProgress, now: int) -> JobProgress:
    """Waits before the next try, longer every time, but not away most of the time that is left."""
    pause = min(LONGEST_PAUSE, FIRST_PAUSE << min(progress.refusals, 10))
    if progress.view is not None and now < progress.view.deadline:
        pause = min(pause, max(FIRST_PAUSE, (progress.view.deadline - now) // 4))
    return replace(progress, refusals=progress.refusals + 1, pause_until=now + pause)


def _require_running(progress: JobProgress) -> None:
    if progress.proof is not ProofState.RUNNING:
        raise _impossible(progress, "heard of a proof that was not under way")


def _require_sending(progress: JobProgress, action: Action) -> None:
    if progress.sending.split("/")[0] != action:
        raise _impossible(progress, f"heard of a transaction ({action}) that was not out")


def _impossible(progress: JobProgress, what: str) -> ImpossibleTransition:
    lines = "\n  ".join(progress.story)
    current = replace(progress, story=())
    return ImpossibleTransition(f"a job's progress {what}\n{current}\nStory, oldest first:\n  {lines}")


def _tell(event: Event) -> str:
    if isinstance(event, Observed):
        view = event.view
        return (
            f"at {event.now} the market said {view.state.name} round {view.round} worker {view.worker}"
            f" price {view.price} deadline {view.deadline}"
        )
    return repr(event)
