"""`assay model cost`: what a person and a program are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assay_node.cli import main
from assay_node.cli.commands.model import cost
from assay_prover import MachineProfile, __version__, quote
from assay_prover.quote.machine_profile import cores, cpu_name, save_profile

MODELS = Path(__file__).parents[3] / "vectors" / "models"


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MachineProfile:
    """This machine's profile, found where it is kept."""
    found = MachineProfile(
        version=__version__,
        measured=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        cpu=cpu_name(),
        threads=cores(),
        prove=(0.01, 1e-6, 1e-8),
        setup=(0.1, 1e-6, 1e-7),
    )
    monkeypatch.setattr(cost, "profile_path", lambda: tmp_path / "machine.json")
    monkeypatch.setenv("COLUMNS", "200")
    save_profile(found, tmp_path / "machine.json")
    return found


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["assay", "model", "cost", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code


def _model(name: str) -> list[str]:
    return [str(MODELS / f"{name}.onnx"), "--samples", str(MODELS / f"{name}.npz")]


def test_quote_for_programs(
    profile: MachineProfile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch, *_model("bc_mlp"), "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["costs"]["constraints"] > 500
    assert document["verify_gas"] < 215_000
    assert document["job_gas"] > document["verify_gas"]
    assert document["prediction"]["measured"] == "2026-03-04T05:06:00Z"
    assert document["exact"]


def test_quote_for_people(
    profile: MachineProfile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch, *_model("digits_mlp"), "--weights", "private")
    said = capsys.readouterr()
    for word in ("constraints", "proving", "gas", "statement", "privateaffine", "--weights constant"):
        assert word in said.out
    assert "2026-03-04 05:06" in said.err


def test_profile_is_measured_at_the_first_call(
    profile: MachineProfile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = []

    def measure(progress: object) -> MachineProfile:
        measured.append(progress)
        return profile.model_copy(update={"measured": datetime(2026, 7, 8, tzinfo=UTC)})

    monkeypatch.setattr(quote, "measure_machine", measure)
    _run(monkeypatch, *_model("bc_mlp"))
    assert not measured
    _run(monkeypatch, *_model("bc_mlp"), "--profile")
    assert len(measured) == 1
    cost.profile_path().unlink()
    _run(monkeypatch, *_model("bc_mlp"))
    assert len(measured) == 2
    _run(monkeypatch, *_model("bc_mlp"))
    assert len(measured) == 2
    assert "2026-07-08" in capsys.readouterr().err
