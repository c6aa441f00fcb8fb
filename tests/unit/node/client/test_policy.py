"""Who may win a private input, and the book of trusted workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay_node.chain import WorkerRecord
from assay_node.chain.contracts.key_gas import KeyShape, most_words
from assay_node.client import (
    AwardPolicy,
    ClientError,
    JobTerms,
    RecordRule,
    StoreError,
    TrustBook,
    size_warning,
)
from assay_node.client.limits import require_publishable

ETHER = 10**18
LAB, OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


def record(stake: int = ETHER, completed: int = 0, missed: int = 0, failed: int = 0) -> WorkerRecord:
    return WorkerRecord(
        registered=True,
        stake=stake,
        reserved=0,
        leaving=0,
        leaves_at=0,
        revision=1,
        completed=completed,
        missed=missed,
        failed=failed,
        encryption_key=bytes(32),
        endpoint="https://worker.example",
        signature=bytes(65),
    )


def test_by_default_nobody_may_win() -> None:
    assert not AwardPolicy().admits_anyone
    assert "not one of the workers you named" in AwardPolicy().refusal(LAB, record(completed=1000))


def test_a_named_worker_needs_no_record_and_others_are_refused() -> None:
    policy = AwardPolicy.only([LAB])
    assert policy.refusal(LAB.lower(), record(stake=0, missed=9)) == ""
    assert policy.refusal(OTHER, record(completed=1000)) != ""


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (record(stake=ETHER - 1, completed=100), "its stake is"),
        (record(completed=9), "fewer than 10"),
        (record(completed=39, missed=2), "2 of its awards came to nothing, more than 1"),
        (record(completed=39, missed=1, failed=1), "more than 1"),
        (record(completed=40, missed=1, failed=1), ""),
    ],
)
def test_a_stranger_needs_stake_and_record(held: WorkerRecord, reason: str) -> None:
    refusal = AwardPolicy(strangers=RecordRule(min_stake=ETHER)).refusal(OTHER, held)
    assert (reason in refusal) if reason else refusal == ""


def test_a_policy_survives_storage() -> None:
    rule = RecordRule(min_stake=3, min_settled=2, max_missed=1)
    policy = AwardPolicy(workers=frozenset({LAB.lower()}), strangers=rule, pick="first")
    assert AwardPolicy.from_json(policy.to_json()) == policy
    with pytest.raises(StoreError, match="cannot be read"):
        AwardPolicy.from_json('{"workers": 1}')


def test_terms_that_say_nothing_put_money_behind_the_job() -> None:
    private = JobTerms(max_price=100).complete(private=True)
    assert (private.min_stake, private.collateral, private.rounds) == (200, 100, 1)
    public = JobTerms(max_price=100, collateral=7).complete(private=False)
    assert (public.min_stake, public.collateral, public.rounds) == (200, 7, 3)


def test_trusted_workers_are_kept_by_address_and_name(tmp_path: Path) -> None:
    path = tmp_path / "home" / "trust.json"
    TrustBook(path).add(LAB.lower(), "lab")
    book = TrustBook(path)
    assert book.workers == {LAB: "lab"}
    assert book.address_of("lab") == book.address_of(LAB.lower()) == LAB
    with pytest.raises(StoreError, match="another worker is called lab"):
        book.add(OTHER, "lab")
    with pytest.raises(StoreError, match="is not a trusted worker"):
        book.address_of("la")
    book.remove("lab")
    assert TrustBook(path).workers == {}


@pytest.mark.parametrize("name", ["a\x1b[31mb", "x" * 65, OTHER])
def test_a_name_that_could_deceive_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="is no name for a worker"):
        TrustBook(tmp_path / "trust.json").add(LAB, name)


@pytest.mark.parametrize(
    "text", ["{", '{"version": 2, "workers": {}}', '{"version": 1, "workers": {"x": ""}}']
)
def test_a_damaged_trust_file_is_named_and_not_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trust.json"
    path.write_text(text)
    with pytest.raises(StoreError, match="is no trust file"):
        TrustBook(path).add(LAB)
    assert path.read_text() == text


def test_a_statement_that_no_transaction_can_register_is_told_early() -> None:
    most = most_words(committed=True, private_weights=False)
    assert size_warning([KeyShape(most, True, False)]) == ""
    assert f"{most + 1} words" in size_warning([KeyShape(most + 1, True, False)])
    shape = KeyShape(most + 1, True, False)
    header = b"ASVK\x01\x01" + shape.words.to_bytes(6, "big")
    key = header.ljust(32, b"\0") + bytes(shape.key_bytes - 32)
    with pytest.raises(ClientError, match="could not be published"):
        require_publishable(key)
