"""The worker on a real market when something is wrong: keys, chains, ports, disks, clocks and nodes."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from assay_node.chain import (
    DatabaseFailed,
    JobState,
    ModelSpec,
    NodeUnavailable,
    SenderBusy,
    WrongChain,
)
from assay_node.chain.contracts.deployment import Deployment
from assay_node.client import gather_evidence
from assay_node.worker import WorkerError
from assay_prover import Bundle

ETHER = 10**18


async def test_two_workers_cannot_share_a_key(marketplace, public_bundle):
    async with marketplace() as place:
        hand = await place.hire(1, public_bundle)
        await hand.start()
        twin = type(hand)(
            hand.config.model_copy(update={"state_dir": place.folder / "twin"}), hand.address, hand.secret
        )
        with pytest.raises(SenderBusy):
            await twin.start()


async def test_unregistered_worker_is_told_what_to_do(marketplace, public_bundle):
    async with marketplace() as place:
        hand = await place.hire(1, public_bundle)
        stranger = await place.hire(2, public_bundle)
        config = hand.config.model_copy(update={"encryption_key": stranger.config.encryption_key})
        with pytest.raises(WorkerError, match="another encryption key"):
            await type(hand)(config, hand.address, stranger.secret).start()


async def test_wrong_chain_is_told(marketplace, public_bundle):
    async with marketplace() as place:
        hand = await place.hire(1, public_bundle)
        wrong = Deployment.load(hand.config.deployment).model_copy(update={"chain_id": 5})
        wrong.save(place.folder / "wrong.json")
        config = hand.config.model_copy(update={"deployment": place.folder / "wrong.json"})
        with pytest.raises(WrongChain, match="chain 31337, the deployment on chain 5"):
            await type(hand)(config, hand.address, hand.secret).start()


async def test_busy_port_is_told(marketplace, public_bundle):
    async with marketplace() as place:
        first = await place.hire(1, public_bundle)
        await first.start()
        port = int(first.worker.endpoint.rsplit(":", 1)[1])
        second = await place.hire(2, public_bundle, inbox_port=port)
        with pytest.raises(WorkerError, match=f"cannot listen on 127.0.0.1:{port}"):
            await second.start()


async def test_node_that_goes_away_costs_rounds_only(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        node = worker._manager.chain.node
        url, node.url = node.url, "http://127.0.0.1:9"
        posted = await place.post(public_bundle, model, samples[0])
        while not worker.health.trouble:
            await place.a_moment()
        assert "no usable answer" in " ".join(worker.health.trouble.values())
        node.url = url
        await place.award(posted, hand)
        await place.until(posted, JobState.SETTLED)


async def test_a_proof_that_cannot_be_stored_ends_the_worker_and_is_made_again(
    marketplace, public_bundle, samples
):
    """A full disk must not leave a worker that looks alive and never proves."""
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()

        def full(*_: object) -> None:
            raise DatabaseFailed("the database cannot be used (database or disk is full)")

        worker._manager.store.put_proof = full
        posted = await place.post(public_bundle, model, samples[0])
        await place.award(posted, hand)
        with pytest.raises(DatabaseFailed, match="full"):
            await hand.task
        assert (await place.chain.market.job_of(posted.job_id)).state is JobState.AWARDED
        await hand.start()
        await place.until(posted, JobState.SETTLED)


@pytest.mark.parametrize("off", [-7200, 7200])
async def test_a_machine_whose_clock_is_hours_off_still_proves_and_is_paid(
    marketplace, public_bundle, samples, off
):
    """An hour ahead, every deadline would look over, and an accepted job given up with its collateral."""
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        worker._manager.clock._wall = lambda: time.time() + off
        posted = await place.post(public_bundle, model, samples[0], collateral=ETHER // 10)
        await place.award(posted, hand)
        await place.until(posted, JobState.SETTLED)
        assert (await place.chain.workers.worker_of(hand.address)).failed == 0


async def test_strings_that_are_no_text_stop_no_worker(marketplace, public_bundle, samples):
    """Solidity's strings are any bytes: one job, model or worker with such a string must not end them all."""
    junk = b"\xff\xfe\x80".decode("utf-8", "surrogateescape")
    async with marketplace() as place:
        workers, account = place.chain.workers, place.requester.account
        digest = await workers._view("registrationHash", account.address, junk, b"\x07" * 32, 1)
        signature = bytes(account.unsafe_sign_hash(digest).signature)
        register = replace(workers.register(junk, b"\x07" * 32, signature), description="")
        await place.requester.send("junk worker", register)
        bundle = Bundle.open(public_bundle)
        spec = ModelSpec(
            b"\x09" * 32, bytes(32), bytes(32), bundle.manifest.input.words, 1, False, False, uri=junk
        )
        receipt = await place.requester.send("fake", place.chain.models.register(spec, bundle.verifying_key))
        (fake,) = place.chain.decode(receipt.logs)
        assert fake.spec.uri == junk
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        await place.post(public_bundle, fake.model_id, samples[0])
        odd = await place.post(public_bundle, model, samples[0], input_uri=junk)
        await hand.start()
        await place.award(odd, hand)
        await place.until(odd, JobState.SETTLED)
        await hand.kill()  # and what it has on disk of such a job can be read again
        await hand.start()
        next_ = await place.post(public_bundle, model, samples[1])
        await place.award(next_, hand)
        await place.until(next_, JobState.SETTLED)
        evidence = await gather_evidence(place.chain, odd.job_id)
        evidence.check()


async def test_a_node_that_is_away_while_a_price_is_made_costs_no_job(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        asked = 0
        pricing = worker._manager.pricing_inputs
        refresh = pricing.refresh

        async def flaky():
            nonlocal asked
            asked += 1
            if asked in (1, 3):  # when the job is heard of, and when it is priced
                raise NodeUnavailable("away")
            return await refresh()

        pricing.refresh = flaky
        posted = await place.post(public_bundle, model, samples[0])
        await place.award(posted, hand)
        await place.until(posted, JobState.SETTLED)
        assert asked >= 4
