"""What is on disk stays on disk: full disks, damaged files, transactions that end in the middle."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from sqlite3 import IntegrityError

import pytest

from assay_node.chain import Database, DatabaseFailed
from assay_node.chain.outbox.outbox_store import OutboxStore

SCHEMA = ("CREATE TABLE notes (text TEXT NOT NULL UNIQUE)",)


def fill(database: Database) -> None:
    """No page more than it has: what a full disk is to SQLite."""
    pages = database.row("PRAGMA page_count")
    assert pages is not None
    database.execute(f"PRAGMA max_page_count = {pages[0]}")


def notes(path: Path) -> list[str]:
    database = Database(path, SCHEMA)
    try:
        return [row["text"] for row in database.rows("SELECT text FROM notes")]
    finally:
        database.close()


def insert(database: Database, *texts: str) -> None:
    """All of them or none."""
    with database.transaction():
        for text in texts:
            database.execute("INSERT INTO notes VALUES (?)", text)


def test_a_full_disk_is_one_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite", SCHEMA)
    database.execute("INSERT INTO notes VALUES (?)", "kept")
    fill(database)
    with pytest.raises(DatabaseFailed, match="disk is full"):
        database.execute("INSERT INTO notes VALUES (?)", "x" * 100_000)
    with pytest.raises(DatabaseFailed, match="disk is full"):
        insert(database, "half", "y" * 100_000)
    database.execute("INSERT INTO notes VALUES (?)", "after")
    database.close()
    assert notes(tmp_path / "a.sqlite") == ["kept", "after"]


def test_a_transaction_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite", SCHEMA)
    with pytest.raises(IntegrityError):
        insert(database, "half", "twice", "twice")
    insert(database, "whole")
    database.close()
    assert notes(tmp_path / "a.sqlite") == ["whole"]


def test_a_damaged_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    database = Database(path, SCHEMA)
    for index in range(2000):
        database.execute("INSERT INTO notes VALUES (?)", f"{index} " + "x" * 40)
    database.close()
    whole = path.read_bytes()
    for first in range(0, len(whole), len(whole) // 7):
        path.write_bytes(whole[:first] + b"\xa5" * 8192 + whole[first + 8192 :])
        try:
            assert all(text.split()[0].isdigit() for text in notes(path))
        except DatabaseFailed as error:
            assert str(path) in str(error)  # noqa: PT017 - either it is read, or the file is named
        path.with_name("a.sqlite-wal").unlink(missing_ok=True)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatabaseFailed, match="malformed"):
        notes(path)


def test_another_programs_database_is_refused_and_ones_own_are_marked(tmp_path: Path) -> None:
    foreign = sqlite3.connect(tmp_path / "photos.sqlite")
    foreign.execute("PRAGMA application_id = 1234")
    foreign.execute("CREATE TABLE photos (name TEXT)")
    foreign.close()
    with pytest.raises(DatabaseFailed, match="another program's database"):
        Database(tmp_path / "photos.sqlite", SCHEMA)
    Database(tmp_path / "a.sqlite", SCHEMA).close()
    assert (tmp_path / "a.sqlite").read_bytes()[68:72] == b"ASSY"
    older = sqlite3.connect(tmp_path / "a.sqlite")
    older.execute("PRAGMA application_id = 0")  # as versions before the mark left it
    older.close()
    assert notes(tmp_path / "a.sqlite") == []


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DatabaseFailed, match="cannot open"):
        OutboxStore(tmp_path / "file" / "outbox.sqlite")
