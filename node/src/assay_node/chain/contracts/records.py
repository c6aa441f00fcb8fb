"""The contracts of records beside the market, typed: data sets and their attesters, origins of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .contracts import Contract
from .types import Call


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set as stored; see contracts/src/types/DataSet.sol. `registered_at` is a Unix time."""

    schema_hash: bytes
    rows_per_block: int
    rows: int
    block_count: int
    registered_at: int
    blocks_hash: bytes


@dataclass(frozen=True, slots=True)
class Attestation:
    """What an attester says of a data set, in Unix times, 0 for never. It stands if `since` is not 0."""

    since: int
    withdrawn_at: int
    revision: int
    statement_hash: bytes


@dataclass(frozen=True, slots=True)
class Lineage:
    """The recorded origin of a model. `certified_at` is a Unix time, 0 if there is no record."""

    program_id: bytes
    job_id: bytes
    dataset_id: bytes
    certified_at: int


class DataRegistry(Contract):
    """IDataRegistry."""

    NAME = "DataRegistry"

    async def dataset_of(self, dataset_id: bytes) -> DataSet:
        """A data set as stored. Raises `ContractReverted` if it is unknown."""
        return DataSet(**await self._view("dataSetOf", dataset_id))

    async def attestation_of(self, dataset_id: bytes, attester: str) -> Attestation:
        """What `attester` says of a data set; all zeros if it never said anything."""
        return Attestation(**await self._view("attestationOf", dataset_id, attester))

    def register(self, schema_hash: bytes, rows_per_block: int, rows: int, blocks: Sequence[int]) -> Call:
        """Registers a data set: `rows` rows behind the commitments `blocks`."""
        return self._call("register a data set", "register", schema_hash, rows_per_block, rows, list(blocks))

    def attest(self, dataset_id: bytes, attester: str, statement: str, signature: bytes) -> Call:
        """Records what `attester` signed; anyone may send it. See `sign_attestation`."""
        return self._call(
            f"attest data set 0x{dataset_id.hex()}", "attest", dataset_id, attester, statement, signature
        )

    def withdraw(self, dataset_id: bytes) -> Call:
        """Withdraws what the sender said of a data set."""
        return self._call(
            f"withdraw the attestation of data set 0x{dataset_id.hex()}", "withdraw", dataset_id
        )


class Certificates(Contract):
    """ICertificates."""

    NAME = "Certificates"

    async def lineage_of(self, model_id: bytes) -> Lineage:
        """A model's recorded origin; `certified_at` is 0 if there is none."""
        return Lineage(**await self._view("lineageOf", model_id))

    def certify(self, model_id: bytes, job_id: bytes, dataset_id: bytes) -> Call:
        """Records that the sender's model comes from a settled training job over a data set."""
        return self._call(
            f"certify the origin of model 0x{model_id.hex()}", "certify", model_id, job_id, dataset_id
        )
