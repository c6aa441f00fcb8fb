"""Delivery of inputs: sealed, persistent, and not fooled by what a stranger registered or answers."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from nacl.public import PrivateKey, SealedBox

from assay_node.client.delivery import Recipient, deliver, seal, wants_input
from assay_node.client.endpoints import inbox_url, is_inward
from assay_node.client.errors import DeliveryError, DeliveryRefused
from assay_node.client.store import JobSecrets

KEY = PrivateKey.generate()
JOB = b"\x07" * 32
SECRETS = JobSecrets(salt=987654321, integers=np.array([1, -2, 3]), shape=(3,))
WORKER = "0x" + "55" * 20


def unsigned(_: bytes) -> dict[str, str]:
    return {}


async def inbox(answers: list[int], bodies: list[bytes]) -> TestServer:
    """A worker's inbox that gives these answers in turn, and then the last one for ever."""

    async def post(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.Response(status=status, text="why\x1b[31m not")

    app = web.Application()
    app.router.add_post(f"/v1/jobs/0x{JOB.hex()}/input", post)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    return server


def recipient(server: TestServer) -> Recipient:
    return Recipient(WORKER, str(server.make_url("/")), KEY.public_key.encode())


Send = Callable[[list[int], float], Awaitable[tuple[bool, list[bytes]]]]


@pytest.fixture
def send() -> Send:
    async def run(answers: list[int], patience: float) -> tuple[bool, list[bytes]]:
        bodies: list[bytes] = []
        server = await inbox(answers, bodies)
        try:
            return await deliver(
                recipient(server), JOB, SECRETS, sign=unsigned, patience=patience, allow_local=True
            ), bodies
        finally:
            await server.close()

    return run


async def test_only_the_workers_key_opens_the_body(send: Send) -> None:
    verified, bodies = await send([200], 5.0)
    assert verified
    opened = json.loads(SealedBox(KEY).decrypt(bodies[0]))
    assert opened["v"] == 1
    assert int(opened["salt"], 16) == SECRETS.salt
    assert np.frombuffer(base64.b64decode(opened["input"]), "<i8").tolist() == [1, -2, 3]
    assert opened["shape"] == [3]


async def test_stored_is_taken_for_delivered(send: Send) -> None:
    verified, _ = await send([202], 5.0)
    assert not verified


async def test_an_inbox_that_has_not_seen_the_award_is_asked_again(send: Send) -> None:
    verified, bodies = await send([404, 409, 503, 200], 30.0)
    assert verified
    assert len(bodies) == 4


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_final_refusal_is_not_repeated(send: Send, status: int) -> None:
    with pytest.raises(DeliveryRefused, match=str(status)):
        await send([status], 30.0)


async def test_what_a_worker_answers_cannot_drive_the_terminal(send: Send) -> None:
    with pytest.raises(DeliveryRefused) as caught:
        await send([422], 5.0)
    assert "\x1b" not in str(caught.value)
    assert "why" in str(caught.value)


async def test_an_unreachable_inbox_is_given_up_in_time() -> None:
    server = await inbox([200], [])
    gone = recipient(server)
    await server.close()
    with pytest.raises(DeliveryError, match="cannot be reached"):
        await deliver(gone, JOB, SECRETS, sign=unsigned, patience=0.3, allow_local=True)


async def test_a_redirect_is_not_followed() -> None:
    bodies: list[bytes] = []
    other = await inbox([200], bodies)

    async def post(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(str(other.make_url(f"/v1/jobs/0x{JOB.hex()}/input")))

    app = web.Application()
    app.router.add_post(f"/v1/jobs/0x{JOB.hex()}/input", post)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        with pytest.raises(DeliveryError, match="307"):
            await deliver(recipient(server), JOB, SECRETS, sign=unsigned, patience=0.3, allow_local=True)
    finally:
        await server.close()
        await other.close()
    assert bodies == []


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "[::1]", "10.0.0.7", "169.254.169.254", "192.168.1.1", "LOCALHOST."),
        "0.0.0.0",  # noqa: S104 - connected to, not bound
        *("0x7f.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0xA9FEA9FE"),
        *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
        *("[fe80::1]", "[fd00::1]", "100.64.0.1", "224.0.0.1"),
    ],
)
async def test_a_local_endpoint_is_refused_unless_allowed(host: str) -> None:
    """In whatever form its address is written: the listener at this port hears nothing."""
    bodies: list[bytes] = []
    server = await inbox([200], bodies)
    there = Recipient(WORKER, f"http://{host}:{server.port}", KEY.public_key.encode())
    try:
        with pytest.raises(DeliveryError) as caught:
            await deliver(there, JOB, SECRETS, sign=unsigned, patience=0.1)
    finally:
        await server.close()
    assert bodies == []
    # A form that this system's resolver does not know ends as a name without an address, which is as good.
    assert isinstance(caught.value, DeliveryRefused) or "cannot be reached" in str(caught.value)


async def test_a_name_that_resolves_inwards_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[bytes] = []
    server = await inbox([200], bodies)
    asked: list[str] = []

    async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    named = Recipient(WORKER, f"http://worker.example:{server.port}", KEY.public_key.encode())
    try:
        with pytest.raises(DeliveryRefused, match=r"leads to 127\.0\.0\.1"):
            await deliver(named, JOB, SECRETS, sign=unsigned, patience=5.0)
    finally:
        await server.close()
    assert asked == ["worker.example"]
    assert bodies == []


async def test_only_the_address_that_was_judged_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are looked up once for a connection: the judged address and the connected one are the same."""
    server = await inbox([200], [])
    looked_up: list[str] = []

    async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        looked_up.append(host)
        inward = len(looked_up) > 1  # a second look-up would lead here
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1" if inward else "192.0.2.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    named = Recipient(WORKER, f"http://worker.example:{server.port}", KEY.public_key.encode())
    try:
        with pytest.raises(DeliveryRefused, match=r"leads to 192\.0\.2\.1"):
            await deliver(named, JOB, SECRETS, sign=unsigned, patience=0.1)
    finally:
        await server.close()
    assert looked_up == ["worker.example"]


async def test_a_worker_that_wants_its_input_again_says_so() -> None:
    answers = ['{"input": "wanted"}', '{"input": "held"}', "[" * 100_000, "wanted", '["wanted"]']

    async def get(_: web.Request) -> web.Response:
        return web.Response(text=answers.pop(0))

    app = web.Application()
    app.router.add_get(f"/v1/jobs/0x{JOB.hex()}/input", get)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    there = recipient(server)
    try:
        asked = [await wants_input(there, JOB, allow_local=True) for _ in range(5)]
    finally:
        await server.close()
    assert asked == [True, False, False, False, False]
    assert not await wants_input(there, JOB, allow_local=True)  # nobody answers


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_outward(address: str) -> None:
    assert not is_inward(address)


@pytest.mark.parametrize(
    "endpoint", ["", "worker.example.org", "ftp://x", "file:///etc/passwd", "http://", "http://u:p@x", "http://x:port",
                 "http://x/?to=y", "http://x/#y", "http://x\n", "http://\u0445", "http://x/\udcff"],
)  # fmt: skip
def test_what_is_no_plain_url_is_refused(endpoint: str) -> None:
    with pytest.raises(DeliveryRefused, match="endpoint"):
        inbox_url(endpoint, JOB)


def test_a_path_in_the_endpoint_is_kept() -> None:
    assert inbox_url("https://x.org/assay/", JOB) == f"https://x.org/assay/v1/jobs/0x{JOB.hex()}/input"


def test_two_boxes_of_one_input_differ() -> None:
    key = KEY.public_key.encode()
    assert seal(SECRETS, key) != seal(SECRETS, key)


def test_a_public_input_is_not_sealed() -> None:
    with pytest.raises(DeliveryError, match="needs no delivery"):
        seal(JobSecrets(None, np.array([1]), (1,)), KEY.public_key.encode())
