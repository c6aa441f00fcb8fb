"""What a requester must not lose: the salt and input of every job, written before the job's transaction is
sent.

A private job is worth nothing without its salt: the worker cannot be given the input, and the answer cannot
be decrypted. So a *draft* is stored first, under a random id that also goes into the request as ``inputRef``.
Should the process die between sending and hearing back, the draft finds its job again by that reference in
the logs.

Salt and input are encrypted with XChaCha20-Poly1305 under a key derived from the requester's account key,
with the draft id as associated data (a box moved to another row does not open). Whoever can sign as the
requester can read them, nobody else can; there is no second password to lose. Everything else (ids,
addresses, times) is in clear, so that jobs can be listed without unlocking anything.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from nacl.encoding import RawEncoder
from nacl.exceptions import CryptoError
from nacl.hash import blake2b
from nacl.secret import Aead

from ..chain.database import Database
from .errors import StoreError

_MIGRATIONS = (
    """
    CREATE TABLE jobs (
        draft_id    BLOB PRIMARY KEY,
        chain_id    INTEGER NOT NULL,
        market      TEXT NOT NULL,
        requester   TEXT NOT NULL,
        model_id    BLOB NOT NULL,
        bundle      TEXT,
        created     REAL NOT NULL,
        sealed      BLOB NOT NULL,
        job_id      BLOB UNIQUE,
        delivered_to    TEXT,
        delivered_round INTEGER
    ) STRICT
    """,
)
_COLUMNS = (
    "draft_id, chain_id, market, requester, model_id, bundle, created, job_id, delivered_to, delivered_round"
)


@dataclass(frozen=True, slots=True)
class JobSecrets:
    """The requester's side of a private input.

    Attributes:
        salt: uniform below r; None if the model's input is public.
        integers: the quantised input, flattened row-major, int64.
        shape: the input's shape.
    """

    salt: int | None
    integers: np.ndarray
    shape: tuple[int, ...]

    def to_json(self) -> bytes:
        """Canonical bytes, as they are sealed."""
        return json.dumps(
            {
                "v": 1,
                "salt": None if self.salt is None else hex(self.salt),
                "input": b64encode(self.integers.astype("<i8").tobytes()).decode(),
                "shape": list(self.shape),
            },
            sort_keys=True,
            separators=(",", ":"),
        ).encode()

    @classmethod
    def from_json(cls, data: bytes) -> JobSecrets:
        """The inverse of ``to_json``; the caller has authenticated ``data``."""
        fields = json.loads(data)
        return cls(
            salt=None if fields["salt"] is None else int(fields["salt"], 16),
            integers=np.frombuffer(b64decode(fields["input"]), dtype="<i8").astype(np.int64),
            shape=tuple(fields["shape"]),
        )


@dataclass(frozen=True, slots=True)
class JobRecord:
    """The clear part of a stored job. ``job_id`` is None until the chain has given it one."""

    draft_id: bytes
    chain_id: int
    market: str
    requester: str
    model_id: bytes
    bundle: Path | None
    created: float
    job_id: bytes | None
    delivered_to: str | None
    delivered_round: int | None


class JobStore:
    """The requester's jobs in one SQLite file, readable and writable by its owner only."""

    def __init__(self, path: Path) -> None:
        """Open or create ``path``. DatabaseFailed if it is no job store, or one of a later version."""
        self.path = path
        self._db = Database(path, _MIGRATIONS)

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        self._db.close()

    def __enter__(self) -> JobStore:
        """Open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def add_draft(
        self,
        draft_id: bytes,
        *,
        chain_id: int,
        market: str,
        requester: str,
        model_id: bytes,
        bundle: Path | None,
        secrets: JobSecrets,
        key: StoreKey,
    ) -> None:
        """Write a draft durably; to be called before its transaction exists."""
        sealed = key.seal(secrets.to_json(), draft_id)
        self._db.execute(
            "INSERT INTO jobs (draft_id, chain_id, market, requester, model_id, bundle, created, sealed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            draft_id,
            chain_id,
            market.lower(),
            requester.lower(),
            model_id,
            None if bundle is None else str(bundle.resolve()),
            time.time(),
            sealed,
        )

    def set_job_id(self, draft_id: bytes, job_id: bytes) -> None:
        """Say which job a draft became. A re-org may give it another id, so the last word counts."""
        self._db.execute("UPDATE jobs SET job_id = ? WHERE draft_id = ?", job_id, draft_id)

    def set_delivered(self, job_id: bytes, worker: str, round_: int) -> None:
        """Note that ``worker``, awarded in ``round_``, has the input and found that it matches."""
        self._db.execute(
            "UPDATE jobs SET delivered_to = ?, delivered_round = ? WHERE job_id = ?", worker, round_, job_id
        )

    def discard(self, draft_id: bytes) -> None:
        """Forget a draft that certainly never became a job."""
        self._db.execute("DELETE FROM jobs WHERE draft_id = ? AND job_id IS NULL", draft_id)

    def by_job(self, job_id: bytes) -> JobRecord:
        """The record of a job; StoreError if it was not posted from here."""
        records = self._select("WHERE job_id = ?", job_id)
        if not records:
            raise StoreError(
                f"job 0x{job_id.hex()} was not posted from {self.path}",
                "Its input and salt are on the machine that posted it",
            )
        return records[0]

    def records(self) -> list[JobRecord]:
        """All jobs and drafts, newest first."""
        return self._select("ORDER BY created DESC, rowid DESC")

    def drafts(self, *, chain_id: int, market: str, requester: str) -> list[JobRecord]:
        """Drafts of one requester on one market that have no job id yet."""
        return self._select(
            "WHERE job_id IS NULL AND chain_id = ? AND market = ? AND requester = ?",
            chain_id,
            market.lower(),
            requester.lower(),
        )

    def secrets(self, record: JobRecord, key: StoreKey) -> JobSecrets:
        """Salt and input of a job; StoreError if ``key`` is not the one they were sealed with."""
        row = self._db.row("SELECT sealed FROM jobs WHERE draft_id = ?", record.draft_id)
        if row is None:
            raise StoreError(f"draft 0x{record.draft_id.hex()} is no longer in {self.path}")
        return JobSecrets.from_json(key.open(row[0], record.draft_id))

    def _select(self, clause: str, *values: object) -> list[JobRecord]:
        rows = self._db.rows(f"SELECT {_COLUMNS} FROM jobs {clause}", *values)  # noqa: S608 - literals above
        return [_record(dict(row)) for row in rows]


def _record(row: dict[str, Any]) -> JobRecord:
    bundle = row.pop("bundle")
    return JobRecord(bundle=None if bundle is None else Path(bundle), **row)


class StoreKey:
    """The key that seals inputs at rest: BLAKE2b of the account's key, for this use alone."""

    def __init__(self, account_key: bytes) -> None:
        """Derive from the 32 bytes of the requester's account key."""
        self._box = Aead(blake2b(b"", key=account_key, person=b"assay job store", encoder=RawEncoder))

    def seal(self, plaintext: bytes, associated: bytes) -> bytes:
        """Encrypt with a random nonce, which is part of the result."""
        return bytes(self._box.encrypt(plaintext, associated))

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        """Decrypt and authenticate; StoreError if the key, the box or its row is another."""
        try:
            return bytes(self._box.decrypt(sealed, associated))
        except CryptoError as error:
            raise StoreError(
                "the stored input does not open with this account's key",
                "Use the account that posted the job",
            ) from error
