"""What wrong keys, passwords and worker configurations get from the command: one clear line, no traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay_node.cli.exit_codes import ExitCode
from assay_node.devnet import DevnetThread

Assay = Callable[..., tuple[str, str]]


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_wrong_password(assay: Assay, net: DevnetThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_PASSWORD", "wrong horse")
    _, error = assay("deploy", code=ExitCode.FAILED)
    assert "wrong password" in error


def test_no_password(assay: Assay, net: DevnetThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_PASSWORD")
    _, error = assay("deploy", code=ExitCode.FAILED)
    assert "ASSAY_PASSWORD" in error


def test_a_missing_key(assay: Assay, net: DevnetThread) -> None:
    _, error = assay("deploy", "--key", "nobody", code=ExitCode.FAILED)
    assert "assay keys new nobody" in error


def test_keys_are_never_overwritten(assay: Assay, home: Path) -> None:
    before = (home / "keys" / "default.json").read_bytes()
    _, error = assay("keys", "new", "default", code=ExitCode.FAILED)
    assert "exists already" in error
    assert (home / "keys" / "default.json").read_bytes() == before


def test_a_key_is_created_and_shown(assay: Assay) -> None:
    created = json.loads(assay("keys", "new", "dev1", "--dev", 1, "--json")[0])
    assert created["address"] == "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    assert json.loads(assay("keys", "show", "dev1", "--json")[0])["address"] == created["address"]
    assert "dev1" in json.loads(assay("keys", "list", "--json")[0])


def test_a_damaged_key_does_not_hide_the_others(assay: Assay, home: Path) -> None:
    (home / "keys" / "junk.json").write_text("junk")
    out, said = assay("keys", "list", "--json")
    assert sorted(json.loads(out)) == ["default", "poor"]
    assert "junk.json is no key file" in said


def test_an_id_is_never_broken_over_lines(assay: Assay, bc_mlp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out, _ = assay("model", "show", bc_mlp.bundle.path)
    assert "0x" + bc_mlp.bundle.vk_hash.hex() in out
    assert "\x1b" not in out  # nor coloured, where nobody looks


# worker


def test_a_worker_without_configuration(assay: Assay, tmp_path: Path) -> None:
    _, error = assay("worker", "run", "-c", tmp_path / "worker.json", code=ExitCode.FAILED)
    assert "assay worker init" in error


def test_a_worker_that_is_not_registered(
    assay: Assay, net: DevnetThread, bc_mlp: Any, tmp_path: Path
) -> None:
    assay("deploy")
    config = tmp_path / "w" / "worker.json"
    assay("worker", "init", bc_mlp.bundle.path, "-c", config)
    _, error = assay("worker", "run", "-c", config, code=ExitCode.FAILED)
    assert "assay worker register" in error
    assay("worker", "init", bc_mlp.bundle.path, "-c", config, code=ExitCode.FAILED)


@pytest.mark.parametrize("wrong", [("--payout", "0x12"), ("--endpoint", "worker.example.org")])
def test_worker_settings_that_cannot_be(
    assay: Assay, net: DevnetThread, bc_mlp: Any, tmp_path: Path, wrong: tuple[str, str]
) -> None:
    assay("deploy")
    config = tmp_path / "w" / "worker.json"
    _, error = assay("worker", "init", bc_mlp.bundle.path, "-c", config, *wrong, code=ExitCode.FAILED)
    assert wrong[0].removeprefix("--") in error
    assert not config.exists()
    assert not (config.parent / "encryption.json").exists()


# workers


def _init_worker(assay: Assay, bundle: Path, config: Path, *more: object) -> dict[str, Any]:
    assay("worker", "init", bundle, "-c", config, *more)
    return dict(json.loads(config.read_text()))


def test_two_workers_of_one_home_get_different_ports(
    assay: Assay, net: DevnetThread, bc_mlp: Any, tmp_path: Path
) -> None:
    assay("deploy")
    first = _init_worker(assay, bc_mlp.bundle.path, tmp_path / "w1" / "worker.json")
    second = _init_worker(assay, bc_mlp.bundle.path, tmp_path / "w2" / "worker.json")
    ports = [config[name] for config in (first, second) for name in ("inbox_port", "metrics_port")]
    assert len(set(ports)) == 4
    assert first["endpoint"].endswith(str(first["inbox_port"]))


def test_a_configuration_that_exists_is_kept(
    assay: Assay, net: DevnetThread, bc_mlp: Any, tmp_path: Path
) -> None:
    assay("deploy")
    (tmp_path / "worker.json").write_text("mine")
    _, error = assay(
        "worker", "init", bc_mlp.bundle.path, "-c", tmp_path / "worker.json", code=ExitCode.FAILED
    )
    assert "exists already" in error
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".json"] == ["worker.json"]
    assert (tmp_path / "worker.json").read_text() == "mine"


def test_a_changed_endpoint_that_was_not_registered_is_told(
    assay: Assay, net: DevnetThread, bc_mlp: Any, tmp_path: Path
) -> None:
    assay("deploy")
    config = tmp_path / "worker.json"
    _init_worker(assay, bc_mlp.bundle.path, config)
    assay("worker", "register", "-c", config)
    edit(config, lambda document: document.update(endpoint="https://elsewhere.example"))
    _, error = assay("worker", "run", "-c", config, code=ExitCode.FAILED)
    assert "https://elsewhere.example" in error
    assert "assay worker register" in error
