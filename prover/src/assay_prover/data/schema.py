"""What the columns of a table are, and which integers stand for their values.

A schema is public and hashed: whoever knows it can read the integers, and recompute them from a file. A
column of numbers becomes ``clamp(nearest((value - offset) / step))``, halves to the even integer, within
the features' bits; a flag becomes 0 or `one`; a category becomes one such feature for each of its values.
Values must lie in the declared range, in units of the file: outside of it a row is refused, not clipped.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay_prover import _native, strict_json
from assay_prover.data.table import Table
from assay_prover.errors import InputError
from assay_prover.reference.tensor import Int64Array

KINDS = ("real", "whole", "flag", "category")
MIN_BITS, MAX_BITS = 2, 24
MOST_CATEGORIES = 256
EXACT = 1e-9
"""By how much of itself a number of steps may miss a whole one: float64 has 16 digits."""
FRACTION_BITS = 4
"""A standard deviation is 2^FRACTION_BITS steps in a schema that `Schema.fit` makes."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: as in the file.
        kind: `real` or `whole` numbers, `flag` (0 or 1), `category` (one of `values`).
        lo, hi: the least and greatest value allowed, in the file's units; numbers only.
        offset, step: value and width of the integers 0 and 1 above it; numbers only. The offset is a whole
            number of steps.
        values: of a category, in the order of its features.
    """

    name: str
    kind: str
    lo: float = 0.0
    hi: float = 1.0
    offset: float = 0.0
    step: float = 1.0
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the fields. Raises `InputError`."""
        where = f"column {self.name!r}"
        for field in ("lo", "hi", "offset", "step"):  # 1 and 1.0 are the same number, and hash alike
            object.__setattr__(self, field, float(getattr(self, field)) + 0.0)
        if not self.name or self.kind not in KINDS:
            raise InputError(f"{where}: kind {self.kind!r} is none of {', '.join(KINDS)}")
        numbers = (self.lo, self.hi, self.offset, self.step)
        if not all(map(math.isfinite, numbers)) or self.step <= 0 or self.lo > self.hi:
            raise InputError(f"{where}: range, offset and step are finite, step positive, range low to high")
        if abs(self.offset / self.step - self.offset_steps) > EXACT * max(1, abs(self.offset_steps)):
            nearest = self.offset_steps * self.step
            raise InputError(f"{where}: the offset is no whole number of steps; the nearest is {nearest!r}")
        if self.kind == "category":
            _check_names(where, self.values)
        elif self.values:
            raise InputError(f"{where}: only a category has values")

    @property
    def offset_steps(self) -> int:
        """The offset in steps."""
        return round(self.offset / self.step)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that the column becomes."""
        if self.kind == "category":
            return tuple(f"{self.name}={value}" for value in self.values)
        return (self.name,)


@dataclass(frozen=True)
class Label:
    """The column that is to be learnt or predicted: one of `values`, whose places are the labels 0, 1, .."""

    name: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check the fields. Raises `InputError`."""
        if len(self.values) < 2:
            raise InputError(f"label {self.name!r}: at least two classes")
        _check_names(f"label {self.name!r}", self.values)


@dataclass(frozen=True)
class Schema:
    """Columns, and how many bits their integers have.

    Attributes:
        columns: in the order of the features.
        label: None for a table without labels.
        bits: features are integers in [-2^(bits-1), 2^(bits-1)).
        one: the integer of a flag that is set.
    """

    columns: tuple[Column, ...]
    label: Label | None = None
    bits: int = 8
    one: int = 1 << FRACTION_BITS

    def __post_init__(self) -> None:
        """Check the fields together. Raises `InputError`."""
        if not self.columns or not MIN_BITS <= self.bits <= MAX_BITS or not 0 < self.one <= self.hi:
            raise InputError(f"a schema has columns, {MIN_BITS} to {MAX_BITS} bits, and 0 < one <= {self.hi}")
        names = [column.name for column in self.columns] + ([self.label.name] if self.label else [])
        if len(set(names)) < len(names):
            raise InputError("a schema names each column once")

    @property
    def lo(self) -> int:
        """The least integer of a feature."""
        return -(1 << (self.bits - 1))

    @property
    def hi(self) -> int:
        """The greatest integer of a feature."""
        return (1 << (self.bits - 1)) - 1

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(name for column in self.columns for name in column.features)

    @property
    def classes(self) -> int:
        """How many labels there are, 0 without."""
        return len(self.label.values) if self.label else 0

    @property
    def hash(self) -> bytes:
        """keccak256 of the canonical JSON, 32 bytes."""
        return bytes(
            _native.keccak256(strict_json.dumps(self.to_json(), sort_keys=True, compact=True).encode())
        )

    def features_of(self, table: Table) -> Int64Array:
        """The integers of a table's rows, [rows, features]. Columns that the schema does not name are left
        out.

        Raises:
            InputError: a column is missing, or a cell is no number, outside its range or no known value.
        """
        found: list[Int64Array] = []
        for column in self.columns:
            cells = _column(table, column.name)
            if column.kind == "category":
                places = _places(table, column.name, cells, column.values)
                hot = places[:, None] == np.arange(len(column.values))
                found.append(hot.astype(np.int64) * self.one)
            else:
                found.append(self._numbers(table, column, cells)[:, None])
        return np.concatenate(found, axis=1)

    def labels_of(self, table: Table) -> Int64Array:
        """The labels of a table's rows, [rows], each in [0, classes).

        Raises:
            InputError: the schema or the table has no labels, or a row's is none of the classes.
        """
        if self.label is None:
            raise InputError("the schema has no label")
        return _places(table, self.label.name, _column(table, self.label.name), self.label.values)

    def _numbers(self, table: Table, column: Column, cells: NDArray[Any]) -> Int64Array:
        if cells.dtype.kind == "U":
            row = next(i for i, cell in enumerate(cells) if not _is_float(cell))
            raise _refused(table, column.name, row, f"{str(cells[row])!r} is no number")
        values = cells.astype(np.float64)
        lo, hi = (0.0, 1.0) if column.kind == "flag" else (column.lo, column.hi)
        wrong = ~((values >= lo) & (values <= hi))  # NaN is neither
        if wrong.any():
            row = int(wrong.argmax())
            what = "no value" if np.isnan(values[row]) else f"{values[row]:g} is outside [{lo:g}, {hi:g}]"
            raise _refused(table, column.name, row, what)
        if column.kind in ("whole", "flag") and (values != np.rint(values)).any():
            row = int((values != np.rint(values)).argmax())
            raise _refused(table, column.name, row, f"{values[row]:g} is no whole number")
        if column.kind == "flag":
            return values.astype(np.int64) * self.one
        steps = np.rint(values / column.step) - column.offset_steps
        return np.asarray(np.clip(steps, self.lo, self.hi), dtype=np.int64)

    def to_json(self) -> dict[str, Any]:
        """What is hashed and published, as JSON values."""
        return {
            "version": 1,
            "bits": self.bits,
            "one": self.one,
            "columns": [_to_json(column) for column in self.columns],
            "label": None
            if self.label is None
            else {"name": self.label.name, "values": list(self.label.values)},
        }

    @classmethod
    def from_json(cls, document: Any, what: str = "the schema") -> Schema:
        """From what `to_json` or a TOML file says. Raises `InputError` naming the field at fault."""
        return _Reader(what).schema(document)

    @classmethod
    def read(cls, path: Path) -> Schema:
        """From a `.toml` or `.json` file. Raises `InputError`."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the schema {path} ({error})") from error
        try:
            if path.suffix == ".json":
                return cls.from_json(strict_json.loads(text, what=str(path)), str(path))
            return cls.from_json(tomllib.loads(text), str(path))
        except (tomllib.TOMLDecodeError, strict_json.JsonError) as error:
            raise InputError(f"{path} is no schema ({error})") from error

    def to_toml(self) -> str:
        """The schema as a file that people edit."""
        lines = [
            "# What each column is, and which integers stand for its values.",
            "# A number becomes nearest(value / step) - offset / step; range is what a row may hold.",
            f"bits = {self.bits}  # of a feature's integer, sign included",
            f"one = {self.one}  # the integer of a flag that is set",
        ]
        for column in self.columns:
            lines += [
                "",
                "[[columns]]",
                *(f"{key} = {_toml(value)}" for key, value in _to_json(column).items()),
            ]
        if self.label is not None:
            names = _toml(list(self.label.values))
            lines += ["", "[label]", f"name = {_toml(self.label.name)}", f"values = {names}"]
        return "\n".join(lines) + "\n"

    @classmethod
    def fit(cls, table: Table, *, label: str | None = None, bits: int = 8) -> Schema:
        """A schema for a table: numbers standardised to 2^FRACTION_BITS steps a standard deviation, ranges
        those of the data, columns of text as categories, columns of 0 and 1 as flags.

        Ranges and classes are what these rows hold: widen them for rows to come.

        Args:
            table: the rows.
            label: the column to be learnt; None for a table without.
            bits: of a feature's integer.

        Raises:
            InputError: no such label, or a column that is neither numbers nor a few names.
        """
        fraction = max(0, min(FRACTION_BITS, bits - 2))
        named = None if label is None else Label(label, _names(table, label, _column(table, label)))
        columns = tuple(
            _fitted(table, name, cells, 1 << fraction)
            for name, cells in table.columns.items()
            if name != label
        )
        return cls(columns, named, bits, 1 << fraction)


class _Reader:
    """Reads a schema strictly: every key known, every value of its type."""

    def __init__(self, what: str) -> None:
        self.what = what

    def schema(self, document: Any) -> Schema:
        allowed = {"version", "bits", "one", "columns", "label"}
        found = self._table(document, "", allowed)
        if found.get("version", 1) != 1:
            raise InputError(f"{self.what}: version {found['version']!r} is not known here")
        columns = found.get("columns")
        if not isinstance(columns, list):
            raise InputError(f"{self.what}: no list of columns")
        label = found.get("label")
        return Schema(
            tuple(self._column(each, f"columns[{place}]") for place, each in enumerate(columns)),
            None if label is None else self._label(label),
            self._whole(found, "bits", 8),
            self._whole(found, "one", 1 << FRACTION_BITS),
        )

    def _column(self, document: Any, where: str) -> Column:
        found = self._table(document, where, {"name", "kind", "range", "offset", "step", "values"})
        bounds = found.get("range", [0, 1])
        if not isinstance(bounds, list) or len(bounds) != 2:
            raise InputError(f"{self.what}: {where}.range is two numbers, low and high")
        kind = found.get("kind")
        if kind in ("real", "whole") and "range" not in found:
            raise InputError(f"{self.what}: {where} has no range")
        return Column(
            self._text(found.get("name"), f"{where}.name"),
            self._text(kind, f"{where}.kind"),
            self._number(bounds[0], f"{where}.range"),
            self._number(bounds[1], f"{where}.range"),
            self._number(found.get("offset", 0), f"{where}.offset"),
            self._number(found.get("step", 1), f"{where}.step"),
            self._names(found.get("values", []), f"{where}.values"),
        )

    def _label(self, document: Any) -> Label:
        found = self._table(document, "label", {"name", "values"})
        return Label(
            self._text(found.get("name"), "label.name"), self._names(found.get("values"), "label.values")
        )

    def _table(self, document: Any, where: str, allowed: set[str]) -> Mapping[str, Any]:
        if not isinstance(document, dict):
            raise InputError(f"{self.what}: {where or 'a schema'} is a table of keys")
        for key in document:
            if key not in allowed:
                at = f"{where}." if where else ""
                raise InputError(
                    f"{self.what}: unknown key {at}{key}; known are {', '.join(sorted(allowed))}"
                )
        return document

    def _whole(self, found: Mapping[str, Any], key: str, default: int) -> int:
        value = found.get(key, default)
        if type(value) is not int:
            raise InputError(f"{self.what}: {key} is a whole number")
        return value

    def _number(self, value: Any, where: str) -> float:
        if type(value) not in (int, float):
            raise InputError(f"{self.what}: {where} is no number")
        return float(value)

    def _text(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            raise InputError(f"{self.what}: {where} is no text")
        return value

    def _names(self, values: Any, where: str) -> tuple[str, ...]:
        if not isinstance(values, list):
            raise InputError(f"{self.what}: {where} is no list of names")
        return tuple(self._text(value, where) for value in values)


def _check_names(where: str, values: Sequence[str]) -> None:
    if not 1 <= len(values) <= MOST_CATEGORIES or len(set(values)) < len(values):
        raise InputError(f"{where}: 1 to {MOST_CATEGORIES} values, each once")


def _to_json(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column.name, "kind": column.kind}
    if column.kind in ("real", "whole"):
        found |= {"range": [column.lo, column.hi], "offset": column.offset, "step": column.step}
    if column.kind == "category":
        found["values"] = list(column.values)
    return found


def _toml(value: Any) -> str:
    """A JSON string is a TOML string but for what JSON leaves unescaped, and DEL is the one such
    character."""
    return strict_json.dumps(value).replace("\x7f", "\\u007F")


def _fitted(table: Table, name: str, cells: NDArray[Any], per_deviation: int) -> Column:
    if cells.dtype.kind == "U":
        return Column(name, "category", values=_names(table, name, cells))
    values = cells.astype(np.float64)
    if not np.isfinite(values).all():
        row = int((~np.isfinite(values)).argmax())
        raise _refused(table, name, row, "no finite value")
    lo, hi = float(values.min()), float(values.max())
    if set(np.unique(values)) <= {0.0, 1.0}:
        return Column(name, "flag")
    whole = bool((values == np.rint(values)).all())
    deviation = float(values.std()) or 1.0
    step, offset = (deviation / per_deviation, float(values.mean())) if lo < hi else (1.0, lo)
    if whole and step < 1:
        step, offset = 1.0, float(np.rint(values.mean()))
    step = _short(step)
    return Column(name, "whole" if whole else "real", lo, hi, round(offset / step) * step, step)


def _short(value: float) -> float:
    """Six digits say a scale well enough, and can be read."""
    return float(f"{value:.6g}")


def _names(table: Table, name: str, cells: NDArray[Any]) -> tuple[str, ...]:
    values = [str(value) for value in _spelled(np.unique(cells))]
    if len(values) > MOST_CATEGORIES:
        raise InputError(f"{table.source}: column {name!r} has {len(values):,} different values, too many")
    return tuple(values)


def _spelled(cells: NDArray[Any]) -> list[str]:
    """Category values as text; a whole number without a decimal point, so that 1 and 1.0 are one."""
    if cells.dtype.kind == "U":
        return [str(cell) for cell in cells]
    return [str(int(cell)) if float(cell).is_integer() else repr(float(cell)) for cell in cells]


def _places(table: Table, name: str, cells: NDArray[Any], values: Sequence[str]) -> Int64Array:
    known = {value: place for place, value in enumerate(values)}
    places = np.empty(len(cells), dtype=np.int64)
    for row, cell in enumerate(_spelled(cells)):
        if cell not in known:
            raise _refused(table, name, row, f"{cell!r} is none of {', '.join(map(repr, values[:8]))}")
        places[row] = known[cell]
    return places


def _column(table: Table, name: str) -> NDArray[Any]:
    if name not in table.columns:
        raise InputError(
            f"{table.source} has no column {name!r}; it has {', '.join(list(table.columns)[:12])}"
        )
    return table.columns[name]


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refused(table: Table, name: str, row: int, what: str) -> InputError:
    return InputError(f"{table.source}, row {row + 1}, column {name!r}: {what}")
