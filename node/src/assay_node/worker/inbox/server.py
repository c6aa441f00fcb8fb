"""The inbox's HTTP server.

    POST /v1/jobs/{jobId}/input   200 verified and stored   202 stored, to be checked   404 unknown job
                                  409 not awarded to this worker   413 too large   415 wrong type
                                  422 not the job's input   503 busy, try again
    GET  /v1/jobs/{jobId}/input   {"input": "held"} or {"input": "wanted"}; 404 for a job not in hand
    GET  /v1/jobs/{jobId}/reason  why this worker stayed out of a job, signed; 404 if it has nothing to say
    GET  /v1/health               who this is

A stranger can reach it, so everything is bounded: connections (see `connections`), the time one may be idle
or take over its headers, the body by `max_bytes`, the time that may take, how many are handled at once. A
body is read only for a job this worker holds, and what was verified once is not replaced. A delivery that is
signed by the job's requester waits for nobody: strangers share what is left.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Protocol

import structlog
from aiohttp import ClientPayloadError, web
from aiohttp.http import HttpProcessingError

from ...errors import AssayError
from ..errors import InboxError, WorkerError
from .connections import Connections

_log = structlog.get_logger(__name__)

READ_SECONDS = 30.0
"""Time a body may take to arrive."""
IDLE_SECONDS = 15.0
"""Time from connecting, or from the last answer, to the end of the next request's headers."""
LINGER_SECONDS = 5.0
"""Time a refused body is still read and thrown away, so that its sender sees the answer."""
AT_ONCE = 16
"""Strangers' deliveries handled at once."""
PATIENCE = 2.0
"""Seconds after which one of them is given up for a newer one, if there are as many."""
SIGNED_AT_ONCE = 2
"""Deliveries of one job that are signed by its requester and handled at once."""

ReadBody = Callable[[], Awaitable[bytes]]


class Counter(Protocol):
    """What the inbox is the counter of: the worker's deliveries."""

    async def is_from_requester(self, job_id: bytes, headers: Mapping[str, str]) -> bytes | None:
        """The hash of the body that the job's requester signed, or None."""

    def wanted(self, job_id: bytes) -> bool | None:
        """Whether a job's input is still to come; None for a job not in hand."""

    async def reason(self, job_id: bytes) -> Mapping[str, Any] | None:
        """Why the worker stayed out of a job, signed; None for nothing to say."""

    async def receive(self, job_id: bytes, read: ReadBody, body_hash: bytes | None = None) -> int:
        """Takes a delivery; returns 200 or 202, raises `InboxError`."""


class Inbox:
    """The server.

    Args:
        counter: takes what is delivered.
        describe: what `/v1/health` says.
        host, port: where to listen; port 0 takes any free one.
        max_bytes: largest body.
    """

    def __init__(
        self,
        counter: Counter,
        describe: Callable[[], Mapping[str, Any]],
        *,
        host: str,
        port: int,
        max_bytes: int,
    ) -> None:
        self._counter = counter
        self._describe = describe
        self._host, self._port = host, port
        self._max_bytes = max_bytes
        self._connections: Connections | None = None
        self._strangers: dict[asyncio.BaseTransport, float] = {}
        """When the delivery on each of their connections began, oldest first."""
        self._signed: dict[bytes, int] = {}
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where it listens, once started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def __aenter__(self) -> Inbox:
        """Starts listening. Raises `WorkerError` if the port is taken."""
        app = web.Application(client_max_size=self._max_bytes)
        app.router.add_post("/v1/jobs/{job_id}/input", self._post_input)
        app.router.add_get("/v1/jobs/{job_id}/input", self._get_input)
        app.router.add_get("/v1/jobs/{job_id}/reason", self._get_reason)
        app.router.add_get("/v1/health", self._get_health)
        self._port, self._connections = await self._stack.enter_async_context(
            serve(app, self._host, self._port, "inbox_port")
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stops listening."""
        await self._stack.aclose()

    async def _get_health(self, _: web.Request) -> web.Response:
        return web.json_response(dict(self._describe()))

    async def _get_input(self, request: web.Request) -> web.Response:
        try:
            wanted = self._counter.wanted(_job_id(request.match_info["job_id"]))
        except InboxError as error:
            return _answer(error.status, error.what)
        if wanted is None:
            return _answer(404, "this worker holds no such job")
        return web.json_response({"input": "wanted" if wanted else "held"})

    async def _get_reason(self, request: web.Request) -> web.Response:
        try:
            reason = await self._counter.reason(_job_id(request.match_info["job_id"]))
        except InboxError as error:
            return _answer(error.status, error.what)
        if reason is None:
            return _answer(404, "this worker has nothing to say of this job")
        return web.json_response(dict(reason))

    async def _post_input(self, request: web.Request) -> web.Response:
        try:
            job_id = _job_id(request.match_info["job_id"])
            body_hash = await self._counter.is_from_requester(job_id, request.headers)
            async with self._turn(request, job_id, signed=body_hash is not None):
                status = await self._counter.receive(job_id, partial(self._body, request), body_hash)
        except InboxError as error:
            _log.info("inbox.refused", status=error.status, reason=error.what, peer=request.remote)
            return _answer(error.status, error.what, {"Retry-After": "1"} if error.status == 503 else None)
        except AssayError as error:  # a node that is away, a disk that is full: a stranger is not told which
            _log.warning("inbox.failed", reason=str(error), peer=request.remote)
            return _answer(503, "not now, try again", {"Retry-After": "5"})
        return _answer(status, "verified" if status == 200 else "stored")

    @asynccontextmanager
    async def _turn(self, request: web.Request, job_id: bytes, *, signed: bool) -> AsyncIterator[None]:
        """A place among those that are handled. Raises `InboxError` if there is none."""
        assert self._connections is not None  # noqa: S101 - it listens
        if (transport := request.transport) is None:
            raise InboxError(400, "the connection is gone")
        if signed:
            if self._signed.get(job_id, 0) >= SIGNED_AT_ONCE:
                raise InboxError(503, "this input is being delivered already")
            self._signed[job_id] = self._signed.get(job_id, 0) + 1
            self._connections.trust(transport)
        else:
            self._make_room()
            self._strangers[transport] = time.monotonic()
        self._connections.working(transport, is_working=True)
        try:
            yield
        finally:
            self._connections.working(transport, is_working=False)
            self._strangers.pop(transport, None)
            if signed:
                self._signed[job_id] -= 1
                if not self._signed[job_id]:
                    del self._signed[job_id]

    def _make_room(self) -> None:
        """Gives up the oldest of strangers' deliveries for a new one. Raises `InboxError` if none is slow."""
        assert self._connections is not None  # noqa: S101 - it listens
        if len(self._strangers) < AT_ONCE:
            return
        oldest, since = next(iter(self._strangers.items()))
        if time.monotonic() - since < PATIENCE:
            raise InboxError(503, "busy, try again")
        del self._strangers[oldest]
        self._connections.close(oldest)

    async def _body(self, request: web.Request) -> bytes:
        too_large = InboxError(413, f"a body has at most {self._max_bytes} bytes")
        if request.content_type != "application/octet-stream":
            raise InboxError(415, "the body must be application/octet-stream")
        if request.content_length is not None and request.content_length > self._max_bytes:
            raise too_large
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await request.read()
        except TimeoutError as error:
            raise InboxError(408, "the body took too long to arrive") from error
        except web.HTTPRequestEntityTooLarge as error:
            raise too_large from error
        except (OSError, ClientPayloadError, HttpProcessingError) as error:
            raise InboxError(400, "the body did not arrive whole") from error


@asynccontextmanager
async def serve(
    app: web.Application, host: str, port: int, setting: str
) -> AsyncIterator[tuple[int, Connections]]:
    """Serves an application while the block runs; gives the port it got, and its connections.

    Raises `WorkerError` if the port is taken.
    """
    # aiohttp's idle time runs from the connection on, and partial headers do not stop it. Bodies are
    # ciphertext: nobody has a reason to compress one, but for making it grow here.
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=IDLE_SECONDS,
        lingering_time=LINGER_SECONDS,
        auto_decompress=False,
    )
    await runner.setup()
    try:
        assert runner.server is not None  # noqa: S101 - set up just above
        connections = Connections(runner.server)
        try:
            listener = await asyncio.get_running_loop().create_server(connections, host, port)
        except OSError as error:
            raise WorkerError(
                f"cannot listen on {host}:{port} ({os.strerror(error.errno) if error.errno else error})",
                f"Choose another {setting}",
            ) from error
        try:
            yield int(listener.sockets[0].getsockname()[1]), connections
        finally:
            listener.close()
    finally:
        await runner.cleanup()


def _job_id(text: str) -> bytes:
    try:
        job_id = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise InboxError(404, "no such job") from error
    if len(job_id) != 32:
        raise InboxError(404, "no such job")
    return job_id


def _answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"message": message}, status=status, headers=headers)
