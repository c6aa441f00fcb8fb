"""A worker's commands see the chain as the worker does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest

from assay_node.cli import main
from assay_node.cli.commands.worker import _connected
from assay_node.worker import Ban, Bans, WorkerConfig, WorkerStore


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


@pytest.fixture
def banned(tmp_path: Path) -> Path:
    """The configuration of a worker that does not bid on one of its two models."""
    config = WorkerConfig.of(
        rpc_url="http://one.example",
        deployment=Path("deployment.json"),
        keystore=Path("key.json"),
        encryption_key=Path("encryption.json"),
        state_dir=Path("state"),
        bundles=[Path("good"), Path("bad")],
    )
    config.save(tmp_path / "worker.json")
    store = WorkerStore(tmp_path / "state" / "worker.sqlite")
    Bans(store.database).add(Ban(str((tmp_path / "bad").resolve()), "02", "the prover panicked", 86_400.0))
    store.close()
    return tmp_path / "worker.json"


def allow(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> Any:
    monkeypatch.setattr("sys.argv", ["assay", "worker", "allow", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def bans_beside(config: Path) -> list[str]:
    store = WorkerStore(config.parent / "state" / "worker.sqlite")
    try:
        return list(Bans(store.database).all())
    finally:
        store.close()


def test_a_model_is_bid_on_again_by_a_word_of_the_operators(
    banned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not allow(monkeypatch, banned.parent / "good", "-c", banned)
    assert len(bans_beside(banned)) == 1, "another bundle was named"
    assert allow(monkeypatch, banned.parent / "nothing", "-c", banned) != 0
    assert "is no bundle of" in capsys.readouterr().err
    assert not allow(monkeypatch, "-c", banned, "--json")
    (told,) = json.loads(capsys.readouterr().out)["allowed"]
    assert told["since"] == 86_400.0
    assert bans_beside(banned) == []
    assert not allow(monkeypatch, "-c", banned)
    assert "no model was kept" in capsys.readouterr().out


def test_a_person_is_told_why_and_since_when_it_was_not_bid_on(
    banned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not allow(monkeypatch, banned.parent / "bad", "-c", banned)
    said = capsys.readouterr().out
    assert "1970-01-02 00:00:00 UTC" in said
    assert "3 proofs in a row have failed" in said
