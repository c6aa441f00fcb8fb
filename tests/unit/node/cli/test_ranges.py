"""Ranges of features from files: rows of two numbers, with a head or without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay_node.cli import sample_files
from assay_node.errors import AssayError


@pytest.mark.parametrize(
    "text", ["0,100\n-1,200\n", "low,high\n0,100\n-1,200\n"], ids=["bare", "with a head"]
)
def test_rows_of_a_table_are_ranges(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(text)
    np.testing.assert_array_equal(sample_files.ranges(tmp_path / "r.csv"), [[0, 100], [-1, 200]])


def test_rows_of_three_numbers_are_no_ranges(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("0,1,2\n")
    with pytest.raises(AssayError, match="no rows of two numbers"):
        sample_files.ranges(tmp_path / "r.csv")
