"""A delivery's signature: who made it, for which job, worker, market and body; nothing else opens it."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from assay_node.signed_delivery import (
    BODY_HASH_HEADER,
    SIGNATURE_HEADER,
    delivery_headers,
    delivery_signer,
)

REQUESTER = Account.create()
WHERE: dict[str, Any] = {
    "chain_id": 31337,
    "market": "0x" + "11" * 20,
    "job_id": b"\x07" * 32,
    "worker": "0x" + "55" * 20,
}
BODY = b"sealed"


def test_the_signer_of_a_delivery_is_its_requester() -> None:
    headers = delivery_headers(REQUESTER, **WHERE, body=BODY)
    assert delivery_signer(headers, **WHERE) == (REQUESTER.address, keccak(BODY))


@pytest.mark.parametrize(
    "other",
    [
        {"chain_id": 1},
        {"market": "0x" + "12" * 20},
        {"job_id": b"\x08" * 32},
        {"worker": "0x" + "56" * 20},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_delivery_signed_for_something_else_is_not_the_requesters(other: dict[str, Any]) -> None:
    headers = delivery_headers(REQUESTER, **WHERE, body=BODY)
    found = delivery_signer(headers, **{**WHERE, **other})
    assert found is None or found[0] != REQUESTER.address


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (SIGNATURE_HEADER, ""),
        (SIGNATURE_HEADER, "0x"),
        (SIGNATURE_HEADER, "0x" + "00" * 65),
        (SIGNATURE_HEADER, "0x" + "ff" * 65),
        (SIGNATURE_HEADER, "0x" + "FF" * 65),
        (SIGNATURE_HEADER, " 0x" + "11" * 65),
        (BODY_HASH_HEADER, ""),
        (BODY_HASH_HEADER, "0x1_0" + "0" * 61),
    ],
)
def test_headers_that_are_no_signature_have_no_signer(name: str, value: str) -> None:
    headers = {**delivery_headers(REQUESTER, **WHERE, body=BODY), name: value}
    assert delivery_signer(headers, **WHERE) is None


def test_another_body_has_another_hash() -> None:
    headers = delivery_headers(REQUESTER, **WHERE, body=BODY)
    forged = {**headers, BODY_HASH_HEADER: "0x" + keccak(b"other").hex()}
    found = delivery_signer(forged, **WHERE)
    assert found is None or found[0] != REQUESTER.address
