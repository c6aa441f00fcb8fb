"""Where requesters deliver private inputs: a small HTTP server that believes nothing.

    POST /v1/jobs/{jobId}/input   200 verified and stored   202 stored, to be checked   404 unknown job
                                  409 not awarded to this worker   413 too large   415 wrong type
                                  422 not the job's input   503 busy, try again
    GET  /v1/health               who this is

A stranger can reach it, so everything is bounded: the body by `max_bytes`, the time it may take, how many are
handled at once. Only jobs this worker holds are looked at at all, and what was verified once is not replaced.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiohttp import web

from ..errors import AssayError
from .errors import InboxError, WorkerError

_log = structlog.get_logger(__name__)

READ_SECONDS = 30.0
"""Time a body may take to arrive."""
AT_ONCE = 16
"""Requests handled at once; more are told to come back."""

Receive = Callable[[bytes, bytes], Awaitable[int]]
"""Takes job id and body; returns 200 or 202, raises `InboxError`."""


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
        self._runner: web.AppRunner | None = None

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
        self._runner, self._port = await serve(app, self._host, self._port, "inbox_port")
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _get_health(self, _: web.Request) -> web.Response:
        return web.json_response(dict(self._describe()))

    async def _post_input(self, request: web.Request) -> web.Response:
        if self._busy >= AT_ONCE:
            return _answer(503, "busy, try again", {"Retry-After": "1"})
        self._busy += 1
        try:
            status = await self._receive(_job_id(request.match_info["job_id"]), await self._body(request))
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


async def serve(app: web.Application, host: str, port: int, setting: str) -> tuple[web.AppRunner, int]:
    """Serves an application; returns its runner and the port it got. Raises `WorkerError` if it is taken."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise WorkerError(
            f"cannot listen on {host}:{port} ({os.strerror(error.errno) if error.errno else error})",
            f"Choose another {setting}",
        ) from error
    return runner, int(runner.addresses[0][1])


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
