"""What a node says of a job is held against what the job's id is a hash of, and against its block's time."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from eth_utils.crypto import keccak

from assay_node.chain import ZERO_ADDRESS, Job, JobRequest, JobState
from assay_node.worker.lifecycle.progress import JobProgress
from assay_node.worker.store import StoredJob
from assay_node.worker.terms import contradiction

NOW = 1_800_000_000
WINDOWS = {JobState.OPEN: 60, JobState.AWARDED: 300, JobState.ACCEPTED: 3600}
REQUESTER = "0x" + "11" * 20
REQUEST = JobRequest(
    model_id=bytes(32),
    max_price=100,
    min_stake=5,
    collateral=5,
    bid_window=60,
    accept_window=300,
    prove_window=3600,
)
POSTED = StoredJob(bytes(32), bytes(32), REQUESTER, 1, REQUEST, (7,), JobProgress(), None)
STORED = Job(
    model_id=bytes(32),
    input_hash=bytes(keccak((7).to_bytes(32, "big"))),
    requester=REQUESTER,
    state=JobState.OPEN,
    round=0,
    callback_gas=REQUEST.callback_gas,
    bid_window=60,
    requester_awards=REQUEST.requester_awards,
    rounds=REQUEST.rounds,
    worker=ZERO_ADDRESS,
    accept_window=300,
    prove_window=3600,
    callback=REQUEST.callback,
    deadline=NOW,
    max_price=100,
    price=0,
    min_stake=5,
    collateral=5,
)


@pytest.mark.parametrize("state", WINDOWS)
def test_no_deadline_lies_beyond_its_window(state: JobState) -> None:
    latest = NOW + WINDOWS[state]
    assert contradiction(POSTED, replace(STORED, state=state, deadline=latest), NOW) == ""
    found = contradiction(POSTED, replace(STORED, state=state, deadline=latest + 1), NOW)
    assert "later than its window allows" in found


@pytest.mark.parametrize("state", [state for state in JobState if state.final])
def test_the_deadline_of_a_job_that_is_over_says_nothing(state: JobState) -> None:
    assert contradiction(POSTED, replace(STORED, state=state, deadline=1 << 62), NOW) == ""


def test_a_job_that_a_reorg_took_away_contradicts_nothing() -> None:
    assert contradiction(POSTED, replace(STORED, state=JobState.NONE, max_price=1), NOW) == ""


def changed(value: Any) -> Any:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case _:
            return "0x" + "22" * 20


@pytest.mark.parametrize(
    "name",
    [f.name for f in fields(Job) if f.name not in {"state", "round", "worker", "deadline", "price"}],
)
def test_a_stored_job_that_is_not_the_posted_one_is_refused(name: str) -> None:
    assert contradiction(POSTED, STORED, NOW) == ""
    found = contradiction(POSTED, replace(STORED, **{name: changed(getattr(STORED, name))}), NOW)
    assert "its id was made with" in found


@pytest.mark.parametrize("name", ["price", "round"])
def test_a_price_or_round_beyond_its_bound_is_refused(name: str) -> None:
    bound = {"price": STORED.max_price, "round": STORED.rounds - 1}[name]
    within: Any = {name: bound}
    beyond: Any = {name: bound + 1}
    assert contradiction(POSTED, replace(STORED, **within), NOW) == ""
    assert "beyond its own bound" in contradiction(POSTED, replace(STORED, **beyond), NOW)
