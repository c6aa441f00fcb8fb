"""A node's JSON-RPC, typed: the few methods the node needs, over one URL or several.

Reads are tried again with jitter, at the next URL first if there is one; an answer that takes long is asked
for a second time while the first is waited for (a hedge), so that one that is held up for a minute costs a
second. `send_raw` goes to each URL at most once: the outbox decides what follows.

Requests that are made at the same moment, with `asyncio.gather` for instance, share one HTTP request.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from ..errors import NodeUnavailable, RateLimited, RpcError
from ..waiting import Waiting
from . import answers
from .endpoint import Endpoint, Question, Traffic
from .node_errors import METHOD_NOT_FOUND
from .types import Header, Log, Receipt
from .urls import rpc_urls, shown

T = TypeVar("T")

READ_ATTEMPTS = 5
FIRST_PAUSE = 0.1
"""Seconds before a read is tried again at first, then twice that; each is varied by half."""
LEAST_HEDGE, MOST_HEDGE = 0.75, 2.5
"""Seconds after which a request that has no answer is asked a second time: three times the usual latency,
within these."""
SEND_SHARE = 0.6
"""Share of the time-out that a node has to take a transaction."""


class Rpc:
    """A `Node` over HTTP.

    Args:
        url: http(s) URL of the JSON-RPC endpoint; several, in order of preference, as a list or apart by
            commas. The next one is asked when one fails, limits or is slow.
        timeout: seconds for one request in all, its retries included.

    Raises:
        NodeUnavailable: a URL that is none.

    Example:
        async with Rpc(["https://mine.example/key", "https://other.example"]) as node:
            header, balance = await asyncio.gather(node.header("latest"), node.balance(address))  # one POST
    """

    def __init__(self, url: str | Iterable[str], *, timeout: float = 10.0) -> None:
        self.traffic = Traffic()
        self._timeout = timeout
        self._endpoints = self._open(url)
        self._retired: list[Endpoint] = []
        self._chain_id: int | None = None
        self._no_fee_history = False

    def _open(self, url: str | Iterable[str]) -> list[Endpoint]:
        try:
            urls = rpc_urls(url)
        except ValueError as error:
            raise NodeUnavailable(str(error), "Correct the URL") from None
        return [Endpoint(each, self._timeout, self.traffic) for each in urls]

    def __repr__(self) -> str:
        """The URLs without their secrets."""
        return f"Rpc({', '.join(shown(endpoint.url) for endpoint in self._endpoints)})"

    @property
    def url(self) -> str:
        """The preferred URL, with its secrets. Setting it leaves the other URLs out."""
        return self._endpoints[0].url

    @url.setter
    def url(self, url: str) -> None:
        self._retired += self._endpoints  # what is under way there ends there
        self._endpoints = self._open(url)

    @property
    def failures(self) -> Mapping[str, int]:
        """Requests so far that got no usable answer, by method."""
        return self.traffic.failed

    @property
    def urls(self) -> tuple[str, ...]:
        """All URLs, with their secrets, in order of preference."""
        return tuple(endpoint.url for endpoint in self._endpoints)

    async def __aenter__(self) -> Rpc:
        """The connection opens with the first request."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Closes the connections."""
        await self.close()

    async def close(self) -> None:
        """Closes the connections. Further requests fail."""
        await asyncio.gather(*(endpoint.close() for endpoint in (*self._endpoints, *self._retired)))
        self._retired = []

    async def request(self, method: str, *params: Any, retry: bool = True) -> Any:
        """The `result` of one request as parsed JSON, unchecked.

        Raises:
            RpcError: the node answered with an error.
            NodeUnavailable: no answer, or not JSON-RPC; RateLimited if the node asks to be left alone.
        """
        return await self._ask(Question(method, params, _as_it_is), retry=retry)

    async def _read(self, read: Callable[[object], T], method: str, *params: Any) -> T:
        value: T = await self._ask(Question(method, params, read), retry=True)
        return value

    async def _ask(self, question: Question, *, retry: bool) -> Any:
        """Asks until there is an answer, no attempt is left, or the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        attempts = READ_ATTEMPTS if retry else 1
        running: set[asyncio.Future[Any]] = set()
        failure: NodeUnavailable | RpcError | None = None
        begun, due = 0, loop.time()
        waiting = Waiting(f"an answer of the node to {question.method}", loop.time)
        try:
            while True:
                now = loop.time()
                if begun < attempts and due <= now < deadline:
                    self.traffic.hedges += bool(running)
                    endpoint = self._endpoint(begun, now)
                    running.add(endpoint.ask(question))
                    begun += 1
                    due = now + min(MOST_HEDGE, max(LEAST_HEDGE, 3 * endpoint.latency))
                more = begun < attempts and due < deadline
                if not running and not more:
                    raise failure or self._too_slow(question.method)
                if now >= deadline:
                    raise failure or self._too_slow(question.method)
                pause = (due if more else deadline) - now
                if not running:
                    await asyncio.sleep(max(0.0, pause))
                    continue
                done, running = await asyncio.wait(
                    running, timeout=max(0.0, pause), return_when=asyncio.FIRST_COMPLETED
                )
                for future in done:
                    try:
                        return future.result()
                    except NodeUnavailable as error:
                        failure = error
                    except RpcError as error:
                        if not (retry and error.transient):
                            raise
                        failure = error
                    due = loop.time() + _pause(failure, begun)
                waiting.still("" if failure is None else failure.what)
        finally:
            for future in running:
                future.cancel()

    def _endpoint(self, attempt: int, now: float) -> Endpoint:
        """Where the next attempt goes: around the URLs, those that asked to be left alone last."""
        order = sorted(self._endpoints, key=lambda each: max(0.0, each.cool_until - now))
        return order[attempt % len(order)]

    def _too_slow(self, method: str) -> NodeUnavailable:
        where = ", ".join(shown(endpoint.url) for endpoint in self._endpoints)
        return NodeUnavailable(
            f"{method}: no usable answer from the node at {where} (none within {self._timeout:g} s)",
            "Check the URL, and that a node is running there",
        )

    async def chain_id(self) -> int:
        """EIP-155 chain id. It cannot change, and is asked once."""
        if self._chain_id is None:
            self._chain_id = await self._read(partial(answers.count, field="the result"), "eth_chainId")
        return self._chain_id

    async def client_version(self) -> str:
        """What the node calls itself, `anvil/v1.3.1` for instance; "" if it does not say."""
        try:
            return await self._read(partial(answers.text, field="the result"), "web3_clientVersion")
        except RpcError:
            return ""

    async def block_number(self) -> int:
        """Number of the newest block."""
        return await self._read(partial(answers.count, field="the result"), "eth_blockNumber")

    async def header(self, block: int | str | bytes) -> Header | None:
        """A block's header by number, hash or tag ("latest", "finalized"); None if there is none."""
        method = "eth_getBlockByHash" if isinstance(block, bytes) else "eth_getBlockByNumber"
        name = _hex(block) if isinstance(block, bytes) else hex(block) if isinstance(block, int) else block
        return await self._read(answers.header_at(block), method, name, False)

    async def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[bytes | None] = ()
    ) -> list[Log]:
        """Logs of the contracts in blocks first..last, both included, in chain order.

        `topics` narrows them, None standing for any. For looking one thing up: a follower reads all.
        """
        query: dict[str, Any] = {"fromBlock": hex(first), "toBlock": hex(last), "address": list(addresses)}
        if topics:
            query["topics"] = [None if topic is None else _hex(topic) for topic in topics]
        return await self._read(answers.logs_in(first, last, addresses, topics), "eth_getLogs", query)

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a mined transaction; None if it is unknown or pending."""
        return await self._read(answers.receipt_of(tx_hash), "eth_getTransactionReceipt", _hex(tx_hash))

    async def nonce(self, address: str, block: str = "latest") -> int:
        """Transactions sent by `address`, as of `block`."""
        read = partial(answers.count, field="the result")
        return await self._read(read, "eth_getTransactionCount", address, block)

    async def balance(self, address: str, block: str = "latest") -> int:
        """Balance in wei."""
        return await self._read(
            partial(answers.quantity, field="the result"), "eth_getBalance", address, block
        )

    async def code(self, address: str) -> bytes:
        """Code of a contract; empty if there is none."""
        return await self._read(partial(answers.data, field="the result"), "eth_getCode", address, "latest")

    async def call(
        self, to: str | None, data: bytes, *, sender: str | None = None, block: str = "latest"
    ) -> bytes:
        """The return data of a message call that changes nothing; of creation code if `to` is None."""
        message = {"data": _hex(data)}
        if to is not None:
            message["to"] = to
        if sender is not None:
            message["from"] = sender
        return await self._read(partial(answers.data, field="the result"), "eth_call", message, block)

    async def estimate_gas(self, sender: str, to: str | None, data: bytes, value: int) -> int:
        """Gas a transaction would take. Raises `RpcError` with the revert data if it would revert."""
        message = {"from": sender, "data": _hex(data), "value": hex(value)}
        if to is not None:
            message["to"] = to
        return await self._read(answers.gas, "eth_estimateGas", message)

    async def fee_history(self, blocks: int, percentile: float) -> tuple[list[int], list[int]]:
        """Base fees of the last `blocks` blocks and the next, and the tips that were paid; wei per gas.

        A chain without the method gives the newest block's base fee and what its gas price is above that.
        """
        if not self._no_fee_history:
            try:
                return await self._read(
                    answers.fee_history, "eth_feeHistory", hex(blocks), "latest", [percentile]
                )
            except RpcError as error:
                if error.code != METHOD_NOT_FOUND and "not exist" not in error.message:
                    raise
                self._no_fee_history = True
        read = partial(answers.quantity, field="the result")
        header, price = await asyncio.gather(self.header("latest"), self._read(read, "eth_gasPrice"))
        base_fee = header.base_fee if header is not None else 0
        return [base_fee], [max(0, price - base_fee)]

    async def send_raw(self, raw: bytes) -> bytes:
        """Hands a signed transaction to the node, and returns its hash.

        Each URL is given it at most once, the next if one gives no answer: the bytes are the same, so that it
        is one transaction wherever it arrives. What no answer means is for the outbox to find out.
        """
        question = Question("eth_sendRawTransaction", (_hex(raw),), partial(answers.data, field="the result"))
        failure: NodeUnavailable | None = None
        for attempt in range(len(self._endpoints)):
            endpoint = self._endpoint(attempt, asyncio.get_running_loop().time())
            try:
                async with asyncio.timeout(self._timeout * SEND_SHARE):
                    sent: bytes = await endpoint.ask(question)
                    return sent
            except TimeoutError:
                failure = self._too_slow(question.method)
            except NodeUnavailable as error:
                failure = error
        raise failure or self._too_slow(question.method)


def _pause(failure: NodeUnavailable | RpcError, attempts: int) -> float:
    """Seconds before the next attempt; varied, so that many clients do not come back at the same moment.

    A limit is probed once before its Retry-After is obeyed: many are of one machine among several behind one
    URL, and a second that every tenth request costs is a round.
    """
    # What failed together in one batch has one error: it comes back together, in one batch.
    varied = random.Random(id(failure)).uniform(0.5, 1.5)  # noqa: S311 - no secret
    pause: float = FIRST_PAUSE * 2 ** (attempts - 1) * varied
    if isinstance(failure, RateLimited):
        return max(pause, failure.retry_after if attempts > 1 else min(failure.retry_after, 2 * FIRST_PAUSE))
    return pause


def _as_it_is(value: object) -> Any:
    return value


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
