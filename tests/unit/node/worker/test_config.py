"""A configuration that cannot work is refused with what is wrong in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from assay_node.worker import WorkerConfig, WorkerError

GOOD: dict[str, Any] = {
    "rpc_url": "http://127.0.0.1:8545",
    "deployment": Path("deployment.json"),
    "keystore": Path("key.json"),
    "encryption_key": Path("encryption.json"),
    "state_dir": Path("state"),
    "bundles": [Path("model")],
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inbox_port": 8701}, "inbox_port and metrics_port are both 8701"),
        ({"inbox_host": "0.0.0.0", "inbox_port": 8701}, "are both 8701"),  # noqa: S104
        ({"prover_threads": 999_999}, f"this machine has {os.cpu_count()} cores"),
        ({"prover_threads": 0}, "prover_threads"),
        ({"prover_table_mb": 1 << 40}, "prover_table_mb"),
        ({"max_bid_window": 0}, "max_bid_window"),
        ({"max_collateral": -1}, "max_collateral"),
        ({"drain_seconds": -1}, "drain_seconds"),
        ({"metrics_host": "192.0.2.1"}, "loopback"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_cannot_be_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(WorkerError) as caught:
        WorkerConfig.of(**{**GOOD, **change})
    assert said in caught.value.what


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"inbox_port": 0, "metrics_port": 0},
        {"metrics_port": None},
        {"inbox_host": "192.0.2.1", "inbox_port": 8701},
    ],
)
def test_what_can_be_is_taken(change: dict[str, Any]) -> None:
    WorkerConfig.of(**{**GOOD, **change})


def test_a_configuration_is_its_owners_alone(tmp_path: Path) -> None:
    """The URLs of nodes in it hold API keys."""
    before = os.umask(0)
    try:
        WorkerConfig.of(**GOOD).save(tmp_path / "worker.json")
    finally:
        os.umask(before)
    assert (tmp_path / "worker.json").stat().st_mode & 0o777 == 0o600
