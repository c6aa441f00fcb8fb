"""The inbox against strangers who take their time: what each may hold open, and for how long."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp
import pytest

from assay_node.worker import inbox
from assay_node.worker.errors import InboxError
from assay_node.worker.inbox import Inbox

JOB = b"\x07" * 32
POST = f"POST /v1/jobs/{JOB.hex()}/input HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"


def listening(receive: inbox.Receive) -> Inbox:
    return Inbox(receive, lambda: {"worker": "me"}, host="127.0.0.1", port=0, max_bytes=1 << 16)


async def take(_: bytes, read: Callable[[], Awaitable[bytes]]) -> int:
    await read()
    return 200


async def connect(server: Inbox) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(server.url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether the other side hangs up without a word; the test's own time-out is the limit."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


async def healthy(server: Inbox) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/v1/health") as response:
        return response.status == 200


async def test_a_connection_that_asks_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "IDLE_SECONDS", 0.1)
    async with listening(take) as server:
        reader, writer = await connect(server)
        assert await is_closed(reader)
        writer.close()


async def test_headers_that_never_end_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "IDLE_SECONDS", 0.2)
    async with listening(take) as server:
        reader, writer = await connect(server)
        writer.write(POST.encode())

        async def trickle() -> None:
            while True:
                writer.write(b"X-More: and more\r\n")
                await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        assert await is_closed(reader)
        trickling.cancel()
        writer.close()


async def test_a_second_request_has_no_more_time_for_its_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "IDLE_SECONDS", 0.1)
    async with listening(take) as server:
        reader, writer = await connect(server)
        writer.write(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.write(b"GET /v1/health HTTP/1.1\r\n")
        assert b"HTTP/1.1" not in await reader.read()
        writer.close()


async def test_a_body_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "READ_SECONDS", 0.1)
    monkeypatch.setattr(inbox, "LINGER_SECONDS", 0.1)
    async with listening(take) as server:
        reader, writer = await connect(server)
        writer.write(f"{POST}Content-Length: 1000\r\n\r\n".encode())
        writer.write(b"some of it")
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        await reader.read()  # and the connection is closed
        writer.close()


async def test_connections_beyond_the_bound_are_closed_and_one_that_ends_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbox, "MAX_CONNECTIONS", 2)
    async with listening(take) as server:
        held = [await connect(server) for _ in range(2)]
        reader, writer = await connect(server)
        assert await is_closed(reader)
        writer.close()
        with pytest.raises(aiohttp.ClientConnectionError):
            await healthy(server)
        held[0][1].close()
        await held[0][1].wait_closed()
        for _ in range(100):
            try:
                assert await healthy(server)
                break
            except aiohttp.ClientConnectionError:  # the server has not heard of the end yet
                await asyncio.sleep(0.01)
        else:
            pytest.fail("no room although a connection has ended")
        held[1][1].close()


async def test_no_body_is_read_for_a_job_that_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "LINGER_SECONDS", 0.1)

    async def refuse(_: bytes, __: Callable[[], Awaitable[bytes]]) -> int:
        raise InboxError(404, "this worker knows no such job")

    async with listening(refuse) as server:
        reader, writer = await connect(server)
        writer.write(f"{POST}Content-Length: 1000\r\n\r\n".encode())  # and nothing of it is sent
        assert (await reader.readline()).startswith(b"HTTP/1.1 404")
        writer.close()


async def test_a_compressed_body_is_not_inflated() -> None:
    bodies: list[bytes] = []

    async def keep(_: bytes, read: Callable[[], Awaitable[bytes]]) -> int:
        bodies.append(await read())
        return 202

    small = zlib.compress(bytes(1 << 20))
    headers = {"Content-Type": "application/octet-stream", "Content-Encoding": "deflate"}
    async with listening(keep) as server, aiohttp.ClientSession() as session:
        url = f"{server.url}/v1/jobs/{JOB.hex()}/input"
        async with session.post(url, data=small, headers=headers) as response:
            assert response.status == 202
    assert bodies == [small]
