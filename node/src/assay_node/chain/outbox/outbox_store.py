"""What the outbox remembers: intents, and every transaction ever signed for them.

An intent is one thing to be done on chain, under a key that makes it idempotent; it owns a nonce from the
moment it exists. Its attempts are the signed transactions of that nonce, at rising fees; at most one of them
can be mined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from sqlite3 import Row

from ..contracts.types import Call
from ..database import Database
from ..node.fees import Fees
from .registrations import SCHEMA as REGISTRATIONS


class IntentStatus(StrEnum):
    """Where an intent stands."""

    PENDING = "pending"
    """Has a nonce and a signed transaction; whether a node has it is not known and need not be."""
    MINED = "mined"
    """In a block that may still be re-organised away."""
    DONE = "done"
    """Mined for good, and succeeded."""
    FAILED = "failed"
    """Mined for good, and reverted."""
    CANCELLED = "cancelled"
    """Mined for good, as the empty transaction that gave its nonce up."""
    LOST = "lost"
    """Its nonce was used for good by a transaction that is not in this outbox."""


UNSUCCESSFUL = (IntentStatus.FAILED, IntentStatus.CANCELLED, IntentStatus.LOST)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction."""

    tx_hash: bytes
    raw: bytes
    fees: Fees
    empty: bool
    """Whether it is the empty transaction that cancels the intent."""
    sent: float | None
    """When a node was first given it, seconds since the epoch; None if never, or if the answer was lost."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing to be done on chain."""

    row: int
    key: str
    generation: int
    """0, or how many earlier intents of this key came to nothing."""
    call: Call
    gas: int
    nonce: int
    status: IntentStatus
    tx_hash: bytes | None
    """The attempt that was mined."""
    block_number: int | None
    block_hash: bytes | None
    succeeded: bool | None
    cancelling: bool
    misses: int
    """Rounds in which the nonce was used and no attempt had a receipt."""
    note: str
    """What the node last said against it; empty if nothing."""
    success_number: int | None = None
    """Of the block in which it was last seen to have succeeded, whatever a node has said of it since."""
    success_hash: bytes | None = None
    """Of the same block."""


_MIGRATIONS = (
    """
    CREATE TABLE identity (chain_id INTEGER NOT NULL, genesis BLOB NOT NULL, sender TEXT NOT NULL);
    CREATE TABLE intents (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        generation INTEGER NOT NULL,
        recipient TEXT,
        data BLOB NOT NULL,
        value TEXT NOT NULL,
        description TEXT NOT NULL,
        gas INTEGER NOT NULL,
        nonce INTEGER NOT NULL,
        status TEXT NOT NULL,
        tx_hash BLOB,
        block_number INTEGER,
        block_hash BLOB,
        succeeded INTEGER,
        cancelling INTEGER NOT NULL DEFAULT 0,
        misses INTEGER NOT NULL DEFAULT 0,
        note TEXT NOT NULL DEFAULT '',
        created REAL NOT NULL,
        UNIQUE (key, generation)
    );
    CREATE INDEX intents_by_status ON intents (status, nonce);
    CREATE UNIQUE INDEX one_active_intent_for_each_nonce ON intents (nonce)
        WHERE status IN ('pending', 'mined');
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        intent INTEGER NOT NULL REFERENCES intents (id),
        tx_hash BLOB NOT NULL UNIQUE,
        raw BLOB NOT NULL,
        max_fee INTEGER NOT NULL,
        tip INTEGER NOT NULL,
        empty INTEGER NOT NULL,
        sent REAL
    );
    CREATE INDEX attempts_by_intent ON attempts (intent);
    """,
    """
    ALTER TABLE intents ADD COLUMN success_number INTEGER;
    ALTER TABLE intents ADD COLUMN success_hash BLOB;
    UPDATE intents SET success_number = block_number, success_hash = block_hash WHERE succeeded = 1;
    """,
    REGISTRATIONS,
)


class OutboxStore:
    """The outbox's tables."""

    def __init__(self, path: Path | str) -> None:
        self.database = Database(path, _MIGRATIONS)

    def close(self) -> None:
        """Closes the file."""
        self.database.close()

    def identity(self) -> tuple[int, bytes, str] | None:
        """Chain id, genesis hash and sender this outbox is for; None if it is new."""
        row = self.database.row("SELECT chain_id, genesis, sender FROM identity")
        return None if row is None else (row[0], row[1], row[2])

    def set_identity(self, chain_id: int, genesis: bytes, sender: str) -> None:
        """Ties a new outbox to its chain and sender."""
        self.database.execute("INSERT INTO identity VALUES (?, ?, ?)", chain_id, genesis, sender)

    def latest(self, key: str) -> Intent | None:
        """The newest intent of a key."""
        row = self.database.row("SELECT * FROM intents WHERE key = ? ORDER BY generation DESC LIMIT 1", key)
        return None if row is None else _intent(row)

    def get(self, intent: Intent) -> Intent:
        """An intent as it is now."""
        row = self.database.row("SELECT * FROM intents WHERE id = ?", intent.row)
        if row is None:
            raise KeyError(intent.key)
        return _intent(row)

    def active(self) -> list[Intent]:
        """Intents that are not settled for good, by nonce."""
        rows = self.database.rows("SELECT * FROM intents WHERE status IN ('pending', 'mined') ORDER BY nonce")
        return [_intent(row) for row in rows]

    def last_final(self) -> Intent | None:
        """The intent with the highest nonce that is settled for good, by a transaction of ours."""
        row = self.database.row(
            "SELECT * FROM intents WHERE status IN ('done', 'failed', 'cancelled')"
            " ORDER BY nonce DESC LIMIT 1"
        )
        return None if row is None else _intent(row)

    def final_nonce(self) -> int:
        """Nonces used for good, as far as this outbox knows."""
        last = self.last_final()
        return 0 if last is None else last.nonce + 1

    def newest_final(self, most: int) -> list[Intent]:
        """The intents with the highest nonces that are settled for good, by nonce; of several with one, the
        newest.
        """
        rows = self.database.rows(
            "SELECT * FROM intents WHERE status IN ('done', 'failed', 'cancelled')"
            " ORDER BY nonce DESC, id DESC LIMIT ?",
            most,
        )
        return list({row["nonce"]: _intent(row) for row in reversed(rows)}.values())

    def prune(self, before: float) -> None:
        """Deletes intents that were made before a moment and are settled, but for the last one."""
        condition = (
            "status IN ('done', 'failed', 'cancelled', 'lost') AND created < ?"
            " AND nonce < (SELECT MAX(nonce) FROM intents)"
        )
        with self.database.transaction():
            self.database.execute(
                f"DELETE FROM attempts WHERE intent IN (SELECT id FROM intents WHERE {condition})",  # noqa: S608
                before,
            )
            self.database.execute(f"DELETE FROM intents WHERE {condition}", before)  # noqa: S608

    def has_nonce(self, nonce: int) -> bool:
        """Whether a transaction with this nonce was signed here, and not displaced by a foreign one."""
        return (
            self.database.row("SELECT 1 FROM intents WHERE nonce = ? AND status != 'lost'", nonce) is not None
        )

    def attempts(self, intent: Intent) -> list[Attempt]:
        """Transactions signed for an intent, newest first."""
        rows = self.database.rows("SELECT * FROM attempts WHERE intent = ? ORDER BY id DESC", intent.row)
        return [
            Attempt(
                row["tx_hash"], row["raw"], Fees(row["max_fee"], row["tip"]), bool(row["empty"]), row["sent"]
            )
            for row in rows
        ]

    def add(
        self, key: str, generation: int, call: Call, gas: int, nonce: int, attempt: Attempt, created: float
    ) -> Intent:
        """A new intent with its first transaction, in one commit."""
        with self.database.transaction():
            row = self.database.execute(
                "INSERT INTO intents"
                " (key, generation, recipient, data, value, description, gas, nonce, status, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?)",
                key,
                generation,
                call.to,
                call.data,
                str(call.value),
                call.description,
                gas,
                nonce,
                created,
            )
            self._add_attempt(row, attempt)
        found = self.database.row("SELECT * FROM intents WHERE id = ?", row)
        assert found is not None  # noqa: S101 - inserted just above
        return _intent(found)

    def add_attempt(self, intent: Intent, attempt: Attempt) -> None:
        """A replacement; marks the intent as being cancelled if it is the empty one."""
        with self.database.transaction():
            self._add_attempt(intent.row, attempt)
            if attempt.empty:
                self.database.execute("UPDATE intents SET cancelling = 1 WHERE id = ?", intent.row)

    def _add_attempt(self, row: int, attempt: Attempt) -> None:
        self.database.execute(
            "INSERT INTO attempts (intent, tx_hash, raw, max_fee, tip, empty) VALUES (?, ?, ?, ?, ?, ?)",
            row,
            attempt.tx_hash,
            attempt.raw,
            attempt.fees.max_fee,
            attempt.fees.tip,
            attempt.empty,
        )

    def mark_sent(self, attempt: Attempt, when: float) -> None:
        """A node has been given the transaction. After a crash it is given it again, which costs nothing."""
        self.database.later("UPDATE attempts SET sent = ? WHERE tx_hash = ?", when, attempt.tx_hash)

    def note(self, intent: Intent, note: str) -> None:
        """Records what the node says against an intent."""
        self.database.later("UPDATE intents SET note = ? WHERE id = ?", note, intent.row)

    def set_pending(self, intent: Intent, misses: int) -> None:
        """Not mined, or no longer."""
        self.database.execute(
            "UPDATE intents SET status = 'pending', tx_hash = NULL, block_number = NULL, block_hash = NULL,"
            " succeeded = NULL, misses = ? WHERE id = ?",
            misses,
            intent.row,
        )

    def set_mined(
        self,
        intent: Intent,
        status: IntentStatus,
        tx_hash: bytes,
        block_number: int,
        block_hash: bytes,
        succeeded: bool,
    ) -> None:
        """Mined, for now or for good."""
        self.database.execute(
            "UPDATE intents SET status = ?, tx_hash = ?, block_number = ?, block_hash = ?, succeeded = ?,"
            " misses = 0, note = '' WHERE id = ?",
            str(status),
            tx_hash,
            block_number,
            block_hash,
            succeeded,
            intent.row,
        )
        if succeeded:
            self.database.execute(
                "UPDATE intents SET success_number = ?, success_hash = ? WHERE id = ?",
                block_number,
                block_hash,
                intent.row,
            )

    def set_status(self, intent: Intent, status: IntentStatus) -> None:
        """Settles a mined intent for good."""
        self.database.execute("UPDATE intents SET status = ? WHERE id = ?", str(status), intent.row)

    def set_lost(self, intent: Intent) -> None:
        """The nonce is used up by another transaction."""
        self.database.execute("UPDATE intents SET status = 'lost' WHERE id = ?", intent.row)


def _intent(row: Row) -> Intent:
    flag: Callable[[int | None], bool | None] = lambda value: None if value is None else bool(value)  # noqa: E731
    return Intent(
        row=row["id"],
        key=row["key"],
        generation=row["generation"],
        call=Call(row["recipient"], row["data"], int(row["value"]), row["description"], row["gas"]),
        gas=row["gas"],
        nonce=row["nonce"],
        status=IntentStatus(row["status"]),
        tx_hash=row["tx_hash"],
        block_number=row["block_number"],
        block_hash=row["block_hash"],
        succeeded=flag(row["succeeded"]),
        cancelling=bool(row["cancelling"]),
        misses=row["misses"],
        note=row["note"],
        success_number=row["success_number"],
        success_hash=row["success_hash"],
    )
