"""Instructions of the portable path, counted by callgrind, beside committed figures: they must not grow.

    python -m bench.counts [--update]

Unlike seconds they are the same on every run of one build, so that a loss of a few percent shows. They are of
one thread and leave out what is made once (keys, tables). Another compiler than the figures' gets more room.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.engines import ROOT, Builder, EngineError

FIGURES = Path(__file__).with_suffix(".json")
CASES = ("msm_g1", "msm_g1_8bit", "msm_g2", "ntt", "groth16", "groth16_8bit")
TOLERANCE = 0.03
OTHER_COMPILER_TOLERANCE = 0.15
FUNCTION = "*counts::counted*"


def count(binary: str, case: str) -> int:
    """Instructions of one case."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = [
            "valgrind",
            "--tool=callgrind",
            f"--toggle-collect={FUNCTION}",
            f"--callgrind-out-file={out}",
        ]
        done = subprocess.run(
            [*command, binary, "count", case],
            env=os.environ | {"ASSAY_KERNEL": "portable"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise EngineError(f"{case} failed under callgrind.\n{done.stderr}")
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
    if found is None or int(found[1]) == 0:
        raise EngineError(f"{case}: callgrind counted nothing of {FUNCTION}")
    return int(found[1])


def compiler() -> str:
    """The version of rustc."""
    done = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


def main() -> int:
    """Counts, and compares or updates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="take today's counts for the figures")
    args = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("SKIPPED: instruction counts were not checked, there is no valgrind on PATH", file=sys.stderr)
        return 0
    try:
        binary = Builder(ROOT / "build", tell=lambda _: None, warn=print).ours().command[0]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            counts = dict(zip(CASES, pool.map(lambda case: count(binary, case), CASES), strict=True))
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if args.update:
        FIGURES.write_text(json.dumps({"compiler": compiler(), "instructions": counts}, indent=2) + "\n")
        return 0
    figures = json.loads(FIGURES.read_text())
    same = figures["compiler"] == compiler()
    tolerance = TOLERANCE if same else OTHER_COMPILER_TOLERANCE
    if not same:
        print(
            f"figures are of rustc {figures['compiler']}, this is {compiler()}: {tolerance:.0%} are allowed"
        )
    grown = []
    for case, instructions in counts.items():
        before = figures["instructions"][case]
        change = instructions / before - 1
        print(f"{case:13} {instructions:>13,} instructions, {change:+.2%}")
        if change > tolerance:
            grown.append(case)
    if grown:
        print(
            f"error: {', '.join(grown)} grew by more than {tolerance:.0%}. If that is meant, say why and run "
            "`make test-counts ARGS=--update`.",
            file=sys.stderr,
        )
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
