"""A share of the answers is wrong, late or another's: what was asked for comes all the same."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from itertools import cycle
from typing import Any

import pytest
from aiohttp import web

from assay_node.chain import NodeUnavailable, RateLimited, Rpc, RpcError
from assay_node.chain.node import endpoint as http
from assay_node.chain.node import rpc as module
from assay_node.chain.node.endpoint import REFUSALS_BELIEVED

Reply = web.Response | Any


class Endpoints:
    """Servers that answer `value(method, params)` through `twist(body, answers)`."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.posts: list[list[Any]] = []
        self.twists: list[Callable[[Any, Any], Any]] = []
        self.value: Callable[[str, list[Any]], Any] = lambda *_: "0x7"
        self._runners: list[web.AppRunner] = []

    async def start(self, twist: Callable[[Any, Any], Any] = lambda _, answer: answer) -> str:
        index = len(self.urls)
        self.posts.append([])
        self.twists.append(twist)

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            self.posts[index].append(body)
            entries = body if isinstance(body, list) else [body]
            answers = [
                {"jsonrpc": "2.0", "id": entry["id"], "result": self.value(entry["method"], entry["params"])}
                for entry in entries
            ]
            given = self.twists[index](body, answers if isinstance(body, list) else answers[0])
            if asyncio.iscoroutine(given):
                given = await given
            return given if isinstance(given, web.StreamResponse) else web.json_response(given)

        app = web.Application()
        app.router.add_post("/", handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._runners.append(runner)
        self.urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        return self.urls[-1]

    async def stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()


@pytest.fixture
async def servers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Endpoints]:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(module, "LEAST_HEDGE", 0.05)
    monkeypatch.setattr(http, "LONGEST_RETRY_AFTER", 0.01)
    found = Endpoints()
    yield found
    await found.stop()


def html(_: Any, __: Any) -> Reply:
    return web.Response(text="<html>busy</html>", content_type="text/html")


def too_many(_: Any, __: Any) -> Reply:
    return web.Response(status=429, headers={"Retry-After": "1"})


def null(_: Any, answer: Any) -> Reply:
    if isinstance(answer, list):
        return [{**each, "result": None} for each in answer]
    return {**answer, "result": None}


def anothers(_: Any, answer: Any) -> Reply:
    if isinstance(answer, list):
        return [{**each, "id": each["id"] + 1_000} for each in answer]
    return {**answer, "id": answer["id"] + 1_000}


def twice(_: Any, answer: Any) -> Reply:
    return [*answer, *answer] if isinstance(answer, list) else [answer, answer]


async def stalled(_: Any, __: Any) -> None:
    await asyncio.sleep(60)


def limited(_: Any, answer: Any) -> Reply:
    error = {"code": -32005, "message": "daily request count exceeded, request rate limited"}
    first = answer[0] if isinstance(answer, list) else answer
    return {"jsonrpc": "2.0", "id": first["id"], "error": error}


def cut_off(_: Any, answer: Any) -> Reply:
    return web.Response(text=json.dumps(answer)[:-3], content_type="application/json")


FAULTS = [html, too_many, null, anothers, twice, stalled, limited, cut_off]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_three_of_ten_answers_are_wrong_and_nothing_is_noticed(
    servers: Endpoints, fault: Callable[[Any, Any], Any]
) -> None:
    lot = random.Random(7)  # noqa: S311 - no secret
    url = await servers.start(lambda body, answer: fault(body, answer) if lot.random() < 0.3 else answer)
    async with Rpc(url, timeout=5.0) as node:
        for _ in range(5):
            numbers = await asyncio.gather(*(node.block_number() for _ in range(4)))
            assert numbers == [7] * 4


async def test_what_is_asked_at_once_is_one_http_request(servers: Endpoints) -> None:
    url = await servers.start()
    async with Rpc(url) as node:

        async def nested() -> list[int]:
            return list(await asyncio.gather(node.block_number(), node.balance("0x" + "11" * 20)))

        one, two, nonce = await asyncio.gather(nested(), nested(), node.nonce("0x" + "11" * 20))
        assert (one, two, nonce) == ([7, 7], [7, 7], 7)
        assert (node.traffic.posts, node.traffic.calls) == (1, 5)


async def test_a_transaction_shares_no_request_with_reads(servers: Endpoints) -> None:
    servers.value = lambda *_: "0x07"
    url = await servers.start()
    async with Rpc(url) as node:
        await asyncio.gather(node.block_number(), node.send_raw(b"\x01"), node.send_raw(b"\x02"))
        assert sorted(len(post) if isinstance(post, list) else 1 for post in servers.posts[0]) == [1, 2]


def no_batches(body: Any, answer: Any) -> Reply:
    if not isinstance(body, list):
        return answer
    error = {"code": -32600, "message": "batch requests are not supported"}
    return {"jsonrpc": "2.0", "id": None, "error": error}


def broken_by_batches(body: Any, answer: Any) -> Reply:
    return web.Response(status=500, text="oops") if isinstance(body, list) else answer


def small_batches(body: Any, answer: Any) -> Reply:
    if isinstance(body, list) and len(body) > 20:
        return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch too large"}}
    return answer


@pytest.mark.parametrize(
    "twist", [no_batches, broken_by_batches, small_batches], ids=lambda twist: twist.__name__
)
async def test_a_node_that_refuses_batches_is_asked_otherwise(servers: Endpoints, twist: Any) -> None:
    url = await servers.start(twist)
    async with Rpc(url) as node:
        for _ in range(8):
            assert await asyncio.gather(*(node.block_number() for _ in range(30))) == [7] * 30
        refused = sum(isinstance(post, list) and len(post) > 20 for post in servers.posts[0])
        assert refused <= REFUSALS_BELIEVED  # and not again each time


async def test_a_gateway_that_spoils_a_share_of_the_batches_is_sent_batches_all_the_same(
    servers: Endpoints,
) -> None:
    """Two that fail one after another are chance; single requests to such a node would be spoilt as often."""
    spoilt = cycle([True, True, False, False, False, False])  # two in a row, again and again
    url = await servers.start(lambda body, answer: html(body, answer) if next(spoilt) else answer)
    async with Rpc(url, timeout=5.0) as node:
        for _ in range(20):
            assert await asyncio.gather(*(node.block_number() for _ in range(10))) == [7] * 10
        asked = [len(post) if isinstance(post, list) else 1 for post in servers.posts[0]]
        assert asked.count(10) > 20  # to the last, batches are tried
        assert node.failures == {"eth_blockNumber": node.traffic.failures}


async def test_what_failed_together_comes_back_together(servers: Endpoints) -> None:
    first = iter([True])
    url = await servers.start(lambda body, answer: html(body, answer) if next(first, False) else answer)
    async with Rpc(url) as node:
        assert await asyncio.gather(*(node.block_number() for _ in range(10))) == [7] * 10
        assert [len(post) for post in servers.posts[0]] == [10, 10]


async def test_an_answer_within_a_batch_that_is_wrong_is_asked_for_alone(servers: Endpoints) -> None:
    first = iter([True])

    def twist(_: Any, answer: Any) -> Reply:
        return answer[1:] if next(first, False) else answer

    url = await servers.start(twist)
    async with Rpc(url) as node:
        assert await asyncio.gather(*(node.block_number() for _ in range(3))) == [7] * 3
    assert [len(post) if isinstance(post, list) else 1 for post in servers.posts[0]] == [3, 1]


@pytest.mark.parametrize("fault", [html, too_many, stalled, anothers, null], ids=lambda fault: fault.__name__)
async def test_the_next_url_answers_for_one_that_does_not(servers: Endpoints, fault: Any) -> None:
    urls = [await servers.start(fault), await servers.start()]
    async with Rpc(urls) as node:
        assert await asyncio.wait_for(node.block_number(), 3) == 7
    assert servers.posts[1]


async def test_a_transaction_goes_to_the_next_url_if_one_gives_no_answer(servers: Endpoints) -> None:
    servers.value = lambda *_: "0x" + "ab" * 32
    urls = [await servers.start(html), await servers.start()]
    async with Rpc(urls) as node:
        assert await node.send_raw(b"\x01") == b"\xab" * 32
    assert [len(posts) for posts in servers.posts] == [1, 1]


async def test_a_held_answer_is_given_up_within_the_time_for_a_request(servers: Endpoints) -> None:
    url = await servers.start(stalled)
    loop = asyncio.get_running_loop()
    async with Rpc(url, timeout=0.3) as node:
        began = loop.time()
        with pytest.raises(NodeUnavailable):
            await node.block_number()
        assert loop.time() - began < 5
        assert node.traffic.hedges > 0


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("batch", [False, True])
async def test_an_errors_code_and_data_arrive_whatever_the_http_status(
    servers: Endpoints, status: int, batch: bool
) -> None:
    error = {"code": -32000, "message": "nonce too low", "data": {"hint": 5}}

    def twist(body: Any, _: Any) -> Reply:
        entries = body if isinstance(body, list) else [body]
        answers = [{"jsonrpc": "2.0", "id": entry["id"], "error": error} for entry in entries]
        return web.json_response(answers if isinstance(body, list) else answers[0], status=status)

    url = await servers.start(twist)
    async with Rpc(url) as node:
        asked = await asyncio.gather(
            *(node.send_raw(bytes([number])) for number in range(1 + batch)), return_exceptions=True
        )
    for failure in asked:
        assert isinstance(failure, RpcError)
        assert (failure.code, failure.message, failure.data) == (-32000, "nonce too low", {"hint": 5})
    assert len(servers.posts[0]) == 1


@pytest.mark.parametrize(
    ("method", "code", "message", "busy"),
    [
        ("eth_call", -32005, "limit exceeded", True),
        ("eth_getLogs", -32005, "query returned more than 10000 results", False),
        ("eth_getLogs", -32005, "rate limited", True),
        ("eth_getLogs", -32602, "block range too large", False),
        ("eth_call", 429, "Your app has exceeded its compute units per second capacity", True),
        ("eth_call", -32016, "over rate limit", True),
        ("eth_call", 3, "execution reverted: per second", False),
        ("eth_sendRawTransaction", -32000, "nonce too low", False),
        ("eth_sendRawTransaction", -32000, "txpool is full", False),
    ],
)
async def test_rate_limits_are_told_from_other_refusals(
    servers: Endpoints, method: str, code: int, message: str, busy: bool
) -> None:
    def twist(body: Any, _: Any) -> Reply:
        return {"jsonrpc": "2.0", "id": body["id"], "error": {"code": code, "message": message}}

    url = await servers.start(twist)
    async with Rpc(url) as node:
        with pytest.raises(RateLimited if busy else RpcError):
            await node.request(method, retry=False)


@pytest.mark.parametrize("status", [301, 308, 401, 403, 404])
async def test_a_key_in_the_url_is_not_in_what_an_http_error_says(servers: Endpoints, status: int) -> None:
    key = "5ecre7f00dfeed12345"

    def twist(_: Any, __: Any) -> Reply:
        body = {"error": {"code": -32000, "message": f"invalid key {key}"}, "jsonrpc": "2.0"}
        return web.json_response(body, status=status, headers={"Location": f"http://127.0.0.1:1/{key}"})

    url = await servers.start(twist)
    async with Rpc(f"{url}/?key={key}") as node:
        with pytest.raises(NodeUnavailable, match=f"HTTP {status}") as caught:
            await node.block_number()
        shown = [repr(node), str(caught.value), repr(caught.value), repr(caught.value.__cause__)]
    assert key not in " ".join(shown)
