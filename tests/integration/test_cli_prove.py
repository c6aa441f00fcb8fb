"""A proven answer without any chain: files for everyone, one for whoever asked, samples of any format."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_node.cli.exit_codes import ExitCode
from assay_prover import ProofFile, ProofFileError

Assay = Callable[..., tuple[str, str]]


@pytest.fixture
def sample(bc_mlp: Any, tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", bc_mlp.x[3])
    return tmp_path / "x.npy"


@pytest.mark.parametrize("model", ["bc_mlp", "digits_mlp", "sealed_mlp", "own_salt_mlp", "sliced_mlp"])
def test_a_proof_is_made_checked_and_opened(
    assay: Assay, tmp_path: Path, request: pytest.FixtureRequest, model: str
) -> None:
    given = request.getfixturevalue(model)
    folder = given.bundle.path
    np.save(tmp_path / "x.npy", given.x[3])
    proof = tmp_path / "proof.json"
    inferred = json.loads(assay("infer", folder, "-i", tmp_path / "x.npy", "--json")[0])
    made = json.loads(assay("prove", folder, "-i", tmp_path / "x.npy", "-o", proof, "--json")[0])
    assert made["values"] == inferred["values"]
    checked = json.loads(assay("verify", "--proof", proof, "--key", folder, "--json")[0])
    assert checked["verified"]
    if made["answer"] is None:
        assert not given.bundle.needs_salt
        return
    assert stat.S_IMODE(Path(made["answer"]).stat().st_mode) == 0o600
    opened = json.loads(
        assay("verify", "--proof", proof, "--key", folder, "--answer", made["answer"], "--json")[0]
    )
    assert opened["label"] == inferred["label"]
    assert opened["values"] == inferred["values"]


def test_another_answer_file_opens_nothing(assay: Assay, bc_mlp: Any, tmp_path: Path, sample: Path) -> None:
    bundle = bc_mlp.bundle.path
    for name in ("a", "b"):
        assay("prove", bundle, "-i", sample, "-o", tmp_path / f"{name}.json")
    arguments = ("verify", "--proof", tmp_path / "a.json", "--key", bundle)
    _, error = assay(*arguments, "--answer", tmp_path / "b.answer.json", code=ExitCode.FAILED)
    assert "salt" in error


def test_files_of_others_and_answers_are_never_replaced(
    assay: Assay, bc_mlp: Any, tmp_path: Path, sample: Path
) -> None:
    thesis = tmp_path / "thesis.json"
    thesis.write_text("six years of work")
    _, error = assay("prove", bc_mlp.bundle.path, "-i", sample, "-o", thesis, code=ExitCode.FAILED)
    assert "did not write it" in error
    assert thesis.read_text() == "six years of work"
    proof = tmp_path / "proof.json"
    assay("prove", bc_mlp.bundle.path, "-i", sample, "-o", proof)
    kept = (tmp_path / "proof.answer.json").read_bytes()
    _, error = assay("prove", bc_mlp.bundle.path, "-i", sample, "-o", proof, code=ExitCode.FAILED)
    assert "never replaced" in error
    assert (tmp_path / "proof.answer.json").read_bytes() == kept


def test_a_file_of_many_samples_needs_a_row(assay: Assay, bc_mlp: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "many.npz", x=bc_mlp.x[:5], y=bc_mlp.y[:5])
    _, error = assay("infer", bc_mlp.bundle.path, "-i", tmp_path / "many.npz", code=ExitCode.FAILED)
    assert "5 samples" in error
    assert "--row" in error


@pytest.mark.parametrize("form", ["csv", "json", "npz", "npy"])
def test_the_same_sample_in_other_files(
    assay: Assay, bc_mlp: Any, tmp_path: Path, sample: Path, form: str
) -> None:
    path = tmp_path / f"many.{form}"
    rows = bc_mlp.x[2:5].astype(np.float64)
    if form == "csv":
        names = [f"f{i}" for i in range(rows.shape[1])]
        lines = [
            ",".join([*names, "y"]),
            *(",".join([*map(repr, map(float, row)), "benign"]) for row in rows),
        ]
        path.write_text("\n".join(lines))
    elif form == "json":
        path.write_text(json.dumps(rows.tolist()))
    elif form == "npz":
        np.savez(path, x=rows)
    else:
        np.save(path, rows)
    expected = json.loads(assay("infer", bc_mlp.bundle.path, "-i", sample, "--json")[0])
    found = json.loads(assay("infer", bc_mlp.bundle.path, "-i", path, "--row", 1, "--json")[0])
    assert found == expected


@pytest.mark.parametrize(
    "array",
    [
        np.ones(30, dtype=np.complex128),
        np.ones(30).astype(str),
        np.ones(30).astype("datetime64[s]"),
        np.array([{}] * 30, dtype=object),
        np.ones(30, dtype=[("a", "f8")]),
    ],
    ids=["complex", "text", "dates", "objects", "records"],
)
def test_what_is_no_real_number_is_refused_by_its_kind(
    assay: Assay, bc_mlp: Any, tmp_path: Path, array: np.ndarray
) -> None:
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    _, error = assay("infer", bc_mlp.bundle.path, "-i", tmp_path / "x.npy", code=ExitCode.FAILED)
    assert any(word in error for word in ("complex", "text", "dates", "objects", "real numbers"))


def test_a_number_that_would_lose_digits_is_refused(assay: Assay, bc_mlp: Any, tmp_path: Path) -> None:
    values = np.zeros(30, dtype=np.int64)
    values[0] = (1 << 60) + 1
    np.save(tmp_path / "x.npy", values)
    _, error = assay("infer", bc_mlp.bundle.path, "-i", tmp_path / "x.npy", code=ExitCode.FAILED)
    assert "digits" in error


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n3\n", "line 3 has 1 columns"),
        ("a,b\n1,n/a\n", "line 2, column 'b': 'n/a' is no number"),
        ("a,a\n1,2\n", "two columns have the same name"),
        ("", "no rows"),
        ("a,b\n", "no samples"),
        ("y\n1\n", "no column besides y"),
        ("a,b\n1,1_000\n", "'1_000' is no number"),
    ],
)
def test_a_table_that_is_none(assay: Assay, bc_mlp: Any, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    _, error = assay("infer", bc_mlp.bundle.path, "-i", tmp_path / "x.csv", code=ExitCode.FAILED)
    assert told in error


def test_values_outside_the_range_name_the_option(assay: Assay, bc_mlp: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full(30, 1e9))
    _, error = assay("infer", bc_mlp.bundle.path, "-i", tmp_path / "x.npy", code=ExitCode.FAILED)
    assert "--clip" in error
    assay("infer", bc_mlp.bundle.path, "-i", tmp_path / "x.npy", "--clip")


def test_the_library_saves_and_loads(bc_mlp: Any, tmp_path: Path) -> None:
    from assay_prover import AnswerFile, InvalidProof, new_salt

    salt = new_salt()
    proved = bc_mlp.bundle.prover().prove(bc_mlp.bundle.encode_input(bc_mlp.x[0]), salt=salt)
    proved.save(tmp_path / "proof.json")
    loaded = ProofFile.load(tmp_path / "proof.json")
    assert loaded == proved.file
    loaded.check(bc_mlp.bundle.verifying_key)
    with pytest.raises(InvalidProof):
        loaded.model_copy(update={"public": (1, *loaded.public[1:])}).check(bc_mlp.bundle.verifying_key)
    AnswerFile.of(salt, None).save(tmp_path / "answer.json")
    assert AnswerFile.load(tmp_path / "answer.json").salt == salt
    with pytest.raises(ProofFileError, match="cannot be written"):
        AnswerFile.of(salt, None).save(tmp_path / "answer.json")
    with pytest.raises(ProofFileError, match="not a proof file"):
        ProofFile.load(tmp_path / "answer.json")
