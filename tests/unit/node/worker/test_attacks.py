"""Attacks on a worker, end to end: doctored keys, lying nodes, requesters that leave, floods."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from assay_node.chain import Call, ChainError, JobRequest, JobState, Log, Want
from assay_node.signed_delivery import delivery_headers
from assay_node.worker import executor
from assay_node.worker.executor import ProofError
from assay_node.worker.lifecycle.progress import Phase, phase

ETHER = 10**18
REQUEST = "(bytes32,uint128,uint128,uint128,uint32,uint32,uint32,bytes32,string,address,uint32,bool,uint8)"
SUBMITTED = keccak(text=f"JobSubmitted(bytes32,bytes32,address,uint256,uint64,{REQUEST},uint256[])")
FIELDS = ["uint256", "uint64", REQUEST, "uint256[]"]


def phase_of(worker: Any, posted: Any) -> Phase | None:
    job = worker._manager.jobs.get(posted.job_id)
    return None if job is None else phase(job.progress, worker._manager.policy)


async def post_many(place: Any, call: Call, count: int) -> None:
    """The same job again and again, of one requester, with a gas limit that nobody has to estimate."""
    wants = [Want(f"flood/{number}", replace(call, gas=400_000)) for number in range(count)]
    for sent in await place.requester.submit_many(wants):
        assert not isinstance(sent, ChainError), sent


async def record_of(place: Any, hand: Any) -> tuple[int, int, int, int]:
    record = await place.chain.workers.worker_of(hand.address)
    return record.completed, record.missed, record.failed, record.reserved


async def test_a_key_that_does_not_prove_costs_a_worker_time_and_nothing_else(
    marketplace, private_bundle, samples
):
    """A publisher's key, or a requester's input, for which no proof verifies: every attempt fails."""
    async with marketplace() as place:
        model = await place.publish(private_bundle)
        hand = await place.hire(1, private_bundle)
        worker = await hand.start()
        posted = await place.post(private_bundle, model, samples[0], collateral=ETHER // 2)
        attempts = 0

        async def doctored(*_: Any) -> None:
            nonlocal attempts
            attempts += 1
            raise ProofError("the proof does not verify")

        worker._manager.executor._prove = doctored
        await place.award(posted, hand)
        assert (await place.deliver(posted, hand))[0] == 200
        job = await place.until(posted, JobState.OPEN)  # given back: others may have it
        assert (job.round, attempts) == (1, 3)
        while phase_of(worker, posted) is not Phase.GIVEN_UP:
            await place.a_moment()
        assert await record_of(place, hand) == (0, 0, 0, 0)
        assert (await place.chain.workers.worker_of(hand.address)).stake == ETHER
        bids = worker.metrics.bids._value.get()
        await place.post(private_bundle, model, samples[1])
        while not worker.metrics.declined.labels("proving")._value.get():
            await place.a_moment()
        assert worker.metrics.bids._value.get() == bids  # no further bid is wasted on the model
        async with aiohttp.ClientSession() as session, session.get(f"{worker.metrics_url}/health") as answer:
            said = await answer.json()
        assert answer.status == 503
        assert any("3 proofs in a row have failed" in reason for reason in said["reasons"])
        assert "the proof does not verify" in said["models"][str(private_bundle)]


async def test_a_model_whose_keys_fail_their_check_is_not_bid_on_and_the_other_is(
    marketplace, private_bundle, public_bundle, samples, monkeypatch
):
    opening, answer = executor._warm_up, threading.Event()

    def check(path: Path, *settings: Any) -> float | None:
        answer.wait(10)
        if path == private_bundle:
            raise ProofError("the key file is doctored")
        return opening(path, *settings)

    monkeypatch.setattr(executor, "_warm_up", check)
    async with marketplace() as place:
        models = [await place.publish(path) for path in (private_bundle, public_bundle)]
        hand = await place.hire(1, private_bundle, public_bundle)
        worker = await hand.start()
        bad = await place.post(private_bundle, models[0], samples[0])
        good = await place.post(public_bundle, models[1], samples[0])
        while worker.metrics.postponed.labels("proving")._value.get() < 2:
            await place.a_moment()
        assert worker.metrics.bids._value.get() == 0  # neither before its check
        answer.set()
        await place.leads(good, hand)
        while not worker.metrics.declined.labels("proving")._value.get():
            await place.a_moment()
        assert (await place.chain.market.best_bid(bad.job_id))[1] == 0
        healthy, said = worker._report_health()
        assert not healthy
        assert "the key file is doctored" in said["models"][str(private_bundle)]
        assert said["models"][str(public_bundle)] == "ready"
        assert worker._describe(hand.address)["models"] == ["0x" + models[1].hex()]


def tampered(log: Log) -> Log:
    """The log of a job's posting, with an hour to prove where the job has a second."""
    if log.topics[0] != SUBMITTED:
        return log
    values = list(decode(FIELDS, log.data))
    request = list(values[2])
    request[6] = 3600
    values[2] = tuple(request)
    return replace(log, data=encode(FIELDS, values))


async def test_a_log_whose_terms_are_not_the_jobs_is_not_believed(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle, max_collateral=ETHER)
        worker = await hand.start()
        node = worker._manager.chain.node
        honest = node.logs

        async def lying(*arguments: Any, **keywords: Any) -> list[Log]:
            return [tampered(log) for log in await honest(*arguments, **keywords)]

        node.logs = lying
        trap = await place.post(
            public_bundle, model, samples[0], collateral=ETHER // 2, prove_window=1, accept_window=100
        )
        while "discovering" not in worker.health.trouble:
            await place.a_moment()
        assert worker._manager.store.job(trap.job_id) is None
        assert (await place.chain.market.best_bid(trap.job_id))[1] == 0
        node.logs = honest  # or another node is asked: what was refused is read again
        while (known := worker._manager.store.job(trap.job_id)) is None:
            await place.a_moment()
        assert known.request.prove_window == 1


async def test_nothing_is_done_for_a_job_that_the_node_contradicts_itself_about(
    marketplace, public_bundle, samples
):
    """Each field that the job's id is made of, changed in the market's storage as the node tells it."""
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        market = worker._manager.chain.market
        honest = market.look
        change: dict[str, Any] = {}

        async def lying(*arguments: Any, **keywords: Any) -> Any:
            looks = await honest(*arguments, **keywords)
            return {job_id: replace(look, job=replace(look.job, **change)) for job_id, look in looks.items()}

        market.look = lying
        other = "0x" + "77" * 20
        for change in (
            {"prove_window": 1},
            {"accept_window": 3600},
            {"bid_window": 9},
            {"collateral": 1},
            {"min_stake": 1},
            {"max_price": ETHER + 1},
            {"price": ETHER + 1},
            {"deadline": 1 << 62},
            {"rounds": 1},
            {"round": 3},
            {"requester_awards": True},
            {"requester": other},
            {"callback": other},
            {"callback_gas": 1},
            {"model_id": bytes(32)},
            {"input_hash": bytes(32)},
        ):
            lies = worker.metrics.node_lies._value.get()
            posted = await place.post(public_bundle, model, samples[0])
            while worker.metrics.node_lies._value.get() == lies:
                await place.a_moment()
            assert (await place.chain.market.best_bid(posted.job_id))[1] == 0, change
            job = worker._manager.jobs[posted.job_id]
            assert job.progress.view is None, change
        change = {}
        posted = await place.post(public_bundle, model, samples[0])
        await place.award(posted, hand)
        await place.until(posted, JobState.SETTLED)


async def test_a_requester_that_awards_and_leaves_idles_nobody_and_spoils_no_record(
    marketplace, private_bundle, samples
):
    async with marketplace() as place:
        model = await place.publish(private_bundle)
        hand = await place.hire(1, private_bundle)
        await hand.start()
        left = [await place.post(private_bundle, model, samples[n], rounds=1) for n in range(6)]
        for posted in left:
            await place.award(posted, hand)
        await hand.kill()
        await hand.start()  # it is no better off for a restart
        posted = await place.post(private_bundle, model, samples[7])
        await place.award(posted, hand)
        assert (await place.deliver(posted, hand))[0] == 200
        await place.until(posted, JobState.SETTLED)
        await place.pass_time(545)  # the inputs' last call, and not the deadline
        for posted in left:
            await place.until(posted, JobState.REFUNDED)
        assert await record_of(place, hand) == (1, 0, 0, 0)


async def test_a_flood_of_hopeless_jobs_is_dismissed_without_a_request(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        looked_at: set[bytes] = set()
        market = worker._manager.chain.market
        look = market.look

        async def counted(job_ids: Any, *arguments: Any, **keywords: Any) -> Any:
            looked_at.update(job_ids)
            return await look(job_ids, *arguments, **keywords)

        market.look = counted
        request = JobRequest(model, 1, bid_window=600)
        bundle_words = (await place.post(public_bundle, model, samples[0], max_price=1)).words
        flood = 40
        call = place.chain.market.submit_job(request, bundle_words, 1)
        await post_many(place, call, flood)
        honest = await place.post(public_bundle, model, samples[1])
        await place.award(honest, hand)
        await place.until(honest, JobState.SETTLED)
        assert looked_at == {honest.job_id}
        assert worker.metrics.declined.labels("price")._value.get() == flood + 1


async def test_a_flood_that_pays_delays_another_requesters_bid_by_few(marketplace, public_bundle, samples):
    """Two hundred jobs are waiting to be priced when another requester's comes: it is among the next."""
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        worker = await hand.start()
        bidder = worker._manager.bidder
        order: list[str] = []
        quote = bidder._quote

        def noted(job_id: bytes, *arguments: Any) -> None:
            order.append(worker._manager.jobs[job_id].requester)
            quote(job_id, *arguments)

        bidder._quote = noted
        step = bidder.step

        async def held_up() -> None:
            if len(bidder) >= 41:
                await step()

        bidder.step = held_up
        words = (await place.post(public_bundle, model, samples[0])).words
        call = place.chain.market.submit_job(JobRequest(model, ETHER, bid_window=600), words, ETHER)
        await post_many(place, call, 39)
        other = await place.another_requester()
        await other.send(
            "honest",
            place.chain.market.submit_job(JobRequest(model, ETHER, bid_window=600), words, ETHER),
        )
        while len(order) < 41:
            await place.a_moment()
        assert other.account.address in order[:3]


async def test_a_restored_backup_asks_for_the_input_of_an_accepted_job_again(
    marketplace, private_bundle, samples, tmp_path
):
    async with marketplace() as place:
        model = await place.publish(private_bundle)
        hand = await place.hire(1, private_bundle, max_collateral=ETHER)
        worker = await hand.start()
        posted = await place.post(private_bundle, model, samples[0], collateral=ETHER // 10)
        await place.leads(posted, hand)
        while not worker._manager.jobs[posted.job_id].progress.bids:
            await place.a_moment()
        await hand.stop()
        backup = {file.name: file.read_bytes() for file in hand.config.state_dir.iterdir()}
        worker = await hand.start()
        worker._manager.executor.add = lambda *_: None  # the proof takes for ever
        await place.award(posted, hand)
        assert (await place.deliver(posted, hand))[0] == 200
        await place.pass_time(575)  # the last call of the window to accept
        await place.until(posted, JobState.ACCEPTED)
        await hand.kill()
        for file in hand.config.state_dir.iterdir():
            file.unlink()
        for name, content in backup.items():
            (hand.config.state_dir / name).write_bytes(content)

        worker = await hand.start()
        while phase_of(worker, posted) is not Phase.AWAITING_INPUT:
            await place.a_moment()
        assert "its requester must deliver it again" in " ".join(worker._manager.concerns())
        url = f"{worker.endpoint}/v1/jobs/0x{posted.job_id.hex()}/input"
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as response:
                assert await response.json() == {"input": "wanted"}
            body = place.sealed(posted, hand)
            signed = delivery_headers(
                place.requester.account,
                chain_id=place.chain.deployment.chain_id,
                market=place.chain.deployment.market,
                job_id=posted.job_id,
                worker=hand.address,
                body=body,
            )
            content = {"Content-Type": "application/octet-stream"}
            async with session.post(url, data=body[:-1], headers=content | signed) as response:
                assert response.status == 422  # not the body that was signed
            async with session.post(url, data=body, headers=content | signed) as response:
                assert response.status == 200
        await place.until(posted, JobState.SETTLED)
        assert await record_of(place, hand) == (1, 0, 0, 0)


async def test_a_worker_told_to_stop_first_ends_what_it_has_accepted(marketplace, private_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(private_bundle)
        hand = await place.hire(1, private_bundle, max_collateral=ETHER)
        worker = await hand.start()
        executor, gate = worker._manager.executor, asyncio.Event()
        prove = executor._prove

        async def gated(*arguments: Any) -> Any:
            await gate.wait()
            return await prove(*arguments)

        executor._prove = gated
        posted = await place.post(private_bundle, model, samples[0], collateral=ETHER // 10)
        await place.award(posted, hand)
        assert (await place.deliver(posted, hand))[0] == 200
        await place.pass_time(575)
        await place.until(posted, JobState.ACCEPTED)
        while phase_of(worker, posted) is not Phase.PROVING:
            await place.a_moment()
        worker.stop()
        later = await place.post(private_bundle, model, samples[1])
        await asyncio.sleep(0.2)
        assert not hand.task.done()
        gate.set()
        await hand.task
        assert (await place.chain.market.job_of(posted.job_id)).state is JobState.SETTLED
        assert (await place.chain.market.best_bid(later.job_id))[1] == 0  # no more bids meanwhile


async def test_a_worker_told_twice_to_stop_stops_and_goes_on_at_the_next_start(
    marketplace, private_bundle, samples
):
    async with marketplace() as place:
        model = await place.publish(private_bundle)
        hand = await place.hire(1, private_bundle, max_collateral=ETHER, drain_seconds=3000)
        worker = await hand.start()
        worker._manager.executor.add = lambda *_: None
        posted = await place.post(private_bundle, model, samples[0], collateral=ETHER // 10)
        await place.award(posted, hand)
        assert (await place.deliver(posted, hand))[0] == 200
        await place.pass_time(575)
        await place.until(posted, JobState.ACCEPTED)
        worker.stop()
        await asyncio.sleep(0.2)
        assert not hand.task.done()
        worker.stop()
        await hand.task
        assert (await place.chain.market.job_of(posted.job_id)).state is JobState.ACCEPTED
        await hand.start()
        await place.until(posted, JobState.SETTLED)
