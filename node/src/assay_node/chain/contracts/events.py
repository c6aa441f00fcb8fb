"""The contracts' events as Python values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError

from ..errors import ChainError
from ..node.types import Log
from .interface import Interface
from .types import JobRequest, ModelSpec


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event was logged."""

    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """Base of all events."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class JobEvent(ChainEvent):
    """Base of the events of one job."""

    job_id: bytes


@dataclass(frozen=True, slots=True)
class JobSubmitted(JobEvent):
    """A job was posted."""

    model_id: bytes
    requester: str
    nonce: int
    bid_deadline: int
    request: JobRequest
    input_words: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BidPlaced(JobEvent):
    """A bid was placed. One that does not lead stands all the same, for the requester to award to."""

    worker: str
    round: int
    price: int
    leads: bool


@dataclass(frozen=True, slots=True)
class JobAwarded(JobEvent):
    """A worker won the job."""

    worker: str
    round: int
    price: int
    accept_deadline: int


@dataclass(frozen=True, slots=True)
class JobAccepted(JobEvent):
    """The worker has checked the input and put its collateral at risk."""

    worker: str
    collateral: int
    prove_deadline: int


@dataclass(frozen=True, slots=True)
class JobSettled(JobEvent):
    """Proven and paid."""

    worker: str
    model_id: bytes
    price: int
    royalty: int
    refund: int
    output_words: tuple[int, ...]
    proof: bytes


@dataclass(frozen=True, slots=True)
class JobLapsed(JobEvent):
    """The awarded worker neither accepted, proved nor declined in time."""

    worker: str
    round: int


@dataclass(frozen=True, slots=True)
class JobDeclined(JobEvent):
    """The awarded worker gave the award back in time."""

    worker: str
    round: int


@dataclass(frozen=True, slots=True)
class JobReopened(JobEvent):
    """A lapsed or declined job takes bids again."""

    round: int
    bid_deadline: int


@dataclass(frozen=True, slots=True)
class JobExpired(JobEvent):
    """The worker did not prove in time."""

    worker: str
    requester: str
    refund: int
    collateral: int


@dataclass(frozen=True, slots=True)
class JobRefunded(JobEvent):
    """No worker was found; the escrow went back."""

    requester: str
    refund: int


@dataclass(frozen=True, slots=True)
class JobCancelled(JobEvent):
    """The requester withdrew the job."""

    requester: str
    refund: int


@dataclass(frozen=True, slots=True)
class CallbackFailed(JobEvent):
    """The consumer's callback failed; the job is settled all the same."""

    callback: str


@dataclass(frozen=True, slots=True)
class ModelRegistered(ChainEvent):
    """A model was registered."""

    model_id: bytes
    owner: str
    verifying_key: str
    vk_hash: bytes
    model_commitment: bytes
    spec: ModelSpec


@dataclass(frozen=True, slots=True)
class WorkerRegistered(ChainEvent):
    """A worker registered."""

    worker: str
    endpoint: str
    encryption_key: bytes
    revision: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class WorkerUpdated(ChainEvent):
    """A worker changed its endpoint or key."""

    worker: str
    endpoint: str
    encryption_key: bytes
    revision: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class DataSetRegistered(ChainEvent):
    """A data set was registered: commitments to blocks of rows."""

    dataset_id: bytes
    schema_hash: bytes
    rows_per_block: int
    rows: int
    blocks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DataSetAttested(ChainEvent):
    """An attester vouches for a data set."""

    dataset_id: bytes
    attester: str
    revision: int
    statement: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class AttestationWithdrawn(ChainEvent):
    """An attester no longer vouches for a data set."""

    dataset_id: bytes
    attester: str
    revision: int


@dataclass(frozen=True, slots=True)
class ModelCertified(ChainEvent):
    """The owner of a model recorded the training job that it comes from."""

    model_id: bytes
    program_id: bytes
    dataset_id: bytes
    job_id: bytes


_TYPES: dict[str, type[ChainEvent]] = {
    kind.__name__: kind
    for kind in (
        JobSubmitted,
        BidPlaced,
        JobAwarded,
        JobAccepted,
        JobSettled,
        JobLapsed,
        JobDeclined,
        JobReopened,
        JobExpired,
        JobRefunded,
        JobCancelled,
        CallbackFailed,
        ModelRegistered,
        WorkerRegistered,
        WorkerUpdated,
        DataSetRegistered,
        DataSetAttested,
        AttestationWithdrawn,
        ModelCertified,
    )
}


def decode_event(interfaces: Mapping[str, Interface], log: Log) -> ChainEvent | None:
    """The event in a log.

    Args:
        interfaces: interface by contract address.
        log: the log; None is returned for those of other contracts and for events nobody here reads.

    Raises:
        ChainError: a known event that does not decode, which no honest node serves.
    """
    contract = interfaces.get(log.address)
    try:
        decoded = contract.decode_event(log) if contract is not None else None
    except (DecodingError, ValueError) as error:
        raise ChainError(
            f"the node gave a log of {log.address} that is none of the contract there ({error})",
            "Use another node",
        ) from error
    kind = _TYPES.get(decoded.name) if decoded is not None else None
    if decoded is None or kind is None:
        return None
    args: dict[str, Any] = dict(decoded.args)
    if kind is JobSubmitted:
        args["request"] = JobRequest(**args["request"])
    elif kind is ModelRegistered:
        args["spec"] = ModelSpec(**args["spec"])
    return kind(origin=Origin(log.block_number, log.block_hash, log.tx_hash, log.log_index), **args)
