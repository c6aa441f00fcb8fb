"""Kinds of faults, each of which hits a share of the requests.

A fault acts at one of two places. `intercept` sees an HTTP request before the node does, and may answer in
its stead. `spoil` sees one JSON-RPC answer, alone or in a batch, and gives back what the client is to see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from faults.dice import Dice

Json = dict[str, Any]
Forward = Callable[[], Awaitable[Sequence[Json]]]
"""Hands the request to the node and gives its answers, one for each call."""


@dataclass(frozen=True, slots=True)
class Call:
    """One JSON-RPC request.

    Attributes:
        method: its method.
        params: its parameters.
        id: its id.
        number: how many of this method came before it.
    """

    method: str
    params: Any
    id: Any
    number: int


class Passed(Exception):
    """The connection is to be cut without an answer."""


class Fault:
    """A fault that hits a share of the requests, of some methods or of all.

    Args:
        share: of the requests, 0 .. 1.
        methods: to be hit; none given means all.
    """

    def __init__(self, share: float, *methods: str) -> None:
        self.share = share
        self.methods = frozenset(methods)

    @property
    def name(self) -> str:
        """Its kind, and with it the name of its draws."""
        return type(self).__name__

    def hits(self, call: Call, dice: Dice) -> bool:
        """Whether this request is one of the share."""
        concerned = not self.methods or call.method in self.methods
        return concerned and dice.chance(self.share, self.name, call.method, call.number)

    async def intercept(self, calls: Sequence[Call], dice: Dice, forward: Forward) -> web.Response | None:
        """A response in the node's stead, or None to go on."""
        return None

    def spoil(self, call: Call, answer: Json, dice: Dice, past: Sequence[Json]) -> Json:
        """What the client sees of `answer`; `past` are answers to the same method before, newest last."""
        return answer


class HttpFault(Fault):
    """A fault of the whole HTTP request: it hits if it hits the first call in it."""

    async def intercept(self, calls: Sequence[Call], dice: Dice, forward: Forward) -> web.Response | None:
        """`respond`, for the share that is hit."""
        return await self.respond(calls, dice, forward) if self.hits(calls[0], dice) else None

    async def respond(self, calls: Sequence[Call], dice: Dice, forward: Forward) -> web.Response | None:
        """The response to a request that is hit; None to go on to the node."""
        raise NotImplementedError


class RateLimit(HttpFault):
    """HTTP 429, the request not looked at."""

    async def respond(self, calls: Sequence[Call], dice: Dice, forward: Forward) -> web.Response:
        return web.Response(status=429, text="Too Many Requests", headers={"Retry-After": "1"})


class Html(HttpFault):
    """A gateway's page. In half of the cases the node has had the request, and its answer is lost."""

    async def respond(self, calls: Sequence[Call], dice: Dice, forward: Forward) -> web.Response:
        if dice.chance(0.5, self.name, "forwarded", calls[0].method, calls[0].number):
            await forward()
        return web.Response(text="<html><body>Bad gateway</body></html>", content_type="text/html")


class Reset(HttpFault):
    """The connection is cut after the node has had the request."""

    async def respond(self, calls: Sequence[Call], dice: Dice, forward: Forward) -> web.Response:
        await forward()
        raise Passed


class Stall(HttpFault):
    """An answer that comes so late that nobody waits for it.

    Args:
        share: of the requests.
        seconds: until the node is asked.
    """

    def __init__(self, share: float, *methods: str, seconds: float = 60.0) -> None:
        super().__init__(share, *methods)
        self.seconds = seconds

    async def respond(self, calls: Sequence[Call], dice: Dice, forward: Forward) -> None:
        await asyncio.sleep(self.seconds)


class Busy(Fault):
    """Error -32005 with HTTP 200: how some providers say that they have had enough."""

    def spoil(self, call: Call, answer: Json, dice: Dice, past: Sequence[Json]) -> Json:
        if not self.hits(call, dice):
            return answer
        message = "daily request count exceeded, request rate limited"
        return {"jsonrpc": "2.0", "id": call.id, "error": {"code": -32005, "message": message}}


class NullResults(Fault):
    """`null` for whatever was asked: a node behind a load balancer that has not caught up."""

    def spoil(self, call: Call, answer: Json, dice: Dice, past: Sequence[Json]) -> Json:
        return {**answer, "result": None} if "result" in answer and self.hits(call, dice) else answer


class OthersAnswer(Fault):
    """The answer to another request of the same method, with that request's id."""

    def spoil(self, call: Call, answer: Json, dice: Dice, past: Sequence[Json]) -> Json:
        if not past or not self.hits(call, dice):
            return answer
        return dice.draw(self.name, "which", call.method, call.number).choice(past)


class Duplicated(HttpFault):
    """The node is asked twice, as by a proxy that tries again, and its second answer counts."""

    async def respond(self, calls: Sequence[Call], dice: Dice, forward: Forward) -> None:
        await forward()


class EmptyRewards(Fault):
    """`eth_feeHistory` with a list for each block and nothing in it, as chains with empty blocks answer."""

    def spoil(self, call: Call, answer: Json, dice: Dice, past: Sequence[Json]) -> Json:
        if call.method != "eth_feeHistory" or "result" not in answer or not self.hits(call, dice):
            return answer
        return {**answer, "result": {**answer["result"], "reward": [[] for _ in answer["result"]["reward"]]}}


class RemovedLogs(Fault):
    """Logs that a re-org has removed, `removed: true`, of another block's hash, beside those that stand."""

    def spoil(self, call: Call, answer: Json, dice: Dice, past: Sequence[Json]) -> Json:
        if call.method != "eth_getLogs" or not answer.get("result") or not self.hits(call, dice):
            return answer
        gone = [{**log, "removed": True, "blockHash": "0x" + "de" * 32} for log in answer["result"]]
        return {**answer, "result": [*gone, *answer["result"]]}


class HttpErrors(Fault):
    """JSON-RPC errors that come with an HTTP status of 400 or 500 instead of 200.

    Args:
        share: of the errors.
        status: of the response.
    """

    def __init__(self, share: float, *methods: str, status: int = 400) -> None:
        super().__init__(share, *methods)
        self.status = status
