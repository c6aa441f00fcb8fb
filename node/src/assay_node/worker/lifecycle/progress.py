"""What a worker knows of one job, and where the job stands for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ...chain import JobState
from .events import JobView
from .instructions import Action

PROOF_ATTEMPTS = 3
"""Proving failures (out of memory, say) after which an award is declined, or an accepted job given up."""


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
    GIVEN_UP = "given up"
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
        awarded_round: last round in which the market said that the job was this worker's; -1 for none.
        input: see `InputState`.
        checking: the stored input is being checked.
        unservable: why no proof of it can be made here; "" if one can.
        proof: see `ProofState`.
        proof_failures: how often proving failed.
        stopping: the proof under way was told to stop.
        sending: key of the action whose transaction is out; "" for none.
        last_refused: action that was refused last, since one was confirmed; "" for none.
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
    awarded_round: int = -1
    input: InputState = InputState.MISSING
    checking: bool = False
    unservable: str = ""
    proof: ProofState = ProofState.IDLE
    proof_failures: int = 0
    stopping: bool = False
    sending: str = ""
    last_refused: str = ""
    pause_until: int = 0
    refusals: int = 0
    trouble: str = ""
    story: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> JobProgress:
        """The inverse of `to_json`; what an older version did not write has its default."""
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
        max_collateral: wei of collateral that may be locked by accepting before the proof is there.
        closing_seconds: this long before an award's deadline, or an eighth of its window if that is less, it
            is accepted or declined unless the proof is there; twice as long before it, unless the input is.
        input_patience: seconds from the award after which it is declined if no input has come.
    """

    address: str
    max_bids: int = 3
    undercut_percent: int = 5
    max_collateral: int = 0
    closing_seconds: int = 30
    input_patience: int = 1800

    def closes_at(self, view: JobView) -> int:
        """When an award must be accepted or declined, so that the transaction is mined in time."""
        return view.deadline - self._closing(view)

    def input_due(self, view: JobView) -> int:
        """When an award without an input is declined."""
        awarded_at = view.deadline - view.accept_window
        return min(awarded_at + self.input_patience, view.deadline - 2 * self._closing(view))

    def _closing(self, view: JobView) -> int:
        return min(self.closing_seconds, view.accept_window // 8)


def is_held(view: JobView | None, policy: BiddingPolicy, now: int) -> bool:
    """Whether a job is this worker's to prove: awarded or accepted, and its deadline not over."""
    return (
        view is not None
        and view.worker == policy.address
        and view.state in (JobState.AWARDED, JobState.ACCEPTED)
        and now <= view.deadline
    )


def gave_up(progress: JobProgress, view: JobView) -> bool:
    """Whether an award of this job was declined or missed: the market takes no more bids of this worker."""
    return 0 <= progress.awarded_round < view.round


def phase(progress: JobProgress, policy: BiddingPolicy) -> Phase:
    """Where the job stands, in one word."""
    view = progress.view
    if view is None or view.state is JobState.NONE:
        return Phase.WATCHING
    mine = view.worker == policy.address
    if view.state is JobState.OPEN:
        return Phase.LEADING if mine else _open_phase(progress, view)
    if view.state in (JobState.AWARDED, JobState.ACCEPTED) and mine:
        return _held_phase(progress)
    if view.state is JobState.SETTLED and mine:
        return Phase.PAID
    if view.state is JobState.EXPIRED and mine:
        return Phase.FAILED
    if progress.awarded_round >= 0:
        return Phase.GIVEN_UP
    return Phase.ENDED if view.state.final and not progress.bids else Phase.LOST


def _open_phase(progress: JobProgress, view: JobView) -> Phase:
    if gave_up(progress, view):
        return Phase.GIVEN_UP
    if progress.quote_round != view.round or progress.quote_asked:
        return Phase.WATCHING
    if progress.ask is None:
        return Phase.DECLINED
    if progress.sending:
        return Phase.BIDDING
    return Phase.OUTBID if progress.bids else Phase.WATCHING


def _held_phase(progress: JobProgress) -> Phase:
    if progress.proof is ProofState.READY:
        return Phase.SETTLING
    if progress.unservable or progress.proof_failures >= PROOF_ATTEMPTS:
        return Phase.FAILING
    if progress.input is not InputState.VERIFIED:
        return Phase.AWAITING_INPUT
    return Phase.ACCEPTING if progress.sending.startswith(Action.ACCEPT) else Phase.PROVING


def failing_with_collateral(jobs_progress: Iterable[JobProgress], policy: BiddingPolicy) -> str:
    """Why no bid may be placed: a job was accepted, has failed and still holds collateral; "" otherwise.

    Operators who bid on while failed jobs pile up burn their stake job by job.
    """
    for progress in jobs_progress:
        view = progress.view
        if (
            view is not None
            and view.worker == policy.address
            and view.state is JobState.ACCEPTED
            and progress.proof_failures
            and progress.proof is not ProofState.READY
        ):
            return progress.trouble or "a proof failed"
    return ""
