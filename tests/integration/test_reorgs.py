"""Re-orgs that drop transactions while jobs go their way: a short form of `make bench-node ARGS=reorgs`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from nacl.public import PrivateKey

from assay_node.chain import Chain, FinalityPolicy, Job, JobState, Outbox, Rpc, TransactionFailed
from assay_node.client import AwardPolicy, JobStore, Requester, StoreKey, following
from assay_node.client.stake import add_stake
from assay_node.errors import AssayError
from assay_node.worker import register
from market import ETHER, QUICK, TERMS

JOBS = 4
DEPTHS = (1, 3, 2, 5, 4)
FINALITY = FinalityPolicy(confirmations=0, final_after=8)
REORGS = 20
SET_BACK = 3
"""Seconds that the clock loses with each re-org, as the replacing blocks may be older than the replaced."""
LATER = TERMS.bid_window + 10
UNDELIVERED = FinalityPolicy(confirmations=100, final_after=100)
"""With which no award is deep enough for the input to be delivered."""


async def test_no_job_is_lost_though_blocks_and_what_was_in_them_vanish(market: Any, bc_mlp: Any) -> None:
    model_id = await market.publish(bc_mlp)
    config = await market.worker_config(2, bc_mlp, prover_table_mb=0, max_jobs=20, finality=FINALITY)
    await market.net.rpc("anvil_mine", 10)  # no re-org is to undo what was prepared
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(market.working(config))
        requester = await _requester(market, stack, FINALITY)
        posted = [
            (await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[row], TERMS)).job_id
            for row in range(JOBS)
        ]
        over = asyncio.Event()
        followed = asyncio.gather(*(_follow(requester, job_id, over) for job_id in posted))
        reorgs = await _shake(market, posted)
        over.set()
        await followed
    assert reorgs == REORGS
    states = [(await market.chain.market.job_of(job_id)).state for job_id in posted]
    assert states == [JobState.SETTLED] * JOBS
    record = await market.chain.workers.worker_of(market.net.accounts[2].address)
    assert record.failed == 0


async def test_an_award_that_a_reorg_moves_before_its_time_is_made_again(
    market: Any, digits_mlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of a re-org may be older than those they replace: what was due is not, and reverts."""
    monkeypatch.setattr(following, "HOUSEKEEPING", 0.1)
    model_id = await market.publish(digits_mlp)
    bidder = await _bidder(market)
    async with AsyncExitStack() as stack:
        requester = await _requester(market, stack, UNDELIVERED)
        job_id = (await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[0], TERMS)).job_id
        await bidder.send("bid", market.chain.market.place_bid(job_id, 1))
        await market.net.rpc("anvil_mine", 10)
        async with _followed(requester, job_id):
            await _award_is_due(market, job_id)
            await market.net.rpc("assay_reorg", 2, {"transactions": "drop", "setBack": LATER})
            await _until_reverted(requester)
            assert (await requester.job(job_id)).state is JobState.OPEN
            await _award_is_due(market, job_id)


async def test_an_award_that_a_reorg_puts_before_its_bid_is_made_again_and_the_job_not_cancelled(
    market: Any, bc_mlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "HOUSEKEEPING", 0.1)
    model_id = await market.publish(bc_mlp)
    bidder = await _bidder(market)
    async with AsyncExitStack() as stack:
        requester = await _requester(market, stack, UNDELIVERED)
        job_id = (await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)).job_id
        await market.net.rpc("anvil_mine", 10)
        await bidder.send("bid", market.chain.market.place_bid(job_id, 1))
        async with _followed(requester, job_id):
            await _award_is_due(market, job_id)
            await market.net.rpc("assay_reorg", 3, {"transactions": "drop", "setBack": LATER})
            await _until_reverted(requester)
            while not (await market.chain.market.bid_of(job_id, bidder.account.address)).standing:
                await bidder.step()
            await _award_is_due(market, job_id)


async def test_a_bid_whose_awards_keep_failing_is_given_up(
    market: Any, bc_mlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that can make awards to it revert must not have its requester pay for them without end."""
    model_id = await market.publish(bc_mlp)
    bidder = await _bidder(market)
    async with AsyncExitStack() as stack:
        requester = await _requester(market, stack, UNDELIVERED)
        job_id = (await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)).job_id
        await bidder.send("bid", market.chain.market.place_bid(job_id, 1))
        await market.pass_time(LATER)
        failed = []

        async def award(_: bytes, worker: str) -> None:
            failed.append(worker)
            raise TransactionFailed("the transaction to award was mined and reverted")

        monkeypatch.setattr(requester, "award", award)
        states = [job.state async for job in requester.follow(job_id, interval=0.02)]
    assert states[-1] is JobState.CANCELLED
    assert failed == [bidder.account.address] * following.MOST_FAILED_AWARDS


async def test_refusals_with_calm_between_them_do_not_end_the_following(
    market: Any, bc_mlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PATIENCE_WITH_REFUSALS", 0.05)
    steps = []

    async def step(_: following.JobFollower, job: Job) -> str:
        steps.append(job)
        if len(steps) % 2:
            raise TransactionFailed("the transaction was mined and reverted")
        return ""

    monkeypatch.setattr(following.JobFollower, "_step", step)
    model_id = await market.publish(bc_mlp)
    async with AsyncExitStack() as stack:
        requester = await _requester(market, stack, FINALITY)
        job_id = (await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)).job_id
        async with _followed(requester, job_id, interval=0.06):
            while len(steps) < 8:
                await asyncio.sleep(0.02)


async def _requester(market: Any, stack: AsyncExitStack, finality: FinalityPolicy) -> Requester:
    account = market.net.accounts[1]
    node = await stack.enter_async_context(Rpc(market.net.url))
    chain = await Chain.connect(node, market.chain.deployment, finality=finality)
    path = market.folder / "requester" / "outbox.sqlite"
    outbox = await stack.enter_async_context(
        await Outbox.open(node, account, path, config=QUICK, finality=finality)
    )
    store = stack.enter_context(JobStore(market.folder / "requester" / "jobs.sqlite"))
    policy = AwardPolicy(anybody=True)
    return Requester(chain, outbox, store, StoreKey(bytes(account.key)), policy=policy, allow_local=True)


async def _bidder(market: Any) -> Outbox:
    """The outbox of a worker that is registered, has a stake and does nothing by itself."""
    outbox: Outbox = await market.outbox(market.net.accounts[3], "bidder")
    await register(market.chain, outbox, "http://127.0.0.1:1", bytes(PrivateKey.generate().public_key))
    await add_stake(market.chain, outbox, ETHER)
    return outbox


@asynccontextmanager
async def _followed(requester: Requester, job_id: bytes, *, interval: float = 0.05) -> AsyncIterator[None]:
    """The job is followed while the block runs; what ends the following fails the test."""

    async def follow() -> None:
        async for job in requester.follow(job_id, interval=interval):
            assert not job.state.final, job.state

    async with asyncio.TaskGroup() as group:
        task = group.create_task(follow())
        yield
        task.cancel()


async def _award_is_due(market: Any, job_id: bytes) -> None:
    """Move the clock past the bidding, and wait until the job is awarded."""
    await market.pass_time(LATER)
    while (await market.chain.market.job_of(job_id)).state is not JobState.AWARDED:
        await asyncio.sleep(0.02)


async def _until_reverted(requester: Requester) -> None:
    while not any(intent.succeeded is False for intent in requester.outbox.pending()):
        await asyncio.sleep(0.02)


async def _shake(market: Any, posted: list[bytes]) -> int:
    """Drop blocks between the steps of the jobs; end bidding when each has a bid. Gives the re-orgs."""
    depths = itertools.cycle(DEPTHS)
    done = 0
    while True:
        jobs = [await market.chain.market.job_of(job_id) for job_id in posted]
        if all(job.state.final for job in jobs) and done >= REORGS:
            return done
        now = (await market.chain.latest()).timestamp
        left = [job for job in jobs if not job.state.final]
        bidding = [job for job in left if job.state is JobState.OPEN and now <= job.deadline]
        again = max((job.deadline - now + 1 for job in bidding), default=0)
        if left and all(job.state is JobState.OPEN and int(job.worker, 16) for job in left):
            # A bid that vanishes after the bidding is too late, and so is an award after a second jump of the
            # clock: bids are buried first, and time passes for all jobs at once.
            if all(now <= job.deadline for job in left):
                await market.net.rpc("anvil_mine", max(DEPTHS) + 1)
                await market.pass_time(max(job.deadline for job in left) - now + 1)
        elif 0 < again <= SET_BACK * REORGS and all(int(job.worker, 16) for job in bidding):
            await market.pass_time(again)  # the clock was set back to before the end of the bidding
        elif done < REORGS:
            await market.net.rpc("assay_reorg", next(depths), {"transactions": "drop", "setBack": SET_BACK})
            done += 1
        await asyncio.sleep(0.3)


async def _follow(requester: Requester, job_id: bytes, over: asyncio.Event) -> None:
    """Follow a job, and again if a re-org undoes its end, until there are no more re-orgs."""
    while True:
        try:
            async for _ in requester.follow(job_id, interval=0.05):
                pass
        except AssayError:
            await asyncio.sleep(0.1)
        else:
            if over.is_set() and (await requester.chain.market.job_of(job_id)).state.final:
                return
            await asyncio.sleep(0.1)
