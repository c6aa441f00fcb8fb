from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from assay_prover import _native
from assay_prover.data import Column, DataSet, Label, Schema, Table
from assay_prover.errors import InputError

ROWS = 130
SCHEMA = Schema((Column("a", "real", -10, 10, 0, 0.25), Column("b", "flag")), Label("y", ("0", "1", "2")))


def table(rows: int = ROWS) -> Table:
    rng = np.random.default_rng(3)
    return Table(
        {
            "a": rng.normal(0, 2, rows).clip(-10, 10),
            "b": rng.integers(0, 2, rows),
            "y": rng.integers(0, 3, rows),
        }
    )


def test_a_block_is_the_commitment_that_the_protocol_writes() -> None:
    data = DataSet.of(SCHEMA, table(33))
    features, labels = data.block(0)
    assert labels is not None
    packed = (features.ravel() + 128).tolist()
    words = [
        sum(value << (8 * place) for place, value in enumerate(packed[start : start + 31]))
        for start in range(0, len(packed), 31)  # floor(253 / 8) values a word
    ]
    words.append(sum(label << (2 * place) for place, label in enumerate(labels.tolist())))
    state = _native.poseidon([1, data.salts[0], *words[:14]])
    assert len(words) == 4
    assert data.blocks == (state,)


def test_blocks_divide_the_rows_and_each_has_a_salt_of_its_own() -> None:
    data = DataSet.of(SCHEMA, table(), rows_per_block=50)
    assert [len(data.block(index)[0]) for index in range(3)] == [50, 50, 30]
    assert np.array_equal(np.concatenate([data.block(i)[0] for i in range(3)]), data.features)
    assert len(set(data.salts)) == 3
    again = DataSet.of(SCHEMA, table(), rows_per_block=50)
    assert not set(again.blocks) & set(data.blocks)  # the same rows, hidden anew
    with pytest.raises(InputError, match="no block 3 of 3"):
        data.block(3)


def test_one_changed_integer_changes_its_block_alone() -> None:
    data = DataSet.of(SCHEMA, table(), rows_per_block=50)
    assert data.labels is not None
    for features, labels in ((1, 0), (0, 1)):
        changed_features, changed_labels = data.features.copy(), data.labels.copy()
        changed_features[70, 0] += features
        changed_labels[70] = (changed_labels[70] + labels) % 3
        other = DataSet(SCHEMA, changed_features, changed_labels, 50, data.salts)
        assert [one == two for one, two in zip(data.blocks, other.blocks, strict=True)] == [True, False, True]


def test_the_owners_folder_opens_and_keeps_its_secrets(tmp_path: Path) -> None:
    data = DataSet.of(SCHEMA, table(), rows_per_block=50)
    folder = tmp_path / "patients"
    data.save(folder)
    opened = DataSet.open(folder)
    assert opened.blocks == data.blocks
    assert opened.schema == SCHEMA
    assert stat.S_IMODE((folder / "rows.npz").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    public = (folder / "dataset.json").read_text()
    assert not any(f"{salt:064x}" in public for salt in data.salts)
    with pytest.raises(InputError, match="exists already"):
        data.save(folder)


def test_what_does_not_open_its_commitments_is_refused(tmp_path: Path) -> None:
    data = DataSet.of(SCHEMA, table(), rows_per_block=50)
    data.save(tmp_path / "good")
    document = json.loads((tmp_path / "good" / "dataset.json").read_text())
    arrays = dict(np.load(tmp_path / "good" / "rows.npz"))

    def attempt(name: str, message: str, rows: dict[str, object] | None = None, **public: object) -> None:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "dataset.json").write_text(json.dumps({**document, **public}))
        np.savez(folder / "rows.npz", **(arrays if rows is None else rows))
        with pytest.raises(InputError, match=message):
            DataSet.open(folder)

    features = arrays["features"].copy()
    features[60, 1] ^= 16
    attempt(
        "row", r"does not open the commitments of dataset.json \(block 1\)", {**arrays, "features": features}
    )
    attempt("fewer", "the number of blocks", blocks=document["blocks"] + document["blocks"][:1])
    attempt("size", "salt for each block", rows_per_block=70)
    attempt("schema", "not the one of its hash", schema=Schema(SCHEMA.columns, SCHEMA.label, 9).to_json())
    attempt("words", "list of words", blocks=["0x" + "f" * 64])
    attempt("keys", "no data set of version 1", more=1)
    attempt("label", "label is outside", {**arrays, "labels": arrays["labels"] + 1})
    attempt("none", "cannot read", {"features": arrays["features"]})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "a,b,y\n1,0,1\n2,0\n", "line 3 has 2 columns, the first one 3"),
        ("t.csv", "1,0,1\n2,0,1\n", "the first line names the columns"),
        ("t.csv", "a,a\n1,2\n", "each once"),
        ("t.csv", "a,b,y\n", "no rows"),
        ("t.xlsx", "", "none of .csv, .parquet, .npz"),
        ("t.npz", "a,b", "no NumPy archive"),
        ("t.parquet", "a,b", "holds no table|needs the package pyarrow"),
    ],
)
def test_a_file_that_is_no_table_is_one_clear_line(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        Table.read(path)
    with pytest.raises(InputError, match="cannot read"):
        Table.read(tmp_path / "nothing.csv")


def test_the_same_table_from_each_kind_of_file_has_the_same_integers(tmp_path: Path) -> None:
    source = table(20)
    csv = tmp_path / "t.csv"
    lines = [
        ",".join(source.columns),
        *(",".join(map(str, row)) for row in zip(*source.columns.values(), strict=True)),
    ]
    csv.write_text("\n".join(lines) + "\n")
    npz = tmp_path / "t.npz"
    np.savez(npz, **source.columns)  # type: ignore[arg-type]
    for path in (csv, npz):
        read = Table.read(path)
        assert np.array_equal(SCHEMA.features_of(read), SCHEMA.features_of(source))
        assert np.array_equal(SCHEMA.labels_of(read), SCHEMA.labels_of(source))
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table(dict(source.columns)), file)
    assert np.array_equal(SCHEMA.features_of(Table.read(file)), SCHEMA.features_of(source))


def test_an_archive_of_x_and_y_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    np.savez(path, x=np.arange(6.0).reshape(3, 2), y=np.array([0, 1, 0]))
    assert list(Table.read(path).columns) == ["x0", "x1", "y"]
