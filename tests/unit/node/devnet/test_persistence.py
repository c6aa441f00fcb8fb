"""A devnet whose state is on disk, stopped and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from assay_node.devnet import Devnet, DevnetConfig, DevnetError

SERVE = """
import sys
from pathlib import Path
from assay_node.devnet import DevnetConfig, run
run(DevnetConfig(port=0, state=Path(sys.argv[1])), on_ready=lambda net: print(net.url, flush=True))
"""


def post(url: str, method: str, *params: object) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - loopback
        return json.load(response)["result"]


async def test_stopped_devnet_comes_back_as_it_was(tmp_path, clock, sign):
    config = DevnetConfig(port=0, state=tmp_path, clock=clock)
    async with Devnet(config) as net:
        alice = net.accounts[0]
        await net.rpc("evm_increaseTime", 5000)
        tx_hash = await net.rpc("eth_sendRawTransaction", sign(alice))
        snapshot = await net.rpc("evm_snapshot")
        await net.rpc("evm_mine")
        block = await net.rpc("eth_getBlockByNumber", "latest", True)
        receipt = await net.rpc("eth_getTransactionReceipt", tx_hash)
    async with Devnet(config) as net:
        assert await net.rpc("eth_getBlockByNumber", "latest", True) == block
        assert await net.rpc("eth_getTransactionReceipt", tx_hash) == receipt
        await net.rpc("evm_mine")
        mined = await net.rpc("eth_getBlockByNumber", "latest", False)
        assert int(mined["timestamp"], 16) >= int(clock.now) + 5000
        assert await net.rpc("evm_revert", snapshot) is True
        assert await net.rpc("eth_blockNumber") == "0x1"


async def test_waiting_transactions_survive_and_automine_mines_them(tmp_path, clock, sign):
    manual = DevnetConfig(port=0, state=tmp_path, clock=clock, automine=False)
    async with Devnet(manual) as net:
        tx_hash = await net.rpc("eth_sendRawTransaction", sign(net.accounts[0]))
    async with Devnet(manual) as net:
        assert (await net.rpc("eth_getTransactionByHash", tx_hash))["blockHash"] is None
    async with Devnet(DevnetConfig(port=0, state=tmp_path, clock=clock)) as net:
        assert (await net.rpc("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_killed_devnet_has_lost_nothing_it_confirmed(tmp_path):
    confirmed: dict[str, Any] = {}
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            for tx_hash, receipt in confirmed.items():
                assert post(url, "eth_getTransactionReceipt", tx_hash) == receipt
            sender, target = post(url, "eth_accounts")[:2]
            for _ in range(5):
                tx_hash = post(url, "eth_sendTransaction", {"from": sender, "to": target, "value": "0x1"})
                confirmed[tx_hash] = post(url, "eth_getTransactionReceipt", tx_hash)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
    assert len(confirmed) == 10
    assert len({receipt["blockNumber"] for receipt in confirmed.values()}) == 10


async def test_two_devnets_cannot_share_a_directory(tmp_path):
    async with Devnet(DevnetConfig(port=0, state=tmp_path)):
        with pytest.raises(DevnetError, match="another devnet is using"):
            await Devnet(DevnetConfig(port=0, state=tmp_path)).start()
    async with Devnet(DevnetConfig(port=0, state=tmp_path)):
        pass  # the lock goes with its holder


async def test_state_of_another_chain_is_refused(tmp_path):
    async with Devnet(DevnetConfig(port=0, state=tmp_path, chain_id=5)):
        pass
    with pytest.raises(DevnetError, match=r"belongs to chain 5, not 6"):
        await Devnet(DevnetConfig(port=0, state=tmp_path, chain_id=6)).start()


async def test_foreign_file_is_refused(tmp_path):
    (tmp_path / "devnet.sqlite").write_bytes(b"not a database at all, but long enough to be looked at" * 20)
    with pytest.raises(DevnetError, match="is not a devnet database"):
        await Devnet(DevnetConfig(port=0, state=tmp_path)).start()


async def test_unusable_directory_is_refused(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("here first")
    with pytest.raises(DevnetError, match="cannot use"):
        await Devnet(DevnetConfig(port=0, state=Path(blocked))).start()
