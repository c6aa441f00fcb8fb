"""The files of a commitment are read like any other of a stranger's bundle: strictly, and within bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assay_prover import Bundle, BundleError
from assay_prover.bundle.files import COMMITMENT, MANIFEST, OPENING
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


@pytest.mark.parametrize("name", READERS)
def test_a_commitment_file_that_is_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(BundleError, match="is no file"):
        READERS[name][0](tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(BundleError, match="is no file"):
        READERS[name][0](tmp_path)


def test_a_pipe_in_a_bundle_is_not_waited_for(tmp_path: Path) -> None:
    """An archive may hold one, and nobody would ever write to it."""
    os.mkfifo(tmp_path / MANIFEST)
    with pytest.raises(BundleError, match="is no file"):
        Bundle.open(tmp_path)
