"""Data sets on a chain: registered, attested, withdrawn, attested again; origins of models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay_node.chain import (
    AnswerForged,
    AttestationWithdrawn,
    Chain,
    ContractReverted,
    DataSetAttested,
    DataSetRegistered,
    Outbox,
    Rpc,
    dataset_id_of,
    deploy_all,
    is_attested,
    sign_attestation,
)
from assay_node.client.history import events_of
from assay_node.devnet import Devnet, DevnetConfig
from assay_prover.data import DataSet, Schema, Table

STATEMENT = "all patients of 2025, consented"


def small_data() -> DataSet:
    rng = np.random.default_rng(1)
    table = Table({"a": rng.normal(size=90), "y": rng.integers(0, 2, 90)})
    return DataSet.of(Schema.fit(table, label="y"), table, rows_per_block=40)


async def test_a_data_set_is_attested_withdrawn_and_attested_again(tmp_path: Path) -> None:
    data = small_data()
    dataset_id = dataset_id_of(data.schema.hash, 40, 90, data.blocks)
    async with Devnet(DevnetConfig(port=0)) as net, Rpc(net.url) as node:
        owner, hospital = net.accounts[0], net.accounts[1]
        async with (
            await Outbox.open(node, owner, tmp_path / "owner.sqlite") as outbox,
            await Outbox.open(node, hospital, tmp_path / "hospital.sqlite") as hospitals,
        ):
            chain = await Chain.connect(node, (await deploy_all(outbox)).deployment)
            registry = chain.data

            def signature(revision: int) -> bytes:
                return sign_attestation(
                    hospital, chain.deployment.chain_id, registry.address, dataset_id, STATEMENT, revision
                )

            async def attest(name: str, signed: bytes) -> None:
                await outbox.send(name, registry.attest(dataset_id, hospital.address, STATEMENT, signed))

            receipt = await outbox.send("register", registry.register(data.schema.hash, 40, 90, data.blocks))
            [registered] = chain.decode(receipt.logs)
            assert isinstance(registered, DataSetRegistered)
            assert registered.dataset_id == dataset_id
            assert registered.blocks == data.blocks
            assert (await registry.dataset_of(dataset_id)).block_count == 3
            await attest("attest", signature(0))
            assert (await registry.attestation_of(dataset_id, hospital.address)).since > 0
            await hospitals.send("withdraw", registry.withdraw(dataset_id))
            assert (await registry.attestation_of(dataset_id, hospital.address)).since == 0
            for name, revision in (("old", 0), ("ahead", 1)):
                with pytest.raises(ContractReverted, match="counts no more"):
                    await attest(name, signature(revision))
            await attest("again", signature(2))
            assert (await registry.attestation_of(dataset_id, hospital.address)).revision == 3

            events = await events_of(chain, registry.address, (None, dataset_id))
            assert [type(event) for event in events] == [
                DataSetRegistered,
                DataSetAttested,
                AttestationWithdrawn,
                DataSetAttested,
            ]
            attested = events[-1]
            assert isinstance(attested, DataSetAttested)
            where = (chain.deployment.chain_id, registry.address)
            assert is_attested(attested, *where)
            # What a lying node could serve instead.
            for lie in (
                replace(attested, attester=owner.address),
                replace(attested, statement="other words"),
                replace(attested, revision=1),
                replace(attested, dataset_id=bytes(32)),
                replace(attested, signature=attested.signature[:-1]),
            ):
                assert not is_attested(lie, *where)
            for forged in (
                replace(registered, schema_hash=bytes(32)),
                replace(registered, blocks=data.blocks[::-1]),
                replace(registered, rows=91),
                replace(registered, rows_per_block=39),
            ):
                with pytest.raises(AnswerForged, match="data set"):
                    chain.check_event(forged)
