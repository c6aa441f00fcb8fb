"""What the check of a proving key adds to opening it: without it, checked the first time, and remembered.

    python -m bench.opening [MODEL] [--rounds N] [--out build/bench]

Each opening is a process of its own, from the bundle's folder to a prover that is ready, and the three ways
take turns in one run, the key's file dropped from the page cache before each. What counts is processor time,
and the least of all rounds: other work on the machine can only add to it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.models import ROOT, VECTORS, find
from bench.slices import phase

WAYS = ("unchecked", "checked", "remembered")


def open_once(folder: Path, *, check: bool) -> dict[str, float]:
    """Open a bundle and its keys in this process; processor and wall seconds, libraries' loading left out."""
    from assay_prover import Bundle
    from assay_prover.bundle.prover import ModelProver

    bundle_began = perf_counter(), process_time()
    bundle = Bundle.open(folder)
    key_began = perf_counter(), process_time()
    ModelProver(bundle, check_keys=check)
    ended = perf_counter(), process_time()
    return {
        "wall": ended[0] - bundle_began[0],
        "cpu": ended[1] - bundle_began[1],
        "key_wall": ended[0] - key_began[0],
        "key_cpu": ended[1] - key_began[1],
    }


def forget(path: Path) -> None:
    """Drop a file from the page cache, so that it is read from the disk again."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def opened(folder: Path, way: str, cache: Path) -> dict[str, float]:
    """The same in a process of its own.

    Args:
        folder: the bundle.
        way: `unchecked`; `checked`, which starts without what the cache knows; or `remembered`.
        cache: where checks that passed are remembered.
    """
    if way == "checked":
        for known in (cache / "assay" / "checks").glob("*"):
            known.unlink()
    for key in folder.rglob("proving.key"):
        forget(key)
    done = subprocess.run(
        [sys.executable, "-m", "bench.opening", "--one", way, str(folder)],
        cwd=ROOT / "tests",
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(folder: Path, rounds: int, console: Console) -> dict[str, Any]:
    """All ways, round after round: the least of each figure, and what it is beside an unchecked opening."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="checks") as cache:
        for _ in range(rounds):
            for way in WAYS:
                found[way].append(opened(folder, way, Path(cache)))
    table = Table(title=f"opening {folder.name}")
    for column in ("", "CPU s", "wall s", "of it the key: CPU s", "wall s", "CPU beside unchecked"):
        table.add_column(column)
    record: dict[str, Any] = {}
    for way, results in found.items():
        least = {name: min(each[name] for each in results) for name in results[0]}
        ratio = least["cpu"] / min(each["cpu"] for each in found["unchecked"])
        record[way] = {**least, "ratio": ratio}
        shown = [f"{least[name]:.2f}" for name in ("cpu", "wall", "key_cpu", "key_wall")]
        table.add_row(way, *shown, f"{ratio:.2f}")
    console.print(table)
    return record


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.opening", description=__doc__)
    parser.add_argument("model", nargs="?", default="mobilenet_v2_32", help="as of `make bench-models`")
    parser.add_argument("--rounds", type=int, default=5, help="openings of each way")
    parser.add_argument("--models", type=Path, nargs="*", default=[VECTORS], help="where ONNX files are")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder of opening.json")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "BUNDLE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        way, folder = options.one
        print(json.dumps(open_once(Path(folder), check=way != "unchecked")))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="opening") as work:
        found = find(options.model, options.models, Path(work))
        if found is None:
            raise SystemExit(f"error: no file of {options.model}")
        model, samples = found
        bundle = Path(work) / options.model
        constraints = phase("compile", model, samples, bundle)["constraints"]
        phase("setup", bundle)
        console = Console(width=160)
        console.print(f"{options.model}: {constraints:,} constraints")
        record = {
            "model": options.model,
            "constraints": constraints,
            **measure(bundle, options.rounds, console),
        }
    (options.out / "opening.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
