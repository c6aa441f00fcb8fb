"""A data set as the chain knows it, each part of it checked again by whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..chain import (
    AnswerForged,
    Chain,
    ChainError,
    DataSet,
    DataSetAttested,
    DataSetRegistered,
    dataset_id_of,
    is_attested,
)
from ..client.history import events_of

if TYPE_CHECKING:
    from assay_prover.data import DataSet as OwnedDataSet

MOST_ATTESTERS = 200
"""Attesters that are looked at: those that a reader names, then the newest. Strangers can attest for gas."""


@dataclass(frozen=True, slots=True)
class Attester:
    """Who vouches, or vouched, for a data set.

    Attributes:
        address: the account, or a contract.
        statement: its last words.
        since: Unix time from which they stand, 0 if they were withdrawn.
        withdrawn_at: Unix time of the last withdrawal, 0 if there was none.
        signature_checked: the account's own signature was checked here; False for a contract, whose word the
            chain alone can check.
    """

    address: str
    statement: str
    since: int
    withdrawn_at: int
    signature_checked: bool

    @property
    def stands(self) -> bool:
        """Whether it vouches for the data set now."""
        return self.since > 0


@dataclass(frozen=True, slots=True)
class DataSetRecord:
    """A registered data set.

    Attributes:
        dataset_id: 32 bytes, recomputed.
        schema_hash: of its schema.
        rows: in all.
        rows_per_block: behind each commitment but the last.
        blocks: the commitments, in order.
        registered_at: Unix time.
        attesters: newest words first.
    """

    dataset_id: bytes
    schema_hash: bytes
    rows: int
    rows_per_block: int
    blocks: tuple[int, ...]
    registered_at: int
    attesters: tuple[Attester, ...]


def identity_of(data: OwnedDataSet) -> bytes:
    """The id that a data set of one's own has, registered or not: 32 bytes."""
    return dataset_id_of(data.schema.hash, data.rows_per_block, data.rows, data.blocks)


async def read_data_set(chain: Chain, dataset_id: bytes, *, attesters: tuple[str, ...] = ()) -> DataSetRecord:
    """What is on record of a data set.

    Args:
        chain: a deployment with a data registry.
        dataset_id: 32 bytes.
        attesters: addresses that are looked at in any case, however many others have attested.

    Raises:
        DeploymentError: the deployment has no data registry.
        ContractReverted: the data set is unknown.
        AnswerForged: the node's log is not what the id stands for, or its states and its log disagree.
    """
    registry = chain.data
    stored = await registry.dataset_of(dataset_id)
    events = await events_of(chain, registry.address, (None, dataset_id))
    registered = [each for each in events if isinstance(each, DataSetRegistered)]
    if len(registered) != 1:
        raise ChainError(
            f"the node serves data set 0x{dataset_id.hex()} as registered {len(registered)} times",
            "Ask another node",
        )
    event = registered[0]
    _check_stored(dataset_id, stored, event)
    latest: dict[str, DataSetAttested] = {}
    for each in events:
        if isinstance(each, DataSetAttested):
            latest.pop(each.attester, None)
            latest[each.attester] = each
    newest = list(latest)[::-1]
    wanted = dict.fromkeys([each for each in attesters if each in latest] + newest[:MOST_ATTESTERS])
    return DataSetRecord(
        dataset_id,
        event.schema_hash,
        event.rows,
        event.rows_per_block,
        event.blocks,
        stored.registered_at,
        tuple([await _attester(chain, latest[address]) for address in wanted]),
    )


def _check_stored(dataset_id: bytes, stored: DataSet, event: DataSetRegistered) -> None:
    """The log's id was recomputed when it was read; what is stored under it must be the same."""
    same = (stored.schema_hash, stored.rows, stored.rows_per_block, stored.block_count)
    if event.dataset_id != dataset_id or same != (
        event.schema_hash,
        event.rows,
        event.rows_per_block,
        len(event.blocks),
    ):
        raise AnswerForged(
            f"the node's record of data set 0x{dataset_id.hex()} is not what its id stands for",
            "Use another node",
        )


async def _attester(chain: Chain, event: DataSetAttested) -> Attester:
    registry = chain.data
    now = await registry.attestation_of(event.dataset_id, event.attester)
    signed = is_attested(event, chain.deployment.chain_id, registry.address)
    if not signed and not await chain.node.code(event.attester):
        raise AnswerForged(
            f"{event.attester} did not sign what the node says that it attests", "Use another node"
        )
    # What was signed for an earlier revision does not stand, whatever the node says.
    since = now.since if now.revision == event.revision + 1 else 0
    return Attester(event.attester, event.statement, since, now.withdrawn_at, signed)
