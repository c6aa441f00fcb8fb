"""Tables of rows from CSV, Parquet and NumPy files, column by column, nothing unpickled and nothing
guessed."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np
from numpy.typing import NDArray

from assay_prover.errors import InputError

MAX_TEXT = 1 << 30
"""Bytes of the largest CSV file."""
MAX_ARRAYS = 4 << 30
"""Bytes that the arrays of an archive may unfold to."""
MAX_COLUMNS = 65_536


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length by name, in the file's order.

    Attributes:
        columns: one-dimensional arrays: numbers (bool, integers, floats) or text, as the file has them. A
            column of a CSV file in which every cell is a number is one of float64.
        source: where it is from, for messages.
    """

    columns: Mapping[str, NDArray[Any]]
    source: str = "the table"

    def __post_init__(self) -> None:
        """Check the shape. Raises `InputError`."""
        lengths = {len(column) for column in self.columns.values()}
        if any(column.ndim != 1 for column in self.columns.values()) or len(lengths) != 1:
            raise InputError(f"{self.source}: columns of different lengths, or none")
        if 0 in lengths:
            raise InputError(f"{self.source} has no rows")
        if len(self.columns) > MAX_COLUMNS:
            raise InputError(f"{self.source} has more than {MAX_COLUMNS:,} columns")

    @property
    def rows(self) -> int:
        """How many rows there are, at least 1."""
        return len(next(iter(self.columns.values())))

    @classmethod
    def read(cls, path: Path) -> Table:
        """Read a file: `.csv` with a line of names, `.parquet`, or `.npz` with a one-dimensional array for
        each column, or `x` [rows, features] and `y` [rows], whose columns are named x0, x1, .. and y.

        Raises:
            InputError: the file cannot be read, or holds no table.
        """
        readers = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}
        reader = readers.get(path.suffix.lower())
        if reader is None:
            raise InputError(f"{path} is none of .csv, .parquet, .npz: save the table as one of them")
        try:
            return cls(reader(path), str(path))
        except OSError as error:
            raise InputError(f"cannot read {path} ({error.strerror or error})") from error
        except (ValueError, EOFError, BadZipFile, MemoryError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} holds no table ({error})") from error


def _csv(path: Path) -> dict[str, NDArray[Any]]:
    if path.stat().st_size > MAX_TEXT:
        raise ValueError(f"longer than {MAX_TEXT >> 20} MiB: save it as Parquet")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            lines = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if row]
        except csv.Error as error:
            raise ValueError(str(error)) from error
    if len(lines) < 2:
        raise ValueError("no rows below a line of names")
    names = [name.strip() for name in lines[0][1]]
    if len(set(names)) < len(names) or "" in names:
        raise ValueError("the first line names the columns, each once")
    if all(map(_is_number, names)):
        raise ValueError("the first line names the columns, and here are numbers")
    for number, row in lines[1:]:
        if len(row) != len(names):
            raise ValueError(f"line {number} has {len(row)} columns, the first one {len(names)}")
    return {name: _cells([row[place].strip() for _, row in lines[1:]]) for place, name in enumerate(names)}


def _cells(cells: list[str]) -> NDArray[Any]:
    if all(map(_is_number, cells)):
        return np.array([float(cell) for cell in cells])
    return np.array(cells, dtype=np.str_)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _parquet(path: Path) -> dict[str, NDArray[Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise InputError(f"{path}: Parquet needs the package pyarrow; install it, or give .csv") from error
    try:
        table = parquet.read_table(path)
    except ArrowException as error:
        raise ValueError(str(error).splitlines()[0]) from error
    columns = {}
    for name in table.column_names:
        if table[name].null_count:
            raise ValueError(f"the column {name!r} has missing values: fill them, or leave the rows out")
        columns[name] = _plain(name, np.asarray(table[name].to_numpy(zero_copy_only=False)))
    return columns


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    if not is_zipfile(path):
        raise ValueError("no NumPy archive")
    with ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_ARRAYS:
            raise ValueError(f"arrays of more than {MAX_ARRAYS >> 30} GiB")
    with np.load(path, allow_pickle=False) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    x = arrays.get("x")
    if x is not None and x.ndim == 2:
        del arrays["x"]
        arrays = {f"x{place}": x[:, place] for place in range(x.shape[1])} | arrays
    return {name: _plain(name, array) for name, array in arrays.items()}


def _plain(name: str, column: NDArray[Any]) -> NDArray[Any]:
    """Numbers as they are, text as text; anything else is refused by its name."""
    if column.dtype.kind == "O" and all(isinstance(value, str) for value in column):
        return column.astype(np.str_)
    if column.dtype.kind not in "biufU":
        raise ValueError(f"the column {name!r} holds neither numbers nor text ({column.dtype})")
    return column
