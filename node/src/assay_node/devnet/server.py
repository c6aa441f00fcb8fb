"""HTTP in front of the dispatcher: one POST endpoint, JSON in and out.

A devnet holds unlocked keys, so a web page must not be able to reach it: requests need ``application/json``
(a browser then asks first, and is refused unless its origin is allowed) and, on a loopback address, a
``Host`` that names this machine (against DNS rebinding).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from assay_node.devnet.config import is_loopback
from assay_node.devnet.rpc.dispatch import MAX_BODY_BYTES

Answer = Callable[[bytes], Awaitable[bytes | None]]


class HttpServer:
    """Listens on one address; ``answer`` turns a request's body into a response's."""

    def __init__(self, answer: Answer, *, host: str, port: int, cors_origins: tuple[str, ...] = ()) -> None:
        """``port`` 0 takes a free one. Nothing is bound before ``start``."""
        self._answer = answer
        self._host = host
        self._port = port
        self._origins = frozenset(cors_origins)
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._port

    @property
    def url(self) -> str:
        """Where clients connect."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Bind and listen; OSError if the address is taken."""
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.router.add_post("/", self._post)
        application.router.add_options("/", self._preflight)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, self._host, self._port)
            await site.start()
        except OSError:
            await self.stop()
            raise
        self._port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and end open connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _post(self, request: web.Request) -> web.Response:
        if not self._host_allowed(request):
            return web.Response(status=403, text="invalid host specified\n")
        if request.content_type != "application/json":
            return web.Response(status=415, text="invalid content type, only application/json is supported\n")
        # Shielded: a client that hangs up must not leave the chain's thread with half an answer.
        answer = await asyncio.shield(self._answer(await request.read()))
        headers = self._cors_headers(request)
        if answer is None:
            return web.Response(status=204, headers=headers)
        return web.Response(body=answer, content_type="application/json", headers=headers)

    async def _preflight(self, request: web.Request) -> web.Response:
        return web.Response(status=204, headers=self._cors_headers(request))

    def _host_allowed(self, request: web.Request) -> bool:
        return not is_loopback(self._host) or is_loopback(_without_port(request.host))

    def _cors_headers(self, request: web.Request) -> dict[str, str]:
        origin = request.headers.get("Origin")
        if origin is None or not (origin in self._origins or "*" in self._origins):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Allow-Headers": "Content-Type",
            "Vary": "Origin",
        }


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
