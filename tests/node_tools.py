"""Programs from npm: foundry's, installed for the contracts, and snarkjs, for the bench.

Where there is no Node, tests that need them are skipped; where there is, a missing one is a failure.
"""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


def foundry(tool: str) -> str:
    """The binary of `anvil` or `cast` itself: the package's launcher would outlive a kill of its own."""
    package = f"{tool}-{platform.system().lower()}-{MACHINE}"
    return _installed(ROOT / "contracts" / "node_modules" / "@foundry-rs" / package / "bin" / tool)


def snarkjs_command() -> str:
    """The command."""
    return _installed(ROOT / "tests" / "bench" / "peers" / "snarkjs" / "node_modules" / ".bin" / "snarkjs")


def _installed(path: Path) -> str:
    assert path.exists(), f"{path.name} is not installed: run `make node-tools`"
    return str(path)
