"""What a command may write over: what this program made, and nothing that only looks a little like it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay_node.cli import targets
from assay_node.cli.commands.verify import _check_folder
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
        targets.fresh_folder(tmp_path)
    assert (tmp_path / "thesis.tex").exists()
