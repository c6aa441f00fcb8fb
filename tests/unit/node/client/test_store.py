"""The requester's job store: nothing lost, nothing readable without the account's key."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assay_node.chain.errors import DatabaseFailed
from assay_node.client.errors import StoreError
from assay_node.client.store import JobSecrets, JobStore, StoreKey

KEY = StoreKey(b"\x11" * 32)
SECRETS = JobSecrets(salt=2**250 + 12345, integers=np.array([3, -7, 0, 2**40]), shape=(1, 4))
DRAFT, JOB = b"\xaa" * 32, b"\xbb" * 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    with JobStore(tmp_path / "home" / "jobs.sqlite") as opened:
        yield opened


def add(store: JobStore, draft_id: bytes = DRAFT, secrets: JobSecrets = SECRETS) -> None:
    store.add_draft(
        draft_id,
        chain_id=31337,
        market="0x" + "22" * 20,
        requester="0x" + "33" * 20,
        model_id=b"\x44" * 32,
        bundle=Path("bundle"),
        secrets=secrets,
        key=KEY,
    )


def test_secrets_survive_reopening(store: JobStore) -> None:
    add(store)
    store.set_job_id(DRAFT, JOB)
    store.close()
    with JobStore(store.path) as again:
        secrets = again.secrets(again.by_job(JOB), KEY)
    assert secrets.salt == SECRETS.salt
    assert secrets.shape == (1, 4)
    np.testing.assert_array_equal(secrets.integers, SECRETS.integers)


def test_another_account_cannot_open_them(store: JobStore) -> None:
    add(store)
    with pytest.raises(StoreError, match="does not open with this account's key"):
        store.secrets(store.records()[0], StoreKey(b"\x12" * 32))


def test_a_box_moved_to_another_draft_does_not_open(store: JobStore) -> None:
    add(store)
    add(store, b"\xab" * 32, JobSecrets(1, np.array([1]), (1,)))
    with sqlite3.connect(store.path) as db:
        db.execute(
            "UPDATE jobs SET sealed = (SELECT sealed FROM jobs WHERE draft_id = ?) WHERE draft_id = ?",
            (DRAFT, b"\xab" * 32),
        )
    db.close()
    moved = next(record for record in store.records() if record.draft_id == b"\xab" * 32)
    with pytest.raises(StoreError, match="does not open"):
        store.secrets(moved, KEY)


def test_neither_salt_nor_input_is_in_the_file(store: JobStore) -> None:
    add(store)
    store.close()
    content = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    assert SECRETS.salt is not None
    for secret in (
        f"{SECRETS.salt:x}".encode(),
        SECRETS.salt.to_bytes(32, "big"),
        SECRETS.integers.tobytes(),
    ):
        assert secret not in content
    assert DRAFT in content  # the search does look where the data is


def test_the_file_is_its_owners_alone(store: JobStore) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_draft_without_a_job_is_found_again(store: JobStore) -> None:
    add(store)
    found = store.drafts(chain_id=31337, market="0x" + "22" * 20, requester="0x" + "33" * 20)
    assert [record.draft_id for record in found] == [DRAFT]
    store.set_job_id(DRAFT, JOB)
    assert store.drafts(chain_id=31337, market="0x" + "22" * 20, requester="0x" + "33" * 20) == []


def test_discard_spares_a_draft_that_became_a_job(store: JobStore) -> None:
    add(store)
    store.set_job_id(DRAFT, JOB)
    store.discard(DRAFT)
    assert store.by_job(JOB).draft_id == DRAFT


def test_an_unknown_job_is_refused_by_name(store: JobStore) -> None:
    with pytest.raises(StoreError, match="was not posted from"):
        store.by_job(JOB)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    path.write_text("these are notes, not a database" * 10)
    with pytest.raises(DatabaseFailed, match="cannot open the database"):
        JobStore(path)


def test_a_later_version_is_refused(store: JobStore) -> None:
    store.close()
    with sqlite3.connect(store.path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(DatabaseFailed, match="newer version"):
        JobStore(store.path)
