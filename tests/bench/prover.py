"""Times the proving engine beside the provers that people use, in turn, on this machine.

    python -m bench.prover [--quick] [--only CASE ...] [--peers NAME ...] [--threads N] [--resume]

For each row every engine makes ready and runs once uncounted; then all run in turn, round after round, so
that a drift of the machine meets all of them, and each one's median counts. Sums and transforms must be the
same in every engine, and every proof is verified; an engine that answers otherwise fails the bench.

Prints a table; writes `prover.json`, one record for each row and peer, and `prover.svg`. The file is written
after each row: what was interrupted goes on with `--resume`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assay_prover import groth16
from assay_prover.groth16 import snarkjs
from bench.engines import CASES, ROOT, Answer, Builder, Engine, EngineError, Running, busy_part
from bench.prover_plot import plot

EXAMPLES = """\
examples:
  make bench-quick                                the essential rows, in under three minutes once all is built
  make bench                                      every row: about three quarters of an hour on two cores
  make bench ARGS="--only msm_g1 ntt"             some cases
  make bench ARGS="--only groth16 --sizes 16 18"  some sizes, as powers of two
  make bench ARGS="--peers gnark --threads 1"     one peer, one thread
  make bench ARGS="--resume"                      go on where it was interrupted, or add what is missing

Needs cargo; go for gnark, node and npm for snarkjs. A peer that cannot be built here is named and left out.
Run it on an idle machine."""

PEERS = ("gnark", "arkworks", "halo2curves", "bellman_ce", "snarkjs", "mcl", "groth16py")
ONE_THREAD = "assay, 1 thread"
ONE_AT_A_TIME = "assay, one at a time"
FIRST_BATCH = "assay, first batch"
INPUT_ROWS = 2
"""Rows for the statement that most provers add to a circuit of 2^k - 2 constraints."""
LEAST_RUNS, MOST_RUNS = 3, 15
MOST_LOAD = 0.1
"""Of other work, when a row's rounds begin."""


@dataclass(frozen=True)
class Row:
    """One measurement: what, on which scalars, of which size.

    Attributes:
        scaling: also beside this engine on one thread.
        portable: our path for processors without AVX-512 IFMA, beside arkworks alone.
    """

    case: str
    scalars: str
    log_size: int
    scaling: bool = False
    portable: bool = False

    def __str__(self) -> str:
        return f"{self.case} {self.scalars} 2^{self.log_size}" + (" portable" if self.portable else "")


def _rows(case: str, logs: tuple[int, ...], kinds: tuple[str, ...] = ("random",)) -> list[Row]:
    return [Row(case, kind, log) for log in logs for kind in kinds]


KINDS = ("random", "8-bit", "mixed")
WITNESSES = ("random", "8-bit")
QUICK_PEERS = frozenset({"gnark", "arkworks", "halo2curves"})
QUICK = [
    Row("msm_g1", "random", 16, scaling=True),
    Row("msm_g1", "random", 18),
    Row("msm_g1", "8-bit", 18),
    Row("msm_g1", "mixed", 16),
    Row("msm_g1", "random", 16, portable=True),
    Row("msm_g2", "random", 16),
    Row("ntt", "random", 18),
    *_rows("groth16", (16,), WITNESSES),
    Row("setup", "random", 14),
    Row("verify", "random", 10),
    Row("batch", "8-bit", 12),
]
FULL = [
    *_rows("msm_g1", (14, 16, 18), KINDS),
    Row("msm_g1", "random", 20, scaling=True),
    *_rows("msm_g1", (20,), ("8-bit", "mixed")),
    Row("msm_g1", "random", 20, portable=True),
    *_rows("msm_g2", (14, 16), KINDS),
    Row("msm_g2", "random", 18, scaling=True),
    *_rows("msm_g2", (18,), ("8-bit", "mixed")),
    *_rows("msm_g2", (20,), KINDS),
    *_rows("ntt", (14, 16, 18)),
    Row("ntt", "random", 20, scaling=True),
    Row("ntt", "random", 20, portable=True),
    *_rows("groth16", (16, 18), WITNESSES),
    Row("groth16", "random", 20, scaling=True),
    Row("groth16", "8-bit", 20, scaling=True),
    Row("groth16", "random", 16, portable=True),
    *_rows("setup", (16, 18)),
    Row("verify", "random", 10),
    *_rows("batch", (14,), WITNESSES),
]


@dataclass(frozen=True)
class Record:
    """A row beside one peer; `ratio` is how many times faster this engine is. Times are medians."""

    case: str
    scalars: str
    size: int
    threads: int
    seconds: float
    peer: str
    peer_seconds: float
    ratio: float
    peak_rss_mb: float
    peer_peak_rss_mb: float
    peer_version: str
    peer_witness_seconds: float
    kernel: str
    runs: int
    constraints: int
    core_microseconds: float
    other_load: float
    seconds_min: float
    seconds_max: float
    peer_seconds_min: float
    peer_seconds_max: float
    cpu: str
    date: str

    @property
    def key(self) -> tuple[object, ...]:
        """What tells a record from all others of one machine."""
        return (self.case, self.scalars, self.size, self.threads, self.kernel == "portable", self.peer)


class Bench:
    """Measures rows and keeps the records."""

    def __init__(self, args: argparse.Namespace, console: Console) -> None:
        self.args = args
        self.console = console
        self.build: Path = args.out / "bin"
        self.inputs: Path = args.out / "inputs"
        self.records: list[Record] = []
        self.build.mkdir(parents=True, exist_ok=True)
        builder = Builder(self.build, self.tell, self.warn, built=args.built)
        self.ours = builder.ours()
        wanted = set(args.peers or (QUICK_PEERS if args.quick else PEERS))
        self.peers = builder.peers(wanted)

    def tell(self, text: str) -> None:
        """Says in passing."""
        self.console.print(escape(text), style="dim", highlight=False)

    def warn(self, text: str) -> None:
        """Says what is left out."""
        self.console.print(escape(text), style="yellow", highlight=False)

    def rows(self) -> list[Row]:
        """What was asked for."""
        rows = QUICK if self.args.quick else FULL
        only, sizes, kinds = self.args.only, self.args.sizes, self.args.scalars
        return [
            row
            for row in rows
            if (not only or row.case in only)
            and (not sizes or row.log_size in sizes)
            and (not kinds or row.scalars in kinds)
        ]

    def rivals(self, row: Row) -> list[tuple[Engine, int]]:
        """Who runs beside us on this row, with how many threads."""
        threads = self.args.threads
        if row.portable:
            return [(engine, threads) for engine in self.peers if engine.name == "arkworks"]
        found = [(e, threads) for e in self.peers if row.log_size <= e.largest.get(row.case, 0)]
        if row.scaling and threads > 1:
            found.append((replace(self.ours, name=ONE_THREAD), 1))
        if row.case == "batch":
            command = (*self.ours.command, "--sequential")
            found.append((replace(self.ours, name=ONE_AT_A_TIME, command=command), threads))
            command = (*self.ours.command, "--first")
            found.append((replace(self.ours, name=FIRST_BATCH, command=command), threads))
        return found

    def measure(self, row: Row) -> list[Record]:
        """All engines in turn; records that are there already are not measured again."""
        ours = replace(self.ours, env={"ASSAY_KERNEL": "portable"}) if row.portable else self.ours
        have = {record.key for record in self.records}
        size, threads = 1 << row.log_size, self.args.threads

        def missing(peer: str) -> bool:
            return (row.case, row.scalars, size, threads, row.portable, peer) not in have

        rivals = [(engine, n) for engine, n in self.rivals(row) if missing(engine.name)]
        if not rivals:
            return []
        prepare_inputs(row, self.ours, self.inputs, files=any(engine.files for engine, _ in rivals))
        what = (row.case, row.scalars, row.log_size)
        with contextlib.ExitStack() as stack:
            status = stack.enter_context(self.console.status(""))
            engines: list[Running] = []
            first: Answer = {}
            for engine, count in [(ours, threads), *rivals]:
                status.update(f"{row}: {engine.name} makes ready")
                running = stack.enter_context(Running(engine, what, self.inputs, count))
                answer = running.answer()
                first = first or answer
                check_answer(row, engine, answer, first, self.inputs)
                engines.append(running)
            status.update(f"{row}: is the machine idle?")
            other_load = busy_part(0.4)
            if other_load > MOST_LOAD:
                self.warn(
                    f"{row}: other work takes {other_load:.0%} of the processors; do not trust these figures"
                )
            runs = self._rounds(row, engines, status.update)
        date = time.strftime("%Y-%m-%d")
        mine, my_runs = engines[0], runs[0]
        seconds = statistics.median(run["seconds"] for run in my_runs)
        proves = row.case in {"groth16", "setup", "verify", "batch"}
        out = []
        for peer, theirs in zip(engines[1:], runs[1:], strict=True):
            times = [run["seconds"] for run in theirs]
            out.append(
                Record(
                    case=row.case,
                    scalars=row.scalars,
                    size=size,
                    threads=threads,
                    seconds=seconds,
                    peer=peer.engine.name,
                    peer_seconds=statistics.median(times),
                    ratio=statistics.median(times) / seconds,
                    peak_rss_mb=mine.peak_rss_mb,
                    peer_peak_rss_mb=peer.peak_rss_mb,
                    peer_version=peer.engine.version,
                    peer_witness_seconds=statistics.median(r.get("witness_seconds", 0.0) for r in theirs),
                    kernel=first["kernel"],
                    runs=len(times),
                    constraints=size - INPUT_ROWS if proves else 0,
                    other_load=other_load,
                    core_microseconds=seconds * threads / size * 1e6,
                    seconds_min=min(run["seconds"] for run in my_runs),
                    seconds_max=max(run["seconds"] for run in my_runs),
                    peer_seconds_min=min(times),
                    peer_seconds_max=max(times),
                    cpu=processor(),
                    date=date,
                )
            )
        return out

    def _rounds(self, row: Row, engines: list[Running], tell: Any) -> list[list[Answer]]:
        """Every engine once a round: three rounds, and more while they are short."""
        budget = 2.0 if self.args.quick else 15.0
        runs: list[list[Answer]] = [[] for _ in engines]
        start = time.monotonic()
        for number in range(MOST_RUNS):
            if number >= LEAST_RUNS and time.monotonic() - start > budget:
                break
            for engine, answers in zip(engines, runs, strict=True):
                tell(f"{row}: {engine.engine.name}, round {number + 1}")
                answers.append(engine.run())
        return runs

    def save(self) -> None:
        """Writes the records in the order of the rows."""
        order = {case: i for i, case in enumerate(CASES)}
        self.records.sort(
            key=lambda r: (order[r.case], r.size, KINDS.index(r.scalars), r.kernel == "portable")
        )
        text = json.dumps([asdict(r) for r in self.records], indent=2)
        partial = self.args.out / ".prover.json"
        partial.write_text(text + "\n")
        partial.replace(self.args.out / "prover.json")


def prepare_inputs(row: Row, ours: Engine, inputs: Path, *, files: bool) -> None:
    """Writes what the engines read, unless it is there and no older than the program that writes it."""
    source = ROOT / "prover" / "crates" / "bench" / "src"

    def stale(path: Path, size: int, *names: str) -> bool:
        if not path.exists() or path.stat().st_size < size:
            return True
        return any((source / name).stat().st_mtime > path.stat().st_mtime for name in names)

    def make(*arguments: object) -> None:
        command = [*ours.command, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EngineError(f"{' '.join(command)} failed.\n{done.stderr}")

    if row.case in {"msm_g1", "msm_g2", "ntt"} and stale(
        inputs / "bases.g2", 128 << row.log_size, "inputs.rs"
    ):
        make("inputs", max(row.log_size, 16), inputs)
    folder = inputs / f"{row.scalars}-{row.log_size}"
    if files and stale(folder / "circuit.vk", 1, "files.rs", "squares.rs"):
        make("files", row.scalars, row.log_size, folder)


def check_answer(row: Row, engine: Engine, answer: Answer, ours: Answer, inputs: Path) -> None:
    """A sum or fingerprint must be ours; a proof made from files must verify here."""
    if answer["result"] != ours["result"]:
        raise EngineError(f"{row}: {engine.name} gives {answer['result']}, not {ours['result']}")
    if not engine.files:
        return
    folder = inputs / f"{row.scalars}-{row.log_size}"
    vk = (folder / "circuit.vk").read_bytes()
    wires = snarkjs.read_wtns(folder / "circuit.wtns")
    public = [sum(int(limb) << 64 * i for i, limb in enumerate(wires[1]))]
    if "proof" in answer:
        proof = snarkjs.proof_from_json(json.dumps(answer["proof"]))
    else:
        proof = bytes.fromhex(answer["evm_proof"])
    groth16.verify(vk, public, proof)


def processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def table(records: list[Record], threads: int) -> Table:
    """The records for people: a line for each row and peer, a rule between rows."""
    out = Table(title=f"{threads} threads, medians, engines in turn", title_justify="left", box=None)
    for heading in ("case", "scalars", "size", "seconds", "MiB"):
        out.add_column(heading, justify="left" if heading in {"case", "scalars"} else "right")
    for heading in ("peer", "its seconds", "its MiB", "times faster"):
        out.add_column(heading, justify="left" if heading == "peer" else "right")
    previous: tuple[object, ...] = ()
    for r in records:
        row = r.key[:-1]
        kernel = " (portable)" if r.kernel == "portable" else ""
        size = f"2^{r.size.bit_length() - 1}"
        head = [r.case + kernel, r.scalars, size, f"{r.seconds:.4f}", f"{r.peak_rss_mb:,.0f}"]
        if row != previous and previous:
            out.add_section()
        out.add_row(
            *(head if row != previous else [""] * len(head)),
            r.peer,
            f"{r.peer_seconds:.4f}",
            f"{r.peer_peak_rss_mb:,.0f}",
            f"[bold]{r.ratio:.2f}[/bold]",
        )
        previous = row
    return out


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.prover",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.add_argument("--quick", action="store_true", help="the essential rows, in under three minutes")
    parser.add_argument("--only", nargs="+", choices=CASES, help="rows of these cases")
    parser.add_argument("--sizes", nargs="+", type=int, metavar="LOG", help="rows of 2^LOG")
    parser.add_argument("--scalars", nargs="+", choices=KINDS, help="rows of these scalars")
    parser.add_argument(
        "--peers", nargs="+", choices=PEERS, help="default: all; the three fastest with --quick"
    )
    parser.add_argument("--threads", type=int, default=cores, help="of every engine; default: all cores")
    parser.add_argument("--built", action="store_true", help="build nothing: engines as they were built last")
    parser.add_argument(
        "--resume", action="store_true", help="keep prover.json's records, measure what is missing"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench", help="default: build/bench")
    args = parser.parse_args()
    if not 1 <= args.threads <= cores:
        parser.error(f"--threads: 1 to {cores} on this machine")
    args.out = args.out.resolve()
    return args


def main() -> int:
    """Runs the bench."""
    args = arguments()
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    try:
        bench = Bench(args, console)
        saved = args.out / "prover.json"
        if args.resume and saved.exists():
            bench.records = [Record(**record) for record in json.loads(saved.read_text())]
        for row in bench.rows():
            for record in bench.measure(row):
                bench.records.append(record)
                console.print(f"{row}: [bold]{record.ratio:.2f}x[/bold] {record.peer}", highlight=False)
            bench.save()
    except (EngineError, groth16.InvalidProof) as error:
        console.print(f"[red]error:[/red] {escape(str(error))}", highlight=False)
        return 1
    if not bench.records:
        console.print("nothing was measured: no row matches, or no peer could be built", style="yellow")
        return 1
    console.print(table(bench.records, args.threads))
    plot(
        [asdict(r) for r in bench.records],
        args.out / "prover.svg",
        f"{processor()}, {args.threads} threads, {time.strftime('%Y-%m-%d')}",
    )
    console.print(f"wrote {args.out / 'prover.json'} and {args.out / 'prover.svg'}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
