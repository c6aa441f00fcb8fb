"""What an account has signed of itself as a worker, so that no node makes it sign out of turn.

A registration is signed under a number, and requesters refuse a lower one than they have seen, or two under
one number. A node that names a wrong number could have a worker sign one that shuts its later ones out.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..database import Database

SCHEMA = """
CREATE TABLE registrations (
    registry TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    encryption_key BLOB NOT NULL,
    mined INTEGER NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class SignedRegistration:
    """The last description that was signed here for one registry.

    Attributes:
        revision: its number.
        endpoint, encryption_key: what it says.
        mined: whether it was seen on the chain.
    """

    revision: int
    endpoint: str
    encryption_key: bytes
    mined: bool = False

    @property
    def least_on_chain(self) -> int:
        """The revision that the registry has at least: one is signed only on top of the one before."""
        return self.revision if self.mined else self.revision - 1


class Registrations:
    """One account's, in its outbox's database.

    Args:
        database: with `SCHEMA` among its migrations.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self, registry: str) -> SignedRegistration | None:
        """What was signed last for a registry; None if nothing was."""
        row = self._database.row("SELECT * FROM registrations WHERE registry = ?", registry.lower())
        if row is None:
            return None
        return SignedRegistration(row["revision"], row["endpoint"], row["encryption_key"], bool(row["mined"]))

    def keep(self, registry: str, signed: SignedRegistration) -> None:
        """Remembers what is signed now; to be called before the signature is given away."""
        self._database.execute(
            "INSERT OR REPLACE INTO registrations VALUES (?, ?, ?, ?, ?)",
            registry.lower(),
            signed.revision,
            signed.endpoint,
            signed.encryption_key,
            signed.mined,
        )
