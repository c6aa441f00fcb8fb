"""Whose signatures the inbox checks, and what that keeps from going on."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from assay_node.chain import JobState
from assay_node.worker import deliveries as module
from assay_node.worker.deliveries import SIGNATURES_AT_ONCE, Deliveries

JOB = bytes(32)
ME, OTHER, REQUESTER = "0xme", "0xother", "0xrequester"


def deliveries(state: JobState | None, worker: str = OTHER, **progress: Any) -> Deliveries:
    fields = {"own_bid": None, "bids": 0, "ask": 1, **progress}
    view = None if state is None else SimpleNamespace(state=state, worker=worker, own_bid=fields["own_bid"])
    job = SimpleNamespace(
        requester=REQUESTER, progress=SimpleNamespace(view=view, bids=fields["bids"], ask=fields["ask"])
    )
    manager: Any = SimpleNamespace(
        jobs={JOB: job},
        policy=SimpleNamespace(address=ME),
        chain=SimpleNamespace(deployment=SimpleNamespace(chain_id=1, market="0x")),
    )
    return Deliveries(manager, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "fields", "checked"),
    [
        (JobState.AWARDED, {"worker": ME}, True),
        (JobState.ACCEPTED, {"worker": ME}, True),
        (JobState.OPEN, {"own_bid": 5}, True),
        (JobState.OPEN, {"bids": 1}, True),
        (JobState.AWARDED, {"bids": 1, "own_bid": 5}, False),
        (JobState.OPEN, {}, False),
        (JobState.SETTLED, {"worker": ME}, False),
        (None, {}, False),
    ],
)
async def test_a_signature_is_checked_only_for_jobs_this_worker_has_or_bid_on(
    monkeypatch: pytest.MonkeyPatch, state: JobState | None, fields: dict[str, Any], checked: bool
) -> None:
    calls: list[int] = []

    def recover(*_: Any, **__: Any) -> tuple[str, bytes]:
        calls.append(threading.get_ident())
        return REQUESTER, b"hash"

    monkeypatch.setattr(module, "delivery_signer", recover)
    found = await deliveries(state, **fields).is_from_requester(JOB, {})
    assert found == (b"hash" if checked else None)
    assert len(calls) == checked
    assert threading.get_ident() not in calls  # never on the event loop


async def test_of_many_signatures_few_are_checked_at_once_and_the_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, most, lock, go = 0, 0, threading.Lock(), threading.Event()

    def recover(*_: Any, **__: Any) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        go.wait(10)
        with lock:
            running -= 1

    monkeypatch.setattr(module, "delivery_signer", recover)
    counter = deliveries(JobState.AWARDED, ME)
    checks = [asyncio.create_task(counter.is_from_requester(JOB, {})) for _ in range(20)]
    while running < SIGNATURES_AT_ONCE:
        await asyncio.sleep(0.01)
    go.set()
    assert await asyncio.gather(*checks) == [None] * 20
    assert most == SIGNATURES_AT_ONCE
