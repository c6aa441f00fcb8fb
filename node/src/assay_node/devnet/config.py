"""Configuration of a devnet."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assay_node.devnet.errors import DevnetError

DEFAULT_MNEMONIC = "test test test test test test test test test test test junk"
DEFAULT_CHAIN_ID = 31337
DEFAULT_PORT = 8545
ETHER = 10**18


@dataclass(frozen=True, slots=True, kw_only=True)
class DevnetConfig:
    """How a devnet runs. Everything has a default; ``port=0`` takes any free port.

    Attributes:
        host: address to listen on. Anything but loopback needs ``allow_remote``, because the accounts are
            unlocked and their keys are public.
        port: TCP port, 0 for any free one.
        chain_id: EIP-155 chain id, 1 .. 2**63 - 1.
        state: directory for the chain's database; None keeps it in memory.
        block_time: seconds between blocks; None mines a block for each transaction (automine).
        automine: mine as soon as a transaction arrives. Ignored (off) when ``block_time`` is set.
        accounts: number of development accounts derived from ``mnemonic``.
        balance: wei each of them owns in the genesis block.
        mnemonic: BIP-39 phrase; the default is the one anvil and hardhat use.
        gas_limit: block gas limit, constant.
        base_fee: base fee of the genesis block, wei per gas.
        finality: how many blocks behind the head ``safe`` and ``finalized`` are.
        log_range_limit: most blocks one ``eth_getLogs`` may span, as public providers cap it;
            None for no cap.
        cors_origins: browser origins that may read responses, such as an explorer's.
        allow_remote: permit a ``host`` that is not loopback.
        clock: seconds since the epoch; tests inject their own.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    chain_id: int = DEFAULT_CHAIN_ID
    state: Path | None = None
    block_time: float | None = None
    automine: bool = True
    accounts: int = 10
    balance: int = 10_000 * ETHER
    mnemonic: str = DEFAULT_MNEMONIC
    gas_limit: int = 30_000_000
    base_fee: int = 10**9
    finality: int = 0
    log_range_limit: int | None = None
    cors_origins: tuple[str, ...] = ()
    allow_remote: bool = False
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        """Refuse a configuration that cannot work, with one line that says why."""
        if not 0 < self.chain_id < 2**63:
            raise DevnetError(f"chain id {self.chain_id} is not in 1 .. 2**63 - 1")
        if not 0 <= self.port < 65536:
            raise DevnetError(f"port {self.port} is not in 0 .. 65535")
        if self.block_time is not None and not 0.01 <= self.block_time <= 86_400:
            raise DevnetError(f"block time {self.block_time} s is not in 0.01 .. 86400")
        if not 1 <= self.accounts <= 1000:
            raise DevnetError(f"{self.accounts} accounts asked for; 1 .. 1000 are possible")
        if not 5_000_000 <= self.gas_limit < 2**63:
            raise DevnetError(f"block gas limit {self.gas_limit} is below 5,000,000 or above 2**63 - 1")
        if not self.allow_remote and not is_loopback(self.host):
            raise DevnetError(
                f"{self.host} is not a loopback address and a devnet's keys are public: listen on 127.0.0.1 "
                "(DevnetConfig(allow_remote=True) in Python listens elsewhere)"
            )


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name without a port, or an address) can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
