"""A node's JSON-RPC, typed: the few methods the node needs, over web3.py's asynchronous HTTP provider.

The provider's raw answers are used rather than `w3.eth`, because the error's code and data must arrive
untouched: the outbox decides on them. Reads are retried here when the connection fails; `send_raw` never is,
since the outbox must first note what it is about to do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import aiohttp
from eth_utils.address import to_checksum_address
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.types import RPCEndpoint

from .errors import NodeUnavailable, RpcError

READ_ATTEMPTS = 3
"""Connection failures a read survives, a quarter of a second apart at first, then twice that."""


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
        self._provider = AsyncHTTPProvider(
            url,
            request_kwargs={"timeout": aiohttp.ClientTimeout(total=timeout)},
            exception_retry_configuration=None,
        )

    @property
    def w3(self) -> AsyncWeb3[AsyncHTTPProvider]:
        """A web3.py instance over the same connection, for what this class does not cover."""
        return AsyncWeb3(self._provider)

    async def __aenter__(self) -> Rpc:
        """The connection opens with the first request."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Closes the connection."""
        await self.close()

    async def close(self) -> None:
        """Closes the HTTP session. Further requests would open a new one."""
        await self._provider.disconnect()

    async def request(self, method: str, *params: Any, retry: bool = True) -> Any:
        """The `result` of one request.

        Raises:
            RpcError: the node answered with an error.
            NodeUnavailable: no answer, or not JSON-RPC.
        """
        attempts = READ_ATTEMPTS if retry else 1
        for attempt in range(attempts):
            try:
                response = await self._provider.make_request(RPCEndpoint(method), list(params))
                break
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                if attempt + 1 == attempts:
                    reason = str(error) or type(error).__name__
                    raise NodeUnavailable(
                        f"no usable answer from the node at {self.url} to {method} ({reason})",
                        "Check that it runs and that the URL is right",
                    ) from error
                await asyncio.sleep(0.25 * 2**attempt)
        failure = response.get("error")
        if failure is not None:
            if isinstance(failure, Mapping):
                detail = cast(Mapping[str, Any], failure)
                raise RpcError(
                    method,
                    int(detail.get("code", -32000)),
                    str(detail.get("message", "unknown error")),
                    detail.get("data"),
                )
            raise RpcError(method, -32000, str(failure))
        return response.get("result")

    async def chain_id(self) -> int:
        """EIP-155 chain id."""
        return int(await self.request("eth_chainId"), 16)

    async def block_number(self) -> int:
        """Number of the newest block."""
        return int(await self.request("eth_blockNumber"), 16)

    async def header(self, block: int | str | bytes) -> Header | None:
        """A block's header by number, hash or tag ("latest", "finalized"); None if there is none."""
        if isinstance(block, bytes):
            raw = await self.request("eth_getBlockByHash", _hex(block), False)
        else:
            raw = await self.request(
                "eth_getBlockByNumber", hex(block) if isinstance(block, int) else block, False
            )
        if raw is None:
            return None
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
        found = [_log(entry) for entry in raw]
        return sorted(found, key=lambda log: (log.block_number, log.log_index))

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a mined transaction; None if it is unknown or pending."""
        raw = await self.request("eth_getTransactionReceipt", _hex(tx_hash))
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
        return int(await self.request("eth_getTransactionCount", address, block), 16)

    async def balance(self, address: str) -> int:
        """Balance in wei."""
        return int(await self.request("eth_getBalance", address, "latest"), 16)

    async def code(self, address: str) -> bytes:
        """Code of a contract; empty if there is none."""
        return _bytes(await self.request("eth_getCode", address, "latest"))

    async def call(self, to: str, data: bytes, *, sender: str | None = None, block: str = "latest") -> bytes:
        """The return data of a message call that changes nothing."""
        message = {"to": to, "data": _hex(data)}
        if sender is not None:
            message["from"] = sender
        return _bytes(await self.request("eth_call", message, block))

    async def estimate_gas(self, sender: str, to: str | None, data: bytes, value: int) -> int:
        """Gas a transaction would take. Raises `RpcError` with the revert data if it would revert."""
        message = {"from": sender, "data": _hex(data), "value": hex(value)}
        if to is not None:
            message["to"] = to
        return int(await self.request("eth_estimateGas", message), 16)

    async def fee_history(self, blocks: int, percentile: float) -> tuple[list[int], list[int]]:
        """Base fees of the last `blocks` blocks and the next, and their tips; wei per gas."""
        raw = await self.request("eth_feeHistory", hex(blocks), "latest", [percentile])
        rewards = [int(reward[0], 16) for reward in raw.get("reward") or []]
        return [int(fee, 16) for fee in raw["baseFeePerGas"]], rewards

    async def send_raw(self, raw: bytes) -> bytes:
        """Hands a signed transaction to the node, once, and returns its hash."""
        return _bytes(await self.request("eth_sendRawTransaction", _hex(raw), retry=False))


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


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _bytes(value: str) -> bytes:
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
