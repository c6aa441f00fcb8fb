"""Whose bid to take where the lowest can't be relied upon."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from assay_node.chain import BidPlaced, WorkerRecord
from assay_node.chain.contracts.events import Origin
from assay_node.client import bids
from assay_node.client.bids import MOST, StandingBid, choice, standing_bids


def bid(price: int, completed: int, missed: int, *, leads: bool = False) -> StandingBid:
    record = WorkerRecord(
        registered=True,
        stake=10**18,
        reserved=0,
        leaving=0,
        leaves_at=0,
        revision=1,
        completed=completed,
        missed=missed,
        failed=0,
        encryption_key=bytes(32),
        endpoint="https://worker.example",
        signature=bytes(65),
    )
    return StandingBid(f"0x{price:040x}", price, leads, record)


def test_the_lowest_of_those_that_keep_their_awards_is_chosen() -> None:
    unknown, missing = bid(0, 0, 0, leads=True), bid(1, 2, 3)
    steady, dearer = bid(5, 9, 1), bid(6, 20, 0)
    assert choice([unknown, missing, steady, dearer]) == steady


def test_nobody_is_chosen_where_nobody_has_a_record_or_the_leader_has_one() -> None:
    assert choice([]) is None
    assert choice([bid(0, 0, 0, leads=True), bid(1, 0, 1)]) is None
    assert choice([bid(3, 1, 0, leads=True), bid(4, 9, 0)]) is None


async def test_a_crowd_of_strangers_hides_no_worker_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs its sender a transaction; with enough of them a job would end without an acceptable bid."""
    events = [bid_placed(price) for price in range(MOST + 50)] + [bid_placed(10**9)]
    named = events[-1].worker
    market = SimpleNamespace(
        best_bid=AsyncMock(return_value=(events[0].worker, 0)),
        job_of=AsyncMock(return_value=SimpleNamespace(round=0)),
    )
    record = bid(0, 0, 0).record

    async def records(_: Any, workers: list[str]) -> dict[str, WorkerRecord]:
        return dict.fromkeys(workers, record)

    monkeypatch.setattr(bids, "job_events", AsyncMock(return_value=events))
    monkeypatch.setattr(bids, "records_of", records)
    chain: Any = SimpleNamespace(market=market)
    assert named not in [each.worker for each in await standing_bids(chain, bytes(32))]
    found = await standing_bids(chain, bytes(32), named={named.lower()})
    assert (len(found), found[-1].worker) == (MOST, named)
    assert found == sorted(found, key=lambda each: each.price)


def bid_placed(price: int) -> BidPlaced:
    origin = Origin(1, bytes(32), bytes(32), price)
    return BidPlaced(origin, bytes(32), f"0x{price:040X}", 0, price, price == 0)
