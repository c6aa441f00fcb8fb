"""What a worker must not forget: jobs, inputs, proofs, prices, and where it stands in the chain's events.

One SQLite file. Inputs stay as they came, sealed to the worker's key: the disk never holds one in clear.
Proofs are kept so that a worker killed between proving and settling sends the one it has, and the slices of a
proof so that one killed in between goes on where it was.

It does not grow without end: of jobs closed long ago a line each is left, and in the end a total by outcome.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..chain import Database, JobRequest, JobSubmitted
from ..chain.follower import SCHEMA as CURSOR_SCHEMA
from .bans import SCHEMA as BANS
from .executor import SliceProof
from .lifecycle.progress import JobProgress

_MIGRATIONS = (
    """
    CREATE TABLE jobs (
        job_id BLOB PRIMARY KEY,
        model_id BLOB NOT NULL,
        requester TEXT NOT NULL,
        block INTEGER NOT NULL,
        request TEXT NOT NULL,
        input_words TEXT NOT NULL,
        track TEXT NOT NULL,
        final_block INTEGER,
        closed INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX jobs_by_closed ON jobs (closed);
    CREATE TABLE inputs (
        job_id BLOB PRIMARY KEY REFERENCES jobs (job_id),
        body BLOB NOT NULL
    );
    CREATE TABLE proofs (
        job_id BLOB PRIMARY KEY REFERENCES jobs (job_id),
        proof BLOB NOT NULL,
        output_words TEXT NOT NULL,
        seconds REAL NOT NULL
    );
    CREATE TABLE decisions (
        id INTEGER PRIMARY KEY,
        job_id BLOB NOT NULL,
        moment REAL NOT NULL,
        what TEXT NOT NULL,
        reason TEXT NOT NULL,
        details TEXT NOT NULL
    );
    CREATE INDEX decisions_by_job ON decisions (job_id);
    CREATE TABLE speeds (model TEXT PRIMARY KEY, seconds REAL NOT NULL);
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    """
    + CURSOR_SCHEMA,
    """
    CREATE TABLE slices (
        job_id BLOB NOT NULL REFERENCES jobs (job_id),
        number INTEGER NOT NULL,
        proof BLOB NOT NULL,
        leaving TEXT NOT NULL,
        seconds REAL NOT NULL,
        PRIMARY KEY (job_id, number)
    );
    """,
    """
    ALTER TABLE jobs ADD COLUMN closed_at REAL;
    ALTER TABLE jobs ADD COLUMN outcome TEXT;
    CREATE INDEX jobs_by_closing ON jobs (closed, closed_at);
    CREATE TABLE records (
        job_id BLOB PRIMARY KEY,
        model_id BLOB NOT NULL,
        requester TEXT NOT NULL,
        block INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        price TEXT NOT NULL,
        closed_at REAL NOT NULL
    );
    CREATE INDEX records_by_closing ON records (closed_at);
    CREATE TABLE totals (outcome TEXT PRIMARY KEY, jobs INTEGER NOT NULL, wei TEXT NOT NULL);
    """,
    """
    CREATE TABLE reasons (
        job_id BLOB PRIMARY KEY,
        moment INTEGER NOT NULL,
        reason TEXT NOT NULL,
        signature BLOB
    );
    CREATE INDEX reasons_by_moment ON reasons (moment);
    """,
    BANS,
)

RECORDS_KEPT = 100_000
"""Lines of pruned jobs that are kept; of older ones the totals by outcome stay."""
DECISIONS_KEPT = 20_000
"""Decisions kept of jobs that were dismissed as they were heard of."""
PRUNED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job as posted, and the worker's progress of it.

    Attributes:
        final_block: block at which the job was first seen in a final state; None while it is not.
    """

    job_id: bytes
    model_id: bytes
    requester: str
    block: int
    request: JobRequest
    input_words: tuple[int, ...]
    progress: JobProgress
    final_block: int | None


@dataclass(frozen=True, slots=True)
class StoredProof:
    """A proof that verified here."""

    proof: bytes
    output_words: tuple[int, ...]
    seconds: float


class WorkerStore:
    """The worker's database."""

    def __init__(self, path: Path | str) -> None:
        self.database = Database(path, _MIGRATIONS)

    def close(self) -> None:
        """Closes the file."""
        self.database.close()

    def add_job(self, event: JobSubmitted) -> bool:
        """Stores a job; False if it is known (events are delivered at least once)."""
        if self.database.row("SELECT 1 FROM jobs WHERE job_id = ?", event.job_id) is not None:
            return False
        request = asdict(event.request)
        request["model_id"], request["input_ref"] = request["model_id"].hex(), request["input_ref"].hex()
        self.database.execute(
            "INSERT INTO jobs (job_id, model_id, requester, block, request, input_words, track)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            event.job_id,
            event.model_id,
            event.requester,
            event.origin.block_number,
            json.dumps(request),
            _words_out(event.input_words),
            json.dumps(JobProgress().to_json()),
        )
        return True

    def open_jobs(self) -> list[StoredJob]:
        """Jobs that are not closed, oldest first."""
        return [
            _job(row)
            for row in self.database.rows("SELECT * FROM jobs WHERE closed = 0 ORDER BY block, rowid")
        ]

    def job(self, job_id: bytes) -> StoredJob | None:
        """A job, closed or not."""
        row = self.database.row("SELECT * FROM jobs WHERE job_id = ?", job_id)
        return None if row is None else _job(row)

    def jobs(self, limit: int = 100) -> list[StoredJob]:
        """The newest jobs, closed or not."""
        return [
            _job(row) for row in self.database.rows("SELECT * FROM jobs ORDER BY rowid DESC LIMIT ?", limit)
        ]

    def save_progress(self, job_id: bytes, progress: JobProgress) -> None:
        """Stores a changed progress."""
        self.database.execute(
            "UPDATE jobs SET track = ? WHERE job_id = ?", json.dumps(progress.to_json()), job_id
        )

    def set_final(self, job_id: bytes, block: int | None) -> None:
        """Notes since when a job is final, or that it no longer is."""
        self.database.execute("UPDATE jobs SET final_block = ? WHERE job_id = ?", block, job_id)

    def close_job(self, job_id: bytes, outcome: str) -> None:
        """The job is over for good: it is not looked at again, and its input is deleted.

        Args:
            job_id: the job.
            outcome: what became of it, in a word or two.
        """
        self.database.execute(
            "UPDATE jobs SET closed = 1, closed_at = ?, outcome = ?,"
            " track = json_set(track, '$.story', json('[]')) WHERE job_id = ?",
            time.time(),
            outcome,
            job_id,
        )
        self.database.execute("DELETE FROM inputs WHERE job_id = ?", job_id)
        self.drop_slices(job_id)

    def prune(self, keep: int) -> None:
        """Leaves a line of each closed job but the newest `keep`, and of the oldest lines a total."""
        rows = self.database.rows(
            "SELECT job_id, track FROM jobs WHERE closed = 1 ORDER BY closed_at DESC LIMIT ? OFFSET ?",
            PRUNED_AT_ONCE,
            keep,
        )
        for row in rows:
            view = json.loads(row["track"])["view"]
            self.database.execute(
                "INSERT OR REPLACE INTO records"
                " SELECT job_id, model_id, requester, block, outcome, ?, closed_at FROM jobs"
                " WHERE job_id = ?",
                str(0 if view is None else view["price"]),
                row["job_id"],
            )
            for table in ("inputs", "proofs", "slices", "decisions", "jobs"):
                self.database.execute(f"DELETE FROM {table} WHERE job_id = ?", row["job_id"])  # noqa: S608
        for row in self.database.rows(
            "SELECT * FROM records ORDER BY closed_at DESC LIMIT ? OFFSET ?", PRUNED_AT_ONCE, RECORDS_KEPT
        ):
            jobs, wei = self.totals().get(row["outcome"], (0, 0))
            self.database.execute(
                "INSERT OR REPLACE INTO totals VALUES (?, ?, ?)",
                row["outcome"],
                jobs + 1,
                str(wei + int(row["price"])),
            )
            self.database.execute("DELETE FROM records WHERE job_id = ?", row["job_id"])
        self.database.execute(
            "DELETE FROM decisions WHERE id <= (SELECT max(id) FROM decisions) - ?"
            " AND job_id NOT IN (SELECT job_id FROM jobs)",
            DECISIONS_KEPT,
        )
        self.database.execute(
            "DELETE FROM reasons WHERE moment <"
            " (SELECT moment FROM reasons ORDER BY moment DESC LIMIT 1 OFFSET ?)",
            DECISIONS_KEPT,
        )

    def totals(self) -> dict[str, tuple[int, int]]:
        """Jobs and wei by outcome, of those of which nothing else is left."""
        return {
            row["outcome"]: (int(row["jobs"]), int(row["wei"]))
            for row in self.database.rows("SELECT * FROM totals")
        }

    def outcomes(self) -> dict[str, int]:
        """How many jobs ended how, since this worker began."""
        counts = {outcome: jobs for outcome, (jobs, _) in self.totals().items()}
        for query in (
            "SELECT outcome, count(*) AS n FROM records GROUP BY outcome",
            "SELECT outcome, count(*) AS n FROM jobs WHERE closed = 1 AND outcome NOT NULL GROUP BY outcome",
        ):
            for row in self.database.rows(query):
                counts[row["outcome"]] = counts.get(row["outcome"], 0) + int(row["n"])
        return counts

    def reopen(self, job_id: bytes) -> None:
        """A re-org brought a closed job back."""
        self.database.execute(
            "UPDATE jobs SET closed = 0, closed_at = NULL, outcome = NULL, final_block = NULL"
            " WHERE job_id = ?",
            job_id,
        )

    def put_input(self, job_id: bytes, body: bytes) -> None:
        """Stores a sealed input."""
        self.database.execute("INSERT OR REPLACE INTO inputs VALUES (?, ?)", job_id, body)

    def input_of(self, job_id: bytes) -> bytes | None:
        """The sealed input of a job."""
        row = self.database.row("SELECT body FROM inputs WHERE job_id = ?", job_id)
        return None if row is None else row["body"]

    def drop_input(self, job_id: bytes) -> None:
        """Deletes an input that is not the job's."""
        self.database.execute("DELETE FROM inputs WHERE job_id = ?", job_id)

    def put_proof(self, job_id: bytes, proof: StoredProof) -> None:
        """Stores a proof; the slices it was made of are not needed any more."""
        self.database.execute(
            "INSERT OR REPLACE INTO proofs VALUES (?, ?, ?, ?)",
            job_id,
            proof.proof,
            _words_out(proof.output_words),
            proof.seconds,
        )
        self.drop_slices(job_id)

    def put_slice(self, job_id: bytes, number: int, part: SliceProof) -> None:
        """Stores the proof of slice `number`, from 0."""
        self.database.execute(
            "INSERT OR REPLACE INTO slices VALUES (?, ?, ?, ?, ?)",
            job_id,
            number,
            part.proof,
            _words_out(part.leaving),
            part.seconds,
        )

    def slices_of(self, job_id: bytes) -> tuple[SliceProof, ...]:
        """The slices of a job that are proven, from the first as far as they go without a gap."""
        rows = self.database.rows("SELECT * FROM slices WHERE job_id = ? ORDER BY number", job_id)
        return tuple(
            SliceProof(row["proof"], _words_in(row["leaving"]), row["seconds"])
            for place, row in enumerate(rows)
            if row["number"] == place
        )

    def drop_slices(self, job_id: bytes) -> None:
        """Forgets the slices of a job."""
        self.database.execute("DELETE FROM slices WHERE job_id = ?", job_id)

    def proof_of(self, job_id: bytes) -> StoredProof | None:
        """The proof of a job."""
        row = self.database.row("SELECT * FROM proofs WHERE job_id = ?", job_id)
        if row is None:
            return None
        return StoredProof(row["proof"], _words_in(row["output_words"]), row["seconds"])

    def decide(self, job_id: bytes, what: str, reason: str, details: dict[str, Any]) -> None:
        """Notes a decision and its reason."""
        self.database.execute(
            "INSERT INTO decisions (job_id, moment, what, reason, details) VALUES (?, ?, ?, ?, ?)",
            job_id,
            time.time(),
            what,
            reason,
            json.dumps(details, default=str),
        )

    def decisions(self, job_id: bytes) -> list[tuple[float, str, str]]:
        """Moment, decision and reason, oldest first."""
        rows = self.database.rows(
            "SELECT moment, what, reason FROM decisions WHERE job_id = ? ORDER BY id", job_id
        )
        return [(row["moment"], row["what"], row["reason"]) for row in rows]

    def tell(self, job_id: bytes, moment: int, reason: str) -> None:
        """What a job's requester is told of why this worker stays out; "" for nothing any more.

        Args:
            job_id: the job.
            moment: seconds since the epoch.
            reason: in words; see `reasons`.
        """
        known = self.reason_of(job_id)
        if reason and (known is None or known[1] != reason):
            self.database.execute(
                "INSERT OR REPLACE INTO reasons VALUES (?, ?, ?, NULL)", job_id, moment, reason
            )
        elif not reason and known is not None:
            self.database.execute("DELETE FROM reasons WHERE job_id = ?", job_id)

    def reason_of(self, job_id: bytes) -> tuple[int, str, bytes | None] | None:
        """Moment, reason, and the signature if it was signed; None if there is no reason to give."""
        row = self.database.row("SELECT * FROM reasons WHERE job_id = ?", job_id)
        return None if row is None else (int(row["moment"]), row["reason"], row["signature"])

    def sign_reason(self, job_id: bytes, moment: int, reason: str, signature: bytes) -> None:
        """Keeps a reason's signature, with the words as they were signed."""
        self.database.execute(
            "UPDATE reasons SET reason = ?, signature = ? WHERE job_id = ? AND moment = ?",
            reason,
            signature,
            job_id,
            moment,
        )

    def speed_of(self, model: str) -> float | None:
        """Measured seconds of a proof of a model, by its circuit's hash."""
        row = self.database.row("SELECT seconds FROM speeds WHERE model = ?", model)
        return None if row is None else row["seconds"]

    def set_speed(self, model: str, seconds: float) -> None:
        """Stores a measured speed: the seconds that a proof took."""
        self.database.execute("INSERT OR REPLACE INTO speeds VALUES (?, ?)", model, seconds)

    def counter(self, name: str) -> int:
        """A counter's value, 0 if it was never set."""
        row = self.database.row("SELECT value FROM counters WHERE name = ?", name)
        return 0 if row is None else int(row["value"])

    def set_counter(self, name: str, value: int) -> None:
        """Sets a counter."""
        self.database.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", name, value)


def _words_out(words: Sequence[int]) -> str:
    return json.dumps([hex(word) for word in words])


def _words_in(text: str) -> tuple[int, ...]:
    return tuple(int(word, 16) for word in json.loads(text))


def _job(row: Any) -> StoredJob:
    request = json.loads(row["request"])
    request["model_id"], request["input_ref"] = (
        bytes.fromhex(request["model_id"]),
        bytes.fromhex(request["input_ref"]),
    )
    return StoredJob(
        job_id=row["job_id"],
        model_id=row["model_id"],
        requester=row["requester"],
        block=row["block"],
        request=JobRequest(**request),
        input_words=_words_in(row["input_words"]),
        progress=JobProgress.from_json(json.loads(row["track"])),
        final_block=row["final_block"],
    )
