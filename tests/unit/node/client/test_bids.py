"""Whose bid to take where the lowest can't be relied upon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from assay_node.chain import BidPlaced, WorkerRecord
from assay_node.chain.contracts.events import Origin
from assay_node.client import bids
from assay_node.client.bids import FEW, MOST, StandingBid, choice, standing_bids
from assay_node.client.policy import RecordRule


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


class Crowd:
    """A job that many workers bid on.

    Args:
        events: its logs.
        honest: workers with a record; the others have settled nothing.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, events: list[BidPlaced], *honest: str) -> None:
        self.looked_at = 0
        self.chain: Any = SimpleNamespace(
            market=SimpleNamespace(
                best_bid=AsyncMock(return_value=(events[0].worker, 0)),
                job_of=AsyncMock(return_value=SimpleNamespace(round=0)),
            )
        )
        stranger, proven = bid(0, 0, 0).record, bid(0, 30, 0).record

        async def records(_: Any, workers: list[str]) -> dict[str, WorkerRecord]:
            self.looked_at += len(workers)
            return {worker: proven if worker in honest else stranger for worker in workers}

        async def logs(*_: Any) -> AsyncIterator[BidPlaced]:
            for event in events:
                yield event

        monkeypatch.setattr(bids, "events_of_job", logs)
        monkeypatch.setattr(bids, "records_of", records)


async def test_a_crowd_of_strangers_hides_no_worker_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs its sender a transaction; with enough of them a job would end without an acceptable bid."""
    events = [bid_placed(price) for price in range(MOST + 50)] + [bid_placed(10**9)]
    named = events[-1].worker
    chain = Crowd(monkeypatch, events).chain
    assert named not in [each.worker for each in await standing_bids(chain, bytes(32))]
    found = await standing_bids(chain, bytes(32), named={named.lower()})
    assert (len(found), found[-1].worker) == (MOST, named)
    assert found == sorted(found, key=lambda each: each.price)


async def test_a_crowd_of_strangers_hides_no_bid_that_the_requester_would_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With --min-settled nobody is named: all bids are gone through, the lowest first."""
    rule = RecordRule(min_stake=10**17, min_settled=10)
    events = [bid_placed(price) for price in range(10 * MOST)] + [bid_placed(10**9)]
    honest = events[-1].worker
    crowd = Crowd(monkeypatch, events, honest)
    found = await standing_bids(crowd.chain, bytes(32), wanted=lambda each: not rule.refusal(each.record))
    assert found[-1].worker == honest
    assert [each.worker for each in found if not rule.refusal(each.record)] == [honest]
    assert len(found) == FEW + 1, "of those that nobody wants a few are given, to say why"
    assert crowd.looked_at == len(events)


async def test_no_more_bids_are_looked_at_than_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [bid_placed(price) for price in range(5 * MOST)]
    crowd = Crowd(monkeypatch, events)
    assert len(await standing_bids(crowd.chain, bytes(32), wanted=lambda _: True)) == MOST
    assert crowd.looked_at == MOST


async def test_bids_without_end_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many the highest are let go, of a worker's own all but its last; those named stay."""
    monkeypatch.setattr(bids, "MOST_LOOKED_AT", 100)
    named = bid_placed(10**9)
    events = [named, *(bid_placed(price) for price in reversed(range(1000)))]
    events += [replace(bid_placed(7), price=price) for price in range(7)]
    crowd = Crowd(monkeypatch, events)
    prices = await bids._prices(crowd.chain, bytes(32), {named.worker.lower()})
    assert len(prices[0]) < 200
    assert named.worker in prices[0]
    assert prices[0][bid_placed(7).worker] == 6
    assert set(range(8, 100)) <= set(prices[0].values())


def bid_placed(price: int) -> BidPlaced:
    origin = Origin(1, bytes(32), bytes(32), price)
    return BidPlaced(origin, bytes(32), f"0x{price:040X}", 0, price, price == 0)
