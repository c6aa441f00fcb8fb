"""Workers that bid nothing and never accept, against a requester that follows its job."""

from __future__ import annotations

import asyncio
from typing import Any

from assay_node.chain import JobState, Outbox
from assay_node.chain.keys import keystore_address
from assay_node.client import JobTerms, standing_bids
from assay_node.client.stake import add_stake
from assay_node.worker import register

ETHER = 10**18
TERMS = JobTerms(
    max_price=ETHER // 50, collateral=ETHER // 20, bid_window=3600, accept_window=3600, prove_window=3600
)


async def sybil(market: Any, index: int) -> Outbox:
    """A worker in name alone: registered, with a stake, and nobody at home."""
    outbox: Outbox = await market.outbox(market.net.accounts[index], f"sybil{index}")
    await register(market.chain, outbox, "https://nobody.example", bytes([index]) * 32)
    await add_stake(market.chain, outbox, ETHER)
    return outbox


async def until(market: Any, job_id: bytes, state: JobState, round_: int) -> Any:
    """The job in a state and round; the test's own time-out is the limit."""
    while (job := await market.chain.market.job_of(job_id)).state is not state or job.round != round_:
        await asyncio.sleep(0.02)
    return job


async def test_after_a_lapse_the_job_goes_to_a_worker_with_a_record(market: Any, digits_mlp: Any) -> None:
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    honest = await market.worker_config(2, digits_mlp)
    address = keystore_address(honest.keystore)
    first, second = await sybil(market, 3), await sybil(market, 4)
    async with market.working(honest):
        before = await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[0], TERMS)
        await market.follow(requester, before.job_id)  # which gives the worker its record

        posted = await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[1], TERMS)
        job_id = posted.job_id
        await first.send("bid", market.chain.market.place_bid(job_id, 0))
        await market.until_all_bid(job_id, honest)
        bids = await standing_bids(market.chain, job_id)
        assert [(bid.worker, bid.leads, bid.proven) for bid in bids] == [
            (first.account.address, True, False),
            (address, False, True),
        ]
        said: list[str] = []

        async def follow() -> list[JobState]:
            return [job.state async for job in requester.follow(job_id, interval=0.05, say=said.append)]

        following = asyncio.create_task(follow())
        await market.pass_time(TERMS.bid_window + 60)
        await until(market, job_id, JobState.AWARDED, 0)  # the first round goes to the lowest bid
        await market.pass_time(TERMS.accept_window + 60)
        job = await until(market, job_id, JobState.OPEN, 1)
        await second.send("bid", market.chain.market.place_bid(job_id, 0))
        await market.until_all_bid(job_id, honest)
        await market.pass_time(job.deadline - (await market.chain.latest()).timestamp - 20)
        states = await following
    assert states[-1] is JobState.SETTLED
    assert any(f"goes to {address}" in line for line in said)
    job = await requester.job(job_id)
    assert (job.worker, job.round) == (address, 1)
    assert job.price > 0


async def test_the_requester_may_choose_any_bid(market: Any, digits_mlp: Any) -> None:
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    posted = await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[0], TERMS)
    assert await standing_bids(market.chain, posted.job_id) == []
    low, high = await sybil(market, 3), await sybil(market, 4)
    await low.send("bid", market.chain.market.place_bid(posted.job_id, 0))
    await high.send("bid", market.chain.market.place_bid(posted.job_id, 1000))
    await requester.award(posted.job_id, high.account.address)
    job = await requester.job(posted.job_id)
    assert (job.state, job.worker, job.price) == (JobState.AWARDED, high.account.address, 1000)
    assert await standing_bids(market.chain, posted.job_id) == []
