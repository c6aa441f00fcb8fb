"""Models that a worker does not bid on because their proofs kept failing: on disk, until they are lifted.

The worker may be running while a command lifts one: both see the same table of its database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ..chain import Database

FAILURES = 3
"""Failed proofs in a row after which a model is not bid on any more."""

SCHEMA = """
CREATE TABLE bans (
    bundle TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    reason TEXT NOT NULL,
    moment REAL NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Ban:
    """A bundle whose model is not bid on.

    Attributes:
        bundle: its folder.
        identity: of its keys and description; a bundle with others is not meant.
        reason: why the last one did.
        moment: when it did, seconds since the epoch.
    """

    bundle: str
    identity: str
    reason: str
    moment: float

    @property
    def sentence(self) -> str:
        """Why and since when, without full stop."""
        since = datetime.fromtimestamp(self.moment, UTC)
        return (
            f"{FAILURES} proofs in a row have failed, the last one on {since:%Y-%m-%d %H:%M:%S UTC} with: "
            f"{self.reason}"
        )


class Bans:
    """The table.

    Args:
        database: the worker's, with `SCHEMA` among its migrations.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, Ban]:
        """What is banned, by bundle folder."""
        return {row["bundle"]: Ban(**row) for row in self._database.rows("SELECT * FROM bans")}

    def add(self, ban: Ban) -> None:
        """Keeps a model from being bid on, also after a restart."""
        self._database.execute(
            "INSERT OR REPLACE INTO bans VALUES (?, ?, ?, ?)",
            ban.bundle,
            ban.identity,
            ban.reason,
            ban.moment,
        )

    def lift(self, bundle: str) -> None:
        """Lets a bundle's model be bid on again."""
        self._database.execute("DELETE FROM bans WHERE bundle = ?", bundle)
