"""Delivery of inputs: sealed, persistent, and not fooled by what a stranger registered or answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from nacl.public import PrivateKey, SealedBox

from assay_node.client.delivery import Recipient, deliver, inbox_url, is_local, seal
from assay_node.client.errors import DeliveryError, DeliveryRefused
from assay_node.client.store import JobSecrets

KEY = PrivateKey.generate()
JOB = b"\x07" * 32
SECRETS = JobSecrets(salt=987654321, integers=np.array([1, -2, 3]), shape=(3,))
WORKER = "0x" + "55" * 20


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
            return await deliver(recipient(server), JOB, SECRETS, patience=patience, allow_local=True), bodies
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
        await deliver(gone, JOB, SECRETS, patience=0.3, allow_local=True)


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
            await deliver(recipient(server), JOB, SECRETS, patience=0.3, allow_local=True)
    finally:
        await server.close()
        await other.close()
    assert bodies == []


@pytest.mark.parametrize(
    "endpoint",
    ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:9", "http://10.0.0.7", "http://169.254.169.254/",
     "http://box.local", "http://192.168.1.1:80", "http://0.0.0.0"],
)  # fmt: skip
async def test_a_local_endpoint_is_refused_unless_allowed(endpoint: str) -> None:
    assert is_local(endpoint)
    with pytest.raises(DeliveryRefused, match="local address"):
        await deliver(Recipient(WORKER, endpoint, KEY.public_key.encode()), JOB, SECRETS, patience=1.0)


def test_a_public_endpoint_is_not_local() -> None:
    assert not is_local("https://worker.example.org:8443/assay")
    assert not is_local("http://8.8.8.8")


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
