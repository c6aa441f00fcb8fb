"""Jobs settle though the node refuses, spoils, delays and repeats answers: a short form of `make bench-node`.

Worker and requester run here, each behind a proxy of its own. Time is scaled by what the code waits for:
clients' time-outs are cut down, stalls are longer still, and bidding ends when the chain's clock is moved.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from assay_node.chain import Chain, ChainError, JobState, Outbox, Rpc
from assay_node.client import AwardPolicy, JobStore, Requester, StoreKey
from assay_node.worker import service
from faults import (
    Busy,
    Duplicated,
    EmptyRewards,
    Fault,
    FaultProxy,
    Html,
    HttpErrors,
    NullResults,
    OthersAnswer,
    RateLimit,
    RemovedLogs,
    Reset,
    Stall,
)
from market import QUICK, TERMS

JOBS = 2
REQUEST_S = 1.5
"""Seconds that a request may take in all, where programs in the field give it ten."""

KINDS: dict[str, list[Fault]] = {
    "30 % 429": [RateLimit(0.3)],
    "30 % HTML": [Html(0.3)],
    "10 % null": [NullResults(0.1)],
    "10 % another's answer": [OthersAnswer(0.1)],
    "5 % stalls": [Stall(0.05, seconds=60.0)],
    "30 % duplicated": [Duplicated(0.3)],
    "10 % cut": [Reset(0.1)],
    "HTTP 400 with errors": [HttpErrors(1.0, status=400)],
    "HTTP 500 with errors": [HttpErrors(1.0, status=500)],
    "30 % -32005": [Busy(0.3)],
    "empty rewards": [EmptyRewards(1.0)],
    "removed logs": [RemovedLogs(1.0)],
    "a mixture": [
        RateLimit(0.05),
        Html(0.05),
        Busy(0.05),
        NullResults(0.05),
        OthersAnswer(0.05),
        Duplicated(0.1),
    ],
}


@pytest.fixture(autouse=True)
def scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs and pauses between attempts, a fifth of what they are."""
    monkeypatch.setattr(Rpc.__init__, "__kwdefaults__", {"timeout": REQUEST_S})
    monkeypatch.setattr(service, "LONGEST_BACKOFF", 0.5)
    monkeypatch.setattr("assay_node.chain.node.endpoint.LONGEST_RETRY_AFTER", 0.1)
    monkeypatch.setattr("assay_node.chain.node.rpc.LEAST_HEDGE", 0.2)
    monkeypatch.setattr("assay_node.chain.node.rpc.MOST_HEDGE", 0.4)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_job_settles_under(market: Any, bc_mlp: Any, kind: str) -> None:
    model_id = await market.publish(bc_mlp)
    config = await market.worker_config(2, bc_mlp, prover_table_mb=0)
    async with AsyncExitStack() as stack:
        proxies = [
            await stack.enter_async_context(FaultProxy(market.net.url, faults=KINDS[kind], seed=seed))
            for seed in range(2)
        ]
        await stack.enter_async_context(market.working(config.model_copy(update={"rpc_url": proxies[0].url})))
        requester = await _requester(market, proxies[1].url, stack)
        job_ids = [await _post(requester, bc_mlp, model_id, row) for row in range(JOBS)]
        await asyncio.gather(
            market.end_bidding(*job_ids), *(_follow(requester, job_id) for job_id in job_ids)
        )
    states = [(await market.chain.market.job_of(job_id)).state for job_id in job_ids]
    assert states == [JobState.SETTLED] * JOBS
    assert all(proxy.posts > 5 for proxy in proxies)


async def _requester(market: Any, url: str, stack: AsyncExitStack) -> Requester:
    account = market.net.accounts[1]
    folder = market.folder / "requester"
    node = await stack.enter_async_context(Rpc(url, timeout=REQUEST_S))
    while True:
        try:
            chain = await Chain.connect(node, market.chain.deployment)
            outbox = await Outbox.open(node, account, folder / "outbox.sqlite", config=QUICK)
        except ChainError:
            continue  # as its user would
        await stack.enter_async_context(outbox)
        store = stack.enter_context(JobStore(folder / "jobs.sqlite"))
        return Requester(
            chain,
            outbox,
            store,
            StoreKey(bytes(account.key)),
            policy=AwardPolicy(anybody=True),
            allow_local=True,
        )


async def _post(requester: Requester, model: Any, model_id: bytes, row: int) -> bytes:
    """A job, by a requester that looks for a posting it did not hear back of before it tries again."""
    while True:
        try:
            return (await requester.submit(model.bundle, model_id, model.x[row], TERMS)).job_id
        except ChainError:
            found = await _recovered(requester)
            if found is not None:
                return found


async def _recovered(requester: Requester) -> bytes | None:
    while True:
        try:
            return next((record.job_id for record in await requester.recover()), None)
        except ChainError:
            continue


async def _follow(requester: Requester, job_id: bytes) -> None:
    """A job to its end, by a requester who takes it up again whenever following ends."""
    while True:
        try:
            async for _ in requester.follow(job_id, interval=0.05):
                pass
        except ChainError:
            continue
        return
