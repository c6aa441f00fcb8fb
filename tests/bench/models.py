"""Compiles, sets up and proves real networks, and prints what each costs.

    python -m bench.models [--peers] [--only NAME ...] [--runs N] [--models FOLDER ...] [--out build/bench]

Every phase runs in a process of its own, bounded in time and memory; `peak_rss_mb` is the greatest of their
peaks. A network that the compiler refuses has a row that says so, and so has one that exceeds a bound.
Writes `models.json`, a record for each row, and `models.svg`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assay_prover.quote.machine_profile import measure_machine, save_profile
from bench import networks
from bench.bounded import Limits, Outcome, run
from bench.peers.ezkl.bench import Ezkl
from bench.verify_gas import VerifierGas

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors" / "models"


@dataclass(frozen=True)
class Row:
    """One measurement: a model, and who sees its weights (constant or private)."""

    model: str
    weights: str = "constant"


ROWS = (
    Row("bc_mlp"),
    Row("digits_mlp"),
    Row("lenet"),
    Row("lenet", "private"),
    Row("lenet_avg"),
    Row("mlp_1m"),
    Row("mlp_1m", "private"),
    Row("mlp_784_2000_60_4000_10"),
    Row("cnn_264k"),
    Row("mobilenet_v2_32"),
    Row("resnet20_32"),
    Row("transformer_block"),
    Row("nanogpt"),
    Row("vgg_5m_32"),
)

Record = dict[str, Any]
FIGURES = (
    "constraints",
    "compile_seconds",
    "setup_seconds",
    "prove_seconds",
    "pk_bytes",
    "proof_bytes",
    "peak_rss_mb",
    "verify_gas",
    "accuracy_float",
    "accuracy_quantised",
)
"""In every record, null where there is none."""


def find(name: str, folders: Sequence[Path], build: Path) -> tuple[Path, Path] | None:
    """The model's ONNX file and its samples, made where they are made here; None if there is no file."""
    if name in networks.GENERATORS:
        if not (build / f"{name}.npz").exists() or not (build / f"{name}.onnx").exists():
            networks.write(name, build)
        return build / f"{name}.onnx", build / f"{name}.npz"
    for folder in folders:
        model = folder / f"{name}.onnx"
        if model.exists():
            samples = folder / f"{name}.npz"
            return model, samples if samples.exists() else derive_samples(name, folder, build)
    return None


def derive_samples(name: str, folder: Path, build: Path) -> Path:
    """Samples of a network that takes lenet's digits in another form (see tests/vectors/models)."""
    with np.load(folder / "lenet.npz") as data:
        x, y = data["x"], data["y"]
    if name == "mlp_1m":
        x = x.reshape(len(x), -1)
    elif name == "cnn_264k":  # in the middle of 32x32, in a colour, and in [-1, 1]
        colours = np.random.default_rng(networks.SEED).uniform(0.3, 1.0, (len(x), 3))
        x = 2 * np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2))) * colours[:, :, None, None] - 1
    elif name != "lenet_avg":
        raise SystemExit(f"error: {folder} has {name}.onnx but no {name}.npz")
    build.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(build / f"{name}.npz", x=x.astype(np.float32), y=y)
    return build / f"{name}.npz"


def measure(row: Row, model: Path, samples: Path, work: Path, args: argparse.Namespace) -> Record:
    """All phases of one row; the first that does not end well gives it its status and reason."""
    bundle = work / f"{row.model}-{row.weights}"
    shutil.rmtree(bundle, ignore_errors=True)
    record: Record = {"status": "measured", "reason": ""}
    limits = Limits(args.seconds, args.memory_gb * 1024)

    def phase(name: str, *arguments: object) -> Outcome:
        command = [sys.executable, "-m", "bench.phases", name, *map(str, arguments)]
        outcome = run(command, limits, cwd=ROOT / "tests")
        if outcome.status == "measured":
            peak = outcome.figures.pop("peak_rss_mb")
            record.update(outcome.figures)
            record[f"{name}_peak_rss_mb"] = peak
            record["peak_rss_mb"] = max(peak, record.get("peak_rss_mb", 0.0))
        else:
            where = "" if outcome.status == "refused" else f"{name}: "
            record.update(status=outcome.status, reason=where + outcome.reason)
        return outcome

    steps = (
        ("compile", model, samples, bundle, "--weights", row.weights),
        ("setup", bundle),
        (
            "prove",
            bundle,
            samples,
            work / "proof.json",
            "--runs",
            args.runs,
            "--profile",
            work / "machine.json",
        ),
    )
    for step in steps:
        if phase(*step).status != "measured":
            return record
    proof = json.loads((work / "proof.json").read_text())
    with VerifierGas() as verifier:
        record["verify_gas"] = verifier.measure(
            bytes.fromhex(proof["verifying_key"]),
            [int(word) for word in proof["public"]],
            bytes.fromhex(proof["proof"]),
            bytes.fromhex(proof["commitment"]),
        )
    shutil.rmtree(bundle)
    return record


def render(records: Sequence[Record], title: str) -> Table:
    """The table that is printed; a row that was not measured says why across its columns."""
    table = Table(title=title)
    headings = (
        "model weights constraints compile setup prove (quote) key(MB) peak(MiB) gas float quantised agree"
    )
    for heading in headings.split():
        table.add_column(heading, justify="left" if heading in {"model", "weights"} else "right")

    def number(value: Any, pattern: str) -> str:
        return "-" if value is None else format(value, pattern)

    for r in records:
        key = r["pk_bytes"]
        table.add_row(
            r["model"],
            r["weights"],
            number(r["constraints"], ","),
            number(r["compile_seconds"], ".1f"),
            number(r["setup_seconds"], ".2f"),
            number(r["prove_seconds"], ".3f") if r["status"] == "measured" else f"[red]{r['status']}[/red]",
            number(r.get("predicted_prove_seconds"), ".3f"),
            number(None if key is None else key / 1e6, ".1f"),
            number(r["peak_rss_mb"], ",.0f"),
            number(r["verify_gas"], ","),
            number(r["accuracy_float"], ".2%"),
            number(r["accuracy_quantised"], ".2%"),
            number(r.get("agreement"), ".2%"),
        )
    return table


def render_peers(records: Sequence[Record]) -> Table:
    """What the peer needs for the same models and samples."""
    table = Table(title=next(r["peer"] for r in records if "peer" in r))
    for heading in (
        "model",
        "rows",
        "setup",
        "prove",
        "times slower",
        "key(MB)",
        "peak(MiB)",
        "proof",
        "top-1",
    ):
        table.add_column(heading, justify="left" if heading == "model" else "right")

    def number(value: Any, pattern: str) -> str:
        return "-" if value is None else format(value, pattern)

    for r in records:
        if "peer" not in r:
            continue
        ours, theirs, key = r["prove_seconds"], r.get("peer_prove_seconds"), r.get("peer_pk_bytes")
        table.add_row(
            r["model"],
            "-" if "peer_logrows" not in r else f"2^{r['peer_logrows']}",
            number(r.get("peer_setup_seconds"), ".2f"),
            number(theirs, ".2f") if theirs is not None else f"[red]{r['peer_status']}[/red]",
            number(theirs / ours if theirs and ours else None, ",.0f"),
            number(None if key is None else key / 1e6, ",.1f"),
            number(r.get("peer_peak_rss_mb"), ",.0f"),
            number(r.get("peer_proof_bytes"), ",d"),
            number(r.get("peer_accuracy"), ".2%"),
        )
    return table


def plot(records: Sequence[Record], path: Path) -> None:
    """Draws seconds to prove and to set up, a group of bars for each row, on a logarithmic axis."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    series = {
        "prove": "prove_seconds",
        "setup": "setup_seconds",
        "peer's prove": "peer_prove_seconds",
        "peer's setup": "peer_setup_seconds",
    }
    series = {label: key for label, key in series.items() if any(r.get(key) for r in records)}
    height = 0.8 / max(1, len(series))
    figure, axes = plt.subplots(figsize=(9, 1.5 + 0.5 * len(records)), layout="constrained")
    for index, (label, key) in enumerate(series.items()):
        bars = [(place + index * height, r[key]) for place, r in enumerate(records) if r.get(key)]
        drawn = axes.barh([y for y, _ in bars], [s for _, s in bars], height=height, label=label)
        axes.bar_label(drawn, [f"{seconds:.3g}" for _, seconds in bars], fontsize=6, padding=2)
    for place, r in enumerate(records):
        if r["status"] != "measured":
            axes.text(0.01, place + 0.3, r["status"], transform=axes.get_yaxis_transform(), fontsize=7)
    labels = [r["model"] + ("" if r["weights"] == "constant" else f", {r['weights']}") for r in records]
    axes.set_yticks([place + 0.3 for place in range(len(records))], labels, fontsize=8)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    if series:
        axes.legend(fontsize=8)
    figure.savefig(path)


def machine() -> Record:
    """What the figures were measured on."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "threads": len(os.sched_getaffinity(0)),
        "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
    }


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows of these models")
    parser.add_argument("--runs", type=int, default=7, help="proofs that a median is taken over")
    parser.add_argument(
        "--models",
        type=Path,
        nargs="+",
        default=[],
        help="folders to look for models in, besides tests/vectors",
    )
    parser.add_argument("--peers", action="store_true", help="EZKL too, from PyPI")
    parser.add_argument("--seconds", type=float, default=1800, help="bound on each phase (default: 1800)")
    memory = machine()["memory_gb"] * 0.8
    parser.add_argument(
        "--memory-gb",
        type=float,
        default=memory,
        help="bound on each process (default: 80 %% of the machine)",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench", help="default: build/bench")
    args = parser.parse_args()
    known = {row.model for row in ROWS}
    if unknown := set(args.only or ()) - known:
        parser.error(f"no row is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return args


def main() -> int:
    """Runs the bench; 1 if a phase failed for any reason but a refusal or a bound."""
    args = parse_arguments()
    # A log or a pipe has no width of its own; the table shall not be squeezed into eighty columns there.
    console = Console(width=None if sys.stdout.isatty() else 140, soft_wrap=False)
    out = args.out.resolve()
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    folders = [*(folder.resolve() for folder in args.models), VECTORS]
    limits = Limits(args.seconds, args.memory_gb * 1024)
    peer = Ezkl(out / "ezkl", limits) if args.peers else None
    host = machine()
    save_profile(measure_machine(), work / "machine.json")
    records: list[Record] = []
    for row in ROWS:
        if args.only and row.model not in args.only:
            continue
        record: Record = {"model": row.model, "weights": row.weights} | dict.fromkeys(FIGURES)
        found = find(row.model, folders, out / "networks")
        if found is None:
            record |= {"status": "missing", "reason": f"{row.model}.onnx is in none of the folders searched"}
        else:
            record |= measure(row, *found, work, args)
            if peer is not None and row.weights == "constant":
                record |= peer.measure(row.model, *found, args.runs)
        records.append(record | host)
        console.print(
            f"{row.model} ({row.weights}): {record['status']} {escape(record['reason'])}", style="dim"
        )
        (out / "models.json").write_text(json.dumps(records, indent=2) + "\n")
    title = f"{host['cpu']}, {host['threads']} threads; seconds, medians of {args.runs} warm proofs"
    console.print(render(records, title))
    if peer is not None:
        console.print(render_peers(records))
    for record in records:
        for whose in ("", "peer_"):
            if record.get(f"{whose}reason"):
                name = record["model"] + (f" ({record['weights']})" if not whose else f", {record['peer']}")
                console.print(f"{name}: {record[f'{whose}status']}: {escape(record[f'{whose}reason'])}")
    plot(records, out / "models.svg")
    console.print(f"wrote {out / 'models.json'} and {out / 'models.svg'}")
    return 1 if any(record["status"] == "failed" for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
