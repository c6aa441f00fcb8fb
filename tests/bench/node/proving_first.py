"""What it costs a worker's throughput to prove before it binds itself, beside accepting first.

The same load on anvil, the two in turn, several rounds in one run: whatever else the machine does meets both.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.node.load import measure
from bench.node.measured import TERMS, Load, Measured
from chains import anvil_node
from market import ETHER, Sampled

ROUNDS = 5
LOAD = Load(
    jobs=80,
    requesters=8,
    limit=240.0,
    terms=replace(TERMS, bid_window=40, collateral=ETHER // 1000),
    settings={"max_jobs": 1000, "max_collateral": ETHER},
)
WAYS = {
    "proving first": LOAD,
    "accepting first": replace(LOAD, program="bench.node.accepting"),
}


async def run(model: Sampled, console: Console, *, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """A record for each way, and one for the ratio of the two."""
    found: dict[str, list[Measured]] = {name: [] for name in WAYS}
    for round_ in range(rounds):
        # Which one begins changes, so that what wears off (a cold cache) meets both.
        for name in list(WAYS)[:: -1 if round_ % 2 else 1]:
            with tempfile.TemporaryDirectory(prefix="node-bench") as folder:
                result = await measure(WAYS[name], anvil_node, Path(folder), model)
            found[name].append(result)
            console.print(f"{name}: {result.settled} of {LOAD.jobs}", style="dim")
    table = Table(title="proving before accepting")
    columns = (
        "settled",
        "jobs/min",
        "s from award to settlement",
        "CPU s a job",
        "requests a job",
        "transactions a job",
    )
    for column in ("", *columns):
        table.add_column(column)
    records = []
    for name, results in found.items():
        figures = {column: round(value, 3) for column, value in zip(columns, _figures(results), strict=True)}
        table.add_row(name, *(f"{value:g}" for value in figures.values()))
        records.append({"kind": "proving first", "name": name, "rounds": rounds, **figures})
    console.print(table)
    ratio = {"kind": "proving first", "name": "ratio"} | {
        column: _ratio(found, column, columns) for column in columns[1:]
    }
    told = ", ".join(f"{column} {ratio[column]}" for column in columns[1:])
    console.print(f"proving first over accepting first, within rounds: {told}")
    return [*records, ratio]


def _ratio(found: dict[str, list[Measured]], column: str, columns: tuple[str, ...]) -> float:
    """The median of a figure's ratios within rounds."""
    place = columns.index(column)
    ratios = [
        _figures([one])[place] / _figures([other])[place] for one, other in zip(*found.values(), strict=True)
    ]
    return round(statistics.median(ratios), 3)


def _figures(results: list[Measured]) -> list[float]:
    def median(values: list[float]) -> float:
        return statistics.median(values)

    jobs = [max(1, result.settled) for result in results]
    return [
        float(sum(result.settled for result in results)),
        median([result.jobs_a_minute for result in results]),
        median([statistics.median(result.served) for result in results]),
        median([result.worker_cpu / count for result, count in zip(results, jobs, strict=True)]),
        median([result.worker_requests / count for result, count in zip(results, jobs, strict=True)]),
        median(
            [
                result.methods["eth_sendRawTransaction"] / count
                for result, count in zip(results, jobs, strict=True)
            ]
        ),
    ]
