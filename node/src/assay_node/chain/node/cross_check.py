"""Two nodes of different operators, so that one alone can lie about nothing that money depends on.

What the chain says (blocks, logs, receipts, code, views, balances, mined nonces) is asked of both, of one
block, and must be the same. What differs between honest nodes (gas prices, estimates, what waits in a pool)
is the first one's word; transactions go to both.

A node may be some blocks behind the other: it is waited for. What still differs after a second look is
`NodesDisagree`, and nothing is done on it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from ..errors import NodesDisagree, NodeUnavailable, RpcError
from .node_errors import revert_data
from .rpc import Rpc
from .types import Header, Log, Receipt

T = TypeVar("T")

PATIENCE = 6.0
"""Seconds for which the node that is behind is waited for."""
PAUSE = 0.5
"""Seconds between two looks."""


class CrossCheck:
    """A `Node` that believes two.

    Args:
        first: asked for everything.
        second: asked for what must be the same.

    Example:
        node = CrossCheck(Rpc("https://mine.example"), Rpc("https://other.example"))
        chain = await Chain.connect(node, deployment)
    """

    def __init__(self, first: Rpc, second: Rpc) -> None:
        self.first = first
        self.second = second

    async def _both(self, what: str, ask: Callable[[Rpc], Awaitable[T]]) -> T:
        """The answer that both nodes give, in the end."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while True:
            one, other = await asyncio.gather(_outcome(ask(self.first)), _outcome(ask(self.second)))
            if _same(one, other):
                return _value(one)
            if loop.time() >= deadline:
                for outcome in (one, other):
                    if isinstance(outcome, NodeUnavailable):
                        raise outcome
                raise NodesDisagree(
                    f"two nodes give different answers about {what}",
                    "Nothing was done on it. Find out which is right, or use others",
                )
            await asyncio.sleep(PAUSE)

    async def _pinned(self, block: str) -> str:
        """The block that a tag stands for, by number: the newest one that both nodes have."""
        if block != "latest":
            return block
        numbers = await asyncio.gather(self.first.block_number(), self.second.block_number())
        return hex(min(numbers))

    def __repr__(self) -> str:
        """The URLs of both, without their secrets."""
        return f"CrossCheck({self.first}, {self.second})"

    @property
    def failures(self) -> Mapping[str, int]:
        """Requests so far that one of both gave no usable answer to, by method."""
        return Counter(self.first.failures) + Counter(self.second.failures)

    @property
    def urls(self) -> tuple[str, ...]:
        """All URLs, with their secrets."""
        return self.first.urls + self.second.urls

    async def __aenter__(self) -> CrossCheck:
        """The connections open with the first request."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Closes both."""
        await self.close()

    async def close(self) -> None:
        """Closes both."""
        await asyncio.gather(self.first.close(), self.second.close())

    async def chain_id(self) -> int:
        """EIP-155 chain id, of both."""
        return await self._both("the chain's id", lambda node: node.chain_id())

    async def client_version(self) -> str:
        """What the first node calls itself."""
        return await self.first.client_version()

    async def block_number(self) -> int:
        """Number of the newest block that both nodes have."""
        return int(await self._pinned("latest"), 16)

    async def header(self, block: int | str | bytes) -> Header | None:
        """A block's header, of both; of the newest block that both have for "latest"."""
        if block == "latest":
            block = await self.block_number()
        if isinstance(block, str):  # a tag: the lower one
            found = await asyncio.gather(self.first.header(block), self.second.header(block))
            known = [header for header in found if header is not None]
            if len(known) < len(found):
                return None
            block = min(header.number for header in known)
        return await self._both(f"block {_name(block)}", lambda node: node.header(block))

    async def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[bytes | None] = ()
    ) -> list[Log]:
        """Logs of the contracts in blocks first..last, of both."""
        what = f"the logs of blocks {first} to {last}"
        return await self._both(what, lambda node: node.logs(first, last, addresses, topics))

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """A transaction's receipt, of both; None until both have it."""
        found = await asyncio.gather(self.first.receipt(tx_hash), self.second.receipt(tx_hash))
        if None in found:
            return None
        return await self._both(f"transaction 0x{tx_hash.hex()}", lambda node: node.receipt(tx_hash))

    async def nonce(self, address: str, block: str = "latest") -> int:
        """Transactions sent: of both if they are mined, the lower count of those that wait."""
        if block == "pending":
            return min(
                await asyncio.gather(self.first.nonce(address, block), self.second.nonce(address, block))
            )
        at = await self._pinned(block)
        return await self._both(f"the nonce of {address}", lambda node: node.nonce(address, at))

    async def balance(self, address: str, block: str = "latest") -> int:
        """Balance in wei, of both."""
        at = await self._pinned(block)
        return await self._both(f"the balance of {address}", lambda node: node.balance(address, at))

    async def code(self, address: str) -> bytes:
        """Code of a contract, of both."""
        return await self._both(f"the code at {address}", lambda node: node.code(address))

    async def call(
        self, to: str | None, data: bytes, *, sender: str | None = None, block: str = "latest"
    ) -> bytes:
        """The return data of a message call, of both; so is that it reverts."""
        at = await self._pinned(block)
        what = "what contracts say" if to is None else f"what the contract {to} says"
        return await self._both(what, lambda node: node.call(to, data, sender=sender, block=at))

    async def estimate_gas(self, sender: str, to: str | None, data: bytes, value: int) -> int:
        """Gas that a transaction would take, as the first node has it."""
        return await self.first.estimate_gas(sender, to, data, value)

    async def fee_history(self, blocks: int, percentile: float) -> tuple[list[int], list[int]]:
        """Base fees and tips, as the first node has them: the operator's cap bounds a lie."""
        return await self.first.fee_history(blocks, percentile)

    async def send_raw(self, raw: bytes) -> bytes:
        """Hands a signed transaction to both: one that keeps it back does not keep it from the chain."""
        one, other = await asyncio.gather(
            _outcome(self.first.send_raw(raw)), _outcome(self.second.send_raw(raw))
        )
        return _value(other if isinstance(one, Exception) and not isinstance(other, Exception) else one)


def open_node(url: str | list[str], check: str | list[str] | None = None) -> Rpc | CrossCheck:
    """The node at a URL, or at several; cross-checked by another operator's if `check` is given.

    Raises:
        NodeUnavailable: a URL that is none.

    Example:
        async with open_node("https://mine.example", "https://other.example") as node: ...
    """
    return CrossCheck(Rpc(url), Rpc(check)) if check else Rpc(url)


async def _outcome(answer: Awaitable[T]) -> T | NodeUnavailable | RpcError:
    try:
        return await answer
    except (NodeUnavailable, RpcError) as error:
        return error


def _same(one: object, other: object) -> bool:
    if isinstance(one, RpcError) and isinstance(other, RpcError):
        return revert_data(one) is not None and revert_data(one) == revert_data(other)
    return not isinstance(one, Exception) and one == other


def _value(outcome: T | NodeUnavailable | RpcError) -> T:
    if isinstance(outcome, NodeUnavailable | RpcError):
        raise outcome
    return outcome


def _name(block: int | bytes) -> str:
    return str(block) if isinstance(block, int) else "0x" + block.hex()
