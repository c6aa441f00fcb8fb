"""The contracts' structs and enums as Python values, field for field.

Amounts are wei, windows and deadlines seconds, addresses EIP-55 text, hashes and ids 32 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

ZERO_ADDRESS = "0x" + "00" * 20
ZERO_WORD = bytes(32)

AWARD_GRACE = 3600
"""Seconds after the bidding in which a job may be awarded; then anyone may end it. The market's constant."""
UNSTAKE_DELAY = 86_400
"""Seconds from the notice to the withdrawal of stake. The worker registry's constant."""


class JobState(IntEnum):
    """Where a job stands; the last four are final."""

    NONE = 0
    OPEN = 1
    AWARDED = 2
    ACCEPTED = 3
    SETTLED = 4
    EXPIRED = 5
    REFUNDED = 6
    CANCELLED = 7

    @property
    def final(self) -> bool:
        """Whether nothing can happen to the job any more."""
        return self >= JobState.SETTLED


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a requester asks for; see contracts/src/types/Job.sol.

    Windows are seconds: bids at most a day, acceptance 7 days, proof 30 days. With `requester_awards` nobody
    but the requester awards the job. `rounds` is 1 to 3: after that many awards that came to nothing it is
    refunded.
    """

    model_id: bytes
    max_price: int
    min_stake: int = 0
    collateral: int = 0
    bid_window: int = 60
    accept_window: int = 300
    prove_window: int = 3600
    input_ref: bytes = ZERO_WORD
    input_uri: str = ""
    callback: str = ZERO_ADDRESS
    callback_gas: int = 0
    requester_awards: bool = False
    rounds: int = 3

    def abi(self) -> tuple[Any, ...]:
        """The struct as the ABI encoder takes it."""
        return (
            self.model_id,
            self.max_price,
            self.min_stake,
            self.collateral,
            self.bid_window,
            self.accept_window,
            self.prove_window,
            self.input_ref,
            self.input_uri,
            self.callback,
            self.callback_gas,
            self.requester_awards,
            self.rounds,
        )


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the market stores it. `worker` and `price` are the leading bid's while the job is open."""

    model_id: bytes
    input_hash: bytes
    requester: str
    state: JobState
    round: int
    callback_gas: int
    bid_window: int
    requester_awards: bool
    rounds: int
    worker: str
    accept_window: int
    prove_window: int
    callback: str
    deadline: int
    max_price: int
    price: int
    min_stake: int
    collateral: int

    @classmethod
    def from_abi(cls, fields: dict[str, Any]) -> Job:
        """From a decoded struct."""
        return cls(**{**fields, "state": JobState(fields["state"])})


@dataclass(frozen=True, slots=True)
class Bid:
    """A worker's bid in a job's current round."""

    price: int
    standing: bool


@dataclass(frozen=True, slots=True)
class JobLook:
    """A job and a worker's bid in its current round, of one block; `bid` is None if none was asked for."""

    job: Job
    bid: Bid | None


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker as registered; see contracts/src/types/Worker.sol.

    Attributes:
        stake: wei that back jobs or are free to; what is leaving is no part of it.
        reserved: wei of the stake that back jobs the worker leads, was awarded or has accepted.
        leaving: wei on their way out, to be withdrawn from `leaves_at` on.
        leaves_at: Unix seconds; 0 if nothing is leaving.
        revision: 1 on registration, one more with every update.
        completed: jobs settled.
        missed: awards on which the worker did nothing.
        failed: accepted jobs it did not prove in time.
        signature: the worker's, over its address, endpoint, key and revision; see `registration`.
    """

    registered: bool
    stake: int
    reserved: int
    leaving: int
    leaves_at: int
    revision: int
    completed: int
    missed: int
    failed: int
    encryption_key: bytes
    endpoint: str
    signature: bytes

    @property
    def free_stake(self) -> int:
        """Stake that backs no job, in wei: what a leading bid can reserve."""
        return self.stake - self.reserved


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a publisher says of a model; see contracts/src/types/Model.sol."""

    circuit_hash: bytes
    quantisation_hash: bytes
    metadata_hash: bytes
    n_in: int
    n_out: int
    input_private: bool
    output_encrypted: bool
    output_committed: bool = False
    ceremony_hash: bytes = ZERO_WORD
    uri: str = ""
    royalty_bps: int = 0

    def abi(self) -> tuple[Any, ...]:
        """The struct as the ABI encoder takes it."""
        return (
            self.circuit_hash,
            self.quantisation_hash,
            self.metadata_hash,
            self.ceremony_hash,
            self.uri,
            self.royalty_bps,
            self.n_in,
            self.n_out,
            self.input_private,
            self.output_encrypted,
            self.output_committed,
        )


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model."""

    owner: str
    payout: str
    retired: bool
    verifying_key: str
    vk_hash: bytes
    model_commitment: bytes
    spec: ModelSpec

    @classmethod
    def from_abi(cls, fields: dict[str, Any]) -> Model:
        """From a decoded struct."""
        return cls(**{**fields, "spec": ModelSpec(**fields["spec"])})


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction someone may send: nothing is sent until an outbox takes it.

    Attributes:
        to: the contract, or None to create one.
        data: calldata or creation code.
        value: wei sent along.
        description: what it does, for logs and error messages.
        gas: gas limit, or None to estimate (which also tells beforehand whether it would revert).
    """

    to: str | None
    data: bytes
    value: int = 0
    description: str = ""
    gas: int | None = field(default=None)
