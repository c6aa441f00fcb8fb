"""Chains in processes of their own, for loads that must not share an interpreter with what they measure.

`anvil_node` and `devnet_node` both give a `market.ChainNode`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from eth_account.signers.local import LocalAccount

from assay_node.devnet.accounts import DevAccounts
from assay_node.devnet.config import DEFAULT_MNEMONIC
from market import free_port
from node_tools import foundry

ACCOUNTS = 40
START_TIMEOUT_S = 30.0


@dataclass
class RemoteNode:
    """A node behind a URL, with control methods, and accounts whose keys are known."""

    url: str
    accounts: Sequence[LocalAccount]
    _session: aiohttp.ClientSession
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def rpc(self, method: str, *params: Any) -> Any:
        """The result of a request; AssertionError with the node's error, as no test provokes one here."""
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        async with self._session.post(self.url, json=body) as response:
            answer = await response.json()
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]


@asynccontextmanager
async def anvil_node(*options: str) -> AsyncIterator[RemoteNode]:
    """anvil, which mines each transaction at once unless `options` say otherwise."""
    port = free_port()
    command = [foundry("anvil"), "--port", str(port), "--accounts", str(ACCOUNTS), "--silent", *options]
    async with _running(command, port) as node:
        yield node


@asynccontextmanager
async def devnet_node(**settings: float | bool | None) -> AsyncIterator[RemoteNode]:
    """The devnet, which mines each transaction at once unless `settings`, of its configuration, differ."""
    port = free_port()
    config = {"port": port, "accounts": ACCOUNTS} | settings
    program = f"from assay_node.devnet import DevnetConfig, run; run(DevnetConfig(**{config!r}))"
    async with _running([sys.executable, "-c", program], port) as node:
        yield node


@asynccontextmanager
async def _running(command: list[str], port: int) -> AsyncIterator[RemoteNode]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        async with aiohttp.ClientSession() as session:
            accounts = list(DevAccounts(DEFAULT_MNEMONIC, ACCOUNTS))
            node = RemoteNode(f"http://127.0.0.1:{port}", accounts, session)
            async with asyncio.timeout(START_TIMEOUT_S):
                while True:
                    assert process.poll() is None, f"{command[0]} ended with status {process.returncode}"
                    with contextlib.suppress(aiohttp.ClientError):
                        await node.rpc("eth_chainId")
                        break
                    await asyncio.sleep(0.05)
            yield node
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
