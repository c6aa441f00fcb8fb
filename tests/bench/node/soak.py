"""Many jobs while workers are killed and nodes misbehave: none lost, none posted twice, memory flat."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.node.load import Ensemble, measure
from bench.node.measured import TERMS, Load
from bench.node.scenarios import FAULTS
from chains import anvil_node
from market import Sampled

KILLS = 20
SECONDS_A_JOB = 2.0
AT_ONCE = 40
"""Jobs under way: a burst of a thousand would meet windows, and not faults."""
SAMPLE_S = 1.0


class Killer:
    """Kills one worker after another as jobs are bid on and settled, and notes how much memory they use.

    Bids count, too: a few jobs whose bidding ends at the same time settle between two looks.
    """

    def __init__(self, jobs: int, kills: int) -> None:
        self._every = max(1, jobs // kills)
        self._left = kills
        self.kills = 0
        self.resident: list[float] = []

    async def __call__(self, ensemble: Ensemble) -> None:
        """Goes on until it is cancelled."""
        next_kill = self._every
        while True:
            await asyncio.sleep(SAMPLE_S)
            steps = sum(stage in ("bid", "settled") for stage, _ in ensemble.watcher.seen)
            self.resident.append(max(worker.resident_mb() for worker in ensemble.workers))
            if self._left and steps >= next_kill:
                victim = ensemble.workers[self.kills % len(ensemble.workers)]
                victim.kill()
                victim.start()
                self.kills, self._left, next_kill = self.kills + 1, self._left - 1, next_kill + self._every

    def growth(self) -> float:
        """MiB by which the last tenth of the samples exceeds the second tenth."""
        tenth = max(1, len(self.resident) // 10)
        return statistics.median(self.resident[-tenth:]) - statistics.median(self.resident[tenth : 2 * tenth])


async def run(model: Sampled, console: Console, *, jobs: int = 1000, kills: int = KILLS) -> dict[str, Any]:
    """One soak; its record."""
    mixture = next(scenario for scenario in FAULTS if scenario.name == "a mixture").load.faults
    load = Load(
        jobs=jobs,
        requesters=8,
        workers=2,
        limit=120 + SECONDS_A_JOB * jobs,
        at_once=AT_ONCE,
        faults=mixture,
        terms=replace(TERMS, bid_window=30, accept_window=600),
        settings={"max_jobs": 1000},
    )
    killer = Killer(jobs, kills)
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        result = await measure(load, anvil_node, Path(folder), model, chaos=killer)
    record = {
        "kind": "soak",
        **result.to_json(),
        "kills": killer.kills,
        "resident_mb": [round(value, 1) for value in killer.resident[:: max(1, len(killer.resident) // 50)]],
        "growth_mb": round(killer.growth(), 1),
    }
    console.print(
        f"soak: {result.settled} of {jobs} settled, {result.asked_twice} posted twice, {killer.kills} kills, "
        f"{result.jobs_a_minute:.0f} jobs a minute, memory {record['growth_mb']:+} MiB, "
        f"{result.slashed} wei of stake lost; {dict(result.states)}"
    )
    return record
