"""A node's JSON-RPC, typed: the few methods the node needs, over aiohttp.

web3.py's provider opens a connection for every request, under a lock that all providers of a process share
and that a cancelled request may leave locked; and an error's code and data must arrive untouched here, since
the outbox decides on them. Reads are retried when the connection fails; `send_raw` never is: the outbox must
first note what it is about to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import aiohttp
from eth_utils.address import to_checksum_address

from ..errors import NodeUnavailable, RateLimited, RpcError

LARGEST_ANSWER = 1 << 26
"""Bytes of an answer that are read: a node is a stranger, and must not fill the memory."""
READ_ATTEMPTS = 3
FIRST_PAUSE = 0.25
"""Seconds between the attempts of a read at first, then twice that."""
HTTP_TOO_MANY = 429
LONGEST_RETRY_AFTER = 10.0
"""Seconds, at most, that a node's Retry-After is waited for within one request."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the node keeps of a block; `base_fee` is 0 before EIP-1559."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    base_fee: int


@dataclass(frozen=True, slots=True)
class Log:
    """One event log as the node gives it."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    effective_gas_price: int
    contract_address: str | None
    logs: tuple[Log, ...]


class Node(Protocol):
    """What the chain layer asks of a node; `Rpc` over a network, a double in unit tests."""

    async def chain_id(self) -> int: ...  # noqa: D102
    async def block_number(self) -> int: ...  # noqa: D102
    async def header(self, block: int | str | bytes) -> Header | None: ...  # noqa: D102
    async def logs(self, first: int, last: int, addresses: Sequence[str]) -> list[Log]: ...  # noqa: D102
    async def receipt(self, tx_hash: bytes) -> Receipt | None: ...  # noqa: D102
    async def nonce(self, address: str, block: str = "latest") -> int: ...  # noqa: D102
    async def balance(self, address: str) -> int: ...  # noqa: D102
    async def code(self, address: str) -> bytes: ...  # noqa: D102
    async def call(  # noqa: D102
        self, to: str, data: bytes, *, sender: str | None = None, block: str = "latest"
    ) -> bytes: ...
    async def estimate_gas(self, sender: str, to: str | None, data: bytes, value: int) -> int: ...  # noqa: D102
    async def fee_history(self, blocks: int, percentile: float) -> tuple[list[int], list[int]]: ...  # noqa: D102
    async def send_raw(self, raw: bytes) -> bytes: ...  # noqa: D102


class Rpc:
    """A `Node` over HTTP.

    Args:
        url: http(s) URL of the JSON-RPC endpoint.
        timeout: seconds for one request, connection included.
    """

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self.url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._ids = itertools.count(1)

    async def __aenter__(self) -> Rpc:
        """The connection opens with the first request."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Closes the connection."""
        await self.close()

    async def close(self) -> None:
        """Closes the HTTP session. Further requests would open a new one."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(self, method: str, *params: Any, retry: bool = True) -> Any:
        """The `result` of one request.

        Raises:
            RpcError: the node answered with an error.
            NodeUnavailable: no answer, or not JSON-RPC; RateLimited if the node asks to be left alone.
        """
        attempts = READ_ATTEMPTS if retry else 1
        for attempt in range(attempts):
            try:
                response = await self._post(method, params)
                break
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError, TypeError) as error:
                limited = isinstance(error, aiohttp.ClientResponseError) and error.status == HTTP_TOO_MANY
                if attempt + 1 == attempts:
                    raise self._unavailable(method, error, limited=limited) from error
                await asyncio.sleep(max(FIRST_PAUSE, _retry_after(error) if limited else 0.0) * 2**attempt)
        with self._understood(method):
            failure, result = response.get("error"), response.get("result")
        if failure is not None:
            if isinstance(failure, Mapping):
                detail = cast(Mapping[str, Any], failure)
                code = detail.get("code")
                raise RpcError(
                    method,
                    code if isinstance(code, int) else -32000,
                    str(detail.get("message", "unknown error")),
                    detail.get("data"),
                )
            raise RpcError(method, -32000, str(failure))
        return result

    async def _post(self, method: str, params: tuple[Any, ...]) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        async with self._session.post(self.url, json=body) as response:
            response.raise_for_status()
            answer = bytearray()
            async for piece in response.content.iter_chunked(1 << 16):
                answer += piece
                if len(answer) > LARGEST_ANSWER:
                    raise ValueError(f"the answer has more than {LARGEST_ANSWER} bytes")
        return json.loads(answer)

    @property
    def _shown(self) -> str:
        """The URL without what may be a secret in it: providers put keys into path and query."""
        parts = urlsplit(self.url)
        secret = parts.username or parts.query or parts.path.strip("/")
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}" + ("/.." if secret else "")

    def _unavailable(self, method: str, error: Exception, *, limited: bool) -> NodeUnavailable:
        if limited:
            return RateLimited(
                f"the node at {self._shown} takes no more requests for now (HTTP 429)",
                "Wait, ask less often (poll_seconds), or use another node",
            )
        reason = str(error) or type(error).__name__
        return NodeUnavailable(
            f"no usable answer from the node at {self._shown} to {method} ({reason})",
            "Check that it runs and that the URL is right",
        )

    @contextlib.contextmanager
    def _understood(self, method: str) -> Iterator[None]:
        """What a node answers is a stranger's word: nonsense is no answer, and no defect of this program."""
        try:
            yield
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            reason = f"the answer makes no sense: {type(error).__name__}: {error}"
            raise self._unavailable(method, ValueError(reason), limited=False) from error

    async def _number(self, method: str, *params: Any) -> int:
        answer = await self.request(method, *params)
        with self._understood(method):
            return int(answer, 16)

    async def _data(self, method: str, *params: Any, retry: bool = True) -> bytes:
        answer = await self.request(method, *params, retry=retry)
        with self._understood(method):
            return _bytes(answer)

    async def chain_id(self) -> int:
        """EIP-155 chain id."""
        return await self._number("eth_chainId")

    async def block_number(self) -> int:
        """Number of the newest block."""
        return await self._number("eth_blockNumber")

    async def header(self, block: int | str | bytes) -> Header | None:
        """A block's header by number, hash or tag ("latest", "finalized"); None if there is none."""
        method = "eth_getBlockByHash" if isinstance(block, bytes) else "eth_getBlockByNumber"
        name = _hex(block) if isinstance(block, bytes) else hex(block) if isinstance(block, int) else block
        raw = await self.request(method, name, False)
        if raw is None:
            return None
        with self._understood(method):
            return Header(
                number=int(raw["number"], 16),
                hash=_bytes(raw["hash"]),
                parent_hash=_bytes(raw["parentHash"]),
                timestamp=int(raw["timestamp"], 16),
                base_fee=int(raw.get("baseFeePerGas") or "0x0", 16),
            )

    async def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[bytes | None] = ()
    ) -> list[Log]:
        """Logs of the contracts in blocks first..last, both included, in chain order.

        `topics` narrows them, None standing for any. For looking one thing up: a follower reads all.
        """
        query: dict[str, Any] = {"fromBlock": hex(first), "toBlock": hex(last), "address": list(addresses)}
        if topics:
            query["topics"] = [None if topic is None else _hex(topic) for topic in topics]
        raw = await self.request("eth_getLogs", query)
        with self._understood("eth_getLogs"):
            found = [_log(entry) for entry in raw]
        return sorted(found, key=lambda log: (log.block_number, log.log_index))

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a mined transaction; None if it is unknown or pending."""
        method = "eth_getTransactionReceipt"
        raw = await self.request(method, _hex(tx_hash))
        with self._understood(method):
            if raw is None or raw.get("blockNumber") is None:
                return None
            return Receipt(
                tx_hash=_bytes(raw["transactionHash"]),
                block_number=int(raw["blockNumber"], 16),
                block_hash=_bytes(raw["blockHash"]),
                succeeded=int(raw["status"], 16) == 1,
                gas_used=int(raw["gasUsed"], 16),
                effective_gas_price=int(raw.get("effectiveGasPrice") or "0x0", 16),
                contract_address=raw.get("contractAddress"),
                logs=tuple(_log(entry) for entry in raw["logs"]),
            )

    async def nonce(self, address: str, block: str = "latest") -> int:
        """Transactions sent by `address`, as of `block`."""
        return await self._number("eth_getTransactionCount", address, block)

    async def balance(self, address: str) -> int:
        """Balance in wei."""
        return await self._number("eth_getBalance", address, "latest")

    async def code(self, address: str) -> bytes:
        """Code of a contract; empty if there is none."""
        return await self._data("eth_getCode", address, "latest")

    async def call(self, to: str, data: bytes, *, sender: str | None = None, block: str = "latest") -> bytes:
        """The return data of a message call that changes nothing."""
        message = {"to": to, "data": _hex(data)}
        if sender is not None:
            message["from"] = sender
        return await self._data("eth_call", message, block)

    async def estimate_gas(self, sender: str, to: str | None, data: bytes, value: int) -> int:
        """Gas a transaction would take. Raises `RpcError` with the revert data if it would revert."""
        message = {"from": sender, "data": _hex(data), "value": hex(value)}
        if to is not None:
            message["to"] = to
        return await self._number("eth_estimateGas", message)

    async def fee_history(self, blocks: int, percentile: float) -> tuple[list[int], list[int]]:
        """Base fees of the last `blocks` blocks and the next, and their tips; wei per gas."""
        raw = await self.request("eth_feeHistory", hex(blocks), "latest", [percentile])
        with self._understood("eth_feeHistory"):
            rewards = [int(reward[0], 16) for reward in raw.get("reward") or []]
            fees = [int(fee, 16) for fee in raw["baseFeePerGas"]]
            if not fees:
                raise ValueError("no base fee")
        return fees, rewards

    async def send_raw(self, raw: bytes) -> bytes:
        """Hands a signed transaction to the node, once, and returns its hash."""
        return await self._data("eth_sendRawTransaction", _hex(raw), retry=False)


def revert_data(error: RpcError) -> bytes | None:
    """The revert data in a node's error, or None if the error is not a revert.

    Nodes differ in where it is: a hex string in `data` (geth, anvil), a "Reverted 0x.." text (older
    OpenEthereum), an object with a `data` or `result` field (hardhat, ganache).
    """
    data: Any = error.data
    if isinstance(data, Mapping):
        data = data.get("data") or data.get("result")
    if isinstance(data, str):
        text = data.removeprefix("Reverted ").strip()
        if text.startswith("0x"):
            with contextlib.suppress(ValueError):
                return bytes.fromhex(text[2:])
    if error.code == 3 or "revert" in error.message.lower():
        return b""
    return None


def _retry_after(error: Exception) -> float:
    """Seconds that a refusal asks to wait, 1 if it does not say."""
    headers = getattr(error, "headers", None) or {}
    try:
        return min(LONGEST_RETRY_AFTER, max(0.0, float(headers.get("Retry-After", "1"))))
    except ValueError:  # a date
        return 1.0


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _bytes(value: str) -> bytes:
    if not value.startswith("0x"):
        raise ValueError(f"{value[:80]!r} is no hexadecimal data")
    return bytes.fromhex(value[2:])


def _log(raw: Mapping[str, Any]) -> Log:
    return Log(
        address=to_checksum_address(raw["address"]),
        topics=tuple(_bytes(topic) for topic in raw["topics"]),
        data=_bytes(raw["data"]),
        block_number=int(raw["blockNumber"], 16),
        block_hash=_bytes(raw["blockHash"]),
        tx_hash=_bytes(raw["transactionHash"]),
        log_index=int(raw["logIndex"], 16),
    )
