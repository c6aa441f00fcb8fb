"""Where requesters deliver private inputs: a small HTTP server that believes nothing.

    POST /v1/jobs/{jobId}/input   200 verified and stored   202 stored, to be checked   404 unknown job
                                  409 not awarded to this worker   413 too large   415 wrong type
                                  422 not the job's input   503 busy, try again
    GET  /v1/health               who this is

A stranger can reach it, so everything is bounded: connections, the time one may be idle or take over its
headers, the body by `max_bytes`, the time that may take, how many are handled at once. A body is read only
for a job this worker holds, and what was verified once is not replaced.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from ..errors import AssayError
from .errors import InboxError, WorkerError

_log = structlog.get_logger(__name__)

READ_SECONDS = 30.0
"""Time a body may take to arrive."""
IDLE_SECONDS = 15.0
"""Time from connecting, or from the last answer, to the end of the next request's headers."""
LINGER_SECONDS = 5.0
"""Time a refused body is still read and thrown away, so that its sender sees the answer."""
AT_ONCE = 16
"""Requests handled at once; more are told to come back."""
MAX_CONNECTIONS = 128
"""Connections open at once; more are closed before they have cost anything."""

Receive = Callable[[bytes, Callable[[], Awaitable[bytes]]], Awaitable[int]]
"""Takes a job id and what reads the body; returns 200 or 202, raises `InboxError`."""


class Inbox:
    """The server.

    Args:
        receive: what to do with a body.
        describe: what `/v1/health` says.
        host, port: where to listen; port 0 takes any free one.
        max_bytes: largest body.
    """

    def __init__(
        self,
        receive: Receive,
        describe: Callable[[], Mapping[str, Any]],
        *,
        host: str,
        port: int,
        max_bytes: int,
    ) -> None:
        self._receive = receive
        self._describe = describe
        self._host, self._port = host, port
        self._max_bytes = max_bytes
        self._busy = 0
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
        app.router.add_get("/v1/health", self._get_health)
        self._port = await self._stack.enter_async_context(serve(app, self._host, self._port, "inbox_port"))
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stops listening."""
        await self._stack.aclose()

    async def _get_health(self, _: web.Request) -> web.Response:
        return web.json_response(dict(self._describe()))

    async def _post_input(self, request: web.Request) -> web.Response:
        if self._busy >= AT_ONCE:
            return _answer(503, "busy, try again", {"Retry-After": "1"})
        self._busy += 1
        try:
            status = await self._receive(_job_id(request.match_info["job_id"]), partial(self._body, request))
        except InboxError as error:
            _log.info("inbox.refused", status=error.status, reason=error.what, peer=request.remote)
            return _answer(error.status, error.what)
        except AssayError as error:  # a node that is away, a disk that is full: a stranger is not told which
            _log.warning("inbox.failed", reason=str(error), peer=request.remote)
            return _answer(503, "not now, try again", {"Retry-After": "5"})
        finally:
            self._busy -= 1
        return _answer(status, "verified" if status == 200 else "stored")

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


@asynccontextmanager
async def serve(app: web.Application, host: str, port: int, setting: str) -> AsyncIterator[int]:
    """Serves an application while the block runs; gives the port it got.

    Raises `WorkerError` if it is taken.
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
        try:
            factory = partial(_connection, runner.server)
            listener = await asyncio.get_running_loop().create_server(factory, host, port)
        except OSError as error:
            raise WorkerError(
                f"cannot listen on {host}:{port} ({os.strerror(error.errno) if error.errno else error})",
                f"Choose another {setting}",
            ) from error
        try:
            yield int(listener.sockets[0].getsockname()[1])
        finally:
            listener.close()
    finally:
        await runner.cleanup()


def _connection(server: web.Server, /) -> asyncio.Protocol:
    """The protocol of a new connection: aiohttp's, or none if there are enough."""
    return server() if len(server.connections) < MAX_CONNECTIONS else _Refused()


class _Refused(asyncio.Protocol):
    """A connection that is closed at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of TCP
        transport.abort()


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
