"""CPU and latency of the contracts' codec and of web3's, side by side in one run.

    python -m bench.node.codec

Each row is CPU time of this process, the two kinds in turn, the least of several repetitions: it says what
each costs whatever else the machine does. The last rows ask an embedded chain in a process of its own for one
job: through `Chain`, and through `AsyncWeb3` over `AssayProvider`, which both use the same transport.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

from rich.console import Console
from rich.table import Table
from web3 import AsyncWeb3, Web3

from assay_node.chain import Market, Rpc, interface
from assay_node.devnet import DevnetConfig, DevnetThread
from assay_node.web3 import AssayProvider
from unit.node.chain.contracts.abi_values import ADDRESS, log_of, values_of

REPETITIONS, CALLS = 7, 60
IMPORT = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"


def least(act: Callable[[], Any], calls: int = CALLS) -> float:
    """Microseconds of CPU for one call, the least of some repetitions."""
    best = float("inf")
    for _ in range(REPETITIONS):
        begun = time.process_time()
        for _ in range(calls):
            act()
        best = min(best, (time.process_time() - begun) / calls)
    return best * 1e6


async def least_request(ask: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    """Microseconds of CPU and of waiting for one request, each the least of some."""
    cpu = wall = float("inf")
    for _ in range(REPETITIONS * CALLS):
        begun = (time.process_time(), time.perf_counter())
        await ask()
        cpu = min(cpu, time.process_time() - begun[0])
        wall = min(wall, time.perf_counter() - begun[1])
    return cpu * 1e6, wall * 1e6


def imported(module: str) -> float:
    """Milliseconds of CPU that importing a module takes, beside what our codec imports."""
    source = "import assay_node.chain.contracts.contracts; " + IMPORT.format(module)
    times = [
        float(subprocess.run([sys.executable, "-c", source], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    return min(times) * 1e3


async def requests(url: str, abi: list[Any]) -> list[tuple[str, tuple[float, float], tuple[float, float]]]:
    """Requests of both kinds, of an account and of a contract that is not there: nothing to decode."""
    async with Rpc(url) as node:
        market = Market(node, ADDRESS)
        w3: Any = AsyncWeb3(AssayProvider(url))
        contract = w3.eth.contract(address=ADDRESS, abi=abi)
        rows = [
            (
                "eth_getBalance",
                await least_request(lambda: node.balance(ADDRESS)),
                await least_request(lambda: w3.eth.get_balance(ADDRESS)),
            ),
            (
                "eth_call with its calldata",
                await least_request(
                    lambda: market.node.call(ADDRESS, market.interface.encode_call("nonceOf", ADDRESS))
                ),
                await least_request(
                    lambda: w3.eth.call({"to": ADDRESS, "data": contract.encode_abi("nonceOf", [ADDRESS])})
                ),
            ),
        ]
        await w3.provider.disconnect()
    return rows


def main() -> None:
    """Measures, and prints a table."""
    abi = json.loads(files("assay_node").joinpath("abi", "Market.json").read_text())["abi"]
    ours, theirs = (
        interface("Market"),
        Web3().eth.contract(address=Web3.to_checksum_address(ADDRESS), abi=abi),
    )
    entries = {entry["name"]: entry for entry in abi if "name" in entry}
    table = Table("", "here", "web3", "ratio", title="microseconds of CPU")

    def row(name: str, here: float, there: float) -> None:
        table.add_row(name, f"{here:.0f}", f"{there:.0f}", f"{there / here:.1f}")

    source = random.Random(1)  # noqa: S311
    for name in ("BidPlaced", "JobSubmitted", "JobSettled"):
        log = log_of(entries[name], source)
        event = theirs.events[name]()
        raw: Any = {
            "address": log.address, "topics": list(log.topics), "data": log.data, "blockNumber": 7,
            "blockHash": log.block_hash, "transactionHash": log.tx_hash, "transactionIndex": 0, "logIndex": 3,
        }  # fmt: skip
        row(
            f"read a log of {name}",
            least(lambda log=log: ours.decode_event(log)),  # type: ignore[misc]
            least(lambda event=event, raw=raw: event.process_log(raw)),  # type: ignore[misc]
        )
    for name in ("placeBid", "submitJob", "submitProof"):
        values = values_of(entries[name]["inputs"], source)
        row(
            f"build a call of {name}",
            least(lambda name=name, values=values: ours.encode_call(name, *values)),  # type: ignore[misc]
            least(lambda name=name, values=values: theirs.encode_abi(name, values)),  # type: ignore[misc]
        )
    with DevnetThread(DevnetConfig()) as net:
        for name, here, there in asyncio.run(requests(net.url, abi)):
            row(f"{name}: CPU, the chain's included", here[0], there[0])
            row(f"{name}: waiting", here[1], there[1])
    Console().print(table)
    print(f"importing web3 beside the node's chain layer: {imported('web3'):.0f} ms of CPU")


if __name__ == "__main__":
    main()
