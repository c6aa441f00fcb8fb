"""A worker's commands see the chain as the worker does."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from assay_node.cli.commands.worker import _connected
from assay_node.worker import WorkerConfig


class Asked(Exception):
    """Stands for a connection."""


async def test_commands_ask_the_second_node_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*urls: object) -> NoReturn:
        raise Asked(*urls)

    monkeypatch.setattr("assay_node.chain.open_node", opened)
    config = WorkerConfig.of(
        rpc_url="http://one.example",
        check_rpc_url="http://two.example",
        deployment=Path("deployment.json"),
        keystore=Path("key.json"),
        encryption_key=Path("encryption.json"),
        state_dir=Path("state"),
        bundles=[Path("model")],
    )
    with pytest.raises(Asked) as caught:
        async with _connected(config):
            pass
    assert caught.value.args == ("http://one.example", "http://two.example")
