from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay_prover.data import Column, Label, Schema, Table
from assay_prover.errors import InputError

TABLE = Table(
    {
        "age": np.array([18.0, 40.0, 81.0]),
        "smoker": np.array([0, 1, 0]),
        "ward": np.array(["b", "a", "b"]),
        "name": np.array(["x", "y", "z"]),
        "ill": np.array(["no", "yes", "no"]),
    },
    "patients.csv",
)
SCHEMA = Schema(
    (
        Column("age", "whole", 0, 120, 50, 2.5),
        Column("smoker", "flag"),
        Column("ward", "category", values=("a", "b")),
    ),
    Label("ill", ("no", "yes")),
)


def changed(column: str, value: object, row: int = 1) -> Table:
    cells = TABLE.columns[column].astype(object)
    cells[row] = value
    kept = cells.astype(np.str_) if isinstance(value, str) else cells.astype(np.float64)
    return Table({**TABLE.columns, column: kept}, TABLE.source)


def test_integers_are_those_of_the_schema_and_other_columns_are_left_out() -> None:
    assert SCHEMA.features == ("age", "smoker", "ward=a", "ward=b")
    # 18 / 2.5 - 20 = -12.8, 40 / 2.5 - 20 = -4, 81 / 2.5 - 20 = 12.4
    assert SCHEMA.features_of(TABLE).tolist() == [[-13, 0, 0, 16], [-4, 16, 16, 0], [12, 0, 0, 16]]
    assert SCHEMA.labels_of(TABLE).tolist() == [0, 1, 0]


def test_halves_go_to_the_even_integer_and_far_values_to_the_ends() -> None:
    column = Column("v", "real", -1e6, 1e6, 0, 2)
    table = Table({"v": np.array([1.0, 3.0, -1.0, -3.0, 1e6, -1e6])})
    assert Schema((column,)).features_of(table)[:, 0].tolist() == [0, 2, 0, -2, 127, -128]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("age", float("nan"), "row 2, column 'age': no value"),
        ("age", 121.0, r"121 is outside \[0, 120\]"),
        ("age", -0.5, "outside"),
        ("age", float("inf"), "outside"),
        ("age", 40.5, "40.5 is no whole number"),
        ("age", "forty", "'forty' is no number"),
        ("age", "", "'' is no number"),
        ("smoker", 2.0, r"2 is outside \[0, 1\]"),
        ("smoker", 0.5, "no whole number"),
        ("ward", "c", "row 2, column 'ward': 'c' is none of 'a', 'b'"),
    ],
)
def test_a_row_that_the_schema_does_not_allow_is_named(column: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SCHEMA.features_of(changed(column, value))


def test_a_label_outside_the_classes_is_named() -> None:
    with pytest.raises(InputError, match="row 2, column 'ill': 'maybe' is none of 'no', 'yes'"):
        SCHEMA.labels_of(changed("ill", "maybe"))


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    without = {name: column for name, column in TABLE.columns.items() if name != "smoker"}
    with pytest.raises(InputError, match="no column 'smoker'; it has age, ward"):
        SCHEMA.features_of(Table(without, "patients.csv"))


def test_numbers_as_categories_are_the_same_with_and_without_a_point() -> None:
    schema = Schema((Column("v", "flag"),), Label("y", ("0", "1", "2.5")))
    for cells in (np.array([0.0, 1.0, 2.5]), np.array(["0", "1", "2.5"])):
        assert schema.labels_of(Table({"y": cells})).tolist() == [0, 1, 2]


def test_json_and_toml_say_the_same_schema(tmp_path: Path) -> None:
    named = Schema(
        (
            Column(
                'a "b"\n\x7f',
                "category",
                values=("x", "y=z"),
            ),
        ),
        Label("é", ("0", "1")),
        12,
        5,
    )
    for schema in (SCHEMA, named):
        assert Schema.from_json(schema.to_json()) == schema
        file = tmp_path / "schema.toml"
        file.write_text(schema.to_toml(), encoding="utf-8")
        assert Schema.read(file) == schema
        assert Schema.read(file).hash == schema.hash


def test_each_field_is_in_the_hash() -> None:
    column = SCHEMA.columns[0]
    others = [
        Schema(SCHEMA.columns, SCHEMA.label, bits=9),
        Schema(SCHEMA.columns, SCHEMA.label, one=15),
        Schema(SCHEMA.columns, Label("ill", ("yes", "no"))),
        Schema(SCHEMA.columns, None),
        Schema(SCHEMA.columns[::-1], SCHEMA.label),
    ]
    for change in (
        {"name": "old"},
        {"kind": "real"},
        {"lo": 1.0},
        {"hi": 119.0},
        {"offset": 47.5},
        {"step": 2.0},
    ):
        fields = {name: getattr(column, name) for name in ("name", "kind", "lo", "hi", "offset", "step")}
        others.append(Schema((Column(**{**fields, **change}), *SCHEMA.columns[1:]), SCHEMA.label))
    assert len({schema.hash for schema in [SCHEMA, *others]}) == 1 + len(others)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "no list of columns"),
        ({"columns": []}, "a schema has columns"),
        ({"columns": [{"name": "a", "kind": "flag"}], "colums": 1}, "unknown key colums; known are"),
        ({"columns": [{"name": "a", "kind": "flag", "step": True}]}, r"columns\[0\].step is no number"),
        ({"columns": [{"name": "a", "kind": "real"}]}, "has no range"),
        ({"columns": [{"name": "a", "kind": "real", "range": [0, 1], "step": 0}]}, "step positive"),
        ({"columns": [{"name": "a", "kind": "real", "range": [1, 0]}]}, "low to high"),
        (
            {"columns": [{"name": "a", "kind": "real", "range": [0, 1], "offset": 0.45, "step": 0.2}]},
            "nearest is 0.4",
        ),
        ({"columns": [{"name": "a", "kind": "integer"}]}, "none of real, whole, flag, category"),
        ({"columns": [{"name": "a", "kind": "category", "values": ["x", "x"]}]}, "each once"),
        ({"columns": [{"name": "a", "kind": "flag"}, {"name": "a", "kind": "flag"}]}, "each column once"),
        ({"columns": [{"name": "a", "kind": "flag"}], "bits": 64}, "2 to 24 bits"),
        ({"columns": [{"name": "a", "kind": "flag"}], "bits": 8.0}, "bits is a whole number"),
        ({"columns": [{"name": "a", "kind": "flag"}], "one": 128}, "0 < one <= 127"),
        (
            {"columns": [{"name": "a", "kind": "flag"}], "label": {"name": "y", "values": ["1"]}},
            "two classes",
        ),
        ({"columns": [{"name": "a", "kind": "flag"}], "version": 2}, "version 2"),
    ],
)
def test_a_bad_schema_is_one_clear_line(document: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Schema.from_json(document)


def test_fit_finds_kinds_and_scales() -> None:
    rng = np.random.default_rng(5)
    columns = {
        "radius": rng.normal(14, 3, 200),
        "income": rng.integers(0, 90_000, 200),
        "children": rng.integers(0, 4, 200),
        "smoker": rng.integers(0, 2, 200).astype(float),
        "ward": rng.choice(["a", "b"], 200),
        "same": np.full(200, 7.5),
        "y": rng.choice([1, 2, 3], 200),
    }
    table = Table(columns)
    schema = Schema.fit(table, label="y")
    assert [column.kind for column in schema.columns] == [
        "real",
        "whole",
        "whole",
        "flag",
        "category",
        "real",
    ]
    assert schema.label == Label("y", ("1", "2", "3"))
    integers = schema.features_of(table)
    assert 14 < integers[:, 0].std() < 18  # 2^4 steps a standard deviation
    assert np.unique(integers[:, 2]).size == 4  # no whole number is lost where there are few
    assert (integers[:, -1] == 0).all()


def test_fit_names_what_cannot_be_a_column() -> None:
    with pytest.raises(InputError, match="row 2, column 'a': no finite value"):
        Schema.fit(Table({"a": np.array([1.0, np.nan])}))
    with pytest.raises(InputError, match="300 different values"):
        Schema.fit(Table({"a": np.array([f"patient {i}" for i in range(300)])}))
    with pytest.raises(InputError, match="no column 'y'"):
        Schema.fit(Table({"a": np.array([1.0])}), label="y")
