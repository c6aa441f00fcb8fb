"""What a job's state machine is told: the market's word, prices, inputs, proofs, transactions."""

from __future__ import annotations

from dataclasses import dataclass

from ...chain import JobState
from .instructions import Action


@dataclass(frozen=True, slots=True)
class JobView:
    """What the market's storage says of a job, for one worker. Amounts in wei, times in seconds.

    Attributes:
        state, round, worker, price, deadline, max_price: as in the contract. While the job is open, `worker`
            and `price` are the leading bid's.
        own_bid: this worker's standing bid in the round, or None.
        rounds: bidding rounds before the job is refunded.
        requester_awards: only the requester can award it.
        accept_window: from award to acceptance, or to the proof itself.
        collateral: what is lost if the job is accepted and not proven.
        backing: stake that the job reserves of its leader, and then of its worker.
    """

    state: JobState
    round: int
    worker: str
    price: int
    deadline: int
    max_price: int
    own_bid: int | None
    rounds: int = 3
    requester_awards: bool = False
    accept_window: int = 300
    collateral: int = 0
    backing: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """The market was asked. `now` is the time the next block would have."""

    view: JobView
    now: int


@dataclass(frozen=True, slots=True)
class Quoted:
    """A price was set for a round.

    Attributes:
        round: the round it is for.
        ask: price to open with, wei; None to stay out.
        floor: price below which the job does not pay.
        gas_cost: what the job's transactions cost whoever does it: no price below can be meant.
    """

    round: int
    ask: int | None
    floor: int
    gas_cost: int = 0


@dataclass(frozen=True, slots=True)
class InputStored:
    """A sealed input is on disk, unchecked."""


@dataclass(frozen=True, slots=True)
class InputVerified:
    """The stored input is the one the job commits to."""


@dataclass(frozen=True, slots=True)
class InputRejected:
    """The stored input is another, and is gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unservable:
    """The job cannot be proven here, whatever is delivered: an award of it is to be declined."""

    reason: str


@dataclass(frozen=True, slots=True)
class Proved:
    """A proof that verifies is on disk."""


@dataclass(frozen=True, slots=True)
class ProofFailed:
    """Proving came to nothing."""

    reason: str
    now: int


@dataclass(frozen=True, slots=True)
class ProofStopped:
    """Proving was given up on demand."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The transaction of an action is in a block and succeeded."""

    action: Action


@dataclass(frozen=True, slots=True)
class Refused:
    """The transaction of an action was not sent, or reverted."""

    action: Action
    reason: str
    now: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """The process is new: nothing that was under way in memory still is."""


Event = (
    Observed
    | Quoted
    | InputStored
    | InputVerified
    | InputRejected
    | Unservable
    | Proved
    | ProofFailed
    | ProofStopped
    | Confirmed
    | Refused
    | Restarted
)
