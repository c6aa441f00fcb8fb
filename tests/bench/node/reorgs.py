"""Re-orgs that drop transactions, one to five blocks deep and twenty in a minute, while jobs go their way.

Between re-orgs the chain goes on, a block a second, as chains do: where blocks come with transactions alone,
the newest blocks are those of what was just sent again, and each re-org drops the same transactions until
their time is over.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from assay_node.chain import FinalityPolicy
from bench.node.load import Ensemble, Node, measure
from bench.node.measured import TERMS, Load
from chains import anvil_node, devnet_node
from market import ChainNode, Sampled

DEPTHS = (1, 3, 2, 5, 4)
REORGS = 20
BLOCK_S = 1.0
BLOCKS_BETWEEN = 3
FINALITY = FinalityPolicy(confirmations=0, final_after=8)
LOAD = Load(
    jobs=20,
    requesters=4,
    limit=240.0,
    terms=replace(TERMS, bid_window=40, accept_window=300),
    settings={"max_jobs": 100, "finality": FINALITY},
    finality=FINALITY,
)


async def reorg_of_anvil(net: ChainNode, depth: int) -> None:
    """Replace the newest blocks, by one more, and have the clock go on.

    anvil gives the replacing blocks the time of the block that they follow, and goes on from there: with each
    re-org its clock falls further behind, and stands still where no block outlives the next one.
    """
    await net.rpc("anvil_reorg", depth, [])
    await net.rpc("evm_mine", int(time.time()))


async def reorg_of_devnet(net: ChainNode, depth: int) -> None:
    """Replace the newest blocks, by one more."""
    await net.rpc("assay_reorg", depth, {"transactions": "drop"})


CHAINS: Sequence[tuple[str, Node, Callable[[ChainNode, int], Awaitable[None]]]] = (
    ("anvil", anvil_node, reorg_of_anvil),
    ("devnet", devnet_node, reorg_of_devnet),
)


async def run(model: Sampled, only: str, console: Console) -> list[dict[str, Any]]:
    """The same jobs on both chains."""
    records = []
    for name, node, reorg in CHAINS:
        if only not in name:
            continue
        done = 0

        async def shake(
            ensemble: Ensemble, reorg: Callable[[ChainNode, int], Awaitable[None]] = reorg
        ) -> None:
            nonlocal done
            for depth in itertools.islice(itertools.cycle(DEPTHS), REORGS):
                for _ in range(BLOCKS_BETWEEN):
                    await asyncio.sleep(BLOCK_S)
                    await ensemble.market.net.rpc("evm_mine")
                await reorg(ensemble.market.net, depth)
                done += 1

        with tempfile.TemporaryDirectory(prefix="reorgs") as folder:
            result = await measure(LOAD, node, Path(folder), model, chaos=shake)
        records.append({"kind": "reorgs", "name": name, **result.to_json(), "reorgs": done})
        console.print(
            f"re-orgs on {name}: {result.settled} of {LOAD.jobs} settled, {dict(result.states)}, "
            f"{done} re-orgs in {result.seconds:.0f} s"
        )
    return records
