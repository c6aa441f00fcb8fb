"""A chain in memory, with a real one's vices: it forgets, loses answers, re-organises, caps ranges."""

# ruff: noqa: ARG002 - a double has its original's arguments

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from assay_node.chain import (
    FinalityPolicy,
    Header,
    Log,
    NodeUnavailable,
    Outbox,
    OutboxConfig,
    Receipt,
    RpcError,
)


class Crash(BaseException):
    """The process dies here: nothing after this line happens."""


@dataclass(frozen=True)
class Tx:
    raw: bytes
    hash: bytes
    sender: str
    nonce: int
    to: str | None
    data: bytes
    max_fee: int
    tip: int


@dataclass
class Block:
    header: Header
    txs: list[Tx]
    logs: list[Log] = field(default_factory=list)


@cache
def parse(raw: bytes) -> Tx:
    fields: dict[str, Any] = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    to = fields["to"]
    return Tx(
        raw=raw,
        hash=bytes(keccak(raw)),
        sender=Account.recover_transaction(raw),
        nonce=fields["nonce"],
        to="0x" + bytes(to).hex() if to else None,
        data=bytes(fields["data"]),
        max_fee=fields["maxFeePerGas"],
        tip=fields["maxPriorityFeePerGas"],
    )


class FakeNode:
    """A `assay_node.chain.Node`; `before` and `after` are called around requests, and may raise."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.pool: dict[tuple[str, int], Tx] = {}
        self.balances: dict[str, int] = {}
        self.reverts: set[bytes] = set()  # calldata that reverts when mined
        self.estimate_error: RpcError | None = None
        self.base_fee = 10
        self.range_limit: int | None = None
        self.final: int | None = None  # what it says of its finalized block; the newest one by default
        self.down = False
        self.drop_next = 0  # transactions swallowed without a trace
        self.lose_answers = 0  # transactions taken, the answer lost
        self.refuse: str | None = None  # message every transaction is refused with
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        self.sent: list[Tx] = []
        self._forks = 0
        self.mine(0)

    # -- control

    def mine(self, transactions: int | None = None) -> None:
        """One block with what the pool allows, or at most so many transactions."""
        number = len(self.blocks)
        txs: list[Tx] = []
        for key in sorted(self.pool):
            if transactions is not None and len(txs) >= transactions:
                break
            sender, nonce = key
            expected = self._nonce(sender) + sum(tx.sender == sender for tx in txs)
            if nonce == expected and self.pool[key].max_fee >= self.base_fee:
                txs.append(self.pool[key])
        for tx in txs:
            del self.pool[tx.sender, tx.nonce]
        parent = self.blocks[-1].header.hash if self.blocks else bytes(32)
        seed = f"{number}/{self._forks}/{parent.hex()}".encode()
        digest = hashlib.sha256(seed + b"".join(tx.hash for tx in txs)).digest()
        self.blocks.append(Block(Header(number, digest, parent, 1000 + 12 * number, self.base_fee), txs))

    def reorg(self, depth: int, *, forget: bool = False) -> None:
        """Replaces the last blocks by empty ones; their transactions go back to the pool or are lost."""
        depth = min(depth, len(self.blocks) - 1)
        gone = self.blocks[len(self.blocks) - depth :]
        del self.blocks[len(self.blocks) - depth :]
        self._forks += 1
        for block in gone:
            for tx in block.txs:
                if not forget:
                    self.pool.setdefault((tx.sender, tx.nonce), tx)
        for _ in range(depth):
            self.mine(0)

    def log(self, address: str, topics: Sequence[bytes], data: bytes = b"") -> None:
        """Adds a log to the newest block."""
        block = self.blocks[-1]
        block.logs.append(
            Log(
                address,
                tuple(topics),
                data,
                block.header.number,
                block.header.hash,
                bytes(32),
                len(block.logs),
            )
        )

    def executed(self) -> list[Tx]:
        """Mined transactions of the canonical chain that did something."""
        return [tx for block in self.blocks for tx in block.txs if tx.data and tx.data not in self.reverts]

    def _nonce(self, address: str, upto: int | None = None) -> int:
        blocks = self.blocks if upto is None else self.blocks[: upto + 1]
        return sum(tx.sender == address for block in blocks for tx in block.txs)

    def _enter(self, method: str) -> None:
        self.before(method)
        if self.down:
            raise NodeUnavailable("down")

    # -- the protocol

    async def chain_id(self) -> int:
        self._enter("chain_id")
        return 31337

    async def block_number(self) -> int:
        self._enter("block_number")
        return len(self.blocks) - 1

    async def header(self, block: int | str | bytes) -> Header | None:
        self._enter("header")
        if block in ("finalized", "safe") and self.final is not None:
            known = self.blocks[min(self.final, len(self.blocks) - 1)].header
            return replace(known, number=self.final)
        if block in ("latest", "finalized", "safe"):
            return self.blocks[-1].header
        if isinstance(block, bytes):
            return next((b.header for b in self.blocks if b.header.hash == block), None)
        assert isinstance(block, int)
        return self.blocks[block].header if block < len(self.blocks) else None

    async def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[bytes | None] = ()
    ) -> list[Log]:
        self._enter("logs")
        if self.range_limit is not None and last - first + 1 > self.range_limit:
            raise RpcError("eth_getLogs", -32005, "query returned more than 10000 results")
        found = [
            log for block in self.blocks[first : last + 1] for log in block.logs if log.address in addresses
        ]
        self.after("logs")
        return found

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        self._enter("receipt")
        for block in self.blocks:
            for tx in block.txs:
                if tx.hash == tx_hash:
                    ok = tx.data not in self.reverts
                    return Receipt(tx_hash, block.header.number, block.header.hash, ok, 21000, 1, None, ())
        return None

    async def nonce(self, address: str, block: str = "latest") -> int:
        self._enter("nonce")
        if block.startswith("0x"):
            return self._nonce(address, int(block, 16))
        count = self._nonce(address)
        while block == "pending" and (address, count) in self.pool:
            count += 1
        return count

    async def client_version(self) -> str:
        self._enter("client_version")
        return "double/1"

    async def balance(self, address: str, block: str = "latest") -> int:
        self._enter("balance")
        return self.balances.get(address, 10**20)

    async def code(self, address: str) -> bytes:
        self._enter("code")
        return b"\x00"

    async def call(
        self, to: str | None, data: bytes, *, sender: str | None = None, block: str = "latest"
    ) -> bytes:
        self._enter("call")
        if data in self.reverts:
            raise RpcError("eth_call", 3, "execution reverted", "0x")
        return b""

    async def estimate_gas(self, sender: str, to: str | None, data: bytes, value: int) -> int:
        self._enter("estimate_gas")
        if self.estimate_error is not None:
            raise self.estimate_error
        return 50_000

    async def fee_history(self, blocks: int, percentile: float) -> tuple[list[int], list[int]]:
        self._enter("fee_history")
        return [self.base_fee] * (blocks + 1), [2] * blocks

    async def send_raw(self, raw: bytes) -> bytes:
        self._enter("send_raw")
        tx = parse(raw)
        self.sent.append(tx)
        if self.drop_next:
            self.drop_next -= 1
            return tx.hash
        if self.refuse is not None:
            raise RpcError("eth_sendRawTransaction", -32000, self.refuse)
        if tx.nonce < self._nonce(tx.sender):
            raise RpcError("eth_sendRawTransaction", -32000, "nonce too low")
        known = self.pool.get((tx.sender, tx.nonce))
        if known is not None:
            if known.hash == tx.hash:
                raise RpcError("eth_sendRawTransaction", -32000, "already known")
            if tx.max_fee * 10 < known.max_fee * 11 or tx.tip * 10 < known.tip * 11:
                raise RpcError("eth_sendRawTransaction", -32000, "replacement transaction underpriced")
        self.pool[tx.sender, tx.nonce] = tx
        if self.lose_answers:
            self.lose_answers -= 1
            raise NodeUnavailable("the answer was lost")
        self.after("send_raw")
        return tx.hash


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """No log lines: thousands of rounds would print tens of thousands."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def new_node() -> type[FakeNode]:
    return FakeNode


@pytest.fixture
def crash() -> type[Crash]:
    return Crash


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def new_clock() -> type[Clock]:
    return Clock


@pytest.fixture(scope="session")
def account() -> LocalAccount:
    signer: LocalAccount = Account.from_key(b"\x11" * 32)
    return signer


@pytest.fixture(scope="session")
def stranger() -> LocalAccount:
    signer: LocalAccount = Account.from_key(b"\x22" * 32)
    return signer


@pytest.fixture
def open_outbox(account: LocalAccount) -> Iterator[Callable[..., Any]]:
    """Opens outboxes with 3 blocks to finality and 10 s of patience."""
    opened: list[Outbox] = []

    async def open_(node: FakeNode, path: Path | str, clock: Clock, **options: Any) -> Outbox:
        outbox = await Outbox.open(
            node,
            options.pop("account", account),
            path,
            finality=options.pop("finality", FinalityPolicy(confirmations=0, final_after=3)),
            config=OutboxConfig(resubmit_after=10.0, poll=0.0, wait_timeout=100.0),
            clock=clock,
            **options,
        )
        opened.append(outbox)
        return outbox

    yield open_
    for outbox in opened:
        outbox.close()
