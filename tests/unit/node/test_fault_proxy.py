"""The proxy that spoils answers for the other tests: what it does, to whom, and the same in every run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from faults import (
    Busy,
    Duplicated,
    EmptyRewards,
    FaultProxy,
    Html,
    HttpErrors,
    NullResults,
    OthersAnswer,
    RateLimit,
    RemovedLogs,
    Reset,
    fixed,
)


class Upstream:
    """A node that answers each request with how many it has had."""

    def __init__(self) -> None:
        self.seen = 0

    async def post(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        answers = [self._answer(item) for item in (body if isinstance(body, list) else [body])]
        return web.json_response(answers if isinstance(body, list) else answers[0])

    def _answer(self, item: dict[str, Any]) -> dict[str, Any]:
        self.seen += 1
        if item["method"] == "fail":
            return {"jsonrpc": "2.0", "id": item["id"], "error": {"code": 3, "message": "reverted"}}
        special = {
            "eth_feeHistory": {"reward": [["0x1"], ["0x2"]]},
            "eth_getLogs": [{"blockHash": "0x1", "removed": False}],
        }
        return {"jsonrpc": "2.0", "id": item["id"], "result": special.get(item["method"], hex(self.seen))}


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[str, Upstream]]:
    node = Upstream()
    application = web.Application()
    application.router.add_post("/", node.post)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", node
    await runner.cleanup()


def call(method: str, key: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": key, "method": method, "params": []}


async def ask(url: str, body: object) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        text = await response.text()
        return response.status, json.loads(text) if response.content_type == "application/json" else text


async def test_it_passes_on_counts_and_records(upstream):
    async with FaultProxy(upstream[0], record=True, latency=fixed(0.0)) as proxy:
        assert (await ask(proxy.url, call("a", 7)))[1] == {"jsonrpc": "2.0", "id": 7, "result": "0x1"}
        _, answers = await ask(proxy.url + "/v3/key?token=1", [call("a", 1), call("b", 2)])
        assert [answer["id"] for answer in answers] == [1, 2]
        assert (proxy.counts["a"], proxy.counts["b"], proxy.posts) == (2, 1, 2)
        assert [exchange.method for exchange in proxy.recorded or []] == ["a", "a", "b"]


async def test_chance_is_the_same_in_every_run_and_order(upstream):
    async def statuses(seed: int, *, together: bool) -> list[int]:
        async with FaultProxy(upstream[0], faults=[RateLimit(0.3)], seed=seed) as proxy:
            if together:
                return [
                    status
                    for status, _ in await asyncio.gather(*(ask(proxy.url, call("a")) for _ in range(60)))
                ]
            return [(await ask(proxy.url, call("a")))[0] for _ in range(60)]

    alone, together = await statuses(1, together=False), await statuses(1, together=True)
    assert sorted(alone) == sorted(together)
    assert alone == await statuses(1, together=False)
    assert alone != await statuses(2, together=False)
    assert 8 <= alone.count(429) <= 30


async def test_a_fault_of_one_method_leaves_the_others(upstream):
    async with FaultProxy(upstream[0], faults=[RateLimit(1.0, "a")]) as proxy:
        assert (await ask(proxy.url, call("a")))[0] == 429
        assert (await ask(proxy.url, call("b")))[0] == 200
    assert upstream[1].seen == 1


async def test_faults_of_whole_requests(upstream):
    url, node = upstream
    async with FaultProxy(url, faults=[Html(1.0)]) as proxy:
        status, text = await ask(proxy.url, call("a"))
        assert status == 200
        assert text.startswith("<html>")
        proxy.faults = [Reset(1.0)]
        before = node.seen
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await ask(proxy.url, call("a"))
        assert node.seen == before + 1
        proxy.faults = [Duplicated(1.0)]
        assert (await ask(proxy.url, call("a")))[1]["result"] == hex(before + 3)


async def test_faults_of_single_answers_also_within_a_batch(upstream):
    async with FaultProxy(upstream[0], faults=[NullResults(1.0, "a")]) as proxy:
        _, answers = await ask(proxy.url, [call("a", 1), call("b", 2)])
        assert [answer["result"] for answer in answers] == [None, "0x2"]
        proxy.faults = [Busy(1.0)]
        assert (await ask(proxy.url, call("a")))[1]["error"]["code"] == -32005
        proxy.faults = [OthersAnswer(1.0, "b")]
        assert (await ask(proxy.url, call("b", 9)))[1] == {"jsonrpc": "2.0", "id": 2, "result": "0x2"}
        proxy.faults = [EmptyRewards(1.0)]
        assert (await ask(proxy.url, call("eth_feeHistory")))[1]["result"]["reward"] == [[], []]
        proxy.faults = [RemovedLogs(1.0)]
        assert [log["removed"] for log in (await ask(proxy.url, call("eth_getLogs")))[1]["result"]] == [
            True,
            False,
        ]


async def test_errors_with_a_status_of_their_own(upstream):
    async with FaultProxy(upstream[0], faults=[HttpErrors(1.0, status=500)]) as proxy:
        status, answer = await ask(proxy.url, call("fail"))
        assert (status, answer["error"]["code"]) == (500, 3)
        assert (await ask(proxy.url, call("a")))[0] == 200


async def test_a_mutation_has_the_last_word(upstream):
    async with FaultProxy(upstream[0]) as proxy:
        proxy.mutation = lambda call, answer: {**answer, "result": call.method}
        assert (await ask(proxy.url, call("a")))[1]["result"] == "a"
