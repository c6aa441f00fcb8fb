"""What a job's state machine asks for: prices, transactions, checks, proofs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """Transactions a worker sends about a job."""

    BID = "bid"
    AWARD = "award"
    ACCEPT = "accept"
    DECLINE = "decline"
    PROVE = "prove"
    LAPSE = "lapse"
    EXPIRE = "expire"


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
