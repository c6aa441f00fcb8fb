"""The chain's database: SQLite, on disk or in memory.

Trie nodes and code sit in ``nodes``, keyed by hash and never deleted, so any past state stays readable and
forgetting blocks (revert, re-org) is deleting rows above a height. Blocks, transactions and logs are rows
with indices, so that a receipt or a log is found without walking the chain. One block is one SQL
transaction: a process killed at any moment leaves the previous block or the next one, never a part. WAL
with ``synchronous=NORMAL`` survives the death of the process; a power cut may lose the newest blocks but
not the chain.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

import rlp
from eth.abc import BlockHeaderAPI
from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth_typing import Address, Hash32

from assay_node.devnet.errors import DevnetError

SCHEMA_VERSION: Final = 1
DATABASE_NAME: Final = "devnet.sqlite"
CACHED_HEADERS: Final = 256

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nodes (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (
    number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, header BLOB NOT NULL, size INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS transactions (
    hash BLOB PRIMARY KEY, block INTEGER NOT NULL, idx INTEGER NOT NULL, raw BLOB NOT NULL,
    sender BLOB NOT NULL, status INTEGER NOT NULL, gas_used INTEGER NOT NULL, cumulative INTEGER NOT NULL,
    price TEXT NOT NULL, contract BLOB, bloom BLOB NOT NULL,
    first_log INTEGER NOT NULL, log_count INTEGER NOT NULL, UNIQUE (block, idx)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS logs (
    block INTEGER NOT NULL, idx INTEGER NOT NULL, tx_idx INTEGER NOT NULL, tx_hash BLOB NOT NULL,
    address BLOB NOT NULL, topic0 BLOB, topic1 BLOB, topic2 BLOB, topic3 BLOB, data BLOB NOT NULL,
    PRIMARY KEY (block, idx)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS logs_by_address ON logs (address, block);
CREATE INDEX IF NOT EXISTS logs_by_topic0 ON logs (topic0, block);
CREATE INDEX IF NOT EXISTS logs_by_topic1 ON logs (topic1, block);
CREATE TABLE IF NOT EXISTS pool (
    hash BLOB PRIMARY KEY, raw BLOB NOT NULL, arrival INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snapshots (
    id INTEGER PRIMARY KEY AUTOINCREMENT, block INTEGER NOT NULL, block_hash BLOB NOT NULL,
    clock_offset INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block's header and the size of the whole block's RLP in bytes."""

    header: BlockHeaderAPI
    size: int


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """A mined transaction with what its receipt says."""

    hash: Hash32
    block: int
    index: int
    raw: bytes
    sender: Address
    status: int
    gas_used: int
    cumulative: int
    price: int  # effective gas price, wei
    contract: Address | None
    bloom: bytes
    first_log: int  # index within the block
    log_count: int


@dataclass(frozen=True, slots=True)
class StoredLog:
    """One event; topics are 32-byte words, at most four."""

    block: int
    index: int
    tx_index: int
    tx_hash: Hash32
    address: Address
    topics: tuple[bytes, ...]
    data: bytes


class NodeDB(BaseDB):
    """Content-addressed bytes, as py-evm's ``AtomicDB`` wants them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Reads and writes the ``nodes`` table; commits are the store's."""
        self._connection = connection

    def __getitem__(self, key: bytes) -> bytes:
        """Read; KeyError if absent."""
        row = self._connection.execute("SELECT value FROM nodes WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return bytes(row[0])

    def __setitem__(self, key: bytes, value: bytes) -> None:
        """Write."""
        self._connection.execute("INSERT OR REPLACE INTO nodes VALUES (?, ?)", (key, value))

    def __delitem__(self, key: bytes) -> None:
        """Delete; KeyError if absent."""
        if self._connection.execute("DELETE FROM nodes WHERE key = ?", (key,)).rowcount == 0:
            raise KeyError(key)

    def _exists(self, key: bytes) -> bool:
        return self._connection.execute("SELECT 1 FROM nodes WHERE key = ?", (key,)).fetchone() is not None


class Store:
    """All tables behind typed methods. Used by one thread only: the one that created it."""

    def __init__(self, directory: Path | None) -> None:
        """Open or create the database in ``directory``, or in memory; DevnetError if in use or not ours."""
        self._lock = _lock_directory(directory) if directory else None
        path = str(directory / DATABASE_NAME) if directory else ":memory:"
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)
            version = self.meta("schema") or str(SCHEMA_VERSION)
        except sqlite3.DatabaseError as error:
            self._unlock()
            raise DevnetError(
                f"{path} is not a devnet database ({error}); choose another state directory"
            ) from error
        if version != str(SCHEMA_VERSION):
            self.close()
            raise DevnetError(
                f"{path} has schema {version}, this version reads {SCHEMA_VERSION}; use a new directory"
            )
        self.set_meta("schema", str(SCHEMA_VERSION))
        self.nodes = AtomicDB(NodeDB(self._connection))

    def close(self) -> None:
        """Close the database and release the directory."""
        self._connection.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All writes inside happen, or none. Inside another ``atomic`` it is part of that one."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    # Meta

    def meta(self, key: str) -> str | None:
        """A setting that outlives the process."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Write a setting."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    # Blocks

    def add_block(
        self,
        header: BlockHeaderAPI,
        size: int,
        transactions: Sequence[StoredTransaction],
        logs: Sequence[StoredLog],
    ) -> None:
        """Append a block. Call inside ``atomic``."""
        execute = self._connection.execute
        execute(
            "INSERT INTO blocks VALUES (?, ?, ?, ?)",
            (header.block_number, header.hash, rlp.encode(header), size),
        )
        self._connection.executemany(
            "INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    tx.hash, tx.block, tx.index, tx.raw, tx.sender, tx.status, tx.gas_used, tx.cumulative,
                    str(tx.price), tx.contract, tx.bloom, tx.first_log, tx.log_count,
                )
                for tx in transactions
            ],
        )  # fmt: skip
        self._connection.executemany(
            "INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (log.block, log.index, log.tx_index, log.tx_hash, log.address, *_padded(log.topics), log.data)
                for log in logs
            ],
        )

    def truncate(self, number: int) -> None:
        """Forget every block above ``number``. Call inside ``atomic``."""
        self._connection.execute("DELETE FROM blocks WHERE number > ?", (number,))
        self._connection.execute("DELETE FROM transactions WHERE block > ?", (number,))
        self._connection.execute("DELETE FROM logs WHERE block > ?", (number,))

    def head_number(self) -> int | None:
        """Height of the newest block, None for an empty store."""
        row = self._connection.execute("SELECT max(number) FROM blocks").fetchone()
        return None if row[0] is None else int(row[0])

    def block(self, number: int) -> StoredBlock | None:
        """The block at a height."""
        return self._block("number = ?", number)

    def block_by_hash(self, block_hash: bytes) -> StoredBlock | None:
        """The canonical block with that hash."""
        return self._block("hash = ?", block_hash)

    def _block(self, condition: str, value: int | bytes) -> StoredBlock | None:
        query = f"SELECT header, size FROM blocks WHERE {condition}"  # noqa: S608 - one of two literals above
        row = self._connection.execute(query, (value,)).fetchone()
        return None if row is None else StoredBlock(_header(row[0]), int(row[1]))

    def block_hashes(self, last: int, count: int) -> list[Hash32]:
        """Hashes at heights ``last``, ``last - 1``, .. (at most ``count``)."""
        rows = self._connection.execute(
            "SELECT hash FROM blocks WHERE number <= ? ORDER BY number DESC LIMIT ?", (last, count)
        )
        return [Hash32(bytes(row[0])) for row in rows]

    # Transactions

    def transaction(self, tx_hash: bytes) -> StoredTransaction | None:
        """A mined transaction by hash."""
        row = self._connection.execute("SELECT * FROM transactions WHERE hash = ?", (tx_hash,)).fetchone()
        return None if row is None else _transaction(row)

    def transactions(self, block: int) -> list[StoredTransaction]:
        """A block's transactions in order."""
        rows = self._connection.execute("SELECT * FROM transactions WHERE block = ? ORDER BY idx", (block,))
        return [_transaction(row) for row in rows]

    # Logs

    def transaction_logs(self, tx: StoredTransaction) -> list[StoredLog]:
        """The logs of one transaction."""
        return self.select_logs(
            "block = ? AND idx >= ? AND idx < ?", (tx.block, tx.first_log, tx.first_log + tx.log_count)
        )

    def select_logs(self, condition: str, values: Sequence[int | bytes]) -> list[StoredLog]:
        """Logs matching an SQL condition over the ``logs`` columns, in chain order."""
        rows = self._connection.execute(f"SELECT * FROM logs WHERE {condition} ORDER BY block, idx", values)  # noqa: S608 - built from column names; values are bound
        return [_log(row) for row in rows]

    # Pool

    def pool(self) -> list[bytes]:
        """Raw pending transactions in order of arrival."""
        rows = self._connection.execute("SELECT raw FROM pool ORDER BY arrival")
        return [bytes(row[0]) for row in rows]

    def add_pooled(self, tx_hash: bytes, raw: bytes, arrival: int) -> None:
        """Remember a pending transaction."""
        self._connection.execute("INSERT OR REPLACE INTO pool VALUES (?, ?, ?)", (tx_hash, raw, arrival))

    def remove_pooled(self, hashes: Sequence[bytes]) -> None:
        """Forget pending transactions: mined, replaced or dropped."""
        self._connection.executemany("DELETE FROM pool WHERE hash = ?", [(tx_hash,) for tx_hash in hashes])

    # Snapshots

    def add_snapshot(self, block: int, block_hash: bytes, clock_offset: int) -> int:
        """Remember a height to come back to; returns its id, from 1 up, never used twice."""
        cursor = self._connection.execute(
            "INSERT INTO snapshots (block, block_hash, clock_offset) VALUES (?, ?, ?)",
            (block, block_hash, clock_offset),
        )
        return cast(int, cursor.lastrowid)

    def snapshot(self, snapshot_id: int) -> tuple[int, bytes, int] | None:
        """``(block, block hash, clock offset)`` of a snapshot."""
        row = self._connection.execute(
            "SELECT block, block_hash, clock_offset FROM snapshots WHERE id = ?", (snapshot_id,)
        ).fetchone()
        return None if row is None else (int(row[0]), bytes(row[1]), int(row[2]))

    def drop_snapshots(self, from_id: int) -> None:
        """Forget a snapshot and all taken after it."""
        self._connection.execute("DELETE FROM snapshots WHERE id >= ?", (from_id,))


@lru_cache(maxsize=CACHED_HEADERS)
def _header(encoded: bytes) -> BlockHeaderAPI:
    """A header from its RLP; the newest are asked for with every request, and never change."""
    return cast(BlockHeaderAPI, rlp.decode(encoded, PragueBlockHeader))


def _padded(topics: Sequence[bytes]) -> tuple[bytes | None, ...]:
    return (*topics, None, None, None, None)[:4]


def _transaction(row: tuple[object, ...]) -> StoredTransaction:
    (
        tx_hash,
        block,
        idx,
        raw,
        sender,
        status,
        gas_used,
        cumulative,
        price,
        contract,
        bloom,
        first_log,
        log_count,
    ) = row
    return StoredTransaction(
        hash=cast(Hash32, tx_hash),
        block=cast(int, block),
        index=cast(int, idx),
        raw=cast(bytes, raw),
        sender=cast(Address, sender),
        status=cast(int, status),
        gas_used=cast(int, gas_used),
        cumulative=cast(int, cumulative),
        price=int(cast(str, price)),
        contract=cast(Address | None, contract),
        bloom=cast(bytes, bloom),
        first_log=cast(int, first_log),
        log_count=cast(int, log_count),
    )


def _log(row: tuple[object, ...]) -> StoredLog:
    block, idx, tx_idx, tx_hash, address, *topics, data = row
    return StoredLog(
        block=cast(int, block),
        index=cast(int, idx),
        tx_index=cast(int, tx_idx),
        tx_hash=cast(Hash32, tx_hash),
        address=cast(Address, address),
        topics=tuple(cast(bytes, topic) for topic in topics if topic is not None),
        data=cast(bytes, data),
    )


def _lock_directory(directory: Path) -> int:
    """Hold an exclusive lock on the directory until the process ends; it needs no clean-up after a kill."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DevnetError(f"cannot use {directory} as the state directory: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise DevnetError(
            f"another devnet is using {directory}; stop it or choose another directory"
        ) from error
    return descriptor
