"""The inbox against strangers who take their time: what each may hold open, and for how long."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import aiohttp
import pytest

from assay_node.worker.errors import InboxError
from assay_node.worker.inbox import Inbox, ReadBody, connections
from assay_node.worker.inbox import server as inbox

JOB = b"\x07" * 32
POST = f"POST /v1/jobs/{JOB.hex()}/input HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
SIGNED = {"Assay-Signature": "of the requester"}

Take = Callable[[bytes, ReadBody], Awaitable[int]]


class Deliveries:
    """Stands for the worker's: whoever sends `SIGNED` is the requester."""

    def __init__(self, take: Take) -> None:
        self._take = take

    async def is_from_requester(self, _: bytes, headers: Mapping[str, str]) -> bytes | None:
        return bytes(32) if headers.get("Assay-Signature") == SIGNED["Assay-Signature"] else None

    def wanted(self, job_id: bytes) -> bool | None:
        return {JOB: True, bytes(32): False}.get(job_id)

    async def reason(self, job_id: bytes) -> Mapping[str, object] | None:
        return {"reason": "too dear"} if job_id == JOB else None

    async def receive(self, job_id: bytes, read: ReadBody, body_hash: bytes | None = None) -> int:
        assert body_hash in (None, bytes(32))
        return await self._take(job_id, read)


def listening(take: Take) -> Inbox:
    return Inbox(Deliveries(take), lambda: {"worker": "me"}, host="127.0.0.1", port=0, max_bytes=1 << 16)


async def take(_: bytes, read: ReadBody) -> int:
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


async def deliver(server: Inbox, **headers: str) -> int:
    async with aiohttp.ClientSession() as session:
        url = f"{server.url}/v1/jobs/{JOB.hex()}/input"
        content = {"Content-Type": "application/octet-stream"}
        async with session.post(url, data=b"sealed", headers=content | headers) as response:
            return response.status


async def test_the_oldest_idle_connection_makes_room_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_OF_ONE_ADDRESS", 3)
    async with listening(take) as server:
        held = [await connect(server) for _ in range(3)]
        assert await healthy(server)
        assert await is_closed(held[0][0])
        newer = asyncio.create_task(is_closed(held[1][0]))
        await asyncio.sleep(0.05)
        assert not newer.done()
        newer.cancel()
        for _, writer in held:
            writer.close()


async def test_one_address_cannot_take_the_places_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 4)
    monkeypatch.setattr(connections, "MAX_OF_ONE_ADDRESS", 100)
    made = connections.Connections(asyncio.Protocol)
    others = [_Transport("10.0.0.1") for _ in range(3)]
    lonely = _Transport("10.0.0.2")
    assert all(made.made(each) for each in (lonely, *others))
    assert made.made(_Transport("10.0.0.3"))
    assert (lonely.aborted, others[0].aborted, others[1].aborted) == (False, True, False)


async def test_the_connection_of_a_requester_is_never_closed_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MAX_OF_ONE_ADDRESS", 2)
    made = connections.Connections(asyncio.Protocol)
    requester, stranger = _Transport("10.0.0.1"), _Transport("10.0.0.1")
    assert made.made(requester)
    made.trust(requester)
    assert made.made(stranger)
    assert made.made(_Transport("10.0.0.1"))
    assert (requester.aborted, stranger.aborted) == (False, True)
    made.lost(requester)
    assert len(made) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::2", True),  # groups of zeros are left out of the text
        ("2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:a00:1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("", "", True),
    ],
)
def test_an_address_counts_as_the_same_however_it_is_written(one: str, other: str, same: bool) -> None:
    assert (connections.counted_as(one) == connections.counted_as(other)) is same


def test_the_addresses_of_one_ipv6_customer_count_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_OF_ONE_ADDRESS", 1)
    made = connections.Connections(asyncio.Protocol)
    first, second = _Transport("2001:db8:1:2::1"), _Transport("2001:db8:1:2:ffff::9")
    assert made.made(first)
    assert made.made(second)
    assert first.aborted
    assert made.made(_Transport("2001:db8:1:3::1"))
    assert not second.aborted


class _Transport(asyncio.Transport):
    """A connection from an address, as far as it matters here."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 1)})
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


async def test_a_requesters_delivery_waits_for_no_slow_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred strangers send a byte of their bodies and no more; nobody gives up, yet it is served."""
    monkeypatch.setattr(inbox, "READ_SECONDS", 1e6)
    monkeypatch.setattr(inbox, "PATIENCE", 1e6)
    async with listening(take) as server:
        slow = [await connect(server) for _ in range(200)]
        for _, writer in slow:
            writer.write(f"{POST}Content-Length: 1000\r\n\r\nx".encode())
        await asyncio.sleep(0.1)
        assert await deliver(server) == 503
        assert await deliver(server, **SIGNED) == 200
        for _, writer in slow:
            writer.close()


async def test_a_strangers_delivery_takes_the_place_of_a_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "PATIENCE", 0.2)
    async with listening(take) as server:
        slow = [await connect(server) for _ in range(inbox.AT_ONCE)]
        for _, writer in slow:
            writer.write(f"{POST}Content-Length: 1000\r\n\r\nx".encode())
        await asyncio.sleep(0.05)
        assert await deliver(server) == 503  # none of them is slow yet
        await asyncio.sleep(0.3)
        assert await deliver(server) == 200
        assert await is_closed(slow[0][0])
        for _, writer in slow:
            writer.close()


async def test_one_input_is_delivered_by_its_requester_twice_at_once_and_no_more() -> None:
    """A signature that somebody overheard opens no more doors than that."""
    gate = asyncio.Event()

    async def wait(_: bytes, read: ReadBody) -> int:
        await read()
        await gate.wait()
        return 200

    async with listening(wait) as server:
        first = [asyncio.create_task(deliver(server, **SIGNED)) for _ in range(inbox.SIGNED_AT_ONCE)]
        await asyncio.sleep(0.1)
        assert await deliver(server, **SIGNED) == 503
        gate.set()
        assert await asyncio.gather(*first) == [200] * inbox.SIGNED_AT_ONCE
        assert await deliver(server, **SIGNED) == 200


async def test_an_input_that_is_wanted_is_asked_for() -> None:
    async with listening(take) as server, aiohttp.ClientSession() as session:
        for job, status, answer in (
            (JOB.hex(), 200, {"input": "wanted"}),
            ("0x" + bytes(32).hex(), 200, {"input": "held"}),
            ((b"\x08" * 32).hex(), 404, None),
            ("nonsense", 404, None),
        ):
            async with session.get(f"{server.url}/v1/jobs/{job}/input") as response:
                assert response.status == status
                if answer is not None:
                    assert await response.json() == answer


async def test_a_connection_that_is_lost_in_a_body_leaves_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reading = asyncio.Event()

    async def slowly(_: bytes, read: ReadBody) -> int:
        reading.set()
        await read()
        return 200

    with caplog.at_level(logging.DEBUG):
        async with listening(slowly) as server:
            for end in ("close", "abort"):
                reading.clear()
                _, writer = await connect(server)
                writer.write(f"{POST}Content-Length: 1000\r\n\r\nsome of it".encode())
                await reading.wait()
                writer.close() if end == "close" else writer.transport.abort()
                await asyncio.sleep(0.1)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert "Traceback" not in caplog.text


async def test_no_body_is_read_for_a_job_that_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "LINGER_SECONDS", 0.1)

    async def refuse(_: bytes, __: ReadBody) -> int:
        raise InboxError(404, "this worker knows no such job")

    async with listening(refuse) as server:
        reader, writer = await connect(server)
        writer.write(f"{POST}Content-Length: 1000\r\n\r\n".encode())  # and nothing of it is sent
        assert (await reader.readline()).startswith(b"HTTP/1.1 404")
        writer.close()


async def test_a_compressed_body_is_not_inflated() -> None:
    bodies: list[bytes] = []

    async def keep(_: bytes, read: ReadBody) -> int:
        bodies.append(await read())
        return 202

    small = zlib.compress(bytes(1 << 20))
    headers = {"Content-Type": "application/octet-stream", "Content-Encoding": "deflate"}
    async with listening(keep) as server, aiohttp.ClientSession() as session:
        url = f"{server.url}/v1/jobs/{JOB.hex()}/input"
        async with session.post(url, data=small, headers=headers) as response:
            assert response.status == 202
    assert bodies == [small]
