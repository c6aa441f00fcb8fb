"""The files of a commitment are read like any other of a stranger's bundle: strictly, and within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay_prover import BundleError
from assay_prover.bundle.files import COMMITMENT, OPENING
from assay_prover.bundle.weights import MAX_SECRET_BYTES, read_commitment, read_opening

PUBLIC = f'"vk_hash": "{"ab" * 32}", "commitment": "{"cd" * 64}"'
SECRET = f'{PUBLIC}, "weights": "{"12" * 32}", "opening": "{"ef" * 32}"'
READERS = {COMMITMENT: (read_commitment, PUBLIC), OPENING: (read_opening, SECRET)}


@pytest.mark.parametrize("name", READERS)
def test_a_commitment_file_is_read(tmp_path: Path, name: str) -> None:
    read, fields = READERS[name]
    (tmp_path / name).write_text(f'{{"version": 1, {fields}}}')
    found = read(tmp_path)
    assert found is not None
    assert found.commitment == "cd" * 64


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "text",
    [
        '{"version": true, %s}',
        '{"version": 1.0, %s}',
        '{"version": "1", %s}',
        '{"version": 1, "version": 1, %s}',
        '{"version": 2, %s}',
        "[" * 100_000,
        '{"version": 1, %s}' + " " * MAX_SECRET_BYTES,
    ],
    ids=["true", "float", "text", "twice", "other", "deep", "long"],
)
def test_a_commitment_file_that_misleads_is_refused(tmp_path: Path, name: str, text: str) -> None:
    read, fields = READERS[name]
    (tmp_path / name).write_text(text.replace("%s", fields))
    with pytest.raises(BundleError):
        read(tmp_path)


def test_a_commitment_file_without_end_is_read_no_further_than_its_bound(tmp_path: Path) -> None:
    (tmp_path / COMMITMENT).symlink_to("/dev/zero")
    with pytest.raises(BundleError, match="longer than"):
        read_commitment(tmp_path)
