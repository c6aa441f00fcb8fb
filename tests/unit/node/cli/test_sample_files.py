"""Samples from tables: Parquet as written by pyarrow, and what is refused of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from assay_node.cli import sample_files
from assay_node.errors import AssayError


def written(path: Path, columns: dict[str, Any]) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def test_columns_are_features_in_the_files_order_and_y_holds_labels(tmp_path: Path) -> None:
    path = written(tmp_path / "s.parquet", {"b": [1.5, 2.5], "y": ["no", "yes"], "a": [3, 4]})
    samples = sample_files.load(path)
    assert isinstance(samples.x, dict)
    assert np.array_equal(samples.x["x"], [[1.5, 3.0], [2.5, 4.0]])
    assert samples.y is not None
    assert samples.y.tolist() == ["no", "yes"]
    assert np.array_equal(sample_files.one(path, 1), [2.5, 4.0])


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"a": [1.0, None]}, "missing values"),
        ({"a": ["text", "more"]}, "Python objects"),
        ({"y": [0, 1]}, "no column besides y"),
        ({"a": pa.array([], pa.float64())}, "no samples"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(tmp_path: Path, columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(AssayError, match=reason):
        sample_files.load(written(tmp_path / "s.parquet", columns))


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(AssayError, match=r"s\.parquet"):
        sample_files.load(path)


def test_an_archive_that_unfolds_without_end_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.npz"
    np.savez_compressed(path, x=np.zeros((1000, 1000)))
    assert sample_files.load(path).x is not None
    monkeypatch.setattr(sample_files, "MAX_ARRAYS", 1 << 20)
    with pytest.raises(AssayError, match="arrays of more than"):
        sample_files.load(path)
