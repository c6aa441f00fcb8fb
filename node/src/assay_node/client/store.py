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
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from nacl.encoding import RawEncoder
from nacl.exceptions import CryptoError
from nacl.hash import blake2b
from nacl.secret import Aead

from ..chain import JobRequest
from ..chain.database import Database
from .errors import StoreError
from .policy import AwardPolicy

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
    """
    ALTER TABLE jobs ADD COLUMN posting TEXT;
    ALTER TABLE jobs ADD COLUMN policy TEXT;
    ALTER TABLE jobs ADD COLUMN remark TEXT NOT NULL DEFAULT '';
    CREATE TABLE former_ids (job_id BLOB PRIMARY KEY, draft_id BLOB NOT NULL) STRICT;
    CREATE TABLE awards (
        draft_id BLOB NOT NULL,
        worker   TEXT NOT NULL,
        made     REAL NOT NULL,
        PRIMARY KEY (draft_id, worker)
    ) STRICT;
    CREATE TABLE disclosures (
        draft_id BLOB NOT NULL,
        worker   TEXT NOT NULL,
        named    INTEGER NOT NULL,
        made     REAL NOT NULL,
        PRIMARY KEY (draft_id, worker)
    ) STRICT;
    CREATE TABLE pins (
        chain_id INTEGER NOT NULL,
        registry TEXT NOT NULL,
        worker   TEXT NOT NULL,
        revision INTEGER NOT NULL,
        encryption_key BLOB NOT NULL,
        endpoint TEXT NOT NULL,
        PRIMARY KEY (chain_id, registry, worker)
    ) STRICT
    """,
)
_COLUMNS = (
    "draft_id, chain_id, market, requester, model_id, bundle, created, job_id, delivered_to, "
    "delivered_round, posting, policy, remark"
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
class Posting:
    """What a job was posted with: enough to post the same job again after a re-org dropped it.

    Attributes:
        request: as it went into the transaction.
        input_words: the statement's input.
    """

    request: JobRequest
    input_words: tuple[int, ...]

    def to_json(self) -> str:
        """As it is stored; nothing of it is secret, all of it was sent to a chain."""
        fields = {
            name: "0x" + value.hex() if isinstance(value, bytes) else value
            for name, value in asdict(self.request).items()
        }
        return json.dumps({"request": fields, "words": [hex(word) for word in self.input_words]})

    @classmethod
    def from_json(cls, text: str) -> Posting:
        """The inverse of ``to_json``; the file is this account's own."""
        found = json.loads(text)
        request = found["request"]
        hashes = {name: bytes.fromhex(request[name][2:]) for name in ("model_id", "input_ref")}
        return cls(JobRequest(**(request | hashes)), tuple(int(word, 16) for word in found["words"]))


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A worker that was sent a job's private input.

    Attributes:
        worker: its address.
        named: whether the requester had named it; if not, it is a stranger.
        made: when it was first sent, seconds since the epoch.
    """

    worker: str
    named: bool
    made: float


@dataclass(frozen=True, slots=True)
class Pin:
    """What a worker's account was seen to sign of itself last."""

    revision: int
    encryption_key: bytes
    endpoint: str


@dataclass(frozen=True, slots=True)
class JobRecord:
    """The clear part of a stored job. ``job_id`` is None until the chain has given it one.

    Attributes:
        policy: who may win it, as stored; None if the market awards it.
        posting: what it was posted with; None for jobs of earlier versions.
        remark: what became of it that the chain does not tell; may be empty.
    """

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
    posting: Posting | None
    policy: AwardPolicy | None
    remark: str


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
        posting: Posting | None = None,
        policy: AwardPolicy | None = None,
    ) -> None:
        """Write a draft durably; to be called before its transaction exists."""
        sealed = key.seal(secrets.to_json(), draft_id)
        self._db.execute(
            "INSERT INTO jobs (draft_id, chain_id, market, requester, model_id, bundle, created, sealed, "
            "posting, policy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            draft_id,
            chain_id,
            market.lower(),
            requester.lower(),
            model_id,
            None if bundle is None else str(bundle.resolve()),
            time.time(),
            sealed,
            None if posting is None else posting.to_json(),
            None if policy is None else policy.to_json(),
        )

    def set_job_id(self, draft_id: bytes, job_id: bytes) -> None:
        """Say which job a draft became. A re-org may give it another id: the former one still finds it."""
        with self._db.transaction():
            row = self._db.row("SELECT job_id FROM jobs WHERE draft_id = ?", draft_id)
            if row is not None and row[0] not in (None, job_id):
                self._db.execute("INSERT OR REPLACE INTO former_ids VALUES (?, ?)", row[0], draft_id)
            self._db.execute("DELETE FROM former_ids WHERE job_id = ?", job_id)
            self._db.execute("UPDATE jobs SET job_id = ? WHERE draft_id = ?", job_id, draft_id)

    def set_policy(self, draft_id: bytes, policy: AwardPolicy) -> None:
        """Change who may win a job."""
        self._db.execute("UPDATE jobs SET policy = ? WHERE draft_id = ?", policy.to_json(), draft_id)

    def set_remark(self, draft_id: bytes, remark: str) -> None:
        """Note what became of a job that the chain does not tell."""
        self._db.execute("UPDATE jobs SET remark = ? WHERE draft_id = ?", remark, draft_id)

    def add_award(self, draft_id: bytes, worker: str) -> None:
        """Note, before it is sent, that this client awards the job to ``worker``."""
        self._db.execute(
            "INSERT OR IGNORE INTO awards VALUES (?, ?, ?)", draft_id, worker.lower(), time.time()
        )

    def awarded_to(self, draft_id: bytes) -> frozenset[str]:
        """The workers this client awarded a job to, in lower case."""
        rows = self._db.rows("SELECT worker FROM awards WHERE draft_id = ?", draft_id)
        return frozenset(row[0] for row in rows)

    def add_disclosure(self, draft_id: bytes, worker: str, *, named: bool) -> None:
        """Note, before it is sent, that ``worker`` is sent the job's input."""
        self._db.execute(
            "INSERT OR IGNORE INTO disclosures VALUES (?, ?, ?, ?)",
            draft_id,
            worker.lower(),
            int(named),
            time.time(),
        )

    def disclosures(self, draft_id: bytes) -> list[Disclosure]:
        """The workers that were sent a job's input, in order; one that never got it may be among them."""
        rows = self._db.rows(
            "SELECT worker, named, made FROM disclosures WHERE draft_id = ? ORDER BY made", draft_id
        )
        return [Disclosure(row["worker"], bool(row["named"]), row["made"]) for row in rows]

    def pin_of(self, chain_id: int, registry: str, worker: str) -> Pin | None:
        """What a worker was seen to sign last; None if it was never sent anything from here."""
        row = self._db.row(
            "SELECT revision, encryption_key, endpoint FROM pins "
            "WHERE chain_id = ? AND registry = ? AND worker = ?",
            chain_id,
            registry.lower(),
            worker.lower(),
        )
        return None if row is None else Pin(*row)

    def set_pin(self, chain_id: int, registry: str, worker: str, pin: Pin) -> None:
        """Remember what a worker signed."""
        self._db.execute(
            "INSERT OR REPLACE INTO pins VALUES (?, ?, ?, ?, ?, ?)",
            chain_id,
            registry.lower(),
            worker.lower(),
            pin.revision,
            pin.encryption_key,
            pin.endpoint,
        )

    def set_delivered(self, job_id: bytes, worker: str, round_: int) -> None:
        """Note that ``worker``, awarded in ``round_``, has the input and found that it matches."""
        self._db.execute(
            "UPDATE jobs SET delivered_to = ?, delivered_round = ? WHERE job_id = ?", worker, round_, job_id
        )

    def discard(self, draft_id: bytes) -> None:
        """Forget a draft that certainly never became a job."""
        self._db.execute("DELETE FROM jobs WHERE draft_id = ? AND job_id IS NULL", draft_id)

    def by_job(self, job_id: bytes) -> JobRecord:
        """The record of a job, also by an id that a re-org took from it; StoreError if it is not of here."""
        records = self._select("WHERE job_id = ?", job_id) or self._select(
            "WHERE draft_id = (SELECT draft_id FROM former_ids WHERE job_id = ?)", job_id
        )
        if not records:
            raise StoreError(
                f"job 0x{job_id.hex()} was not posted from {self.path}",
                "Its input and salt are on the machine that posted it",
            )
        return records[0]

    def find(self, job_id: bytes) -> JobRecord | None:
        """As `by_job`; None if it was not posted from here."""
        try:
            return self.by_job(job_id)
        except StoreError:
            return None

    def by_draft(self, draft_id: bytes) -> JobRecord | None:
        """The record of a draft; None if there is none."""
        records = self._select("WHERE draft_id = ?", draft_id)
        return records[0] if records else None

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
    bundle, posting, policy = row.pop("bundle"), row.pop("posting"), row.pop("policy")
    return JobRecord(
        bundle=None if bundle is None else Path(bundle),
        posting=None if posting is None else Posting.from_json(posting),
        policy=None if policy is None else AwardPolicy.from_json(policy),
        **row,
    )


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
