"""Loads and faults of the node, measured.

    python -m bench.node [speed] [faults] [floods] [reorgs] [proving-first] [soak] [--only TEXT]

Without a name, speed and faults. Writes `node.json`, one record a row. Figures depend on the machine and on
what else it does: compare rows of one run. The bidding window, which terms choose, is taken off a load's time
before jobs a minute are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.table import Table

from bench.node import floods, proving_first, reorgs, soak
from bench.node.load import measure
from bench.node.measured import STAGES, Measured
from bench.node.scenarios import FAULTS, SPEED, Scenario
from market import Sampled, compile_sampled

console = Console(width=180)


async def _rows(title: str, scenarios: Sequence[Scenario], model: Sampled, only: str) -> list[dict[str, Any]]:
    table = Table(title=title)
    for column in (
        "",
        "settled",
        "jobs/min",
        "requests a job (worker + asker)",
        *STAGES,
        "methods of workers",
    ):
        table.add_column(column)
    records = []
    for scenario in scenarios:
        if only not in scenario.name:
            continue
        with tempfile.TemporaryDirectory(prefix="node-bench") as folder:
            result = await measure(scenario.load, scenario.node, Path(folder), model)
        records.append({"kind": title, "name": scenario.name, **result.to_json()})
        states = ", ".join(f"{count} {state.lower()}" for state, count in result.states.items())
        console.print(f"{scenario.name}: {scenario.load.jobs} asked for, {states}", style="dim")
        table.add_row(scenario.name, *_cells(result, scenario.load.jobs))
    console.print(table)
    return records


def _cells(result: Measured, jobs: int) -> list[str]:
    settled = max(1, result.settled)
    stages = []
    for stage in STAGES:
        found = [result.percentile(stage, percent) for percent in (50, 95)]
        stages.append(" / ".join("-" if value is None else f"{value:.1f}" for value in found))
    return [
        f"{result.settled} of {jobs}",
        f"{result.jobs_a_minute:.0f}",
        f"{result.worker_posts / settled:.0f} + {result.requester_posts / settled:.0f}",
        *stages,
        ", ".join(f"{name} {count / settled:.1f}" for name, count in result.methods.most_common(4)),
    ]


async def run(options: argparse.Namespace) -> None:
    """Run what was asked for."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    records: list[dict[str, Any]] = []
    names = options.what or ["speed", "faults"]
    with tempfile.TemporaryDirectory(prefix="node-bench") as folder:
        model = compile_sampled("bc_mlp", Path(folder) / "bundle")
        if "speed" in names:
            records += await _rows("speed", SPEED, model, options.only)
        if "faults" in names:
            records += await _rows("faults", FAULTS, model, options.only)
        if "floods" in names:
            records += await floods.run(model, options.only, console)
        if "reorgs" in names:
            records += await reorgs.run(model, options.only, console)
        if "proving-first" in names:
            records += await proving_first.run(model, console)
        if "soak" in names:
            records.append(await soak.run(model, console, jobs=options.jobs))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "node.json").write_text(json.dumps(records, indent=2) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.node", description=__doc__)
    parser.add_argument(
        "what", nargs="*", metavar="TABLE", help="speed, faults, floods, reorgs, proving-first, soak"
    )
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    parser.add_argument("--jobs", type=int, default=1000, help="of the soak")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder of node.json")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
