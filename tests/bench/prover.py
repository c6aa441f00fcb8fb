"""Times the proving engine beside its peers, in turn, on this machine.

    python tests/bench/prover.py [--quick] [--threads N] [--only CASE] [--out build/bench]

Every engine is a program with the same arguments, `CASE SCALARS LOG_SIZE RUNS`, that prints the median of its
warm runs and its peak memory as JSON. For each row all engines run in turn, so that a drift of the
machine meets all of them. Prints a table, and writes `prover.json` (one record for each peer of each row) and
`prover.svg`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).resolve().parent / "peers"
BUILD = ROOT / "build" / "bench" / "bin"


@dataclass(frozen=True)
class Row:
    """One measurement: what, on which scalars, of which size."""

    case: str
    scalars: str
    log_size: int
    runs: int = 3


@dataclass(frozen=True)
class Record:
    """A row beside one peer; `ratio` is how many times faster this engine is."""

    case: str
    scalars: str
    size: int
    threads: int
    seconds: float
    peak_rss_mb: float
    peer: str
    peer_seconds: float
    peer_peak_rss_mb: float
    ratio: float


QUICK = [
    Row("msm_g1", "random", 16),
    Row("msm_g1", "random", 18),
    Row("msm_g1", "8-bit", 18),
    Row("msm_g1", "mixed", 16),
    Row("msm_g2", "random", 16),
    Row("ntt", "random", 18),
    Row("groth16", "random", 16),
    Row("groth16", "8-bit", 16),
    Row("setup", "random", 14),
    Row("verify", "random", 10),
    Row("batch", "8-bit", 12),
]

FULL = [
    *(Row("msm_g1", kind, log) for log in (14, 16, 18, 20) for kind in ("random", "8-bit", "mixed")),
    *(Row("msm_g2", kind, log) for log in (14, 16, 18, 20) for kind in ("random", "8-bit", "mixed")),
    *(Row("ntt", "random", log, 5) for log in (14, 16, 18, 20)),
    *(Row("groth16", kind, log) for log in (16, 18, 20) for kind in ("random", "8-bit")),
    Row("setup", "random", 16),
    Row("setup", "random", 18),
    Row("verify", "random", 10, 9),
    Row("batch", "8-bit", 14),
]

# What each peer can be asked for. `batch` compares sixteen proofs together with sixteen proofs one at a time.
CAPABILITIES = {
    "gnark": {"msm_g1", "msm_g2", "ntt", "groth16", "setup", "verify"},
    "arkworks": {"msm_g1", "msm_g2", "ntt", "groth16", "setup", "verify"},
    "halo2curves": {"msm_g1"},
    "one-at-a-time": {"batch"},
}


def build(name: str, command: list[str], cwd: Path, console: Console) -> None:
    """Runs one build step; its output is shown only when it fails."""
    console.print(f"building {name}", style="dim")
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: building {name} failed.\n{done.stdout}{done.stderr}")


def engines(console: Console) -> dict[str, list[str]]:
    """Builds every engine from its own registry; says which peer is left out for want of a toolchain."""
    BUILD.mkdir(parents=True, exist_ok=True)
    target = ROOT / "prover" / "target"
    cargo = ["cargo", "build", "--release", "--quiet", "--target-dir"]
    build("assay", [*cargo, str(target), "-p", "assay-bench"], ROOT / "prover", console)
    ours = str(target / "release" / "assay-bench")
    found = {"assay": [ours], "one-at-a-time": [ours, "--sequential"]}
    build("arkworks, halo2curves", [*cargo, str(BUILD / "arkworks")], PEERS / "arkworks", console)
    rust = str(BUILD / "arkworks" / "release" / "bench-arkworks")
    found |= {"arkworks": [rust, "arkworks"], "halo2curves": [rust, "halo2curves"]}
    if shutil.which("go"):
        build("gnark", ["go", "build", "-o", str(BUILD / "gnark"), "."], PEERS / "gnark", console)
        found["gnark"] = [str(BUILD / "gnark")]
    else:
        console.print("gnark is left out: no Go toolchain on PATH", style="yellow")
    return found


def measure(engine: list[str], row: Row, threads: int) -> tuple[float, float]:
    """Seconds (median) and peak resident memory in MiB of one engine on one row."""
    env = os.environ | {"GOMAXPROCS": str(threads), "RAYON_NUM_THREADS": str(threads)}
    command = [*engine, row.case, row.scalars, str(row.log_size), str(row.runs)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)} failed.\n{done.stderr}")
    out = json.loads(done.stdout)
    return out["seconds"], out["peak_rss_mb"]


def plot(records: list[Record], path: Path) -> None:
    """Draws how many times faster, a bar for each row and peer, on a logarithmic axis."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.24 * len(records)), layout="constrained")
    colours = {name: f"C{index}" for index, name in enumerate(CAPABILITIES)}
    labels = [f"{r.case} {r.scalars} {r.size:,}" for r in records]
    axes.barh(range(len(records)), [r.ratio for r in records], color=[colours[r.peer] for r in records])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(records)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("times faster than the peer")
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in colours.values()]
    axes.legend(handles, list(colours), loc="lower right", fontsize=8)
    figure.savefig(path)


def main() -> int:
    """Runs the bench."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the essential rows, in under three minutes")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores"
    )
    parser.add_argument("--only", help="rows whose case is this one")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench", help="default: build/bench")
    args = parser.parse_args()
    console = Console()
    available = engines(console)
    records: list[Record] = []
    table = Table(title=f"{args.threads} threads, medians of warm runs, engines in turn")
    for heading in ("case", "scalars", "size", "seconds", "MiB", "peer", "peer seconds", "times faster"):
        table.add_column(heading, justify="left" if heading in {"case", "scalars", "peer"} else "right")
    for row in QUICK if args.quick else FULL:
        if args.only and row.case != args.only:
            continue
        seconds, peak = measure(available["assay"], row, args.threads)
        for peer, cases in CAPABILITIES.items():
            if peer not in available or row.case not in cases:
                continue
            theirs, their_peak = measure(available[peer], row, args.threads)
            record = Record(
                row.case,
                row.scalars,
                1 << row.log_size,
                args.threads,
                seconds,
                peak,
                peer,
                theirs,
                their_peak,
                theirs / seconds,
            )
            records.append(record)
            console.print(
                f"{row.case} {row.scalars} 2^{row.log_size}: {record.ratio:.2f}x {peer}", style="dim"
            )
            table.add_row(
                row.case,
                row.scalars,
                f"{record.size:,}",
                f"{seconds:.4f}",
                f"{peak:,.0f}",
                peer,
                f"{theirs:.4f}",
                f"{record.ratio:.2f}",
            )
    console.print(table)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "prover.json").write_text(json.dumps([asdict(r) for r in records], indent=2) + "\n")
    if records:
        plot(records, args.out / "prover.svg")
    console.print(f"wrote {args.out / 'prover.json'} and {args.out / 'prover.svg'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
