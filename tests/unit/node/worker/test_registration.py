"""What a worker signs of itself, whatever a node says of its registration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from assay_node.chain import (
    AnswerForged,
    Outbox,
    SignedRegistration,
    WorkerRecord,
    is_signed,
    sign_registration,
)
from assay_node.worker import WorkerError, register
from assay_node.worker.registration import check_record

ENDPOINT, KEY = "https://worker.example", b"\x07" * 32
CHAIN, REGISTRY = 31337, "0x" + "12" * 20
ME: LocalAccount = Account.from_key(b"\x01" * 32)
EMPTY = WorkerRecord(
    registered=False,
    stake=0,
    reserved=0,
    leaving=0,
    leaves_at=0,
    revision=0,
    completed=0,
    missed=0,
    failed=0,
    encryption_key=bytes(32),
    endpoint="",
    signature=b"",
)


def at(revision: int, by: LocalAccount = ME) -> WorkerRecord:
    """A record that an account signed."""
    signature = sign_registration(by, CHAIN, REGISTRY, ENDPOINT, KEY, revision)
    described = replace(EMPTY, endpoint=ENDPOINT, encryption_key=KEY, signature=signature)
    return replace(described, registered=True, revision=revision)


def signed(revision: int, *, mined: bool) -> SignedRegistration:
    return SignedRegistration(revision, ENDPOINT, KEY, mined)


@pytest.mark.parametrize(
    "record",
    [
        replace(at(3), revision=2**32 - 2),
        replace(at(3), endpoint="https://thief.example"),
        replace(at(3), encryption_key=b"\x08" * 32),
        replace(at(3), signature=bytes(65)),
        replace(EMPTY, revision=2**32 - 2),
        at(2**31, by=Account.from_key(b"\x02" * 32)),
    ],
    ids=["a jump", "another endpoint", "another key", "no signature", "an unregistered jump", "a stranger's"],
)
@pytest.mark.parametrize("last", [None, signed(3, mined=True)], ids=["new home", "known"])
def test_a_number_that_this_account_never_signed_is_not_built_upon(
    record: WorkerRecord, last: SignedRegistration | None
) -> None:
    with pytest.raises(AnswerForged, match="never signed") as refused:
        check_record(record, ME.address, CHAIN, REGISTRY, last)
    assert str(record.revision) in str(refused.value)


@pytest.mark.parametrize(
    ("record", "last"),
    [
        (at(2), signed(3, mined=True)),
        (EMPTY, signed(3, mined=True)),
        (EMPTY, signed(1, mined=True)),
        (at(1), signed(3, mined=False)),
    ],
)
def test_a_record_older_than_what_was_on_the_chain_is_not_built_upon(
    record: WorkerRecord, last: SignedRegistration
) -> None:
    with pytest.raises(WorkerError, match="on the chain before"):
        check_record(record, ME.address, CHAIN, REGISTRY, last)


@pytest.mark.parametrize(
    ("record", "last"),
    [
        (EMPTY, None),
        (at(5), None),
        (at(3), signed(3, mined=True)),
        (at(3), signed(3, mined=False)),
        (at(2), signed(3, mined=False)),
        (EMPTY, signed(1, mined=False)),
        (at(7), signed(3, mined=True)),
    ],
    ids=["first", "another home's", "as known", "mined unseen", "not mined", "first not mined", "moved home"],
)
def test_what_this_account_signed_itself_is_built_upon(
    record: WorkerRecord, last: SignedRegistration | None
) -> None:
    check_record(record, ME.address, CHAIN, REGISTRY, last)


class Lying:
    """The worker registry as a node may show it."""

    def __init__(self, workers: Any) -> None:
        self._workers = workers
        self.address = workers.address
        self.update, self.register = workers.update, workers.register
        self.shown: WorkerRecord | None = None

    async def worker_of(self, worker: str) -> WorkerRecord:
        found: WorkerRecord = await self._workers.worker_of(worker)
        return self.shown or found


async def test_a_node_that_lies_about_the_revision_is_signed_nothing(marketplace: Any, tmp_path: Any) -> None:
    """End to end: what it could have had signed would have shut the worker's next descriptions out."""
    async with marketplace() as place:
        account = Account.from_key(b"\x02" * 32)
        honest = place.chain.workers
        place.chain.workers = lying = Lying(honest)
        async with await Outbox.open(place.node, account, tmp_path / "outbox.sqlite") as outbox:
            await register(place.chain, outbox, ENDPOINT, KEY)
            await register(place.chain, outbox, "https://second.example", KEY)
            second = await honest.worker_of(account.address)
            for shown in (
                replace(second, revision=2**32 - 2),
                replace(EMPTY, revision=2**32 - 2),
                EMPTY,
                replace(second, endpoint="https://third.example"),
            ):
                lying.shown = shown
                for endpoint in ("https://third.example", ENDPOINT):
                    with pytest.raises((AnswerForged, WorkerError)):
                        await register(place.chain, outbox, endpoint, KEY)
            last = outbox.registrations.last(honest.address)
            assert last == SignedRegistration(2, "https://second.example", KEY, mined=True)
            assert await honest.worker_of(account.address) == second
        async with await Outbox.open(place.node, account, tmp_path / "outbox.sqlite") as outbox:
            assert outbox.registrations.last(honest.address) == last  # a restart forgets nothing
            lying.shown = None
            await register(place.chain, outbox, "https://third.example", KEY)
            record = await honest.worker_of(account.address)
            assert (record.revision, record.endpoint) == (3, "https://third.example")
            assert is_signed(record, account.address, place.chain.deployment.chain_id, honest.address)
