"""Re-orgs that drop transactions, one to five blocks deep and twenty in a minute, while jobs go their way."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from assay_node.chain import FinalityPolicy
from bench.node.load import TERMS, Ensemble, Load, Node, measure
from chains import anvil_node, devnet_node
from market import Sampled

DEPTHS = (1, 3, 2, 5, 4)
EVERY_S = 3.0
FINALITY = FinalityPolicy(confirmations=0, final_after=8)
LOAD = Load(
    jobs=20,
    requesters=4,
    limit=240.0,
    terms=replace(TERMS, bid_window=20, accept_window=300),
    settings={"max_jobs": 100, "finality": FINALITY},
    finality=FINALITY,
)
CHAINS: Sequence[tuple[str, Node, str]] = (
    ("anvil", anvil_node, "anvil_reorg"),
    ("devnet", devnet_node, "assay_reorg"),
)


async def run(model: Sampled, only: str, console: Console) -> list[dict[str, Any]]:
    """The same jobs on both chains."""
    records = []
    for name, node, method in CHAINS:
        if only not in name:
            continue
        count = itertools.count()

        async def shake(
            ensemble: Ensemble, method: str = method, count: itertools.count[int] = count
        ) -> None:
            while True:
                await asyncio.sleep(EVERY_S)
                depth = DEPTHS[next(count) % len(DEPTHS)]
                rest: Any = [] if method == "anvil_reorg" else {"transactions": "drop"}
                await ensemble.market.net.rpc(method, depth, rest)
                if method == "anvil_reorg":  # its clock goes back with its blocks, and would stand still
                    with contextlib.suppress(AssertionError):
                        await ensemble.market.net.rpc("evm_setNextBlockTimestamp", int(time.time()))

        with tempfile.TemporaryDirectory(prefix="reorgs") as folder:
            result = await measure(LOAD, node, Path(folder), model, chaos=shake)
        records.append({"kind": "reorgs", "name": name, **result.to_json(), "reorgs": next(count)})
        console.print(
            f"re-orgs on {name}: {result.settled} of {LOAD.jobs} settled, {dict(result.states)}, "
            f"{records[-1]['reorgs']} re-orgs in {result.seconds:.0f} s"
        )
    return records
