"""Installs built wheels into an empty environment, in another folder, without a compiler, and runs the demo.

    python tests/packaging/install.py build/wheels

The dependencies come from the package index, as they would for a user. A second environment gets the node
without its extras, as a worker in production would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"


def main(wheels: Path) -> None:
    """Exits with the failing command's status."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        everything = install(home / "all", wheels, "zkassay")
        demo(everything, home)
        worker = install(home / "worker", wheels, "assay-node")
        without_chain(worker, home)
    print("The wheels install and run.")


def install(target: Path, wheels: Path, name: str) -> Path:
    """An environment that holds one distribution and what it asks for; returns its programs' folder."""
    venv.create(target, with_pip=True)
    programs = target / "bin"
    run(
        programs / "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:",
        "--constraint", CONSTRAINTS, "--find-links", wheels, name, home=target,
    )  # fmt: skip
    run(programs / "pip", "check", home=target)
    return programs


def demo(programs: Path, home: Path) -> None:
    """The whole job, from the package alone."""
    out = home / "demo"
    out.mkdir()
    run(programs / "assay", "demo", "--work", out, home=home)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["job_state"] == "settled", summary


def without_chain(programs: Path, home: Path) -> None:
    """A worker's installation has no embedded chain, says so in one line, and does everything else."""
    run(programs / "assay", "worker", "--help", home=home)
    run(programs / "python", "-c", "from assay_node.worker import Worker; import assay_prover", home=home)
    refused = subprocess.run(
        [programs / "assay", "devnet"],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1, refused
    assert "pip install 'assay-node[devnet]'" in refused.stderr, refused.stderr
    assert "Traceback" not in refused.stderr


def environment(home: Path) -> dict[str, str]:
    """No compiler on the path, a home of its own, and nothing of the repository."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "SSL_", "HTTP_", "HTTPS_", "http")) and name != "PIP_CONSTRAINT"
    }
    return {**kept, "PATH": "/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"}


def run(*command: object, home: Path) -> None:
    """A command in an empty folder; its output is shown when it fails."""
    parts = [str(part) for part in command]
    done = subprocess.run(parts, env=environment(home), cwd=home, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(parts)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
