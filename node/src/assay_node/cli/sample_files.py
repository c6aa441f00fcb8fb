"""Samples from NumPy, JSON, CSV and Parquet files.

Nothing is unpickled: a sample file is a stranger's data.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile, is_zipfile

from ..errors import AssayError

if TYPE_CHECKING:
    import numpy as np

MAX_ARRAYS = 4 << 30
"""Bytes that the arrays of an archive may unfold to: a few kilobytes could ask for all of the memory."""
MAX_TEXT = 256 << 20
"""Bytes of the largest JSON or CSV file; larger data belongs into .npy."""

_ADVICE = (
    "Give .npy, .npz with x (or each input by its name) and y, .csv or .parquet with a column y, or .json"
)
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs ``x`` [n, ...], or all arrays of a file that names them, and labels ``y`` [n]."""

    x: np.ndarray | dict[str, np.ndarray] | None
    y: np.ndarray | None


def load(path: Path) -> Samples:
    """Read a file of samples.

    Raises:
        AssayError: the file cannot be read, or holds anything but real numbers (labels may be names, too).
    """
    readers = {".json": _json, ".csv": _csv, ".parquet": _parquet}
    try:
        samples = readers.get(path.suffix.lower(), _numpy)(path)
    except OSError as error:
        raise AssayError(f"cannot read {path} ({error.strerror or error})", _ADVICE) from error
    except (ValueError, TypeError, EOFError, BadZipFile, MemoryError) as error:
        raise AssayError(f"{path} holds no samples ({error})", _ADVICE) from error
    arrays = samples.x if isinstance(samples.x, dict) else {"": samples.x}
    for name, array in arrays.items():
        if array is not None and array is not samples.y:
            _check_kind(path, name, array)
    return samples


def ranges(path: Path) -> np.ndarray:
    """Read a file of ranges: a row of the least and the greatest value for each feature, ``[features, 2]``.

    Raises:
        AssayError: the file cannot be read, or holds anything else.
    """
    import numpy as np

    found = load(path).x
    if isinstance(found, dict) and set(found) == {"x"}:
        found = found["x"]
    array = None if found is None or isinstance(found, dict) else np.asarray(found, dtype=np.float64)
    if array is None or array.ndim != 2 or array.shape[1] != 2:
        raise AssayError(f"{path} holds no rows of two numbers", "Write a row (low, high) for each feature")
    return array


def one(path: Path, row: int | None, *, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """One sample: row ``row`` of the file, or all of it as a single one.

    Args:
        path: the file.
        row: which one, from 0; None if the file holds one sample.
        shape: what the model takes, to tell a file of many samples from one; None if it is not known.

    Raises:
        AssayError: no such row, or several samples and no row.
    """
    import numpy as np

    x = load(path).x
    if isinstance(x, dict) and "x" in x:
        x = x["x"]
    if not isinstance(x, np.ndarray):
        raise AssayError(
            f"{path} holds several arrays", "Give the one vector that the model's notes describe"
        )
    if row is None:
        if shape is not None and x.shape[1:] == shape and len(x) != 1:
            raise AssayError(f"{path} holds {len(x)} samples", "Say which with --row, from 0")
        return x
    rows = len(x) if x.ndim else 0
    if not 0 <= row < rows:
        raise AssayError(f"{path} has {rows} rows, so there is no row {row}", "Count from 0")
    sample: np.ndarray = x[row]
    return sample


def _check_kind(path: Path, name: str, array: np.ndarray) -> None:
    """Refuse what would have to be changed to become real numbers."""
    if array.dtype.kind in "biuf":
        return
    kinds = {
        "c": "complex numbers",
        "O": "Python objects",
        "U": "text",
        "S": "text",
        "M": "dates",
        "m": "durations",
    }
    what = f"the array {name!r} of {path}" if name else str(path)
    raise AssayError(
        f"{what} holds {kinds.get(array.dtype.kind, str(array.dtype))}", "Samples are real numbers"
    )


def _numpy(path: Path) -> Samples:
    import numpy as np

    with path.open("rb") as file:
        if file.read(1) == b"\x80":
            raise ValueError("a pickle, which is not opened: it could run any program")
        file.seek(0)
        if is_zipfile(file):
            with ZipFile(file) as archive:
                if sum(member.file_size for member in archive.infolist()) > MAX_ARRAYS:
                    raise ValueError(f"arrays of more than {MAX_ARRAYS >> 30} GiB")
        file.seek(0)
        try:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return Samples(loaded, None)
            arrays = {name: loaded[name] for name in loaded.files}
        except ValueError as error:
            if "pickle" not in str(error):
                raise
            raise ValueError("Python objects, or no NumPy file; objects are not opened") from error
    if not set(arrays) - {"y"}:
        raise ValueError("no array named x")
    return Samples(arrays, arrays.get("y"))


def _json(path: Path) -> Samples:
    import numpy as np

    from assay_prover import strict_json

    return Samples(np.asarray(strict_json.load(path, max_bytes=MAX_TEXT)), None)


def _csv(path: Path) -> Samples:
    """A row a sample; the first row may name the columns, of which ``y`` holds the labels."""
    import numpy as np

    if path.stat().st_size > MAX_TEXT:
        raise ValueError(f"longer than {MAX_TEXT >> 20} MiB: save it as .npy")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = [row for row in csv.reader(file) if row]
        except csv.Error as error:
            raise ValueError(str(error)) from error
    if not rows:
        raise ValueError("no rows")
    named = not all(map(_is_number, rows[0]))
    names = [name.strip() for name in rows[0]] if named else [str(i) for i in range(len(rows[0]))]
    if len(set(names)) < len(names):
        raise ValueError("two columns have the same name")
    body = rows[named:]
    for number, row in enumerate(body, start=1 + named):
        if len(row) != len(names):
            raise ValueError(f"line {number} has {len(row)} columns, the first one {len(names)}")
    columns = {name: [row[i].strip() for row in body] for i, name in enumerate(names)}
    labels = columns.pop("y", None)
    if not body or not columns:
        raise ValueError("no samples" if columns else "no column besides y")
    x = np.empty((len(body), len(columns)))
    for place, (name, column) in enumerate(columns.items()):
        for line, cell in enumerate(column):
            if not _is_number(cell):
                raise ValueError(f"line {line + 1 + named}, column {name!r}: {cell!r} is no number")
            x[line, place] = float(cell)
    y = None if labels is None else _labels(labels)
    return Samples({"x": x} | ({} if y is None else {"y": y}), y)


def _labels(column: Sequence[str]) -> Any:
    """Whole numbers, numbers, or names: the first that all of a column are."""
    import numpy as np

    if all(map(_INTEGER.fullmatch, column)):
        return np.array([int(cell) for cell in column], dtype=np.int64)
    return np.array([float(cell) for cell in column] if all(map(_is_number, column)) else column)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _parquet(path: Path) -> Samples:
    """A column a feature, in the file's order; the column ``y`` holds the labels."""
    import numpy as np

    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise AssayError(f"{path}: Parquet needs the package pyarrow", "Install it, or give .npz") from error
    try:
        table = parquet.read_table(path)
    except ArrowException as error:
        raise ValueError(str(error).splitlines()[0]) from error
    for name in table.column_names:
        if table[name].null_count:
            raise ValueError(f"the column {name!r} has missing values")
    columns = {name: np.asarray(table[name].to_numpy(zero_copy_only=False)) for name in table.column_names}
    labels = columns.pop("y", None)
    if labels is not None and labels.dtype.kind == "O":
        labels = np.array([str(label) for label in labels])
    if not columns or not table.num_rows:
        raise ValueError("no samples" if columns else "no column besides y")
    for name, column in columns.items():
        _check_kind(path, name, column)
    x = np.column_stack(list(columns.values()))
    return Samples({"x": x} | ({} if labels is None else {"y": labels}), labels)
