"""What an operator's money is lost by in the small hours: dear gas, a second sender, a full disk."""

from __future__ import annotations

import itertools
import resource
from typing import Any

from eth_account import Account

from assay_node.chain import Call, DatabaseFailed, FeePolicy, JobState, Outbox
from assay_node.chain.database import Database
from assay_node.chain.node.fees import GWEI

ETHER = 10**18


def trouble(worker: Any, posted: Any) -> str:
    """What the worker last said against a job."""
    job = worker._manager.jobs.get(posted.job_id)
    return "" if job is None else job.progress.trouble


async def test_a_proof_that_is_nearly_late_may_cost_more_than_the_cap(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(
            1,
            public_bundle,
            fees=FeePolicy(max_fee_cap=50 * GWEI),
            rescue_seconds=100,
            max_collateral=ETHER // 2,
        )
        worker = await hand.start()
        executor = worker._manager.executor
        honest = executor._done

        async def gas_gets_dear(job_id: bytes, outcome: Any) -> None:
            await place.pass_time(575)  # to the end of the window to accept
            await place.until(posted, JobState.ACCEPTED)
            await place.rpc("hardhat_setNextBlockBaseFeePerGas", hex(400 * GWEI))
            await place.rpc("evm_mine")
            await honest(job_id, outcome)

        executor._done = gas_gets_dear
        posted = await place.post(
            public_bundle, model, samples[0], collateral=ETHER // 2, accept_window=600, prove_window=600
        )
        await place.award(posted, hand)
        while "above the cap" not in trouble(worker, posted):
            await place.a_moment()
        job = await place.chain.market.job_of(posted.job_id)
        assert job.state is JobState.ACCEPTED
        latest = await place.chain.latest()
        await place.pass_time(job.deadline - latest.timestamp - 60)
        assert (await place.until(posted, JobState.SETTLED, JobState.EXPIRED)).state is JobState.SETTLED
        assert (await place.chain.latest()).base_fee > 50 * GWEI
        record = await place.chain.workers.worker_of(hand.address)
        assert (record.completed, record.failed, record.reserved) == (1, 0, 0)


async def test_no_bids_while_a_copy_of_the_key_sends_too(marketplace, public_bundle, samples, tmp_path):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        copy = Account.from_key(bytes([1 + 1]) * 32)
        assert copy.address == hand.address
        async with await Outbox.open(place.node, copy, tmp_path / "elsewhere" / "outbox.sqlite") as other:
            await other.send("from elsewhere", Call(copy.address, b""))
        posted = await place.post(public_bundle, model, samples[0])
        while "another program sends with" not in trouble(worker, posted):
            await place.a_moment()
        assert (await place.chain.market.best_bid(posted.job_id))[1] == 0
        healthy, details = worker._report_health()
        assert not healthy
        assert "another program sends with" in details["reasons"][0]
        worker._manager.outbox._watch._until = 0.0  # long ago
        await place.award(posted, hand)
        await place.until(posted, JobState.SETTLED)


async def test_a_disk_that_fills_at_any_write_costs_neither_proof_nor_collateral(
    marketplace, public_bundle, samples, monkeypatch
):
    """Full after one write, after two and so on, each time with a start anew: paid once in the end."""
    left: int | None = None
    honest = Database._run

    def filling(self: Database, *arguments: Any) -> Any:
        nonlocal left
        if left is None or self.path == ":memory:":
            return honest(self, *arguments)
        left -= 1
        if left >= 0:
            return honest(self, *arguments)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # what SQLite meets is a disk without room
        try:
            return honest(self, *arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    async with marketplace() as place:
        model = await place.publish(public_bundle, royalty_bps=1000)
        hand = await place.hire(1, public_bundle)
        posted = await place.post(public_bundle, model, samples[0], collateral=ETHER // 10)
        monkeypatch.setattr(Database, "_run", filling)
        ends = 0
        for allowed in itertools.count(1, 2):
            left = allowed
            try:
                await hand.start()
                while (job := await place.chain.market.job_of(posted.job_id)).state is not JobState.SETTLED:
                    assert not job.state.final
                    if job.state is JobState.OPEN and job.worker == hand.address:
                        await place.award(posted, hand)
                    await place.a_moment()
                break
            except DatabaseFailed:
                ends += 1
                await hand.kill()
        assert ends > 5
        left = None
        record = await place.chain.workers.worker_of(hand.address)
        assert (record.completed, record.failed, record.missed, record.reserved) == (1, 0, 0, 0)
        assert await place.chain.vault.balance_of(hand.address) == job.price - job.price // 10
