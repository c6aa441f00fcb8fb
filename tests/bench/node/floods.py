"""Floods: many jobs at once, jobs of one wei, connections that say nothing, windows that are short."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from assay_node.chain import JobRequest
from bench.node.load import Chaos, Ensemble, Node, measure
from bench.node.measured import TERMS, Load
from chains import anvil_node
from market import ETHER, Sampled

DUST_JOBS = 1_000
SLOW_CONNECTIONS = 200
FLOODER = 9
FLOOD_GAS = 400_000


@dataclass(frozen=True)
class Flood:
    """A load, what disturbs it, and what ought to come of it.

    Attributes:
        name: of the row.
        load: the honest jobs.
        wanted: in words.
        chaos: the flood.
    """

    name: str
    load: Load
    wanted: str
    chaos: Chaos | None = None
    node: Node = anvil_node


async def dust(ensemble: Ensemble) -> None:
    """A thousand jobs of one wei for the served model, as fast as a chain takes them."""
    market, model = ensemble.market, ensemble.model
    account = market.net.accounts[FLOODER]
    nonce = await market.node.nonce(account.address)
    integers = model.bundle.encode_input(model.x[0])
    words = model.bundle.input_words(integers, 1)
    for number in range(DUST_JOBS):
        request = JobRequest(
            model_id=ensemble.model_id,
            max_price=1,
            bid_window=3600,
            accept_window=600,
            prove_window=600,
            input_ref=os.urandom(32),
        )
        call = market.chain.market.submit_job(request, words, value=1)
        transaction: dict[str, Any] = {
            "chainId": market.chain.deployment.chain_id,
            "nonce": nonce + number,
            "to": call.to,
            "data": call.data,
            "value": call.value,
            "gas": FLOOD_GAS,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**9,
        }
        await market.node.send_raw(bytes(account.sign_transaction(transaction).raw_transaction))


async def slow_connections(ensemble: Ensemble) -> None:
    """Two hundred connections to each inbox that send a byte a second, opened anew when they are cut."""

    async def crawl(port: int) -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                with contextlib.closing(writer):
                    for byte in b"POST /v1/jobs/0x" + b"00" * 500:
                        writer.write(bytes([byte]))
                        await writer.drain()
                        await asyncio.sleep(1.0)
            await asyncio.sleep(0.1)

    ports = [worker.config.inbox_port for worker in ensemble.workers]
    await asyncio.gather(*(crawl(port) for port in ports for _ in range(SLOW_CONNECTIONS)))


FLOODS: Sequence[Flood] = (
    Flood(
        "240 jobs of 8 requesters, two workers",
        Load(jobs=240, requesters=8, workers=2, limit=240.0, terms=replace(TERMS, bid_window=60)),
        "all settled within two minutes",
    ),
    Flood(
        "1,000 jobs of 1 wei",
        Load(jobs=5, limit=120.0, terms=replace(TERMS, bid_window=30)),
        "the bid within 5 s, nothing slashed",
        dust,
    ),
    Flood(
        "200 slow connections",
        Load(jobs=10, limit=120.0),
        "delivered within 2 s of the award",
        slow_connections,
    ),
    Flood(
        "max_jobs 1000, 150 jobs with windows of 90 s",
        Load(
            jobs=150,
            requesters=8,
            limit=300.0,
            terms=replace(TERMS, bid_window=20, accept_window=90, prove_window=90),
            settings={"max_jobs": 1000},
        ),
        "nothing slashed",
    ),
)


async def run(model: Sampled, only: str, console: Console) -> list[dict[str, Any]]:
    """Each flood on a fresh chain."""
    table = Table(title="floods")
    for column in ("", "wanted", "settled", "seconds", "bid p95 s", "award to delivery p95 s", "slashed ETH"):
        table.add_column(column)
    records = []
    for flood in FLOODS:
        if only not in flood.name:
            continue
        with tempfile.TemporaryDirectory(prefix="flood") as folder:
            result = await measure(flood.load, flood.node, Path(folder), model, chaos=flood.chaos)
        late = [
            delivered - awarded
            for delivered, awarded in zip(
                sorted(result.latencies["delivered"]), sorted(result.latencies["award"]), strict=False
            )
        ]
        records.append({"kind": "flood", "name": flood.name, **result.to_json(), "delivery_s": late})
        table.add_row(
            flood.name,
            flood.wanted,
            f"{result.settled} of {flood.load.jobs}",
            f"{result.seconds:.0f}",
            _seconds(result.percentile("bid", 95)),
            _seconds(max(late, default=None)),
            f"{result.slashed / ETHER:.4f}",
        )
        console.print(f"{flood.name}: {dict(result.states)}", style="dim")
    console.print(table)
    return records


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
