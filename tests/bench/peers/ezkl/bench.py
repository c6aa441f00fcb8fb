"""EZKL as a peer of `bench.models`: its own environment, bounded phases, fields named `peer_*`."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from bench.bounded import Limits, Outcome, run

HERE = Path(__file__).resolve().parent
NAME = "ezkl " + (HERE / "requirements.txt").read_text().partition("==")[2].strip()


class Ezkl:
    """EZKL installed from PyPI into a virtual environment below `build`; nothing else reaches a network."""

    def __init__(self, build: Path, limits: Limits) -> None:
        self._build, self._limits = build, limits
        environment = build / "venv"
        self._python = str(environment / "bin" / "python")
        installed = environment / ".requirements"
        wanted = (HERE / "requirements.txt").read_text()
        if not installed.exists() or installed.read_text() != wanted:
            venv.create(environment, with_pip=True, clear=True)
            pip = [self._python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            done = subprocess.run(
                [*pip, "-r", str(HERE / "requirements.txt")], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"error: installing {NAME} failed.\n{done.stderr}")
            installed.write_text(wanted)

    def _phase(self, *arguments: object) -> Outcome:
        command = [self._python, str(HERE / "phases.py"), *map(str, arguments)]
        # A home of its own: EZKL keeps files there, and none of the user's shall matter.
        return run(command, self._limits, cwd=self._build, env={"HOME": str(self._build)})

    def measure(self, name: str, model: Path, samples: Path, runs: int) -> dict[str, Any]:
        """All phases on one model; the first that does not end well gives the row its status and reason."""
        folder = self._build / name
        folder.mkdir(parents=True, exist_ok=True)
        flat = folder / "samples.json"
        with np.load(samples) as data:
            x, y = data["x"], data.get("y")
        flat.write_text(
            json.dumps({"x": x.reshape(len(x), -1).tolist(), "y": None if y is None else y.tolist()})
        )
        row: dict[str, Any] = {"peer": NAME, "peer_status": "measured", "peer_reason": ""}
        peak = 0.0

        def phase(label: str, *arguments: object) -> dict[str, Any] | None:
            nonlocal peak
            outcome = self._phase(*arguments)
            if outcome.status != "measured":
                row.update(peer_status=outcome.status, peer_reason=f"{label}: {outcome.reason}")
                return None
            peak = max(peak, outcome.figures.pop("peak_rss_mb")) if label != "srs" else peak
            outcome.figures.pop("peak_rss_mb", None)
            row.update({f"peer_{key}": value for key, value in outcome.figures.items()})
            row["peer_peak_rss_mb"] = peak
            return outcome.figures

        settings = phase("settings", "settings", model, flat, folder)
        if settings is None:
            return row
        phase("accuracy", "accuracy", folder, flat)
        srs = self._build / f"srs-{settings['logrows']}"
        if not srs.exists() and phase("srs", "srs", srs, settings["logrows"]) is None:
            return row
        if phase("setup", "setup", folder, srs) is not None:
            phase("prove", "prove", folder, srs, flat, "--runs", runs)
        (folder / "pk.key").unlink(missing_ok=True)
        return row


def main() -> int:
    """Measure one model alone: `python -m bench.peers.ezkl.bench MODEL.onnx SAMPLES.npz BUILD`."""
    model, samples, build = map(Path, sys.argv[1:4])
    onnx.checker.check_model(str(model))
    limits = Limits(seconds=1800, memory_mb=16 * 1024)
    print(json.dumps(Ezkl(build, limits).measure(model.stem, model, samples, 3), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
