"""What `assay model compile` and `show` tell a person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay_node.cli import main
from assay_node.cli.commands.model.report import in_bytes, in_seconds
from assay_node.cli.console import note

MODELS = Path(__file__).parents[3] / "vectors" / "models"


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", ["assay", "model", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code


def test_bundle_is_shown_with_both_halves_of_its_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network, samples = MODELS / "digits_mlp.onnx", MODELS / "digits_mlp.npz"
    _run(monkeypatch, "compile", network, "--samples", samples, "-o", tmp_path / "b")
    compiled = capsys.readouterr().out
    _run(monkeypatch, "show", tmp_path / "b")
    shown = capsys.readouterr().out
    for text in (compiled, shown):
        for part in ("held-out samples", "samples that chose", "answers expected to change", "largest error"):
            assert part in text
        assert "layers that add most error" in text
        assert "constraints by layer" in text
        told = text.split("layers that add most error")[1].split("added to the error of")[0]
        layers = [line.split()[0] for line in told.splitlines()[2:] if line.strip()]
        assert layers
        assert len(layers) == len(set(layers))
    _run(monkeypatch, "show", tmp_path / "b", "--json")
    document = json.loads(capsys.readouterr().out)
    largest = max(document["costs"]["layers"], key=lambda layer: layer["constraints"])
    assert f"{largest['constraints']:,}" in shown


@pytest.mark.parametrize(
    ("value", "text"), [(9, "9 B"), (1_234, "1.2 kB"), (56_000_000, "56 MB"), (1_230_000_000, "1.2 GB")]
)
def test_sizes_are_short(value: int, text: str) -> None:
    assert in_bytes(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0123, "12 ms"), (1.25, "1.2 s"), (600.0, "10 min")])
def test_durations_are_short(value: float, text: str) -> None:
    assert in_seconds(value) == text


def test_what_strangers_say_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    # The second, taken for markup, would close a tag that was never opened: the end of a command.
    for text in ("[link=http://evil.example]your wallet[/link]", "a worker said: [/bold]", r"C:\[red]\x\["):
        note(text)
        note(text, label="skipped:")
        assert capsys.readouterr().err == f"{text}\nskipped: {text}\n"
