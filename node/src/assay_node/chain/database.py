"""SQLite as the node uses it: explicit transactions, durable at commit.

The standard library's `sqlite3` and not SQLAlchemy: a dozen statements, no dialects to span, and the one
thing that matters is what is on disk when a call returns. With `synchronous=FULL` in WAL mode a commit is an
fsync, about a millisecond; calls are synchronous on the event loop for that reason, so that "written before
it is done" can be read off the code. `isolation_level=None` turns off the module's implicit transactions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import DatabaseFailed


class Database:
    """One SQLite file with a schema of its own.

    Args:
        path: the file, created with its folder if missing and readable by its owner only; ":memory:" for
            none.
        migrations: schema changes in order; those not yet applied are, each in a transaction of its own.

    Raises:
        DatabaseFailed: the file cannot be opened, is no database, or was written by a newer version; from any
            method, that it cannot be read or written any more.
    """

    def __init__(self, path: Path | str, migrations: Sequence[str]) -> None:
        self.path = path
        try:
            if str(path) != ":memory:":
                file = Path(path)
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                file.touch(mode=0o600)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._migrate(migrations)
        except (sqlite3.Error, OSError) as error:
            raise DatabaseFailed(
                f"cannot open the database {path} ({error})", "Check the path, its permissions and the disk"
            ) from error

    def _migrate(self, migrations: Sequence[str]) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations):
            raise DatabaseFailed(
                f"the database {self.path} was written by a newer version (schema {version})",
                "Use that version, or another folder",
            )
        for number in range(version, len(migrations)):
            with self.transaction():
                for statement in migrations[number].split(";"):
                    if statement.strip():
                        self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {number + 1}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on disk when the block ends. Does not nest."""
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself after some failures: a full disk, say.
            if self._connection.in_transaction:
                self._run("ROLLBACK")
            raise

    def execute(self, statement: str, *parameters: Any) -> int:
        """Runs one statement; returns the last inserted row id. Commits if no transaction is open."""
        return self._run(statement, parameters).lastrowid or 0

    def rows(self, query: str, *parameters: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._explained():
            return self._connection.execute(query, parameters).fetchall()

    def row(self, query: str, *parameters: Any) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        with self._explained():
            row: sqlite3.Row | None = self._connection.execute(query, parameters).fetchone()
        return row

    def _run(self, statement: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        with self._explained():
            return self._connection.execute(statement, parameters)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # a defect of this program, not of the disk
        except sqlite3.DatabaseError as error:
            raise DatabaseFailed(
                f"the database {self.path} cannot be used ({error})",
                "What it holds is as it was; free the disk, or restore the file, then try again",
            ) from error

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
