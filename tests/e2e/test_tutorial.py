"""docs/tutorial.md works as it stands: every command of it is run, in its order, in an empty folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Assay

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PATIENCE = 240


def blocks() -> list[tuple[str, str]]:
    """(language, text) of every fenced block."""
    return BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))


def shell(script: str, folder: Path, environment: dict[str, str]) -> str:
    """Run commands in one shell, which stops at the first that fails; return what they printed."""
    command = ["bash", "-e", "-o", "pipefail", "-c", script]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_tutorial_leads_from_nothing_to_a_paid_answer(assay: Assay, tmp_path: Path) -> None:
    folder = tmp_path / "first-proof"
    folder.mkdir()
    programs = Path(sys.executable).parent
    environment = {name: os.environ[name] for name in ("LANG", "LD_LIBRARY_PATH") if name in os.environ}
    environment |= {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path), "COLUMNS": "160"}
    before: list[str] = []
    after: list[str] = []
    market = ""
    for language, text in blocks():
        if language == "python":
            (folder / text.splitlines()[0].removeprefix("# ")).write_text(text)
        elif text.startswith("assay up"):
            market = text
        else:
            (after if market else before).append(text)
    assert market
    assert after

    printed = shell("".join(before), folder, environment)
    assert "virginica" in printed
    assert "verified" in printed

    command = [str(programs / "assay"), *market.split()[1:], "--port", "0", "--json"]
    with (tmp_path / "up.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL
        )
    assay.processes.append(process)
    assay.logs.append(tmp_path / "up.log")
    assert process.stdout is not None
    assert process.stdout.readline(), "it says what to type next once everything runs"

    printed = shell("".join(after), folder, environment)
    assert "virginica" in printed
    assert "verified" in printed
    assert "withdrew" in printed
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
