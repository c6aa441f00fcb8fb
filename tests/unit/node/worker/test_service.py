"""The worker on a real market: real proofs, a real verifier, money that moves."""

from __future__ import annotations

import aiohttp

from assay_node.chain import (
    JobSettled,
    JobState,
    ModelSpec,
)
from assay_node.worker import WorkerStore
from assay_prover import Bundle

ETHER = 10**18


async def settled_events(place, posted):
    return [
        event
        for event in await place.chain.events()
        if isinstance(event, JobSettled) and event.job_id == posted.job_id
    ]


async def test_private_job_from_bid_to_payout(marketplace, private_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(private_bundle, royalty_bps=1000)
        payout = "0x" + "Ab" * 20
        hand = await place.hire(1, private_bundle, payout=payout, withdraw_above=1)
        await hand.start()
        posted = await place.post(private_bundle, model, samples[0], collateral=ETHER // 10)
        await place.award(posted, hand)
        assert (await place.deliver(posted, hand))[0] == 200
        job = await place.until(posted, JobState.SETTLED)
        assert job.worker == hand.address
        (event,) = await settled_events(place, posted)
        decoded = posted.bundle.decode_output(list(event.output_words), salt=posted.salt)
        graph = posted.bundle.graph
        reference = graph.run(posted.integers.reshape(1, *graph.input.shape))[graph.output]
        assert decoded.integers.ravel().tolist() == reference.ravel().tolist()
        record = await place.chain.workers.worker_of(hand.address)
        assert (record.completed, record.reserved, record.stake) == (1, 0, ETHER)
        expected = event.price - event.royalty
        while await place.node.balance(payout) != expected:
            await place.a_moment()


async def test_public_job_needs_no_inbox(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        await hand.start()
        posted = await place.post(public_bundle, model, samples[3])
        await place.award(posted, hand)
        assert (await place.deliver(posted, hand, b"x"))[0] in (404, 409)  # 404 once it is over
        await place.until(posted, JobState.SETTLED)


async def test_two_workers_compete_and_one_is_paid(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hands = [await place.hire(index, public_bundle) for index in (1, 2)]
        for hand in hands:
            await hand.start()
        posted = await place.post(public_bundle, model, samples[1])
        while not all(
            [(await place.chain.market.bid_of(posted.job_id, hand.address)).standing for hand in hands]
        ):
            await place.a_moment()
        await place.pass_time(601)  # the leader awards itself
        job = await place.until(posted, JobState.SETTLED)
        paid = [await place.chain.vault.balance_of(hand.address) for hand in hands]
        assert sorted(paid) == [0, job.price]


async def test_inbox_takes_nothing_but_the_jobs_own_input(marketplace, private_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(private_bundle)
        hand = await place.hire(1, private_bundle, max_input_bytes=4096)
        await hand.start()
        posted = await place.post(private_bundle, model, samples[0])
        other = await place.post(private_bundle, model, samples[1])
        await place.award(posted, hand)
        good = place.sealed(posted, hand)
        for body, status in (
            (good[:-1] + bytes([good[-1] ^ 1]), 422),
            (b"", 422),
            (place.sealed(posted, hand, salt=hex(1)), 422),
            (place.sealed(posted, hand, salt="12"), 422),
            (place.sealed(posted, hand, shape=[29]), 422),
            (place.sealed(posted, hand, shape=[3, 10]), 422),
            (place.sealed(posted, hand, shape=[-30]), 422),
            (place.sealed(posted, hand, shape=[True] * 3), 422),
            (place.sealed(posted, hand, v=2), 422),
            (place.sealed(posted, hand, input="!!"), 422),
            (place.sealed(posted, hand, extra=1), 422),
            (place.sealed(other, hand), 422),
            (bytes(5000), 413),
        ):
            assert (await place.deliver(posted, hand, body))[0] == status
        assert (await place.chain.market.job_of(posted.job_id)).state is JobState.AWARDED
        posted_elsewhere = type(posted)(
            b"\x05" * 32, posted.bundle, posted.integers, posted.salt, posted.words
        )
        assert (await place.deliver(posted_elsewhere, hand))[0] == 404
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{hand.worker.endpoint}/v1/jobs/0x{posted.job_id.hex()}/input", json={}
            ) as response,
        ):
            assert response.status == 415
        assert (await place.deliver(posted, hand))[0] == 200
        assert (await place.deliver(posted, hand, b"anything: it has the input"))[0] == 200
        await place.until(posted, JobState.SETTLED)


async def test_input_before_the_award_is_refused(marketplace, private_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(private_bundle)
        hand = await place.hire(1, private_bundle)
        await hand.start()
        posted = await place.post(private_bundle, model, samples[0])
        while (await place.chain.market.best_bid(posted.job_id))[0] != hand.address:
            await place.a_moment()
        assert (await place.deliver(posted, hand))[0] == 409


async def test_sealed_input_stays_sealed_on_disk_and_is_deleted_at_the_end(
    marketplace, private_bundle, samples
):
    async with marketplace() as place:
        model = await place.publish(private_bundle)
        hand = await place.hire(1, private_bundle)
        await hand.start()
        posted = await place.post(private_bundle, model, samples[0])
        await place.award(posted, hand)
        await place.deliver(posted, hand)
        await place.until(posted, JobState.SETTLED)
        await place.rpc("evm_mine")
        await place.rpc("evm_mine")
        path = hand.config.state_dir / "worker.sqlite"
        while hand.worker._manager.jobs:
            await place.a_moment()
        await hand.stop()
        for file in path.parent.iterdir():
            assert hex(posted.salt)[2:].encode() not in file.read_bytes()
        store = WorkerStore(path)
        assert store.input_of(posted.job_id) is None
        store.close()


async def test_killed_again_and_again_it_is_still_paid_once(marketplace, private_bundle, samples):
    """The worker dies whenever its job's stored state has changed: no step is skipped, none happens twice."""
    async with marketplace() as place:
        model = await place.publish(private_bundle)
        hand = await place.hire(1, private_bundle)
        posted = await place.post(private_bundle, model, samples[0], collateral=ETHER // 10)
        deaths = 0
        delivered = False
        while (await place.chain.market.job_of(posted.job_id)).state is not JobState.SETTLED:
            worker = await hand.start()
            seen, changes = None, 0
            for _ in range(200):
                manager = worker._manager
                progress = manager.jobs[posted.job_id].progress if posted.job_id in manager.jobs else None
                job = await place.chain.market.job_of(posted.job_id)
                if job.state is JobState.OPEN and job.worker == hand.address:
                    await place.award(posted, hand)
                    break
                if job.state is JobState.AWARDED and not delivered:
                    status, _ = await place.deliver(posted, hand)
                    delivered = status == 200
                    break
                changes += seen is not None and progress != seen
                seen = progress
                # Ever later, or the test would kill it at the same point for ever.
                if job.state is JobState.SETTLED or changes > deaths:
                    break
                await place.a_moment()
            await hand.kill()
            deaths += 1
        assert deaths >= 3
        await hand.start()
        await place.rpc("evm_mine")
        (event,) = await settled_events(place, posted)
        assert await place.chain.vault.balance_of(hand.address) == event.price
        record = await place.chain.workers.worker_of(hand.address)
        assert (record.completed, record.failed, record.missed, record.reserved) == (1, 0, 0, 0)


async def test_reorg_over_the_settlement_is_settled_again(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        await hand.start()
        posted = await place.post(public_bundle, model, samples[0])
        await place.award(posted, hand)
        snapshot = await place.rpc("evm_snapshot")
        await place.until(posted, JobState.SETTLED)
        await place.rpc("evm_revert", snapshot)
        assert (await place.chain.market.job_of(posted.job_id)).state is not JobState.SETTLED
        await place.rpc("evm_mine")
        await place.until(posted, JobState.SETTLED)
        assert len(await settled_events(place, posted)) == 1


async def test_overdue_job_is_given_up_and_frees_the_worker(marketplace, private_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(private_bundle)
        hand = await place.hire(1, private_bundle, max_collateral=ETHER // 10)
        await hand.start()
        posted = await place.post(
            private_bundle, model, samples[0], collateral=ETHER // 10, accept_window=160, prove_window=300
        )
        await place.award(posted, hand)
        hand.worker._manager.executor.add = lambda *_: None  # the proof never comes
        await place.deliver(posted, hand)
        await place.pass_time(141)
        await place.until(posted, JobState.ACCEPTED)
        await place.pass_time(301)
        await place.until(posted, JobState.EXPIRED)
        record = await place.chain.workers.worker_of(hand.address)
        assert (record.failed, record.reserved, record.stake) == (1, 0, ETHER - ETHER // 10)


async def test_declines_with_a_reason_that_is_kept(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        poor = await place.post(public_bundle, model, samples[0], max_price=1000)
        risky = await place.post(public_bundle, model, samples[0], collateral=2 * ETHER)
        hurried = await place.post(public_bundle, model, samples[0], accept_window=60, prove_window=1)
        long_ = await place.post(public_bundle, model, samples[0], bid_window=80_000)
        store = worker._manager.store
        while not all(store.decisions(posted.job_id) for posted in (poor, risky)):
            await place.a_moment()
        assert "the ceiling is 1,000 wei" in store.decisions(poor.job_id)[0][2]
        assert "needs 2 ETH of free stake" in store.decisions(risky.job_id)[0][2]
        while not store.decisions(hurried.job_id):
            await place.a_moment()
        assert "a mined proof may take" in store.decisions(hurried.job_id)[0][2]
        while not store.decisions(long_.job_id):
            await place.a_moment()
        assert "it takes bids for 80000 s" in store.decisions(long_.job_id)[0][2]
        assert (await place.chain.market.best_bid(poor.job_id))[1] == 0


async def test_registered_key_with_a_foreign_description_is_not_served(marketplace, public_bundle, samples):
    """Someone registers the model's verifying key under foreign hashes: its words could mean anything."""
    async with marketplace() as place:
        bundle = Bundle.open(public_bundle)

        spec = ModelSpec(b"\x09" * 32, bundle.quantisation_hash, bundle.metadata_hash, 1, 1, False, False)
        receipt = await place.requester.send("fake", place.chain.models.register(spec, bundle.verifying_key))
        (event,) = place.chain.decode(receipt.logs)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        posted = await place.post(public_bundle, event.model_id, samples[0])
        honest = await place.publish(public_bundle)
        second = await place.post(public_bundle, honest, samples[0])
        await place.award(second, hand)
        await place.until(second, JobState.SETTLED)
        assert worker._manager.store.job(posted.job_id) is None


async def test_health_and_metrics(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        posted = await place.post(public_bundle, model, samples[0])
        await place.award(posted, hand)
        await place.until(posted, JobState.SETTLED)
        async with aiohttp.ClientSession() as session:
            for _ in range(100):
                async with session.get(f"{worker.metrics_url}/metrics") as response:
                    text = await response.text()
                if "assay_worker_settled_total 1.0" in text:
                    break
                await place.a_moment()
            assert "assay_worker_settled_total 1.0" in text
            assert "assay_worker_proof_seconds_count 1.0" in text
            async with session.get(f"{worker.metrics_url}/health") as response:
                assert response.status == 200
            async with session.get(f"{worker.endpoint}/v1/health") as response:
                assert (await response.json())["models"] == ["0x" + model.hex()]


async def test_collateral_is_promised_once(marketplace, public_bundle, samples):
    """Two jobs, each within the stake and both beyond it: the worker bids on one, and declines the other."""
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        collateral = {"collateral": 6 * ETHER // 10}
        first = await place.post(public_bundle, model, samples[0], **collateral)
        while (await place.chain.market.best_bid(first.job_id))[0] != hand.address:
            await place.a_moment()
        second = await place.post(public_bundle, model, samples[1], **collateral)
        while not worker._manager.store.decisions(second.job_id):
            await place.a_moment()
        assert "of free stake, 0.4 ETH is free" in worker._manager.store.decisions(second.job_id)[-1][2]
        await place.award(first, hand)
        await place.until(first, JobState.SETTLED)
        third = await place.post(public_bundle, model, samples[2], **collateral)
        await place.award(third, hand)
        await place.until(third, JobState.SETTLED)


async def test_a_purse_that_runs_dry_locks_no_collateral(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        posted = await place.post(public_bundle, model, samples[0], collateral=ETHER // 10)
        while (await place.chain.market.best_bid(posted.job_id))[0] != hand.address:
            await place.a_moment()
        await place.rpc("hardhat_setBalance", hand.address, hex(10**12))  # pays for nothing
        await place.award(posted, hand)
        while "Send it some" not in worker._manager.jobs[posted.job_id].progress.trouble:
            await place.a_moment()
        assert (await place.chain.market.job_of(posted.job_id)).state is JobState.AWARDED
        await place.rpc("evm_mine")  # balances are asked for once a block
        broke = await place.post(public_bundle, model, samples[1])
        while not worker._manager.store.decisions(broke.job_id):
            await place.a_moment()
        assert "for gas" in worker._manager.store.decisions(broke.job_id)[-1][2]
        await place.rpc("hardhat_setBalance", hand.address, hex(ETHER))
        await place.until(posted, JobState.SETTLED)


async def test_reorg_over_award_and_acceptance_ends_paid_once(marketplace, private_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(private_bundle)
        hand = await place.hire(1, private_bundle)
        await hand.start()
        posted = await place.post(private_bundle, model, samples[0], collateral=ETHER // 10)
        while (await place.chain.market.best_bid(posted.job_id))[0] != hand.address:
            await place.a_moment()
        snapshot = await place.rpc("evm_snapshot")
        await place.award(posted, hand)
        assert (await place.deliver(posted, hand))[0] == 200
        await place.until(posted, JobState.ACCEPTED, JobState.SETTLED)
        await place.rpc("evm_revert", snapshot)
        assert (await place.chain.market.job_of(posted.job_id)).state is JobState.OPEN
        await place.rpc("evm_mine")
        await place.requester.wait(f"award/{posted.job_id.hex()}")  # sent again: its block is gone
        await place.until(posted, JobState.SETTLED)
        assert len(await settled_events(place, posted)) == 1
        record = await place.chain.workers.worker_of(hand.address)
        assert (record.completed, record.failed, record.missed, record.reserved) == (1, 0, 0, 0)
