"""Fixtures: a devnet in memory with a clock of its own, and small contracts written in bytecode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from assay_node.devnet import Devnet, DevnetConfig

START_TIME = 1_800_000_000

# LOG2(topic0 = word 0, topic1 = word 1, data = the rest)
EMITTER = "604036038060406000376020356000358260 00a200".replace(" ", "")
# REVERT with the call data
REVERTER = "365f5f37365ffd"
# RETURN timestamp, number, chainid, basefee
ENVIRONMENT = "425f52436020524660405248606052 60805ff3".replace(" ", "")
# Adds one to storage slot 0
COUNTER = "5f546001015f5500"
# REVERT unless timestamp >= word 0
DEADLINE = "425f351160085700 5b5f5ffd".replace(" ", "")
# BLOCKHASH(word 0)
BLOCKHASH = "5f35405f5260205ff3"
# CALL itself with all gas
RECURSION = "5f5f5f5f5f305af100"


def init_code(runtime: str) -> str:
    """Creation code that deploys ``runtime`` (hex, below 256 bytes)."""
    return f"0x60{len(runtime) // 2:02x}8060095f395ff3{runtime}"


@dataclass(slots=True)
class Clock:
    """A clock that stands still until told otherwise."""

    now: float = START_TIME

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def contracts() -> SimpleNamespace:
    """Runtime code by name."""
    return SimpleNamespace(
        emitter=EMITTER,
        reverter=REVERTER,
        environment=ENVIRONMENT,
        counter=COUNTER,
        deadline=DEADLINE,
        blockhash=BLOCKHASH,
        recursion=RECURSION,
    )


@pytest.fixture
def clock() -> Clock:
    """The devnet's clock."""
    return Clock()


@pytest.fixture
async def net(clock: Clock) -> AsyncIterator[Devnet]:
    """A devnet on any free port, automining."""
    async with Devnet(DevnetConfig(port=0, clock=clock)) as devnet:
        yield devnet


@pytest.fixture
def alice(net: Devnet) -> LocalAccount:
    """The first development account."""
    return net.accounts[0]


@pytest.fixture
def bob(net: Devnet) -> LocalAccount:
    """The second development account."""
    return net.accounts[1]


@pytest.fixture
def stranger() -> LocalAccount:
    """An account without a wei."""
    account: LocalAccount = Account.from_key("0x" + "42" * 32)
    return account


Deploy = Callable[[str], Awaitable[str]]


@pytest.fixture
def deploy(net: Devnet, alice: LocalAccount) -> Deploy:
    """Deploys runtime code from alice and returns the address."""

    async def deploy_runtime(runtime: str) -> str:
        tx_hash = await net.rpc("eth_sendTransaction", {"from": alice.address, "data": init_code(runtime)})
        receipt = await net.rpc("eth_getTransactionReceipt", tx_hash)
        assert receipt["status"] == "0x1"
        return str(receipt["contractAddress"])

    return deploy_runtime


Sign = Callable[..., str]


@pytest.fixture
def sign() -> Sign:
    """Signs a transfer of 1 wei to a fixed address; keyword arguments override its fields."""

    def sign_transaction(account: LocalAccount, **overrides: Any) -> str:
        fields: dict[str, Any] = {
            "chainId": 31337,
            "nonce": 0,
            "to": "0x" + "11" * 20,
            "value": 1,
            "gas": 21_000,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 10**9,
        } | overrides
        if "gasPrice" in overrides:
            del fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]
        if fields["chainId"] is None:
            del fields["chainId"]
        return "0x" + bytes(account.sign_transaction(fields).raw_transaction).hex()

    return sign_transaction
