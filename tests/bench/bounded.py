"""Runs a phase as a process bounded in time and memory; its last line of output is a JSON object."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Limits:
    """What one process may take."""

    seconds: float
    memory_mb: float


@dataclass(frozen=True)
class Outcome:
    """How it ended: `measured`, or `refused`, `out of time`, `out of memory` or `failed` for a reason."""

    status: str
    figures: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def run(
    command: Sequence[str], limits: Limits, *, cwd: Path, env: Mapping[str, str] | None = None
) -> Outcome:
    """Run `command` and read its figures; a limit exceeded kills it and is told apart from a failure."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            list(command), stdout=out, stderr=errors, cwd=cwd, env=dict(os.environ, **(env or {}))
        )
        try:
            exceeded = _watch(process, limits)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        if exceeded is not None:
            return exceeded
        out.seek(0)
        lines = out.read().strip().splitlines()
        if process.returncode:
            errors.seek(0)
            return Outcome("failed", reason=_reason(errors.read(), process.returncode))
    try:
        figures = json.loads(lines[-1])
    except (IndexError, ValueError):
        return Outcome("failed", reason=f"{command[0]} printed no figures")
    if "refused" in figures:
        return Outcome("refused", reason=figures["refused"])
    return Outcome("measured", figures)


def _watch(process: subprocess.Popen[bytes], limits: Limits) -> Outcome | None:
    """Wait; the Outcome if a limit was exceeded, None if the process ended by itself."""
    deadline = time.monotonic() + limits.seconds
    while True:
        try:
            process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            resident = _resident_mb(process.pid)
        else:
            return None
        if resident > limits.memory_mb:
            return Outcome("out of memory", reason=f"exceeded {limits.memory_mb / 1024:.1f} GiB")
        if time.monotonic() > deadline:
            return Outcome("out of time", reason=f"exceeded {limits.seconds:.0f} s")


def _resident_mb(pid: int) -> float:
    try:
        found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def _reason(errors: str, code: int) -> str:
    lines = [line for line in errors.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"ended with status {code}"
