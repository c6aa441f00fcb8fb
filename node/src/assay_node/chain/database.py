"""SQLite as the node uses it: explicit transactions, durable at commit.

The standard library's `sqlite3` and not SQLAlchemy: a dozen statements, no dialects to span, and the one
thing that matters is what is on disk when a call returns. With `synchronous=FULL` in WAL mode a commit is an
fsync, about a millisecond; calls are synchronous on the event loop for that reason, so that "written before
it is done" can be read off the code. `isolation_level=None` turns off the module's implicit transactions.

An fsync holds up everything else, so there are two ways to share one:

    with database.transaction():      # one commit for all that is stored in here; no `await` inside
        for job in looked_at:
            store.save_progress(job)  # a transaction of its own elsewhere, a part of this one here

    database.later("UPDATE ...")      # not needed after a crash: written with the next commit, or `flush`
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import DatabaseFailed

APPLICATION_ID = int.from_bytes(b"ASSY", "big")
"""What tells these files from others: bytes 68 to 71 of each."""


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
        self._depth = 0
        self._late = False
        try:
            if str(path) != ":memory:":
                file = Path(path)
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                file.touch(mode=0o600)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
            self._connection.row_factory = sqlite3.Row
            self._claim()
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._migrate(migrations)
        except (sqlite3.Error, OSError) as error:
            raise DatabaseFailed(
                f"cannot open the database {path} ({error})", "Check the path, its permissions and the disk"
            ) from error

    def _claim(self) -> None:
        """Refuses another program's database, and marks one that has no mark: those of versions before it."""
        mark = self._connection.execute("PRAGMA application_id").fetchone()[0]
        if mark not in (0, APPLICATION_ID):
            raise DatabaseFailed(f"{self.path} is another program's database", "Use another folder")
        if not mark:
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")

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
        """All or nothing, on disk when the block ends; within another one, when that one ends.

        Nothing must be awaited inside: what other tasks store meanwhile would share its fate.
        """
        if self._depth:
            with self._nested():
                yield
            return
        self.flush()
        self._run("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself after some failures: a full disk, say.
            if self._connection.in_transaction:
                self._run("ROLLBACK")
            raise
        finally:
            self._depth = 0

    @contextmanager
    def _nested(self) -> Iterator[None]:
        name = f"level_{self._depth}"
        self._run(f"SAVEPOINT {name}")
        self._depth += 1
        try:
            yield
            self._run(f"RELEASE {name}")
        except BaseException:
            if self._connection.in_transaction:
                self._run(f"ROLLBACK TO {name}")
                self._run(f"RELEASE {name}")
            raise
        finally:
            self._depth -= 1

    def execute(self, statement: str, *parameters: Any) -> int:
        """Runs one statement; returns the last inserted row id. Commits if no transaction is open."""
        if not self._depth and self._late:
            with self.transaction():
                return self._run(statement, parameters).lastrowid or 0
        return self._run(statement, parameters).lastrowid or 0

    def later(self, statement: str, *parameters: Any) -> None:
        """Runs one statement that need not survive a crash: it is committed with the next one that must.

        Every method sees it at once. `flush` commits it by itself, and so does `close`.
        """
        if not self._depth and not self._late:
            self._run("BEGIN IMMEDIATE")
            self._late = True
        self._run(statement, parameters)

    def flush(self) -> None:
        """Commits what `later` left; to be called at the end of a round."""
        if self._late:
            self._late = False
            if self._connection.in_transaction:
                self._run("COMMIT")

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
        try:
            self.flush()
        finally:
            self._connection.close()
