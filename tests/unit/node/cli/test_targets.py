"""What a command may write over: what this program made, and nothing that only looks a little like it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from assay_node.cli import targets
from assay_node.cli.commands.verify import _check_folder
from assay_node.demo.scenario import RUN_FILES
from assay_node.errors import AssayError

PROOF = targets.document_with("format", "assay/proof")


@pytest.mark.parametrize(
    "text",
    [
        'Notes: a proof file begins with "format": "assay/proof".',
        '["format", "assay/proof"]',
        '{"note": "assay/proof"}',
        '{"format": "assay/answer"}',
        '{"format": ["assay/proof"]}',
        '{"format": "assay/proof"} and more',
        "",
    ],
)
def test_a_file_that_only_mentions_a_proof_is_not_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.md"
    path.write_text(text)
    with pytest.raises(AssayError, match="assay did not write it"):
        targets.replaceable(path, made_here=PROOF)
    assert path.read_text() == text


def test_what_the_program_wrote_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    targets.replaceable(path, made_here=PROOF)
    path.write_text(json.dumps({"format": "assay/proof", "version": 1}, indent=2))
    targets.replaceable(path, made_here=PROOF)
    path.write_text(json.dumps({"job_state": "settled"}))
    targets.replaceable(path, made_here=targets.document_with("job_state"))


def test_evidence_is_not_saved_over_the_keys_of_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(AssayError, match="is a bundle"):
        _check_folder(tmp_path)


def test_a_folder_without_the_programs_mark_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(AssayError, match="did not make"):
        targets.fresh_folder(tmp_path, made_here=RUN_FILES)
    assert (tmp_path / "thesis.tex").exists()


RUN = (
    "deployment.json",
    "publisher.sqlite",
    "jobs.sqlite-wal",
    f"31337-0x{'ab' * 20}.lock",
    "worker-A/password",
    "worker-B/state/worker.sqlite-shm",
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What a run of the demo leaves."""
    folder = tmp_path / "run"
    targets.fresh_folder(folder, made_here=RUN_FILES)
    for name in RUN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "worker-A" / "state").mkdir()  # it was killed before there was anything in it
    return folder


def test_what_the_last_run_left_makes_room_for_the_next(run: Path) -> None:
    targets.fresh_folder(run, made_here=RUN_FILES)
    assert [entry.name for entry in run.iterdir()] == [targets.MARKER]


@pytest.mark.parametrize(
    "name",
    [
        "thesis.tex",
        "worker-A/notes.txt",
        "worker-B/state/worker.sqlite.backup",
        "worker-C/password",
        "my/deployment.json",
        ".hidden",
    ],
)
def test_a_file_of_the_users_among_the_programs_own_stops_the_emptying(run: Path, name: str) -> None:
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_text("years")
    with pytest.raises(AssayError, match=f"holds {re.escape(name)}, which assay did not make"):
        targets.fresh_folder(run, made_here=RUN_FILES)
    assert (run / name).read_text() == "years"
    assert all((run / each).exists() for each in RUN), "nothing is removed before all was looked through"


def test_a_link_in_the_place_of_the_programs_folder_is_not_followed(run: Path, tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "password").write_text("years")
    (run / "worker-A").rename(tmp_path / "old")
    (run / "worker-A").symlink_to(treasure)
    with pytest.raises(AssayError, match="did not make"):
        targets.fresh_folder(run, made_here=RUN_FILES)
    assert (treasure / "password").read_text() == "years"


def test_an_empty_folder_of_the_users_stays(run: Path) -> None:
    (run / "plans").mkdir()
    with pytest.raises(AssayError, match="holds plans/, which assay did not make"):
        targets.fresh_folder(run, made_here=RUN_FILES)
    assert (run / "plans").is_dir()


def test_a_file_that_comes_after_the_look_stays(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = targets._contents

    def late(*arguments: Any) -> Any:
        found = look(*arguments)
        (run / "worker-A" / "late.txt").write_text("years")
        return found

    monkeypatch.setattr(targets, "_contents", late)
    with pytest.raises(AssayError):
        targets.fresh_folder(run, made_here=RUN_FILES)
    assert (run / "worker-A" / "late.txt").read_text() == "years"
