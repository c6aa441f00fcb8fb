"""What a market has to offer, whatever strangers add to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from assay_node.chain import JobSettled, RpcError, WorkerRecord, WorkerRegistered
from assay_node.chain.contracts.events import Origin
from assay_node.chain.contracts.key_gas import KeyShape
from assay_node.chain.contracts.worker_gas import job_data_fee, job_gas
from assay_node.client import catalogue, history
from assay_node.client.catalogue import list_workers, price_hint

RECORD = WorkerRecord(
    registered=True,
    stake=0,
    reserved=0,
    leaving=0,
    leaves_at=0,
    revision=1,
    completed=0,
    missed=0,
    failed=0,
    encryption_key=bytes(32),
    endpoint="https://worker.example",
    signature=bytes(65),
)


def address(number: int) -> str:
    return f"0x{number:040X}"


def settled(worker: int, price: int = 1, model: bytes = bytes(32)) -> JobSettled:
    origin = Origin(1, bytes(32), bytes(32), 0)
    return JobSettled(origin, bytes(32), address(worker), model, price, 0, 0, (), b"")


def registered(worker: int) -> WorkerRegistered:
    return WorkerRegistered(Origin(1, bytes(32), bytes(32), 0), address(worker), "", b"", 1, b"")


class Market:
    """A market with these settlements, the newest first, and registrations, the oldest first."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        settlements: list[JobSettled],
        registrations: list[WorkerRegistered],
        records: dict[str, WorkerRecord],
    ) -> None:
        self.read = self.looked_at = 0
        contract = SimpleNamespace(address="0x", interface=Mock())
        self.chain: Any = SimpleNamespace(market=contract, workers=contract)

        async def newest(*_: Any) -> AsyncIterator[JobSettled]:
            for event in settlements:
                self.read += 1
                yield event

        async def batches(*_: Any) -> AsyncIterator[list[WorkerRegistered]]:
            for event in registrations:
                self.read += 1
                yield [event]

        async def records_of(_: Any, workers: list[str]) -> dict[str, WorkerRecord]:
            self.looked_at += len(workers)
            return {worker: records.get(worker, RECORD) for worker in workers}

        monkeypatch.setattr(catalogue, "newest_of", newest)
        monkeypatch.setattr(catalogue, "batches_of", batches)
        monkeypatch.setattr(catalogue, "records_of", records_of)


async def test_strangers_that_register_or_settle_with_themselves_hide_no_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One settled many jobs; one has a stake and is new; thousands have settled a job with themselves."""
    monkeypatch.setattr(catalogue, "MOST_WORKERS", 50)
    busy, staked = 10**6, 10**6 + 1
    sybils = range(200)
    market = Market(
        monkeypatch,
        [*map(settled, sybils), *[settled(busy)] * 20],
        [*map(registered, sybils), registered(busy), registered(staked)],
        {
            address(busy): replace(RECORD, completed=20),
            address(staked): replace(RECORD, stake=10**18),
            **{address(each): replace(RECORD, completed=1) for each in range(20)},
        },
    )
    found = await list_workers(market.chain)
    assert len(found) == 50
    assert found[0].address == address(busy)
    assert address(staked) in [each.address for each in found]


async def test_what_is_read_and_looked_at_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MOST_WORKERS", 10)
    monkeypatch.setattr(catalogue, "MOST_SETTLED", 100)
    monkeypatch.setattr(catalogue, "MOST_REGISTERED", 30)
    market = Market(
        monkeypatch, [settled(each) for each in range(5000)], [registered(each) for each in range(5000)], {}
    )
    assert len(await list_workers(market.chain)) == 10
    assert market.read <= 130
    assert market.looked_at <= 40


class Logs:
    """A node with a log in every tenth block of a million, that answers at most so many blocks at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.requests = 0
        self.largest = 0

    async def block_number(self) -> int:
        return 1_000_000

    async def logs(self, first: int, last: int, *_: Any) -> list[int]:
        self.requests += 1
        if last - first + 1 > self.most:
            raise RpcError("eth_getLogs", -32005, "query returned more than 10000 results")
        self.largest = max(self.largest, last - first + 1)
        return [block for block in range(first, last + 1) if block % 10 == 0]


@pytest.mark.parametrize("most", [7, 2_000, 10**7])
async def test_the_newest_events_come_first_and_no_more_are_read_than_wanted(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    node = Logs(most)
    monkeypatch.setattr(history, "Rpc", Logs)
    chain: Any = SimpleNamespace(node=node, deployment=SimpleNamespace(block=0), decode=list)
    seen: list[Any] = []
    async for batch in history.batches_of(chain, "0x", newest_first=True):
        seen += reversed(batch)
        if len(seen) >= 100:
            break
    assert seen == list(range(1_000_000, 1_000_000 - 10 * len(seen), -10))
    assert len(seen) <= 100 + history.FIRST_SPAN
    assert node.largest <= history.FIRST_SPAN


@pytest.mark.parametrize("most", [2_000, 10**7])
async def test_from_the_first_block_on_every_event_comes_once(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    node = Logs(most)
    monkeypatch.setattr(history, "Rpc", Logs)
    for newest_first in (False, True):
        chain: Any = SimpleNamespace(node=node, deployment=SimpleNamespace(block=0), decode=list)
        batches = [each async for each in history.batches_of(chain, "0x", newest_first=newest_first)]
        found: list[Any] = [
            block for batch in (reversed(batches) if newest_first else batches) for block in batch
        ]
        assert found == list(range(0, 1_000_001, 10))


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("data_price", [0, 10**12])
async def test_a_suggested_price_pays_a_rollups_data_fees_and_every_slice(
    monkeypatch: pytest.MonkeyPatch, slices: int, data_price: int
) -> None:
    """What workers price is what a requester is told."""
    gas_price = 10**9

    async def none(*_: Any) -> AsyncIterator[JobSettled]:
        return
        yield

    head = SimpleNamespace(
        gas_price=AsyncMock(return_value=gas_price), data_price=AsyncMock(return_value=data_price)
    )
    chain: Any = SimpleNamespace(
        market=SimpleNamespace(address="0x"),
        head=AsyncMock(return_value=head),
        models=SimpleNamespace(verifying_key_of=AsyncMock(return_value=b"key")),
    )
    monkeypatch.setattr(catalogue, "newest_of", none)
    monkeypatch.setattr(catalogue, "check_model_id", Mock())
    monkeypatch.setattr(catalogue, "shapes_of", lambda _: [KeyShape(4, True, False)] * slices)
    model: Any = SimpleNamespace(spec=SimpleNamespace(n_in=1, n_out=2))
    hint = await price_hint(chain, bytes(32), model)
    assert hint.gas == job_gas(4, 0, slices) * gas_price + job_data_fee(4, slices, data_price)
    assert hint.suggested >= 3 * hint.gas
