"""Sample inputs from NumPy files. Nothing is unpickled: a sample file is a stranger's data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ..errors import AssayError

_ADVICE = "Give .npy, .npz with x (or each input by its name) and y, or .json"


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs ``x`` [n, ...], or all arrays of a file that names them, and labels ``y`` [n]."""

    x: np.ndarray | dict[str, np.ndarray] | None
    y: np.ndarray | None


def load(path: Path) -> Samples:
    """Read a file of samples. Raises AssayError if it is none."""
    try:
        if path.suffix == ".json":
            return Samples(np.asarray(json.loads(path.read_text(encoding="utf-8")), dtype=np.float64), None)
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return Samples(loaded, None)
            arrays = {name: loaded[name] for name in loaded.files}
            if not set(arrays) - {"y"}:
                raise AssayError(f"{path} has no array named x", _ADVICE)
            return Samples(arrays, arrays.get("y"))
    except OSError as error:
        raise AssayError(f"cannot read {path} ({error.strerror or error})", _ADVICE) from error
    except (ValueError, TypeError, EOFError, BadZipFile) as error:
        raise AssayError(f"{path} holds no samples ({error})", _ADVICE) from error


def one(path: Path, row: int | None) -> np.ndarray:
    """One sample: row ``row`` of the file, or all of it as a single one."""
    x = load(path).x
    if isinstance(x, dict) and "x" in x:
        x = x["x"]
    if not isinstance(x, np.ndarray):
        raise AssayError(
            f"{path} holds several arrays", "Give the one vector that the model's notes describe"
        )
    if row is None:
        return x
    rows = len(x) if x.ndim else 0
    if not 0 <= row < rows:
        raise AssayError(f"{path} has {rows} rows, so there is no row {row}", "Count from 0")
    sample: np.ndarray = x[row]
    return sample
