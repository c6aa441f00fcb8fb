"""What a node is asked and answers, as Python values: `Header`, `Log`, `Receipt`, the `Node` protocol.

Amounts are wei, gas prices wei per gas, hashes 32 bytes, addresses EIP-55 text, timestamps seconds since the
epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


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
    """A mined transaction.

    Attributes:
        l1_fee: wei that an OP-stack chain charged for posting the transaction on L1, beside its gas; 0
            elsewhere.
    """

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    effective_gas_price: int
    contract_address: str | None
    logs: tuple[Log, ...]
    l1_fee: int = 0


class Node(Protocol):
    """What the chain layer asks of a node; `Rpc` over a network, a double in unit tests.

    Independent questions are asked concurrently (`asyncio.gather`): `Rpc` puts what is asked at the same
    moment into one HTTP request.
    """

    async def chain_id(self) -> int: ...  # noqa: D102
    async def client_version(self) -> str: ...  # noqa: D102
    async def block_number(self) -> int: ...  # noqa: D102
    async def header(self, block: int | str | bytes) -> Header | None: ...  # noqa: D102
    async def logs(self, first: int, last: int, addresses: Sequence[str]) -> list[Log]: ...  # noqa: D102
    async def receipt(self, tx_hash: bytes) -> Receipt | None: ...  # noqa: D102
    async def nonce(self, address: str, block: str = "latest") -> int: ...  # noqa: D102
    async def balance(self, address: str, block: str = "latest") -> int: ...  # noqa: D102
    async def code(self, address: str) -> bytes: ...  # noqa: D102
    async def call(  # noqa: D102
        self, to: str | None, data: bytes, *, sender: str | None = None, block: str = "latest"
    ) -> bytes: ...
    async def estimate_gas(self, sender: str, to: str | None, data: bytes, value: int) -> int: ...  # noqa: D102
    async def fee_history(self, blocks: int, percentile: float) -> tuple[list[int], list[int]]: ...  # noqa: D102
    async def send_raw(self, raw: bytes) -> bytes: ...  # noqa: D102
