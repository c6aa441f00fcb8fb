"""`assay up`: from nothing to a proven, paid answer with two commands, and again after Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import Assay, first_document

PRIVATE = 0o077


def start(assay: Assay, folder: Path) -> tuple[subprocess.Popen[bytes], Any]:
    process = assay.start("up", "--dir", folder, "--port", 0, "--json", log=folder.with_suffix(".log"))
    return process, first_document(process)


def ask(assay: Assay, folder: Path, document: Any, row: int) -> Any:
    """What the command prints to type next."""
    (model,) = document["models"]
    asked = ["job", "submit", model["bundle"], "--model", model["model_id"], "--row", str(row)]
    options = ["--input", str(folder / "patients.npz"), "--max-price", "0.01ether", "--bid-window", "3s"]
    return command(assay, folder, *asked, *options)


def command(assay: Assay, folder: Path, *arguments: str) -> Any:
    """What a command answers in the environment that `assay up` wrote."""
    lines = (folder / "env").read_text().splitlines()
    environment = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    done = subprocess.run(
        assay._command(*arguments, "--json"),
        env=assay.environment | environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_market_in_one_command_which_ctrl_c_ends_and_the_next_takes_up(
    assay: Assay, tmp_path: Path
) -> None:
    folder = tmp_path / "market"
    process, first = start(assay, folder)
    assert len(first["workers"]) == 2
    answer = ask(assay, folder, first, 0)
    assert answer["verified"]
    assert answer["worker"] in first["workers"]
    winner = list(first["workers"]).index(answer["worker"]) + 1
    part = command(assay, folder, "vault", "withdraw", "1gwei", "--key", f"worker{winner}")
    assert part["amount_wei"] == 10**9, "a worker that runs withdraws as much as it is asked for"
    paid = command(assay, folder, "vault", "withdraw", "--key", f"worker{winner}")
    assert 0 < paid["amount_wei"] <= answer["price_wei"] - 10**9, "and everything"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0

    edited = folder / "worker1" / "worker.json"
    settings = json.loads(edited.read_text())
    settings["pricing"]["margin_percent"], settings["max_jobs"] = 12.5, 3
    edited.write_text(json.dumps(settings))
    process, second = start(assay, folder)
    assert second["deployment"] == first["deployment"]
    assert second["models"] == first["models"]
    assert list(second["workers"]) == list(first["workers"])
    kept = json.loads(edited.read_text())
    assert (kept["pricing"]["margin_percent"], kept["max_jobs"]) == (12.5, 3), "edits are kept"
    assert kept["endpoint"] == second["workers"][next(iter(second["workers"]))]
    assert ask(assay, folder, second, 1)["verified"]
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    log = folder.with_suffix(".log").read_text()
    assert "Traceback" not in log
    for secret in (*folder.glob("keys/*.json"), *folder.glob("worker*/encryption.json")):
        assert secret.stat().st_mode & PRIVATE == 0


def test_a_folder_of_something_else_is_left_alone(assay: Assay, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("six years of work")
    error = assay.fails(1, "up", "--dir", tmp_path, "--port", 0)
    assert "holds files of something else" in error
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tex"] == ["thesis.tex"]
