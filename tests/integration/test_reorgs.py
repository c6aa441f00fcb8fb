"""Re-orgs that drop transactions while jobs go their way: a short form of `make bench-node ARGS=reorgs`."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from typing import Any

from assay_node.chain import Chain, FinalityPolicy, JobState, Outbox, Rpc
from assay_node.client import AwardPolicy, JobStore, Requester, StoreKey
from assay_node.errors import AssayError
from market import QUICK, TERMS

JOBS = 4
DEPTHS = (1, 3, 2, 5, 4)
FINALITY = FinalityPolicy(confirmations=0, final_after=8)
REORGS = 20


async def test_no_job_is_lost_though_blocks_and_what_was_in_them_vanish(market: Any, bc_mlp: Any) -> None:
    model_id = await market.publish(bc_mlp)
    config = await market.worker_config(2, bc_mlp, prover_table_mb=0, max_jobs=20, finality=FINALITY)
    account = market.net.accounts[1]
    await market.net.rpc("anvil_mine", 10)  # no re-org is to undo what was prepared
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(market.working(config))
        node = await stack.enter_async_context(Rpc(market.net.url))
        chain = await Chain.connect(node, market.chain.deployment, finality=FINALITY)
        path = market.folder / "requester" / "outbox.sqlite"
        outbox = await stack.enter_async_context(
            await Outbox.open(node, account, path, config=QUICK, finality=FINALITY)
        )
        store = stack.enter_context(JobStore(market.folder / "requester" / "jobs.sqlite"))
        requester = Requester(
            chain,
            outbox,
            store,
            StoreKey(bytes(account.key)),
            policy=AwardPolicy(anybody=True),
            allow_local=True,
        )
        posted = [
            (await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[row], TERMS)).job_id
            for row in range(JOBS)
        ]
        following = asyncio.gather(*(_follow(requester, job_id) for job_id in posted))
        reorgs = await _shake(market, posted)
        await following
    assert reorgs == REORGS
    states = [(await market.chain.market.job_of(job_id)).state for job_id in posted]
    assert states == [JobState.SETTLED] * JOBS
    record = await market.chain.workers.worker_of(market.net.accounts[2].address)
    assert record.failed == 0


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
        if left and all(job.state is JobState.OPEN and int(job.worker, 16) for job in left):
            # A bid that vanishes after the bidding is too late, and so is an award after a second jump of the
            # clock: bids are buried first, and time passes for all jobs at once.
            if all(now <= job.deadline for job in left):
                await market.net.rpc("anvil_mine", max(DEPTHS) + 1)
                await market.pass_time(max(job.deadline for job in left) - now + 1)
        elif done < REORGS:
            await market.net.rpc("assay_reorg", next(depths), {"transactions": "drop"})
            done += 1
        await asyncio.sleep(0.3)


async def _follow(requester: Requester, job_id: bytes) -> None:
    while True:
        try:
            async for _ in requester.follow(job_id, interval=0.05):
                pass
        except AssayError:
            await asyncio.sleep(0.1)
        else:
            if (await requester.chain.market.job_of(job_id)).state.final:
                return
