"""The state machine of a job, as a pure function.

`handle_event(progress, event, policy)` gives the next progress and the instructions to carry out. It has no
clock, no I/O and no randomness: time comes with the events. A `JobProgress` is what the worker knows of one
job; it is stored whenever it changes, before the instructions that follow from the change are carried out.

**The contract is the truth.** Where a job stands is never inferred from what this worker did: the machine
acts on what the market's storage says (`Observed`), which may be anything at all from one look to the next,
because a re-org can undo any of it. So every look is a fresh start, and a re-org across award, accept or
settle is nothing special. What a progress does remember is the worker's own: the quote, the input, the
proof, and which instruction has not been answered yet.

**The proof comes first.** An awarded job is proven at once and settled straight from the award, so that no
collateral is locked for a proof that is not in hand: whatever is wrong with a key or an input then costs
time. Shortly before the award's deadline a job without a proof is accepted, if the operator allows its
collateral to be at risk, or declined, which leaves no mark on the worker's record.

**One instruction at a time.** `sending`, `proof is RUNNING` and `quote_asked` note that an instruction was
given and not answered; it is not given again until the answer comes, or until a restart. An answer to an
instruction that was never given is a defect of the program and raises `ImpossibleTransition` with the job's
story.
"""

from __future__ import annotations

from dataclasses import replace

from ...chain import AWARD_GRACE, JobState
from ..errors import ImpossibleTransition
from .bidding import next_bid
from .events import (
    Confirmed,
    Event,
    InputRejected,
    InputStored,
    InputVerified,
    JobView,
    Observed,
    ProofFailed,
    ProofStopped,
    Proved,
    Quoted,
    Refused,
    Restarted,
    Unservable,
)
from .instructions import Action, CheckInput, Instruction, Prove, Quote, Send, StopProving
from .progress import PROOF_ATTEMPTS, BiddingPolicy, InputState, JobProgress, ProofState, gave_up

STORY_LENGTH = 40
"""Events a progress remembers, for the error message that hopefully never comes."""
FIRST_PAUSE, LONGEST_PAUSE = 1, 60
"""Seconds before a refused action is tried again, doubling."""


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
        case Unservable(reason):
            return replace(progress, unservable=reason, trouble=reason), ()
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
            calm = replace(progress, sending="", last_refused="", refusals=0, pause_until=0, trouble="")
            return calm, ()
        case Refused(action, reason, now):
            _require_sending(progress, action)
            bids = progress.bids - 1 if action is Action.BID else progress.bids
            refused = replace(progress, sending="", last_refused=action, trouble=reason, bids=bids)
            return _pause(refused, now), ()
        case Restarted():
            return _restart(progress)


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
    awarded = view.round if _is_held(view, policy) else progress.awarded_round
    progress = replace(progress, view=view, awarded_round=awarded)
    instructions: list[Instruction] = []
    if progress.input is InputState.STORED and not progress.checking:
        progress = replace(progress, checking=True)
        instructions.append(CheckInput())
    wanted = _wanted(progress, view, now, policy)
    if (
        progress.proof is ProofState.RUNNING
        and not progress.stopping
        and not _may_prove(progress, view, now, policy)
    ):
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
    # No pause is longer than that, unless the chain's clock went back since it began.
    if progress.sending or now < progress.pause_until <= now + LONGEST_PAUSE:
        return None
    mine = view.worker == policy.address
    late = now > view.deadline
    match view.state:
        case JobState.OPEN if not late:
            return _open_wanted(progress, view, policy)
        case JobState.OPEN if mine and now > view.deadline + AWARD_GRACE:
            # Nobody can award it any more. Ending it frees the stake that the bid reserved.
            return Send(Action.EXPIRE, view.round) if view.backing else None
        case JobState.OPEN if mine and not view.requester_awards:
            return Send(Action.AWARD, view.round)
        case JobState.AWARDED if mine and not late:
            return _awarded_wanted(progress, view, now, policy)
        case JobState.AWARDED if mine and view.backing:
            return Send(Action.LAPSE, view.round)  # missed; frees the stake that it reserves
        case JobState.AWARDED if late and view.own_bid is not None and view.round + 1 < view.rounds:
            return None if mine else Send(Action.LAPSE, view.round)  # another chance to win it
        case JobState.ACCEPTED if mine and late:
            return Send(Action.EXPIRE, view.round)  # lost; frees this worker to bid again
        case JobState.ACCEPTED if mine and progress.proof is ProofState.READY:
            return Send(Action.PROVE, view.round)
        case JobState.ACCEPTED if mine:
            return _proof_wanted(progress, view)
        case _:
            return None


def _open_wanted(progress: JobProgress, view: JobView, policy: BiddingPolicy) -> Quote | Send | None:
    if gave_up(progress, view):
        return None
    if progress.quote_round != view.round:
        return None if progress.quote_asked else Quote(view.round)
    if view.worker == policy.address or progress.quote_asked:
        return None
    price = next_bid(progress, view, policy)
    return None if price is None else Send(Action.BID, view.round, price)


def _awarded_wanted(
    progress: JobProgress, view: JobView, now: int, policy: BiddingPolicy
) -> Send | Prove | None:
    closing = now >= policy.closes_at(view)
    prove, decline = Send(Action.PROVE, view.round), Send(Action.DECLINE, view.round)
    if progress.proof is ProofState.READY:
        # A settlement that was refused (it would cost more than it brings, say) is tried until it must end.
        return decline if closing and progress.last_refused == Action.PROVE else prove
    if progress.unservable or progress.proof_failures >= PROOF_ATTEMPTS:
        return decline
    if progress.input is not InputState.VERIFIED:
        return decline if now >= policy.input_due(view) else None
    if not closing:
        return _proof_wanted(progress, view)
    if view.collateral <= policy.max_collateral and progress.last_refused != Action.ACCEPT:
        return Send(Action.ACCEPT, view.round)
    return decline


def _proof_wanted(progress: JobProgress, view: JobView) -> Prove | None:
    """A proof, unless one is under way or hopeless."""
    ready = progress.input is InputState.VERIFIED and progress.proof is ProofState.IDLE
    hopeless = progress.unservable or progress.proof_failures >= PROOF_ATTEMPTS
    return Prove(view.deadline) if ready and not hopeless else None


def _is_held(view: JobView, policy: BiddingPolicy) -> bool:
    return view.worker == policy.address and view.state in (JobState.AWARDED, JobState.ACCEPTED)


def _may_prove(progress: JobProgress, view: JobView, now: int, policy: BiddingPolicy) -> bool:
    """Whether a proof can still be worth anything: a re-org may yet bring a reopened job back."""
    if view.state is JobState.OPEN:
        return not gave_up(progress, view)
    return _is_held(view, policy) and now <= view.deadline


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
    progress = replace(progress, proof_failures=0, unservable="")
    if progress.sending.startswith(Action.BID):
        progress = replace(progress, bids=progress.bids - 1)
    return (
        replace(
            progress, sending="", last_refused="", checking=False, stopping=False, pause_until=0, refusals=0
        ),
        (),
    )


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
