"""Whose bid to take where the lowest can't be relied upon."""

from __future__ import annotations

from assay_node.chain import WorkerRecord
from assay_node.client.bids import StandingBid, choice


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
