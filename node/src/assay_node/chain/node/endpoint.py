"""One URL of a JSON-RPC node: what is asked at the same moment goes out in one HTTP request.

Only here is HTTP spoken. An answer is believed if it carries the id of a question, which no other process
can know: a proxy that mixes answers up, gives one twice or gives another's is noticed. Ids begin at a random
number for that reason.

A node that refuses batches is asked one by one from then on, and tried again after a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

import aiohttp

from assay_prover.strict_json import JsonError, loads

from ..errors import NodeUnavailable, RateLimited
from .answers import Malformed
from .node_errors import is_busy, rpc_error, seconds_of
from .urls import guard, mask, shown

LARGEST_ANSWER = 1 << 26
"""Bytes of an answer that are read: a node is a stranger, and must not fill the memory."""
LARGEST_BATCH = 100
"""Requests in one HTTP request; providers take from 50 to 1,000."""
ALONE_FOR = 30.0
"""Seconds for which a node that takes no batches is asked one by one, at first; then twice as long."""
LONGEST_ALONE = 600.0
"""And at most."""
REFUSALS_HEEDED = 2
"""Batches that fail one after another, before what is in the next one is asked one by one."""
REFUSALS_BELIEVED = 5
"""And before batches are given up: a gateway that spoils a share of the answers spoils some in a row."""
LONGEST_RETRY_AFTER = 10.0
"""Seconds, at most, that a node's Retry-After is respected for."""
NO_ANSWER = {301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 407}
"""HTTP statuses that are never an answer, whatever the body says: the URL or the key in it is wrong."""
GATHERING_TICKS = 4
"""Turns of the event loop in which requests join a batch: a gather within a gather takes one more."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request: a method, its parameters, and the reader that makes a value of the result."""

    method: str
    params: tuple[Any, ...]
    read: Callable[[object], Any]


@dataclass(slots=True)
class Traffic:
    """How much was asked, for benches and metrics.

    Attributes:
        posts: HTTP requests.
        calls: JSON-RPC requests in them.
        failures: JSON-RPC requests that got no usable answer.
        failed: the same by method.
        hedges: second attempts that began before the first had failed.
        methods: JSON-RPC requests by method.
    """

    posts: int = 0
    calls: int = 0
    failures: int = 0
    hedges: int = 0
    methods: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)

    def fail(self, method: str) -> None:
        """One request got no usable answer."""
        self.failures += 1
        self.failed[method] = self.failed.get(method, 0) + 1


@dataclass(slots=True)
class _Asked:
    question: Question
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Reply:
    """An HTTP response: status, what it says of retrying, and its JSON, or why there is none."""

    status: int
    retry_after: float | None
    body: object
    fault: str


class Endpoint:
    """One URL, with a connection that is kept.

    Args:
        url: http or https.
        timeout: seconds for one HTTP request, connection included.
        traffic: counters that several endpoints share.
    """

    def __init__(self, url: str, timeout: float, traffic: Traffic) -> None:
        guard([url])
        self.url = url
        self.latency = 0.0
        """Seconds of an HTTP request, a running mean; 0 before the first."""
        self.cool_until = 0.0
        """Loop time until which the node asked to be left alone."""
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._traffic = traffic
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._next_id = secrets.randbits(48)
        self._waiting: list[_Asked] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._alone_until = 0.0
        self._alone_for = ALONE_FOR
        self._refusals = 0
        self._batch = LARGEST_BATCH

    def __repr__(self) -> str:
        """The URL without its secrets."""
        return f"Endpoint({shown(self.url)})"

    async def close(self) -> None:
        """Closes the connection for good.

        Whoever still asks, such as what was gathered beside a request that failed, is refused: a connection
        opened now would never be closed.
        """
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def ask(self, question: Question) -> asyncio.Future[Any]:
        """Asks with whatever else is asked now. The future has the value that the question's reader made.

        It fails with `RpcError` if the node answered with an error, and with `NodeUnavailable` if it gave no
        usable answer. Cancelling it leaves the others of its batch alone.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_exception(self._unusable(question.method, "the connection is closed"))
            return future
        self._waiting.append(_Asked(question, future))
        if len(self._waiting) == 1:
            self._spawn(self._gather())
        return future

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _gather(self) -> None:
        for _ in range(GATHERING_TICKS):
            await asyncio.sleep(0)
        asked, self._waiting = [each for each in self._waiting if not each.future.done()], []
        # Transactions go apart: what becomes of a batch of reads must not decide about them.
        reads = [each for each in asked if not each.question.method.startswith("eth_send")]
        sends = [each for each in asked if each.question.method.startswith("eth_send")]
        for group in (reads, sends):
            for start in range(0, len(group), self._batch):
                self._spawn(self._exchange(group[start : start + self._batch]))

    async def _exchange(self, asked: Sequence[_Asked]) -> None:
        try:
            if len(asked) > 1 and asyncio.get_running_loop().time() >= self._alone_until:
                await self._together(asked)
            else:
                await asyncio.gather(*map(self._single, asked))
        finally:
            for each in asked:  # cancelled on the way
                if not each.future.done():
                    each.future.cancel()

    async def _single(self, asked: _Asked) -> None:
        identifier = self._identify()
        try:
            reply = await self._post(_message(identifier, asked.question), 1, [asked])
            entries = reply.body if isinstance(reply.body, list) else [reply.body]
            self._answer(asked, identifier, entries, reply, alone=True)
        except NodeUnavailable as error:
            self._fail(asked, error)

    async def _together(self, asked: Sequence[_Asked]) -> None:
        identifiers = [self._identify() for _ in asked]
        messages = [
            _message(identifier, each.question) for identifier, each in zip(identifiers, asked, strict=True)
        ]
        try:
            reply = await self._post(messages, len(asked), asked)
            if not isinstance(reply.body, list):
                refused = await self._refused(asked, reply)
                if not refused:
                    raise self._unusable(asked[0].question.method, _reason(reply))
                return
        except RateLimited as error:
            for each in asked:
                self._fail(each, error)
            return
        except NodeUnavailable as error:
            self._refusals += 1
            if self._refusals >= REFUSALS_HEEDED and not isinstance(error.__cause__, TimeoutError):
                await self._one_by_one(asked, given_up=self._refusals >= REFUSALS_BELIEVED)
                return
            for each in asked:
                self._fail(each, error)
            return
        self._refusals, self._alone_for = 0, ALONE_FOR
        for identifier, each in zip(identifiers, asked, strict=True):
            try:
                self._answer(each, identifier, reply.body, reply, alone=False)
            except NodeUnavailable as error:
                self._fail(each, error)

    async def _refused(self, asked: Sequence[_Asked], reply: _Reply) -> bool:
        """Whether one error answers a whole batch: then each is asked alone, or in smaller batches."""
        body: Any = reply.body
        failure = body.get("error") if isinstance(body, dict) else None
        if failure is None:
            return False
        error = rpc_error(asked[0].question.method, failure)
        if is_busy(error):
            raise self._limited(error.method, error.message, reply.retry_after)
        if self._batch > 10 and re.search(r"large|limit|max|size|exceed", error.message, re.IGNORECASE):
            self._batch = max(10, min(self._batch, len(asked)) // 2)
            for start in range(0, len(asked), self._batch):
                self._spawn(self._exchange(asked[start : start + self._batch]))
            await asyncio.wait([each.future for each in asked])
            return True
        await self._one_by_one(asked, given_up=True)
        return True

    async def _one_by_one(self, asked: Sequence[_Asked], *, given_up: bool) -> None:
        """Asks alone what a batch was no way to ask; if that works, and batches never do, they are given up
        for a while.
        """
        await asyncio.gather(*map(self._single, asked))
        if given_up and any(
            each.future.done() and not each.future.cancelled() and each.future.exception() is None
            for each in asked
        ):
            self._alone_until = asyncio.get_running_loop().time() + self._alone_for
            self._alone_for = min(2 * self._alone_for, LONGEST_ALONE)
            # The first batch after it decides whether it goes on.
            self._refusals = REFUSALS_BELIEVED - 1

    def _answer(
        self, asked: _Asked, identifier: int, entries: Sequence[object], reply: _Reply, *, alone: bool
    ) -> None:
        """Settles a question from the entries that carry its id. Raises `NodeUnavailable` if none does."""
        method = asked.question.method
        mine = [
            entry
            for entry in entries
            if isinstance(entry, dict)
            and entry.get("id") == identifier
            and not isinstance(entry.get("id"), bool)
        ]
        if not mine and alone and len(entries) == 1 and isinstance(entries[0], dict):
            entry = cast(dict[str, Any], entries[0])
            if entry.get("id") is None and entry.get("error") is not None:  # it could not read ours
                mine = [entry]
            elif "id" in entry:
                raise self._unusable(method, "it is the answer to another request")
        if not mine:
            raise self._unusable(method, _reason(reply))
        if any(entry != mine[0] for entry in mine):
            raise self._unusable(method, "it gives two different answers")
        found = cast(dict[str, Any], mine[0])
        if found.get("error") is not None:
            error = rpc_error(method, found["error"])
            if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR + 1:
                error.transient = True  # 502 to 504: the node behind a gateway is away
            if is_busy(error) or reply.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise self._limited(method, error.message, reply.retry_after)
            if not asked.future.done():
                self._traffic.fail(method)
                _refuse(asked.future, error)
            return
        if "result" not in found:
            raise self._unusable(method, "it has neither a result nor an error")
        try:
            value = asked.question.read(found["result"])
        except Malformed as error:
            raise self._unusable(method, f"the answer makes no sense: {error}") from error
        if not asked.future.done():
            asked.future.set_result(value)

    def _fail(self, asked: _Asked, error: NodeUnavailable) -> None:
        self._traffic.fail(asked.question.method)
        if not asked.future.done():
            _refuse(asked.future, error)

    def _identify(self) -> int:
        self._next_id += 1
        return self._next_id

    async def _post(self, message: object, calls: int, asked: Sequence[_Asked]) -> _Reply:
        """One HTTP request. Raises `NodeUnavailable`; an HTTP error that carries JSON-RPC is no failure."""
        method = asked[0].question.method
        self._traffic.posts += 1
        self._traffic.calls += calls
        for each in asked:
            self._traffic.methods[each.question.method] = (
                self._traffic.methods.get(each.question.method, 0) + 1
            )
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, connector=aiohttp.TCPConnector(limit=0)
            )
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with self._session.post(
                self.url,
                data=json.dumps(message, separators=(",", ":")).encode(),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                content = bytearray()
                async for piece in response.content.iter_chunked(1 << 16):
                    content += piece
                    if len(content) > LARGEST_ANSWER:
                        raise self._unusable(method, f"the answer has more than {LARGEST_ANSWER} bytes")
                status, headers = response.status, response.headers
        except TimeoutError as error:
            raise self._unusable(method, "it took too long") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # `from None`: the libraries' errors quote the URL, with the key in it.
            raise self._unusable(method, mask(f"{type(error).__name__}: {error}")) from None
        took = loop.time() - began
        self.latency = took if not self.latency else 0.8 * self.latency + 0.2 * took
        return self._reply(method, status, headers.get("Retry-After"), bytes(content))

    def _reply(self, method: str, status: int, retry_after: str | None, content: bytes) -> _Reply:
        pause = None if retry_after is None else seconds_of(retry_after)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise self._limited(method, "HTTP 429 (Too Many Requests)", pause)
        body: object = None
        fault = ""
        try:
            body = loads(content, what="the answer", max_bytes=LARGEST_ANSWER)
        except JsonError as error:
            fault = str(error)
        reply = _Reply(status, pause, body, fault)
        # Some nodes send JSON-RPC errors with 400 or 500: those are answers. A gateway's page is none.
        speaks = isinstance(body, list) or (isinstance(body, dict) and {"error", "jsonrpc"} <= body.keys())
        if status != HTTPStatus.OK and (status in NO_ANSWER or not speaks):
            raise self._unusable(method, _reason(reply))
        return reply

    def _unusable(self, method: str, reason: str) -> NodeUnavailable:
        return NodeUnavailable(
            f"{method}: no usable answer from the node at {shown(self.url)} ({mask(reason)})",
            "Check the URL, and that a node is running there",
        )

    def _limited(self, method: str, reason: str, retry_after: float | None) -> RateLimited:
        pause = 0.0 if retry_after is None else min(retry_after, LONGEST_RETRY_AFTER)
        with contextlib.suppress(RuntimeError):
            self.cool_until = asyncio.get_running_loop().time() + pause
        error = RateLimited(
            f"{method}: the node at {shown(self.url)} takes no more requests for now ({mask(reason)})",
            "Wait, ask less often, or use another node",
        )
        error.retry_after = pause
        return error


def _refuse(future: asyncio.Future[Any], error: Exception) -> None:
    """An error for whoever waits. Where nobody does, since another attempt was faster, it is no news."""
    future.set_exception(error)
    future.exception()


def _message(identifier: int, question: Question) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": identifier, "method": question.method, "params": question.params}


def _reason(reply: _Reply) -> str:
    if reply.status != HTTPStatus.OK:
        try:
            phrase = HTTPStatus(reply.status).phrase
        except ValueError:
            phrase = "unknown"
        return f"HTTP {reply.status} ({phrase})"
    return reply.fault or "it does not answer the request"
