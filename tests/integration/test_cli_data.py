"""`assay data`: from a file of rows to a data set that a hospital vouches for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assay_node.cli.exit_codes import ExitCode
from assay_node.devnet import DevnetThread

Assay = Callable[..., tuple[str, str]]
WORDS = "all patients of 2025, consented"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(7)
    lines = ["age,ward,name,ill"]
    lines += [
        f"{age},{'ab'[age % 2]},p{age},{'yes' if age > 60 else 'no'}" for age in rng.integers(18, 90, 40)
    ]
    path = tmp_path / "patients.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def committed(assay: Assay, table: Path, tmp_path: Path) -> tuple[Path, str]:
    """A data set's folder and its id."""
    schema = tmp_path / "schema.toml"
    assay("data", "schema", table, "--label", "ill", "-o", schema)
    text = schema.read_text()
    names = text.index('[[columns]]\nname = "name"')
    schema.write_text(text[:names] + text[text.index("[label]") :])  # as its reader leaves out the names
    document = json.loads(
        assay("data", "commit", table, "--schema", schema, "-o", tmp_path / "set", "--json")[0]
    )
    assert (document["rows"], document["features"], document["classes"]) == (40, 3, 2)
    return tmp_path / "set", document["dataset_id"]


def test_a_data_set_is_registered_attested_and_withdrawn(
    assay: Assay, net: DevnetThread, committed: tuple[Path, str]
) -> None:
    folder, dataset_id = committed
    assay("deploy")
    for _ in range(2):  # a second time changes nothing
        assert json.loads(assay("data", "register", folder, "--json")[0])["dataset_id"] == dataset_id
    signed = json.loads(
        assay("data", "attest", dataset_id, "--statement", WORDS, "--key", "poor", "--sign-only", "--json")[0]
    )
    sent = (
        "data",
        "attest",
        dataset_id,
        "--attester",
        signed["attester"],
        "--signature",
        signed["signature"],
    )
    _, error = assay(*sent, "--statement", "other words", code=ExitCode.FAILED)
    assert "this is no signature of" in error
    assay(*sent, "--statement", WORDS)
    out, _ = assay("data", "show", dataset_id)
    assert signed["attester"] in out
    assert WORDS in out
    [attester] = json.loads(assay("data", "show", dataset_id, "--json")[0])["attesters"]
    assert attester["stands"]
    assert attester["signature_checked"]

    assay("faucet", "poor")
    assay("data", "withdraw", dataset_id, "--key", "poor")
    assert "withdrawn" in assay("data", "show", dataset_id)[0]
    _, error = assay(*sent, "--statement", WORDS, code=ExitCode.FAILED)  # the old signature once more
    assert "counts no more" in error
    assay("data", "attest", dataset_id, "--statement", WORDS, "--key", "poor")
    [attester] = json.loads(assay("data", "show", dataset_id, "--json")[0])["attesters"]
    assert attester["stands"]
    assert attester["withdrawn"]


def test_the_owner_sees_that_rows_open_their_commitments(assay: Assay, committed: tuple[Path, str]) -> None:
    folder, dataset_id = committed
    document = json.loads(assay("data", "show", folder, "--json")[0])
    assert document["dataset_id"] == dataset_id
    assert document["features"] == ["age", "ward=a", "ward=b"]
    arrays = dict(np.load(folder / "rows.npz"))
    arrays["features"][3, 0] += 1
    np.savez(folder / "rows.npz", **arrays)
    _, error = assay("data", "show", folder, code=ExitCode.FAILED)
    assert "does not open the commitments" in error


def test_wrong_input_is_one_clear_line(
    assay: Assay, committed: tuple[Path, str], table: Path, tmp_path: Path
) -> None:
    _, dataset_id = committed
    schema = tmp_path / "schema.toml"
    table.write_text(table.read_text() + "nan,a,p,no\n")
    _, error = assay(
        "data", "commit", table, "--schema", schema, "-o", tmp_path / "other", code=ExitCode.FAILED
    )
    assert "row 41, column 'age': no value" in error
    assert not (tmp_path / "other").exists()
    _, error = assay(
        "data", "commit", table, "--schema", table, "-o", tmp_path / "other", code=ExitCode.FAILED
    )
    assert "is no schema" in error
    _, error = assay("data", "schema", table, "--label", "sick", code=ExitCode.FAILED)
    assert "no column 'sick'; it has age, ward, name, ill" in error
    _, error = assay(
        "data", "attest", dataset_id, "--statement", WORDS, "--signature", "0x12", code=ExitCode.FAILED
    )
    assert "a signature goes with its attester" in error


def test_an_unknown_data_set_is_named(assay: Assay, net: DevnetThread) -> None:
    assay("deploy")
    _, error = assay("data", "show", "0x" + "12" * 32, code=ExitCode.FAILED)
    assert "the registry has no data set 0x1212" in error
