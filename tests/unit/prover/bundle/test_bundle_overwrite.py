"""Folders that are replaced: bundles, and nothing else, whole or not at all."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from assay_prover import Bundle, BundleError, Cancelled, compile_model
from assay_prover.bundle import files
from unit.prover.onnx_models import MODELS


def compile_over(path: Path, **options: object) -> None:
    compile_model(MODELS / "bc_mlp.onnx", None, path, input_range=(0.0, 1.0), overwrite=True, **options)  # type: ignore[arg-type]


def _contents(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_a_folder_of_somebody_elses_is_not_replaced(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis"
    (thesis / "chapters").mkdir(parents=True)
    (thesis / "chapters" / "one.tex").write_text("years")
    before = _contents(thesis)
    with pytest.raises(BundleError, match="no manifest"):
        compile_over(thesis)
    assert _contents(thesis) == before


@pytest.mark.parametrize(
    "foreign",
    [
        "notes.txt",
        "samples.npz",
        "slices/00/notes.txt",
        "slices/extra/setup.json",
        ".hidden",
        "proving.key/x",
    ],
)
def test_a_bundle_with_a_foreign_file_is_not_replaced(copy: Path, foreign: str) -> None:
    path = copy / foreign
    if path.parent.is_file():
        path.parent.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    before = _contents(copy)
    with pytest.raises(BundleError, match="is no part of a bundle"):
        compile_over(copy)
    assert _contents(copy) == before


@pytest.mark.parametrize("manifest", ["", "[]", '{"format": "else"}', "[" * 100_000])
def test_a_folder_with_another_manifest_is_not_replaced(copy: Path, manifest: str) -> None:
    (copy / "manifest.json").write_text(manifest)
    with pytest.raises(BundleError, match="is not replaced"):
        compile_over(copy)
    assert (copy / "proving.key").exists()


def test_a_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    samples = tmp_path / "samples.npz"
    np.savez(samples, x=np.zeros(3))
    before = samples.read_bytes()
    with pytest.raises(BundleError, match="it is no folder"):
        compile_over(samples)
    assert samples.read_bytes() == before


def test_a_link_to_a_bundle_is_not_replaced(copy: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(copy)
    with pytest.raises(BundleError, match="it is no folder"):
        compile_over(link)
    assert Bundle.open(link).has_keys


def test_targets_are_looked_at_before_the_work(tmp_path: Path) -> None:
    """A model that does not exist would fail later: the target is the first thing that is refused."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").touch()
    with pytest.raises(BundleError, match="is not replaced"):
        compile_model(tmp_path / "no.onnx", None, tmp_path / "mine", overwrite=True)


def test_what_an_interrupted_write_left_is_the_programs_own(copy: Path) -> None:
    for name in (".proving.key.0a1b2c3d", ".setup.json.00000000", ".proving.key.0a1b2c3d.partial-77"):
        (copy / name).touch()
    compile_over(copy)
    assert sorted(p.name for p in copy.iterdir()) == ["circuit.npz", "manifest.json", "report.svg"]


def test_an_interrupted_replacement_leaves_the_old_bundle(copy: Path) -> None:
    before = _contents(copy)
    with pytest.raises(Cancelled):
        compile_over(copy, progress=lambda stage, _: stage != "circuit")
    assert _contents(copy) == before
    assert [p.name for p in copy.parent.iterdir() if p.name.startswith(f".{copy.name}")] == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_failing_rename_leaves_the_old_bundle(
    copy: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """Where the system swaps names in one step, and where it cannot."""
    before = _contents(copy)
    if not at_once:
        monkeypatch.setattr(ctypes, "CDLL", _no_library)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if target == copy and "old" not in self.name:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        if at_once:
            compile_over(copy)  # renames nothing
            assert _contents(copy) != before
        else:
            with pytest.raises(BundleError, match="No space left"):
                compile_over(copy)
            assert _contents(copy) == before
    compile_over(copy)
    assert not Bundle.open(copy).has_keys
    assert [p for p in copy.parent.iterdir() if p.name.startswith(f".{copy.name}")] == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_file_that_comes_after_the_last_look_is_kept_beside(
    copy: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(ctypes, "CDLL", _no_library)
    exchange = files._exchange

    def late(new: Path, old: Path) -> None:
        (old / "notes.txt").write_text("mine")
        exchange(new, old)

    monkeypatch.setattr(files, "_exchange", late)
    with pytest.warns(UserWarning, match=r"kept as .*notes\.txt is no part of a bundle"):
        compile_over(copy)
    assert not Bundle.open(copy).has_keys
    (kept,) = copy.parent.glob(f"{copy.name}.replaced.*")
    assert (kept / "notes.txt").read_text() == "mine"
    assert Bundle.open(kept).has_keys
    assert [p for p in copy.parent.iterdir() if p.name.startswith(f".{copy.name}")] == []


def _no_library(*_: object, **__: object) -> None:
    raise OSError("no C library")
