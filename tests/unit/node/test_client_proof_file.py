"""Proof files: one spelling for everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay_node.client import ProofFile
from assay_node.client.errors import ClientError

GOOD = {
    "format": "assay/proof",
    "version": 1,
    "vk_hash": "0x" + "ab" * 32,
    "public": ["0x" + "0" * 63 + "1", "0x" + "0f" * 32],
    "proof": "0x" + "cd" * 256,
    "model_commitment": None,
}


def read(tmp_path: Path, **changes: object) -> ProofFile:
    path = tmp_path / "proof.json"
    path.write_text(json.dumps({**GOOD, **changes}))
    return ProofFile.read(path)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    proof = read(tmp_path)
    assert proof.public == (1, int("0f" * 32, 16))
    proof.write(tmp_path / "again.json")
    assert ProofFile.read(tmp_path / "again.json") == proof


@pytest.mark.parametrize(
    "word",
    [
        "0X" + "0" * 64,
        "0x1",
        "0x" + "0" * 63 + "A",
        " 0x" + "0" * 64,
        "0x" + "0" * 65,
        "0x" + "0_0" * 21 + "0",
        "0x" + "\u0661" * 64,
        "1",
        1,
        True,
        None,
    ],
)
def test_a_word_has_one_spelling(tmp_path: Path, word: object) -> None:
    with pytest.raises(ClientError, match="not a proof file: public"):
        read(tmp_path, public=[word])


@pytest.mark.parametrize("field", ["vk_hash", "proof"])
@pytest.mark.parametrize("value", ["0XAB", "0xAB", "0xa", "0x a", "0xab ", "ab", 5, True])
def test_bytes_have_one_spelling(tmp_path: Path, field: str, value: object) -> None:
    with pytest.raises(ClientError, match=f"not a proof file: {field}"):
        read(tmp_path, **{field: value})


@pytest.mark.parametrize("version", [True, 1.0, "1", 2, None])
def test_a_version_is_the_number_one(tmp_path: Path, version: object) -> None:
    with pytest.raises(ClientError, match="not a proof file: version"):
        read(tmp_path, version=version)


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, '{"format": "assay/proof", "format": "assay/proof"}', '{"version": NaN}', "[]", ""],
)
def test_what_is_no_strict_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "proof.json").write_text(text)
    with pytest.raises(ClientError, match="not a proof file"):
        ProofFile.read(tmp_path / "proof.json")
