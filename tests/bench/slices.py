"""What cutting a network costs and saves: whole beside slices, each phase in a process of its own.

    python -m bench.slices [MODEL] [--slices N ...] [--runs N] [--models FOLDER ...]

Setup's peak memory is what slices are for; constraints, proving time, proof and gas are what they cost.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from assay_prover import Bundle
from bench.bounded import Limits, run
from bench.models import ROOT, VECTORS, find
from bench.verify_gas import VerifierGas

LIMITS = Limits(seconds=900, memory_mb=20 * 1024)


def phase(name: str, *arguments: object) -> dict[str, Any]:
    """The figures of a phase; exits if it came to nothing."""
    outcome = run(
        [sys.executable, "-m", "bench.phases", name, *map(str, arguments)], LIMITS, cwd=ROOT / "tests"
    )
    if outcome.status != "measured":
        raise SystemExit(f"error: {name}: {outcome.status}: {outcome.reason}")
    return outcome.figures


def measure(model: Path, samples: Path, work: Path, count: int, runs: int) -> tuple[str, ...]:
    """A row of the table."""
    bundle = work / f"slices-{count}"
    shutil.rmtree(bundle, ignore_errors=True)
    cut = ("--slices", count) if count > 1 else ()
    compiled = phase("compile", model, samples, bundle, *cut)
    made = phase("setup", bundle)
    proved = phase("prove", bundle, samples, work / "proof.json", "--runs", runs)
    proof = json.loads((work / "proof.json").read_text())
    with VerifierGas() as verifier:
        gas = verifier.measure(
            bytes.fromhex(proof["verifying_key"]),
            [int(word) for word in proof["public"]],
            bytes.fromhex(proof["proof"]),
        )
    slices = Bundle.open(bundle).manifest.slices
    shutil.rmtree(bundle)
    return (
        str(count),
        f"{compiled['constraints']:,}",
        f"{max(part.layout.n_constraints for part in slices):,}",
        " ".join(str(part.leaving.words) for part in slices if part.leaving is not None) or "-",
        f"{made['setup_seconds']:.2f}",
        f"{made['peak_rss_mb']:,.0f}",
        f"{made['pk_bytes'] / 1e6:.1f}",
        f"{proved['prove_seconds']:.3f}",
        f"{proved['peak_rss_mb']:,.0f}",
        f"{proved['proof_bytes']:,}",
        f"{gas:,}",
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="cnn_264k")
    parser.add_argument("--slices", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--models", type=Path, nargs="+", default=[VECTORS])
    args = parser.parse_args()
    table = Table(title=args.model)
    headings = "slices constraints largest cuts(words) setup setup(MiB) keys(MB) prove prove(MiB) proof gas"
    for heading in headings.split():
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        found = find(args.model, args.models, Path(folder))
        if found is None:
            raise SystemExit(f"error: no {args.model}.onnx in {', '.join(map(str, args.models))}")
        for count in args.slices:
            table.add_row(*measure(*found, Path(folder), count, args.runs))
    Console(width=140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
