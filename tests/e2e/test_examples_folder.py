"""The examples do what their READMEs say, on a market of `assay up` or a devnet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Assay, first_document

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
VIEM = EXAMPLES / "viem"


@pytest.mark.slow
def test_python_asks_and_viem_sees_the_job(assay: Assay, tmp_path: Path) -> None:
    folder = tmp_path / "market"
    process = assay.start(
        "up", "--dir", folder, "--port", 0, "--workers", 1, "--json", log=tmp_path / "up.log"
    )
    document = first_document(process)
    lines = (folder / "env").read_text().splitlines()
    environment = assay.environment | dict(line.removeprefix("export ").split("=", 1) for line in lines)
    asked = [EXAMPLES / "python" / "ask.py", folder / "bc_mlp", folder / "patients.npz", "3"]
    done = subprocess.run(
        [sys.executable, *map(str, asked)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "answer   benign" in done.stdout
    assert "ETH to 0x" in done.stdout
    if (VIEM / "node_modules").is_dir():
        (deployment,) = (folder / "deployments").glob("*.json")
        abi = ROOT / "node" / "src" / "assay_node" / "abi"
        command = ["node", "jobs.mjs", document["url"], str(deployment), str(abi)]
        seen = subprocess.run(command, cwd=VIEM, capture_output=True, text=True, timeout=60, check=False)
        assert seen.returncode == 0, seen.stderr
        assert f"model {document['models'][0]['model_id']}" in seen.stdout
        assert "settled, ceiling 0.01 ETH" in seen.stdout
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


def test_an_operators_first_day(
    assay: Assay, devnet: subprocess.Popen[bytes], bundle: Path, tmp_path: Path
) -> None:
    assay.key("default", 0)
    assay("deploy")
    environment = assay.environment
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = [str(EXAMPLES / "operator" / "first_day.sh"), str(bundle), str(tmp_path / "w1")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "5 ETH" in done.stdout
    worker = assay.start("worker", "run", "-c", tmp_path / "w1" / "worker.json", log=tmp_path / "worker.log")
    log = tmp_path / "worker.log"
    while "worker.started" not in log.read_text():
        assert worker.poll() is None, log.read_text()
