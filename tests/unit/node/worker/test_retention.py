"""What a worker's database keeps, and what it lets go of."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from assay_node.chain import JobRequest, JobState, JobSubmitted, Origin
from assay_node.worker import WorkerStore, store
from assay_node.worker.lifecycle.events import JobView
from assay_node.worker.lifecycle.progress import JobProgress
from assay_node.worker.store import StoredProof

ME = "0x" + "11" * 20


def job_id(number: int) -> bytes:
    return number.to_bytes(32, "big")


def filled(path: Path, jobs: int) -> WorkerStore:
    """A store of so many closed jobs, each paid 5 wei, with a proof and a decision."""
    opened = WorkerStore(path)
    for number in range(jobs):
        event = JobSubmitted(
            Origin(number, bytes(32), bytes(32), 0),
            job_id(number),
            bytes(32),
            ME,
            0,
            1,
            JobRequest(bytes(32), max_price=9),
            (5,),
        )
        with opened.database.transaction():
            opened.add_job(event)
            view = JobView(JobState.SETTLED, 0, ME, 5, 1, 9, None)
            opened.save_progress(job_id(number), JobProgress(view=view, story=("a long story",) * 40))
            opened.put_input(job_id(number), b"sealed")
            opened.put_proof(job_id(number), StoredProof(b"proof", (1,), 2.0))
            opened.decide(job_id(number), "bid", "5 wei", {})
            opened.close_job(job_id(number), "paid")
    return opened


def test_closed_jobs_are_kept_up_to_a_number_and_a_line_of_the_others(tmp_path: Path) -> None:
    opened = filled(tmp_path / "worker.sqlite", 7)
    opened.prune(3)
    kept = [job.job_id for job in opened.jobs()]
    assert kept == [job_id(6), job_id(5), job_id(4)]
    assert opened.proof_of(job_id(6)) is not None
    for number in range(4):
        assert opened.job(job_id(number)) is None
        assert opened.proof_of(job_id(number)) is None
        assert opened.decisions(job_id(number)) == []
    assert opened.outcomes() == {"paid": 7}
    opened.close()


def test_what_is_sealed_and_told_goes_when_a_job_is_closed(tmp_path: Path) -> None:
    opened = filled(tmp_path / "worker.sqlite", 1)
    assert opened.input_of(job_id(0)) is None
    (job,) = opened.jobs()
    assert job.progress.story == ()
    opened.close()


def test_the_oldest_lines_become_totals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RECORDS_KEPT", 2)
    opened = filled(tmp_path / "worker.sqlite", 9)
    for _ in range(2):  # the second time there is nothing left to do
        opened.prune(1)
        assert opened.totals() == {"paid": (6, 30)}
        assert opened.outcomes() == {"paid": 9}
    opened.close()


def test_decisions_on_jobs_that_were_dismissed_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "DECISIONS_KEPT", 10)
    opened = filled(tmp_path / "worker.sqlite", 1)
    for number in range(100, 150):
        opened.decide(job_id(number), "declined", "too cheap", {})
    opened.prune(5)
    assert sum(bool(opened.decisions(job_id(number))) for number in range(100, 150)) == 10
    assert opened.decisions(job_id(0)) != []  # of a job that is kept
    opened.close()


def test_an_open_job_is_never_pruned(tmp_path: Path) -> None:
    opened = filled(tmp_path / "worker.sqlite", 3)
    opened.reopen(job_id(1))
    opened.prune(0)
    assert [job.job_id for job in opened.open_jobs()] == [job_id(1)]
    assert opened.outcomes() == {"paid": 2}
    opened.close()


def test_a_backup_made_while_the_worker_writes_can_be_opened(tmp_path: Path) -> None:
    """As the guide says: SQLite's own backup, not a copy of the file."""
    opened = filled(tmp_path / "worker.sqlite", 5)
    with sqlite3.connect(tmp_path / "worker.sqlite") as live, sqlite3.connect(tmp_path / "copy") as copy:
        live.backup(copy)
    opened.close()
    (tmp_path / "restored").mkdir()
    shutil.copy(tmp_path / "copy", tmp_path / "restored" / "worker.sqlite")
    restored = WorkerStore(tmp_path / "restored" / "worker.sqlite")
    assert restored.outcomes() == {"paid": 5}
    restored.close()


def test_a_database_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    """Progress that was stored without what is known today has its defaults."""
    opened = filled(tmp_path / "worker.sqlite", 1)
    opened.reopen(job_id(0))
    opened.database.execute(
        "UPDATE jobs SET track = json_remove(track, '$.awarded_round', '$.unservable', '$.last_refused',"
        " '$.view.rounds', '$.view.backing', '$.view.collateral', '$.view.accept_window',"
        " '$.view.requester_awards')"
    )
    (job,) = opened.open_jobs()
    assert (job.progress.awarded_round, job.progress.view and job.progress.view.backing) == (-1, 0)
    opened.close()
