"""What an id stands for, recomputed: a node that changes one field of a job or a model is found out.

A job's id is the hash of everything that its requester asked for, a model's of everything that its publisher
said and of its keys. Whoever knows the id (it was posted, signed, or is in a bundle) can check what a node
says of it without trusting the node. What a hash does not reach is the state: price, bids, deadlines,
balances, payout; a second node does (`CrossCheck`).
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils.crypto import keccak

from ..errors import AnswerForged
from .codec import encode
from .events import ChainEvent, DataSetRegistered, JobSubmitted, ModelRegistered
from .types import JobRequest, Model, ModelSpec

_REQUEST = "(bytes32,uint128,uint128,uint128,uint32,uint32,uint32,bytes32,string,address,uint32,bool,uint8)"


def input_hash(input_words: Sequence[int]) -> bytes:
    """What a job stores of its input words: the hash of all of them, 32 bytes each."""
    return bytes(keccak(b"".join(word.to_bytes(32, "big") for word in input_words)))


def request_hash(request: JobRequest, input_words: Sequence[int]) -> bytes:
    """What a job id binds of a request: the market's `requestHash`."""
    return bytes(keccak(encode([_REQUEST, "bytes32"], [request.abi(), input_hash(input_words)])))


def job_id_of(
    chain_id: int, market: str, requester: str, nonce: int, request: JobRequest, input_words: Sequence[int]
) -> bytes:
    """The id of the job that `requester` posts as its `nonce`-th, from 0: the market's `jobIdOf`."""
    values = [chain_id, market, requester, nonce, request_hash(request, input_words)]
    return bytes(keccak(encode(["uint256", "address", "address", "uint256", "bytes32"], values)))


def model_id_of(owner: str, vk_hash: bytes, model_commitment: bytes, spec: ModelSpec) -> bytes:
    """The id that the registry gives to a model."""
    types = ["bytes32"] * 6 + ["address", "uint16", "uint32", "uint32", "uint8"]
    values = [
        vk_hash,
        keccak(model_commitment),
        spec.circuit_hash,
        spec.quantisation_hash,
        spec.metadata_hash,
        spec.ceremony_hash,
        owner,
        spec.royalty_bps,
        spec.n_in,
        spec.n_out,
        int(spec.input_private) | int(spec.output_encrypted) << 1 | int(spec.output_committed) << 2,
    ]
    return bytes(keccak(encode(types, values)))


def dataset_id_of(schema_hash: bytes, rows_per_block: int, rows: int, blocks: Sequence[int]) -> bytes:
    """The id of a data set: the data registry's `datasetIdOf`.

    Args:
        schema_hash: of its schema, 32 bytes.
        rows_per_block: rows behind each commitment but the last.
        rows: in all.
        blocks: the commitments, in order.
    """
    values = [schema_hash, rows_per_block, rows, input_hash(blocks)]
    return bytes(keccak(encode(["bytes32", "uint32", "uint64", "bytes32"], values)))


def check_event(event: ChainEvent, chain_id: int, market: str) -> None:
    """Refuses a job, a model or a data set whose id is not that of its fields.

    Raises:
        AnswerForged: the log was changed after the contract wrote it.
    """
    if isinstance(event, JobSubmitted):
        expected = job_id_of(chain_id, market, event.requester, event.nonce, event.request, event.input_words)
        if event.job_id != expected or event.model_id != event.request.model_id:
            raise _forged("job", event.job_id)
    elif isinstance(event, ModelRegistered):
        expected = model_id_of(event.owner, event.vk_hash, event.model_commitment, event.spec)
        if event.model_id != expected:
            raise _forged("model", event.model_id)
    elif isinstance(event, DataSetRegistered):
        expected = dataset_id_of(event.schema_hash, event.rows_per_block, event.rows, event.blocks)
        if event.dataset_id != expected:
            raise _forged("data set", event.dataset_id)


def check_model(model_id: bytes, model: Model) -> None:
    """Refuses a model whose id is not that of its fields. Payout, retirement and URI are not in it.

    Raises:
        AnswerForged: the node changed the record.
    """
    if model_id_of(model.owner, model.vk_hash, model.model_commitment, model.spec) != model_id:
        raise _forged("model", model_id)


def _forged(what: str, identifier: bytes) -> AnswerForged:
    return AnswerForged(
        f"the node's fields of {what} 0x{identifier.hex()} are not those that its id stands for",
        "Nothing was done on them; use another node",
    )
