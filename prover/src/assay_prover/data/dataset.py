"""The integers of a table, in blocks of rows, each behind a commitment; the owner's folder of them.

A block is committed as a private input of two tensors is (docs/protocol.md, "Commitment"): features, then
labels, each packed by its own range and beginning a new word, under a salt of the block's own.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from assay_prover import strict_json
from assay_prover.circuit.layout import FIELD_ORDER
from assay_prover.circuit.statement import commit, pack_range, range_bits
from assay_prover.data.schema import Schema
from assay_prover.data.table import Table
from assay_prover.errors import InputError
from assay_prover.reference.tensor import Int64Array

PUBLIC_FILE = "dataset.json"
ROWS_FILE = "rows.npz"
MAX_ROWS = 1 << 28
MAX_PUBLIC = 64 << 20
"""Bytes of the largest `dataset.json`: some 900,000 blocks."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """A committed table: what its owner keeps.

    Attributes:
        schema: what the integers mean; public.
        features: [rows, features], within the schema's bits; secret.
        labels: [rows], each in [0, classes), None without labels; secret.
        rows_per_block: rows behind each commitment but the last; public.
        salts: one for each block, uniform in [0, r); secret. Whoever knows a block's salt and guesses its
            rows can check the guess.
    """

    schema: Schema
    features: Int64Array
    labels: Int64Array | None
    rows_per_block: int
    salts: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check shapes and ranges. Raises `InputError`."""
        schema, rows = self.schema, len(self.features)
        if self.features.shape != (rows, len(schema.features)) or not 0 < rows <= MAX_ROWS:
            raise InputError(f"a data set has rows of {len(schema.features)} features")
        if int(self.features.min()) < schema.lo or int(self.features.max()) > schema.hi:
            raise InputError(f"a feature is outside [{schema.lo}, {schema.hi}]")
        if (self.labels is None) != (schema.label is None):
            raise InputError("a data set has labels exactly if its schema has")
        if self.labels is not None and (
            self.labels.shape != (rows,) or self.labels.min() < 0 or self.labels.max() >= schema.classes
        ):
            raise InputError(f"a label is outside 0..{schema.classes - 1}")
        if self.rows_per_block < 1 or len(self.salts) != -(-rows // self.rows_per_block):
            raise InputError("a data set has a salt for each block of rows")
        if not all(0 <= salt < FIELD_ORDER for salt in self.salts):
            raise InputError("a salt is outside the field")

    @classmethod
    def of(cls, schema: Schema, table: Table, *, rows_per_block: int | None = None) -> DataSet:
        """The data set of a table, under fresh salts.

        Args:
            schema: of the table; columns that it does not name are left out.
            table: the rows, in the order in which they are committed.
            rows_per_block: None for one block.

        Raises:
            InputError: a row that the schema does not allow, named by row and column.
        """
        features = schema.features_of(table)
        labels = None if schema.label is None else schema.labels_of(table)
        per_block = table.rows if rows_per_block is None else rows_per_block
        if per_block < 1:
            raise InputError("a block has at least one row")
        salts = tuple(secrets.randbelow(FIELD_ORDER) for _ in range(-(-table.rows // per_block)))
        return cls(schema, features, labels, per_block, salts)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.features)

    def block(self, index: int) -> tuple[Int64Array, Int64Array | None]:
        """Features [n, features] and labels [n] of a block, from 0; the last may have fewer rows.

        Raises:
            InputError: there is no such block.
        """
        if not 0 <= index < len(self.salts):
            raise InputError(f"there is no block {index} of {len(self.salts)}")
        part = slice(index * self.rows_per_block, (index + 1) * self.rows_per_block)
        return self.features[part], None if self.labels is None else self.labels[part]

    @cached_property
    def blocks(self) -> tuple[int, ...]:
        """The commitments, in order."""
        return tuple(
            commit(block_words(self.schema, *self.block(index)), salt)
            for index, salt in enumerate(self.salts)
        )

    def published(self) -> dict[str, Any]:
        """What others may know: schema, sizes, commitments, as JSON values."""
        return {
            "version": 1,
            "schema": self.schema.to_json(),
            "schema_hash": "0x" + self.schema.hash.hex(),
            "rows_per_block": self.rows_per_block,
            "rows": self.rows,
            "blocks": [f"0x{word:064x}" for word in self.blocks],
        }

    def save(self, folder: Path) -> None:
        """Write `dataset.json`, which may be shown, and `rows.npz`, which only its owner may read.

        Raises:
            InputError: the folder exists already, or cannot be written.
        """
        secret: dict[str, Any] = {
            "features": self.features,
            "salts": np.array([f"{salt:064x}" for salt in self.salts]),
        }
        if self.labels is not None:
            secret["labels"] = self.labels
        try:
            folder.mkdir(parents=True, mode=0o700)
            descriptor = os.open(folder / ROWS_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                np.savez_compressed(file, **secret)
            text = strict_json.dumps(self.published(), indent=2) + "\n"
            (folder / PUBLIC_FILE).write_text(text, encoding="utf-8")
        except FileExistsError as error:
            raise InputError(
                f"{folder} exists already: its salts would be lost; name another folder"
            ) from error
        except OSError as error:
            raise InputError(f"cannot write {folder} ({error.strerror or error})") from error

    @classmethod
    def open(cls, folder: Path) -> DataSet:
        """From the owner's folder, once its rows open the commitments that were published.

        Raises:
            InputError: the folder is damaged, or the rows are not those that were committed.
        """
        document = read_published(folder / PUBLIC_FILE)
        schema = Schema.from_json(document["schema"], str(folder / PUBLIC_FILE))
        path = folder / ROWS_FILE
        try:
            with np.load(path, allow_pickle=False) as arrays:
                features = np.asarray(arrays["features"], dtype=np.int64)
                labels = np.asarray(arrays["labels"], dtype=np.int64) if "labels" in arrays else None
                salts = tuple(int(str(text), 16) for text in arrays["salts"])
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise InputError(f"cannot read {path}, the rows and salts of a data set ({error})") from error
        found = cls(schema, features, labels, document["rows_per_block"], salts)
        published = [int(word, 16) for word in document["blocks"]]
        wrong = [index for index, word in enumerate(found.blocks) if published[index : index + 1] != [word]]
        if wrong or len(published) != len(found.blocks):
            which = f"block {wrong[0]}" if wrong else "the number of blocks"
            raise InputError(f"{path} does not open the commitments of {PUBLIC_FILE} ({which})")
        return found


def block_words(schema: Schema, features: Int64Array, labels: Int64Array | None) -> list[int]:
    """The packed words of a block, as they are committed: features, then labels from a new word on."""
    words = pack_range(features.ravel(), schema.lo, range_bits(schema.lo, schema.hi))
    if labels is not None:
        words += pack_range(labels, 0, range_bits(0, schema.classes - 1))
    return words


def read_published(path: Path) -> dict[str, Any]:
    """A `dataset.json`, its schema's hash recomputed. Raises `InputError`."""
    try:
        document = strict_json.load(path, max_bytes=MAX_PUBLIC)
    except (OSError, strict_json.JsonError) as error:
        raise InputError(f"{path} describes no data set ({error})") from error
    keys = {"version", "schema", "schema_hash", "rows_per_block", "rows", "blocks"}
    if not isinstance(document, dict) or set(document) != keys or document["version"] != 1:
        raise InputError(f"{path} describes no data set of version 1")
    if any(type(document[key]) is not int or document[key] < 1 for key in ("rows", "rows_per_block")):
        raise InputError(f"{path}: rows and rows_per_block are whole numbers from 1")
    blocks = document["blocks"]
    if not isinstance(blocks, list) or not all(map(_is_word, blocks)):
        raise InputError(f"{path}: blocks is a list of words, 0x and 64 digits each")
    schema = Schema.from_json(document["schema"], str(path))
    if document["schema_hash"] != "0x" + schema.hash.hex():
        raise InputError(f"{path}: the schema is not the one of its hash")
    return document


def _is_word(text: object) -> bool:
    if not isinstance(text, str) or len(text) != 66 or not text.startswith("0x"):
        return False
    try:
        return int(text[2:], 16) < FIELD_ORDER
    except ValueError:
        return False
