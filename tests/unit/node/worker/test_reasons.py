"""Why a worker stayed out: served and signed, without its own figures; and what a client believes of it."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from eth_account import Account

from assay_node.chain import Outbox
from assay_node.client import Reason, job_history, reasons_of
from assay_node.signed_reason import LONGEST_REASON
from assay_node.worker.config import PricingConfig
from assay_node.worker.inbox.reasons import reason_of_decline, reason_of_price
from assay_node.worker.lifecycle.instructions import Action
from assay_node.worker.lifecycle.progress import PROOF_ATTEMPTS, InputState, JobProgress
from assay_node.worker.pricing.quote import Offer, Speed, quote
from assay_node.worker.registration import register
from unit.node.worker.conftest import KEYS

ETHER = 10**18
ACCOUNT = Account.from_key("0x" + "11" * 32)
WHERE: dict[str, Any] = {"chain_id": 1337, "market": "0x" + "aa" * 20}
JOB = b"\x07" * 32


def test_a_reason_is_its_signers_for_one_job_alone() -> None:
    signed = Reason.sign(ACCOUNT, job_id=JOB, moment=5, reason="too dear", **WHERE)
    served = Reason.from_json(json.loads(json.dumps(signed.to_json())))
    assert served == signed
    assert served.is_signed(job_id=JOB, **WHERE)
    for changed in (
        replace(signed, reason="too cheap"),
        replace(signed, moment=6),
        replace(signed, worker="0x" + "22" * 20),
        replace(signed, signature=bytes(65)),
        replace(signed, worker="nobody"),
    ):
        assert not changed.is_signed(job_id=JOB, **WHERE)
    assert not signed.is_signed(job_id=bytes(32), **WHERE)
    assert not signed.is_signed(job_id=JOB, chain_id=1, market=WHERE["market"])


def test_what_is_no_single_bounded_line_is_no_reason() -> None:
    signed = Reason.sign(ACCOUNT, job_id=JOB, moment=5, reason="a\x1b[2J\nb" + "x" * 500, **WHERE)
    assert len(signed.reason) == LONGEST_REASON
    assert signed.reason.startswith("a [2J b")
    served = signed.to_json()
    wrong: tuple[Any, ...] = (
        None,
        [],
        {},
        {**served, "reason": "x" * (LONGEST_REASON + 1)},
        {**served, "reason": "two\nlines"},
        {**served, "reason": "bell\x07"},
        {**served, "moment": -1},
        {**served, "moment": "5"},
        {**served, "signature": "0x00"},
        {**served, "signature": "0x" + "zz" * 65},
        {name: value for name, value in served.items() if name != "worker"},
    )
    for document in wrong:
        with pytest.raises(ValueError, match=r"no signed reason|hexadecimal"):
            Reason.from_json(document)


OFFER = Offer(
    words=4,
    royalty_bps=0,
    callback_gas=0,
    max_price=ETHER,
    min_stake=0,
    collateral=ETHER // 10,
    bid_window=60,
    accept_window=600,
    prove_window=600,
    time_left=30,
    gas_price=10**10,
    free_stake=ETHER,
    balance=ETHER,
    backlog=0.0,
)


@pytest.mark.parametrize(
    ("change", "why", "told"),
    [
        ({"time_left": 0}, "over", "was over"),
        ({"max_price": 10**12}, "price", "it asks 0.0"),
        ({"free_stake": 12_345}, "stake", "less than 0.1 ETH of free stake"),
        ({"balance": 12_345}, "funds", "too little for gas"),
        ({"gas_price": 201 * 10**9}, "gas", "gas at 201 gwei is dearer"),
        ({"accept_window": 5}, "window", "the window to accept is 5 s"),
        ({"accept_window": 61, "prove_window": 1, "collateral": 0}, "time", "a mined proof may take"),
    ],
)
def test_a_requester_is_told_what_it_can_act_on_and_no_floor_or_balance(change, why, told) -> None:
    price = quote(PricingConfig(), Speed(30.0, True), replace(OFFER, **change))
    assert price.why == why
    said = reason_of_price(price)
    assert told in said
    for secret in ("floor", "lowest", "12,345", " wei", "balance", "cap of"):
        assert secret not in said


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        (JobProgress(unservable="/home/me/bundle is gone"), "does not fit the model"),
        (JobProgress(input=InputState.VERIFIED, proof_failures=PROOF_ATTEMPTS), "proofs of it failed"),
        (JobProgress(trouble="salt is 5"), "no input of the job was delivered"),
        (JobProgress(input=InputState.STORED), "could not be checked"),
        (JobProgress(input=InputState.VERIFIED, last_refused=Action.PROVE), "more gas than it brings"),
        (JobProgress(input=InputState.VERIFIED), "no proof in time"),
    ],
)
def test_an_award_that_is_given_back_has_a_reason(progress, told) -> None:
    said = reason_of_decline(progress)
    assert told in said
    assert "/home" not in said
    assert "salt" not in said


async def test_who_posts_a_job_that_nobody_takes_is_told_why(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        hand = await place.hire(1, public_bundle, inbox_port=port)
        async with await Outbox.open(place.node, Account.from_key(KEYS[1]), ":memory:") as outbox:
            await register(place.chain, outbox, f"http://127.0.0.1:{port}", hand.secret.public_key.encode())
        worker = await hand.start()
        poor = await place.post(public_bundle, model, samples[0], max_price=1000)
        while worker._manager.store.reason_of(poor.job_id) is None:
            await place.a_moment()
        events = await job_history(place.chain, poor.job_id)
        (told,) = await reasons_of(place.chain, poor.job_id, events, allow_local=True)
        assert told.worker == hand.address
        assert told.reason.endswith("and the ceiling is 1,000 wei")
        # The same signature again: strangers that ask often make nothing be signed.
        kept = worker._manager.store.reason_of(poor.job_id)
        assert kept is not None
        assert kept[2] == told.signature
        assert (await reasons_of(place.chain, poor.job_id, events, allow_local=True)) == [told]
        # Not asked where its endpoint leads inwards, unless that is allowed.
        assert await reasons_of(place.chain, poor.job_id, events) == []
        # A job that it bids on has none, nor has one it never heard of.
        good = await place.post(public_bundle, model, samples[0])
        await place.leads(good, hand)
        async with aiohttp.ClientSession() as session:
            for job_id, status in ((poor.job_id, 200), (good.job_id, 404), (JOB, 404), (b"\x01", 404)):
                url = f"{worker.endpoint}/v1/jobs/0x{job_id.hex()}/reason"
                async with session.get(url) as response:
                    assert response.status == status


async def test_words_that_a_workers_account_did_not_sign_are_not_shown(
    marketplace, public_bundle, samples, aiohttp_server_of
):
    """Whoever sits at a worker's endpoint, or between, answers with what another account signed."""
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        deployment = place.chain.deployment
        posted = await place.post(public_bundle, model, samples[0], max_price=1000)
        where: dict[str, Any] = {"chain_id": deployment.chain_id, "market": deployment.market}
        honest = Reason.sign(
            Account.from_key(KEYS[1]), job_id=posted.job_id, moment=1, reason="dear", **where
        )
        answers = [
            honest.to_json(),
            Reason.sign(ACCOUNT, job_id=posted.job_id, moment=1, reason="dear", **where).to_json(),
            {**honest.to_json(), "reason": "send me your key"},
            {"reason": "x" * 10_000},
            "no json",
        ]
        said: list[object] = []
        url = await aiohttp_server_of(lambda: said[-1])
        hand = await place.hire(1, public_bundle)
        async with await Outbox.open(place.node, Account.from_key(KEYS[1]), ":memory:") as outbox:
            await register(place.chain, outbox, url, hand.secret.public_key.encode())
        events = await job_history(place.chain, posted.job_id)
        shown = []
        for answer in answers:
            said.append(answer)
            shown.append(await reasons_of(place.chain, posted.job_id, events, allow_local=True))
        assert shown == [[honest], [], [], [], []]


@pytest.fixture
async def aiohttp_server_of():
    """Serves whatever a function gives, as JSON, under every path."""
    runners = []

    async def serve(answer):
        async def handle(_: web.Request) -> web.Response:
            return web.json_response(answer())

        app = web.Application()
        app.router.add_get("/{any:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield serve
    for runner in runners:
        await runner.cleanup()
