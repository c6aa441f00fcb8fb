"""Who is sent a private input: the worker that its requester chose and awarded, whatever others say."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from nacl.public import PrivateKey, SealedBox

from assay_node.chain import Chain, ContractReverted, JobState, Outbox, Rpc
from assay_node.chain.keys import keystore_address
from assay_node.client import (
    AwardPolicy,
    EvidenceMismatch,
    JobTerms,
    NobodyMayWin,
    RecordRule,
    Requester,
    StoreKey,
    bids,
    signed_recipient,
)
from assay_node.client.stake import add_stake
from assay_node.worker import register

ETHER = 10**18
TERMS = JobTerms(max_price=ETHER // 50, bid_window=3600, accept_window=3600, prove_window=3600)


@dataclass
class Stranger:
    """A registered worker with an inbox that keeps what it can open, and never proves."""

    outbox: Outbox
    key: PrivateKey
    server: TestServer
    taken: list[np.ndarray] = field(default_factory=list)
    lost: bool = False

    @property
    def address(self) -> str:
        return str(self.outbox.account.address)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def receive(self, request: web.Request) -> web.Response:
        opened = json.loads(SealedBox(self.key).decrypt(await request.read()))
        self.taken.append(np.frombuffer(base64.b64decode(opened["input"]), "<i8"))
        return web.json_response({"message": "verified"})

    async def say(self, _: web.Request) -> web.Response:
        wanted, self.lost = self.lost, False
        return web.json_response({"input": "wanted" if wanted else "held"})


@asynccontextmanager
async def stranger(market: Any, index: int, *, stake: int = ETHER) -> AsyncIterator[Stranger]:
    outbox = await market.outbox(market.net.accounts[index], f"stranger{index}")
    app = web.Application(client_max_size=1 << 24)
    server = TestServer(app, host="127.0.0.1")
    made = Stranger(outbox, PrivateKey.generate(), server)
    app.router.add_post("/v1/jobs/{job}/input", made.receive)
    app.router.add_get("/v1/jobs/{job}/input", made.say)
    await server.start_server()
    try:
        await register(market.chain, outbox, made.endpoint, made.key.public_key.encode())
        if stake:
            await add_stake(market.chain, outbox, stake)
        yield made
    finally:
        await server.close()


def rewriting(url: str, changes: list[tuple[bytes, bytes]]) -> web.Application:
    """A node in between that replaces byte strings in every answer, in whatever call they come."""

    async def relay(request: web.Request) -> web.Response:
        async with (
            ClientSession() as session,
            session.post(
                url, data=await request.read(), headers={"Content-Type": "application/json"}
            ) as answer,
        ):
            text = await answer.text()
            for old, new in changes:
                assert len(old) == len(new)
                text = text.replace(old.hex(), new.hex())
            return web.Response(text=text, content_type="application/json", status=answer.status)

    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/", relay)
    return app


@asynccontextmanager
async def through(market: Any, requester: Requester, app: web.Application) -> AsyncIterator[Requester]:
    """The same requester, whose every question goes through another node."""
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        async with Rpc(f"http://127.0.0.1:{server.port}/") as node:
            chain = await Chain.connect(node, market.chain.deployment)
            key = StoreKey(bytes(requester.outbox.account.key))
            yield Requester(
                chain, requester.outbox, requester.store, key, policy=requester.policy, allow_local=True
            )
    finally:
        await server.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def states_of(requester: Requester, job_id: bytes) -> list[JobState]:
    """The states that following a job to its end goes through."""
    return [job.state async for job in requester.follow(job_id, interval=0.05)]


async def test_a_private_job_is_not_posted_while_nobody_is_named_who_may_win(
    market: Any, bc_mlp: Any
) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1, policy=AwardPolicy())
    with pytest.raises(NobodyMayWin, match="whoever wins the job sees it"):
        await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
    assert requester.store.records() == []
    assert await market.chain.market.nonce_of(requester.address) == 0


async def test_a_stakeless_stranger_cannot_bid_under_default_terms(market: Any, bc_mlp: Any) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    async with stranger(market, 3, stake=0) as harvester:
        posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
        with pytest.raises(ContractReverted, match="free stake"):
            await harvester.outbox.send("bid", market.chain.market.place_bid(posted.job_id, 0))
    assert harvester.taken == []


async def test_a_stranger_that_bids_nothing_is_not_sent_the_input(market: Any, bc_mlp: Any) -> None:
    """Stake it has: it outbids everybody in every round, and is neither awarded nor sent anything."""
    model_id = await market.publish(bc_mlp)
    honest = await market.worker_config(2, bc_mlp)
    named = keystore_address(honest.keystore)
    requester = await market.requester(1, policy=AwardPolicy.only([named]))
    async with stranger(market, 3) as harvester, market.working(honest):
        posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
        await harvester.outbox.send("bid", market.chain.market.place_bid(posted.job_id, 0))
        # Nobody but the requester awards: not the harvester, when the bidding is over.
        await market.until_all_bid(posted.job_id, honest)
        await market.pass_time(TERMS.bid_window + 10)
        with pytest.raises(ContractReverted, match="awarded by its requester alone"):
            await harvester.outbox.send("award", market.chain.market.award(posted.job_id))
        said: list[str] = []
        async for _ in requester.follow(posted.job_id, interval=0.05, say=said.append):
            pass
    job = await requester.job(posted.job_id)
    assert (job.state, job.worker) == (JobState.SETTLED, named)
    assert harvester.taken == []
    assert any(harvester.address in line and "not one of the workers you named" in line for line in said)
    record = requester.store.by_job(posted.job_id)
    assert [(d.worker, d.named) for d in requester.store.disclosures(record.draft_id)] == [
        (named.lower(), True)
    ]


async def test_strangers_that_outbid_it_in_lots_hide_no_worker_with_a_record(
    market: Any, bc_mlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than are looked at together, each below the one worker that the requester would take."""
    monkeypatch.setattr(bids, "MOST", 1)
    model_id = await market.publish(bc_mlp)
    honest = await market.worker_config(2, bc_mlp)
    worker = keystore_address(honest.keystore)
    named = await market.requester(1, policy=AwardPolicy.only([worker]))
    rule = RecordRule(min_stake=ETHER // 2, min_settled=1)
    asker = await market.requester(7, "asker", policy=AwardPolicy(strangers=rule))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(market.working(honest))
        first = await named.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
        await market.until_all_bid(first.job_id, honest)
        await market.pass_time(TERMS.bid_window + 10)
        assert (await states_of(named, first.job_id))[-1] is JobState.SETTLED  # which is its record
        crowd = [await stack.enter_async_context(stranger(market, index)) for index in (3, 4, 5)]
        posted = await asker.submit(bc_mlp.bundle, model_id, bc_mlp.x[1], TERMS)
        for price, each in enumerate(crowd):
            await each.outbox.send("bid", market.chain.market.place_bid(posted.job_id, price))
        await market.until_all_bid(posted.job_id, honest)
        await market.pass_time(TERMS.bid_window + 10)
        assert (await states_of(asker, posted.job_id))[-1] is JobState.SETTLED
    assert (await asker.job(posted.job_id)).worker == worker
    assert [each.taken for each in crowd] == [[], [], []]


async def test_a_job_without_an_acceptable_bid_is_cancelled_and_says_why(market: Any, bc_mlp: Any) -> None:
    model_id = await market.publish(bc_mlp)
    rule = RecordRule(min_stake=ETHER, min_settled=1)
    requester = await market.requester(1, policy=AwardPolicy(strangers=rule))
    async with stranger(market, 3) as harvester:
        posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
        await harvester.outbox.send("bid", market.chain.market.place_bid(posted.job_id, 0))
        await market.pass_time(TERMS.bid_window + 10)
        states = await states_of(requester, posted.job_id)
    assert states[-1] is JobState.CANCELLED
    assert harvester.taken == []
    remark = requester.store.by_job(posted.job_id).remark
    assert "no bid was acceptable" in remark
    assert "it has settled 0 jobs, fewer than 1" in remark
    assert await market.chain.vault.balance_of(requester.address) == TERMS.max_price


async def test_the_first_acceptable_bid_is_awarded_at_once_if_the_requester_says_so(
    market: Any, bc_mlp: Any
) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    async with stranger(market, 3) as worker:
        policy = AwardPolicy.only([worker.address], pick="first")
        posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS, policy=policy)
        following = asyncio.create_task(states_of(requester, posted.job_id))
        await worker.outbox.send("bid", market.chain.market.place_bid(posted.job_id, 1))
        await until(lambda: len(worker.taken) == 1)  # an hour before the bidding would be over
        following.cancel()
    assert (await requester.job(posted.job_id)).worker == worker.address


async def test_after_a_lapse_nobody_else_is_sent_the_input_unless_said_before(
    market: Any, bc_mlp: Any
) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    async with stranger(market, 3) as first:
        posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
        await first.outbox.send("bid", market.chain.market.place_bid(posted.job_id, 0))
        await market.pass_time(TERMS.bid_window + 10)
        following = asyncio.create_task(states_of(requester, posted.job_id))
        await until(lambda: len(first.taken) == 1)
        await market.pass_time(TERMS.accept_window + 10)
        states = await following
    assert states[-1] is JobState.REFUNDED  # one round, one worker
    record = requester.store.by_job(posted.job_id)
    assert [d.named for d in requester.store.disclosures(record.draft_id)] == [False]


async def test_more_rounds_are_as_many_workers_and_no_more(market: Any, bc_mlp: Any) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    async with stranger(market, 3) as first, stranger(market, 4) as second:
        posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], replace(TERMS, rounds=2))
        following = asyncio.create_task(states_of(requester, posted.job_id))
        for bidder in (first, second):
            await bidder.outbox.send("bid", market.chain.market.place_bid(posted.job_id, 0))
            await market.pass_time(TERMS.bid_window + 10)
            await until(lambda taken=bidder.taken: len(taken) == 1)  # type: ignore[misc]
            await market.pass_time(TERMS.accept_window + 10)
            if bidder is first:
                async with asyncio.timeout(60):
                    while (await requester.job(posted.job_id)).state is not JobState.OPEN:
                        await asyncio.sleep(0.02)
        states = await following
    assert states[-1] is JobState.REFUNDED
    assert states.count(JobState.AWARDED) == 2
    assert len(requester.store.disclosures(requester.store.by_job(posted.job_id).draft_id)) == 2


async def test_a_node_that_swaps_endpoint_and_key_receives_nothing(market: Any, bc_mlp: Any) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    async with stranger(market, 3) as worker, stranger(market, 4) as thief:
        changes = [
            (worker.key.public_key.encode(), thief.key.public_key.encode()),
            (worker.endpoint.encode(), thief.endpoint.encode()),
        ]
        posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
        await worker.outbox.send("bid", market.chain.market.place_bid(posted.job_id, 0))
        await requester.award(posted.job_id, worker.address)
        for part in (changes, changes[:1], changes[1:]):
            async with through(market, requester, rewriting(market.net.url, part)) as fooled:
                with pytest.raises(EvidenceMismatch, match="not signed by its account"):
                    await fooled.deliver_input(posted.job_id, patience=1.0)
        assert thief.taken == worker.taken == []
        # The honest node's word, the same worker.
        assert await requester.deliver_input(posted.job_id, patience=5.0)
        assert len(worker.taken) == 1
        assert thief.taken == []


async def test_a_node_that_says_the_job_was_awarded_to_another_receives_nothing(
    market: Any, bc_mlp: Any
) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    async with stranger(market, 3) as worker, stranger(market, 4) as thief:
        posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
        await worker.outbox.send("bid", market.chain.market.place_bid(posted.job_id, 0))
        await requester.award(posted.job_id, worker.address)
        swap = [(bytes.fromhex(worker.address[2:]), bytes.fromhex(thief.address[2:]))]
        async with through(market, requester, rewriting(market.net.url, swap)) as fooled:
            with pytest.raises(Exception, match="which this client did not do") as caught:
                await fooled.deliver_input(posted.job_id, patience=1.0)
        assert "assay job award" in str(caught.value)
        assert thief.taken == worker.taken == []


async def test_a_node_that_shows_an_earlier_revision_of_a_worker_is_refused(market: Any, bc_mlp: Any) -> None:
    """A key that its worker has given up, as after a theft, is signed all the same."""
    requester = await market.requester(1)
    async with stranger(market, 3) as worker:
        stolen = await market.chain.workers.worker_of(worker.address)
        job_id = bytes(32)
        said: list[str] = []
        first = await signed_recipient(market.chain, requester.store, worker.address, job_id, say=said.append)
        assert first.encryption_key == worker.key.public_key.encode()
        fresh = PrivateKey.generate().public_key.encode()
        await register(market.chain, worker.outbox, worker.endpoint, fresh)
        then = await signed_recipient(market.chain, requester.store, worker.address, job_id, say=said.append)
        assert then.encryption_key == fresh
        assert any("has changed its encryption key" in line for line in said)

        async def old(_: str) -> Any:
            return stolen

        market.chain.workers.worker_of = old
        with pytest.raises(EvidenceMismatch, match="revision 1 of worker"):
            await signed_recipient(market.chain, requester.store, worker.address, job_id, say=said.append)


async def test_a_worker_that_lost_the_input_is_sent_it_again(
    market: Any, bc_mlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay_node.client.following.ASK_AGAIN", 0.0)
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    async with stranger(market, 3) as worker:
        posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
        await worker.outbox.send("bid", market.chain.market.place_bid(posted.job_id, 0))
        await requester.award(posted.job_id, worker.address)
        said: list[str] = []

        async def follow() -> None:
            async for _ in requester.follow(posted.job_id, interval=0.05, say=said.append):
                pass

        following = asyncio.create_task(follow())
        await until(lambda: len(worker.taken) == 1)
        await worker.outbox.send("accept", market.chain.market.accept(posted.job_id))
        worker.lost = True  # restored from an older backup, say, while the job is accepted
        await until(lambda: len(worker.taken) == 2)
        await until(lambda: any("it had lost it" in line for line in said))
        following.cancel()
        assert len(requester.store.disclosures(posted.draft_id)) == 1
