"""Nodes as they come: HTML, refusals, silence, nonsense. Each is one clear error, never a wrong value."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from assay_node.chain import ChainError, Market, NodeUnavailable, RateLimited, Rpc, RpcError
from assay_node.chain.node import endpoint as http
from assay_node.chain.node import rpc as module

Answer = Callable[[dict[str, Any]], Any]


class Server:
    """A node that answers what `answer` returns: a dict as JSON, anything else as it is."""

    def __init__(self) -> None:
        self.answer: Answer = lambda _: result("0x1")
        self.asked: list[str] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body["method"])
        given = self.answer(body)
        if asyncio.iscoroutine(given):
            given = await given
        if isinstance(given, web.Response):
            return given
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], **given})


def result(value: Any) -> dict[str, Any]:
    return {"result": value}


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(http, "LONGEST_RETRY_AFTER", 0.0)
    node = Server()
    app = web.Application()
    app.router.add_post("/", node.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    node.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield node
    await runner.cleanup()


@pytest.fixture
async def node(server: Server) -> AsyncIterator[Rpc]:
    async with Rpc(server.url, timeout=1.5) as rpc:
        yield rpc


def page(status: int) -> Answer:
    return lambda _: web.Response(status=status, text="<html>hello</html>", content_type="text/html")


async def slow(_: Any) -> dict[str, Any]:
    await asyncio.sleep(30)
    return result("0x1")


@pytest.mark.parametrize(
    "answer",
    [page(200), page(403), page(502), slow, lambda _: web.json_response([]), lambda _: web.json_response(7)],
    ids=["html", "forbidden", "bad gateway", "silence", "a list", "a number"],
)
async def test_what_is_no_answer_is_node_unavailable(server: Server, node: Rpc, answer: Answer) -> None:
    server.answer = answer
    with pytest.raises(NodeUnavailable, match="no usable answer from the node at http"):
        await node.block_number()
    assert 1 <= len(server.asked) <= module.READ_ATTEMPTS


async def test_a_failure_that_passes_is_not_noticed(server: Server, node: Rpc) -> None:
    server.answer = lambda _: result("0x7") if len(server.asked) == 3 else page(503)(_)
    assert await node.block_number() == 7


async def test_a_transaction_is_handed_over_once_whatever_comes_back(server: Server, node: Rpc) -> None:
    server.answer = page(502)
    with pytest.raises(NodeUnavailable):
        await node.send_raw(b"\x01")
    assert len(server.asked) == 1


async def test_a_node_that_has_enough_is_told_apart(server: Server, node: Rpc) -> None:
    server.answer = lambda _: web.Response(status=429, headers={"Retry-After": "1"})
    with pytest.raises(RateLimited, match="429"):
        await node.block_number()


@pytest.mark.parametrize("nonsense", [None, "", "latest", 7, {}, [], "0xzz", True, {"number": None}, [None]])
async def test_nonsense_is_node_unavailable(server: Server, node: Rpc, nonsense: Any) -> None:
    server.answer = lambda _: result(nonsense)
    for ask in (
        node.block_number(),
        node.balance("0x" + "11" * 20),
        node.call("0x" + "11" * 20, b""),
        node.fee_history(1, 50.0),
        node.logs(1, 2, []),
        node.header(1),
        node.receipt(bytes(32)),
    ):
        try:
            value = await ask
        except NodeUnavailable as error:
            assert "makes no sense" in str(error)  # noqa: PT017 - an error or one of the empty values below
        else:
            assert value in (None, [], b"")


async def test_an_errors_code_and_data_arrive_as_they_are(server: Server, node: Rpc) -> None:
    server.answer = lambda _: {"error": {"code": 3, "message": "execution reverted", "data": "0xabcd"}}
    with pytest.raises(RpcError) as caught:
        await node.call("0x" + "11" * 20, b"")
    assert (caught.value.code, caught.value.data) == (3, "0xabcd")
    for error in ("no", {"code": "x", "message": None}, {}):
        server.answer = lambda _, error=error: {"error": error}  # type: ignore[misc]
        with pytest.raises(RpcError):
            await node.block_number()


@pytest.mark.parametrize("data", ["0x01", "0x" + "ff" * 31, "0x" + "ff" * 512])
async def test_a_views_answer_that_is_none_of_the_contract(server: Server, node: Rpc, data: str) -> None:
    server.answer = lambda _: result(data)
    with pytest.raises(ChainError, match=r"no answer of that contract|makes no sense"):
        await Market(node, "0x" + "11" * 20).job_of(bytes(32))


async def test_an_endless_answer_does_not_fill_the_memory(
    server: Server, node: Rpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "LARGEST_ANSWER", 1000)
    server.answer = lambda _: result("0x" + "00" * 1000)
    with pytest.raises(NodeUnavailable, match="more than 1000 bytes"):
        await node.call("0x" + "11" * 20, b"")


async def test_a_providers_key_in_the_url_is_in_no_message() -> None:
    async with Rpc("http://user:pass@127.0.0.1:1/v3/0123secret?key=456secret") as node:
        with pytest.raises(NodeUnavailable) as caught:
            await node.send_raw(b"\x01")
    assert "http://127.0.0.1:1/.." in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "pass" not in str(caught.value)


async def test_requests_share_a_connection(server: Server, node: Rpc) -> None:
    peers = set()

    async def answer(_: Any) -> dict[str, Any]:
        return result("0x1")

    handle = server.handle

    async def noting(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return await handle(request)

    app = web.Application()
    app.router.add_post("/", noting)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.answer = answer
    async with Rpc(f"http://127.0.0.1:{runner.addresses[0][1]}") as other:
        for _ in range(5):
            assert await other.block_number() == 1
    await runner.cleanup()
    assert len(peers) == 1


async def test_after_closing_nothing_opens_a_connection_again(server: Server) -> None:
    node = Rpc(server.url, timeout=0.5)
    assert await node.block_number() == 1
    await node.close()
    asked = len(server.asked)
    with pytest.raises(NodeUnavailable, match="is closed"):
        await node.block_number()
    assert len(server.asked) == asked
