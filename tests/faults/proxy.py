"""A proxy between a client and a JSON-RPC node that delays, refuses, spoils, counts and records.

What it does is the same in every run of the same requests (see `dice`). It understands batches: faults of an
HTTP request hit a batch as a whole, faults of an answer each answer of it alone.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from faults.dice import Dice
from faults.kinds import Call, Fault, HttpErrors, Json, Passed
from faults.latency import Latency

REMEMBERED = 32
"""Answers of each method that `OthersAnswer` may give again."""
MAX_BODY = 64 << 20

Mutation = Callable[[Call, Json], Json]
"""Gives the answer that the client is to see in place of the node's."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what the node answered, before anything was spoilt."""

    method: str
    params: Any
    answer: Json


class FaultProxy:
    """A misbehaving node at `url`.

    Args:
        upstream: the node's URL.
        faults: kinds, each with its share; may be replaced while the proxy runs.
        latency: seconds added to each HTTP request.
        seed: of chance.
        record: keep every exchange in `recorded`.

    Attributes:
        counts: JSON-RPC requests by method.
        posts: HTTP requests.
        mutation: applied to each answer after all faults; None changes nothing.
    """

    def __init__(
        self,
        upstream: str,
        *,
        faults: Sequence[Fault] = (),
        latency: Latency | None = None,
        seed: int = 0,
        record: bool = False,
    ) -> None:
        self.upstream = upstream
        self.faults = list(faults)
        self.latency = latency
        self.mutation: Mutation | None = None
        self.counts: Counter[str] = Counter()
        self.posts = 0
        self.recorded: list[Exchange] | None = [] if record else None
        self._dice = Dice(seed)
        self._past: defaultdict[str, deque[Json]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._runner is not None, "the proxy is not running"
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=MAX_BODY)
        application.router.add_post("/{path:.*}", self._post)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        # A request that its client has given up is given up: stalls would pile up.
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        calls = [self._call(item) for item in (body if isinstance(body, list) else [body])]
        self.posts += 1
        if self.latency is not None:
            await asyncio.sleep(self.latency(self._dice.draw("latency", self.posts)))

        async def forward() -> list[Json]:
            return await self._ask(body)

        try:
            for fault in self.faults:
                response = await fault.intercept(calls, self._dice, forward)
                if response is not None:
                    return response
        except Passed:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        answers = await forward()
        by_id = {json.dumps(answer.get("id")): answer for answer in answers}
        seen = [
            self._spoilt(call, by_id[json.dumps(call.id)]) for call in calls if json.dumps(call.id) in by_id
        ]
        return web.json_response(
            seen if isinstance(body, list) else seen[0], status=self._status(calls, seen)
        )

    def _call(self, item: Json) -> Call:
        method = str(item.get("method"))
        self.counts[method] += 1
        return Call(method, item.get("params"), item.get("id"), self.counts[method])

    async def _ask(self, body: Any) -> list[Json]:
        if self._session is None or self._session.closed:
            raise web.HTTPServiceUnavailable(text="the proxy is being closed")
        async with self._session.post(self.upstream, json=body) as response:
            answer = await response.json(content_type=None)
        return answer if isinstance(answer, list) else [answer]

    def _spoilt(self, call: Call, answer: Json) -> Json:
        past = self._past[call.method]
        seen = answer
        for fault in self.faults:
            seen = fault.spoil(call, seen, self._dice, past)
        past.append(answer)
        if self.recorded is not None:
            self.recorded.append(Exchange(call.method, call.params, answer))
        return self.mutation(call, seen) if self.mutation is not None else seen

    def _status(self, calls: Sequence[Call], seen: Sequence[Json]) -> int:
        if len(seen) == 1 and "error" in seen[0]:
            for fault in self.faults:
                if isinstance(fault, HttpErrors) and fault.hits(calls[0], self._dice):
                    return fault.status
        return 200
