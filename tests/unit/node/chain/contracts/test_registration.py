"""A worker's signature over where its inputs go: it holds whoever serves the record, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from assay_node.chain import WorkerRecord, is_signed, sign_registration

ACCOUNT: LocalAccount = Account.from_key(b"\x11" * 32)
OTHER: LocalAccount = Account.from_key(b"\x22" * 32)
CHAIN, REGISTRY, KEY = 31337, "0x" + "ab" * 20, b"\x05" * 32
RECORD = WorkerRecord(
    registered=True,
    stake=10,
    reserved=0,
    leaving=0,
    leaves_at=0,
    revision=3,
    completed=0,
    missed=0,
    failed=0,
    encryption_key=KEY,
    endpoint="https://w.example",
    signature=sign_registration(ACCOUNT, CHAIN, REGISTRY, "https://w.example", KEY, 3),
)


def test_a_record_with_the_workers_signature_is_signed() -> None:
    assert is_signed(RECORD, ACCOUNT.address, CHAIN, REGISTRY)
    assert is_signed(RECORD, ACCOUNT.address.lower(), CHAIN, REGISTRY.upper().replace("X", "x"))


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "https://x.example"},
        {"endpoint": "\udcff"},
        {"encryption_key": b"\x06" * 32},
        {"encryption_key": b"\x05" * 31},
        {"revision": 2},
        {"signature": b""},
        {"signature": bytes(65)},
        {"signature": b"\xff" * 65},
        {"signature": RECORD.signature[:64]},
        {"signature": RECORD.signature + b"\x00"},
        {"signature": sign_registration(OTHER, CHAIN, REGISTRY, "https://w.example", KEY, 3)},
    ],
)
def test_a_record_changed_by_whoever_served_it_is_not_signed(change: dict[str, object]) -> None:
    assert not is_signed(replace(RECORD, **change), ACCOUNT.address, CHAIN, REGISTRY)  # type: ignore[arg-type]


def test_a_signature_counts_for_one_worker_chain_and_registry() -> None:
    assert not is_signed(RECORD, OTHER.address, CHAIN, REGISTRY)
    assert not is_signed(RECORD, ACCOUNT.address, 1, REGISTRY)
    assert not is_signed(RECORD, ACCOUNT.address, CHAIN, "0x" + "ac" * 20)
