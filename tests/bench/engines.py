"""The engines of the prover bench: how each is built from its own registry, what it can do, how it is run.

An engine is a process that makes ready, says so with the result of one uncounted run, and then runs once
whenever it is told to; its inputs come from `assay-bench inputs` and `assay-bench files`.
`prover/crates/bench/README.md` says what it prints.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).resolve().parent / "peers"
Answer: TypeAlias = dict[str, Any]


class EngineError(Exception):
    """An engine could not be built or run, or gave another result than ours."""


@dataclass(frozen=True)
class Engine:
    """A program and what may be asked of it.

    Attributes:
        largest: for each case the largest size, as a power of two, that the bench asks for.
        files: whether it proves from the bench circuit's files (`.zkey`, `.wtns`).
    """

    name: str
    command: tuple[str, ...]
    largest: Mapping[str, int]
    version: str = ""
    files: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


CASES = ("msm_g1", "msm_g2", "ntt", "groth16", "setup", "verify", "batch")
ANY = 28
"""No limit: the order of the field has no larger transform."""
ALL_BUT_BATCH = dict.fromkeys(CASES[:-1], ANY)


class Running:
    """One engine's process on one row; a context manager."""

    def __init__(self, engine: Engine, row: tuple[str, str, int], inputs: Path, threads: int) -> None:
        case, scalars, log_size = row
        self.engine = engine
        self.peak_rss_mb = 0.0
        cores = sorted(os.sched_getaffinity(0))[:threads]
        limits = {"GOMAXPROCS": str(threads), "RAYON_NUM_THREADS": str(threads)}
        command = [*engine.command, case, scalars, str(log_size), str(inputs)]
        # Affinity too: an engine that counts cores itself counts these. It is this process's, and inherited.
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | limits | dict(engine.env),
            )
        except OSError as error:
            raise EngineError(f"{engine.name} cannot be started: {error}. Was it built?") from error
        finally:
            os.sched_setaffinity(0, before)

    def answer(self) -> Answer:
        """The next line that the engine prints that is an answer: some libraries add remarks of their own."""
        assert self._process.stdout
        assert self._process.stderr
        remarks = ""
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: Answer = json.loads(line)
                return answer
            remarks += line
        reason = remarks + self._process.stderr.read()
        raise EngineError(f"{self.engine.name} failed: {reason.strip() or 'it ended without a word'}")

    def run(self) -> Answer:
        """One counted run."""
        assert self._process.stdin
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        return self.answer()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, failure: type | None, *_: object) -> None:
        """End the process (its input ends; a failed one is killed) and note its peak memory."""
        assert self._process.stdin
        self.peak_rss_mb = _peak_rss_mb(self._process.pid)
        if failure is not None:
            self._process.kill()
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            self._process.stdin.close()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()


def _peak_rss_mb(pid: int) -> float:
    """Peak resident memory in MiB; `wait4` would count this process before it became the engine."""
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def busy_part(seconds: float) -> float:
    """How much of all processors is in use, 0 to 1, over so many seconds in which this process sleeps."""

    def ticks() -> tuple[int, int]:
        fields = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]  # idle, and waiting for a disk

    try:
        total, idle = ticks()
        time.sleep(seconds)
        total_after, idle_after = ticks()
    except OSError:
        return 0.0
    return 1 - (idle_after - idle) / max(1, total_after - total)


def _do(command: list[str], cwd: Path) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except OSError as error:
        raise EngineError(str(error)) from error
    if done.returncode:
        raise EngineError(f"{' '.join(command)} failed.\n{done.stdout}{done.stderr}")


def _pinned(manifest: Path, name: str) -> str:
    """The version of `name` in a manifest of any of the four kinds."""
    for line in manifest.read_text().splitlines():
        words = line.replace('"', " ").replace("=", " ").replace(":", " ").replace(",", " ").split()
        if name in words[:-1]:
            return next((w.lstrip("v") for w in words[words.index(name) + 1 :] if w[-1:].isdigit()), "")
    return ""


class Builder:
    """Builds engines below `build`; a peer whose toolchain is missing is told of and left out."""

    def __init__(
        self, build: Path, tell: Callable[[str], None], warn: Callable[[str], None], *, built: bool = False
    ) -> None:
        """Engines below `build`; with `built` they are taken as they were built last."""
        self.build = build
        self._tell = tell if not built else lambda _: None
        self._warn = warn
        self._built = built

    def _do(self, command: list[str], cwd: Path) -> None:
        if not self._built:
            _do(command, cwd)

    def ours(self) -> Engine:
        """This engine. A debug build refuses to run, so none is made."""
        self._tell("building assay")
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "prover" / "target"))
        command = ["cargo", "build", "--release", "--quiet", "-p", "assay-bench"]
        self._do([*command, "--target-dir", str(target)], ROOT / "prover")
        return Engine("assay", (str(target / "release" / "assay-bench"),), dict.fromkeys(CASES, ANY))

    def peers(self, wanted: set[str]) -> list[Engine]:
        """Every wanted peer that can be built here."""
        groups: list[tuple[set[str], str, Callable[[], list[Engine]]]] = [
            ({"gnark"}, "go", self._gnark),
            ({"arkworks", "halo2curves"}, "cargo", self._arkworks),
            ({"bellman_ce"}, "cargo", self._bellman),
            ({"snarkjs"}, "npm", self._snarkjs),
            ({"mcl", "groth16py"}, sys.executable, self._pypi),
        ]
        found: list[Engine] = []
        for names, tool, make in groups:
            if not names & wanted:
                continue
            label = ", ".join(sorted(names & wanted))
            if shutil.which(tool) is None:
                self._warn(f"{label}: left out, there is no {tool} on PATH")
                continue
            self._tell(f"building {label}")
            try:
                found += [engine for engine in make() if engine.name in wanted]
            except EngineError as error:
                self._warn(f"{label}: left out, building failed. {error}")
        return found

    def _gnark(self) -> list[Engine]:
        folder, binary = PEERS / "gnark", self.build / "gnark"
        self._do(["go", "build", "-o", str(binary), "."], folder)
        proofs, sums = (_pinned(folder / "go.mod", f"github.com/consensys/gnark{x}") for x in ("", "-crypto"))
        version = f"{proofs}, gnark-crypto {sums}"
        return [Engine("gnark", (str(binary),), ALL_BUT_BATCH, version)]

    def _cargo(self, name: str, binary: str) -> str:
        target = self.build / name
        command = ["cargo", "build", "--release", "--quiet", "--target-dir", str(target)]
        self._do(command, PEERS / name)
        return str(target / "release" / binary)

    def _arkworks(self) -> list[Engine]:
        binary, manifest = self._cargo("arkworks", "bench-arkworks"), PEERS / "arkworks" / "Cargo.toml"
        curves = {"msm_g1": ANY, "ntt": ANY}
        return [
            Engine("arkworks", (binary, "arkworks"), ALL_BUT_BATCH, _pinned(manifest, "ark-groth16")),
            Engine("halo2curves", (binary, "halo2curves"), curves, _pinned(manifest, "halo2curves")),
        ]

    def _bellman(self) -> list[Engine]:
        binary, manifest = self._cargo("bellman", "bench-bellman"), PEERS / "bellman" / "Cargo.toml"
        return [Engine("bellman_ce", (binary,), {"groth16": 18}, _pinned(manifest, "bellman_ce"))]

    def _snarkjs(self) -> list[Engine]:
        folder = PEERS / "snarkjs"
        installed = folder.relative_to(ROOT) / "node_modules" / ".assay-installed"
        self._do(["make", "--quiet", str(installed)], ROOT)
        version = _pinned(folder / "package.json", "snarkjs")
        command = ("node", str(folder / "bench.mjs"))
        return [Engine("snarkjs", command, {"groth16": 18, "verify": ANY}, version, files=True)]

    def _pypi(self) -> list[Engine]:
        source, folder = PEERS / "pypi", self.build / "pypi"
        manifest, python = source / "requirements.txt", folder / "bin" / "python"
        stamp, wanted = folder / ".installed", manifest.read_text()
        if not self._built and (not stamp.exists() or stamp.read_text() != wanted):
            shutil.rmtree(folder, ignore_errors=True)
            self._do([sys.executable, "-m", "venv", str(folder)], ROOT)
            self._do([str(python), "-m", "pip", "install", "--quiet", "-r", str(manifest)], ROOT)
            stamp.write_text(wanted)
        command = (str(python), str(source / "bench.py"))
        sums, proofs = {"msm_g1": 18, "msm_g2": 16}, {"groth16": 16}
        versions = _pinned(manifest, "mclbn256"), _pinned(manifest, "groth16py")
        return [
            Engine("mcl", (*command, "mcl"), sums, versions[0]),
            Engine("groth16py", (*command, "groth16py"), proofs, versions[1], files=True),
        ]
