"""What goes into the state machine of a job, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..chain import JobState


class Action(StrEnum):
    """Transactions a worker sends about a job."""

    BID = "bid"
    AWARD = "award"
    ACCEPT = "accept"
    PROVE = "prove"
    LAPSE = "lapse"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class JobView:
    """What the market's storage says of a job, for one worker.

    Attributes:
        state, round, worker, price, deadline, max_price: as in the contract. While the job is open, `worker`
            and `price` are the leading bid's.
        requester_awards: nobody but the requester awards the job.
        own_bid: this worker's standing bid in the round, or None.
    """

    state: JobState
    round: int
    worker: str
    price: int
    deadline: int
    max_price: int
    own_bid: int | None
    requester_awards: bool = False


# ------------------------------------------------------------------------------------------------- events, in


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
    | Proved
    | ProofFailed
    | ProofStopped
    | Confirmed
    | Refused
    | Restarted
)

# ------------------------------------------------------------------------------------------ instructions, out


@dataclass(frozen=True, slots=True)
class Quote:
    """Set a price for this round; answer with `Quoted`."""

    round: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send a transaction; answer with `Confirmed` or `Refused`.

    Attributes:
        action: which.
        round: of the job, part of the intent's key.
        price: of a bid, else None.
    """

    action: Action
    round: int
    price: int | None = None

    @property
    def key(self) -> str:
        """What makes the intent unique for its job: repeating it must not send it twice."""
        return f"{self.action}/{self.round}" + ("" if self.price is None else f"/{self.price}")


@dataclass(frozen=True, slots=True)
class CheckInput:
    """Check the stored input; answer with `InputVerified` or `InputRejected`."""


@dataclass(frozen=True, slots=True)
class Prove:
    """Prove; answer with `Proved`, `ProofFailed` or `ProofStopped`."""

    deadline: int


@dataclass(frozen=True, slots=True)
class StopProving:
    """Proving has become pointless; `ProofStopped` or any other answer follows."""


Instruction = Quote | Send | CheckInput | Prove | StopProving
