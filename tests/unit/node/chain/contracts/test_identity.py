"""Each field of a posted job, a model and a contract's code is changed in turn, and found out."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from assay_node.chain import AnswerForged, JobRequest, JobSubmitted, Model, ModelSpec, Origin
from assay_node.chain.contracts.artifacts import artifact
from assay_node.chain.contracts.contracts import CONTRACTS
from assay_node.chain.contracts.identity import (
    check_event,
    check_model,
    job_id_of,
    model_id_of,
)
from assay_node.chain.contracts.runtime_code import check_code

A, B, C = (to_checksum_address("0x" + pair * 20) for pair in ("a1", "b2", "c3"))
REQUEST = JobRequest(
    b"\x01" * 32, 10**15, 5, 7, 60, 300, 3600, b"\x02" * 32, "http://x", C, 50_000, requester_awards=True
)
WORDS = (3, 4)
JOB_ID = job_id_of(1337, A, B, 9, REQUEST, WORDS)
SUBMITTED = JobSubmitted(
    Origin(1, bytes(32), bytes(32), 0), JOB_ID, REQUEST.model_id, B, 9, 1234, REQUEST, WORDS
)
SPEC = ModelSpec(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, 1, 2, True, False, royalty_bps=100, uri="http://m")
MODEL = Model(A, B, False, C, b"\x07" * 32, b"\x08" * 64, SPEC)
MODEL_ID = model_id_of(A, MODEL.vk_hash, MODEL.model_commitment, SPEC)
NOT_IN_A_MODELS_ID = {"payout", "retired", "verifying_key", "uri"}


def changed(value: Any) -> Any:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case tuple():
            return (*value, 1)
        case _:
            return C if value == B else B if value.startswith("0x") else value + "y"


def test_honest_fields_pass() -> None:
    check_event(SUBMITTED, 1337, A)
    check_model(MODEL_ID, MODEL)


@pytest.mark.parametrize("name", [field.name for field in fields(JobRequest)])
def test_a_request_changed_in_a_log_is_refused(name: str) -> None:
    request = replace(REQUEST, **{name: changed(getattr(REQUEST, name))})
    with pytest.raises(AnswerForged, match="job 0x"):
        check_event(replace(SUBMITTED, request=request), 1337, A)


@pytest.mark.parametrize("name", ["job_id", "model_id", "requester", "nonce", "input_words"])
def test_a_log_of_another_job_is_refused(name: str) -> None:
    with pytest.raises(AnswerForged):
        check_event(replace(SUBMITTED, **{name: changed(getattr(SUBMITTED, name))}), 1337, A)


@pytest.mark.parametrize(("chain", "market"), [(1, A), (1337, B)])
def test_a_job_of_another_market_is_refused(chain: int, market: str) -> None:
    with pytest.raises(AnswerForged):
        check_event(SUBMITTED, chain, market)


@pytest.mark.parametrize(
    "name", [f.name for f in fields(Model) if f.name not in {"spec", *NOT_IN_A_MODELS_ID}]
)
def test_a_models_record_that_was_changed_is_refused(name: str) -> None:
    with pytest.raises(AnswerForged, match="model 0x"):
        check_model(MODEL_ID, replace(MODEL, **{name: changed(getattr(MODEL, name))}))


@pytest.mark.parametrize("name", [f.name for f in fields(ModelSpec) if f.name not in NOT_IN_A_MODELS_ID])
def test_a_models_terms_that_were_changed_are_refused(name: str) -> None:
    spec = replace(SPEC, **{name: changed(getattr(SPEC, name))})
    with pytest.raises(AnswerForged):
        check_model(MODEL_ID, replace(MODEL, spec=spec))


@pytest.mark.parametrize("name", CONTRACTS)
def test_other_code_at_an_address_is_refused(name: str) -> None:
    code = artifact(name).runtime_code
    check_code(name, A, code, [])
    for wrong in (code[:-1], code + b"\0", bytes([code[0] ^ 1]) + code[1:], b"", code[:-1] + b"\xff"):
        with pytest.raises(AnswerForged):
            check_code(name, A, wrong, [])


def test_a_market_that_points_to_another_vault_is_refused() -> None:
    code = artifact("Market").runtime_code
    slot = code.index(b"\x7f" + bytes(32)) + 1

    def pointing_to(address: str) -> bytes:
        return code[:slot] + bytes.fromhex(address[2:]).rjust(32, b"\0") + code[slot + 32 :]

    check_code("Market", A, pointing_to(B), [A, B])
    with pytest.raises(AnswerForged, match="points to other contracts"):
        check_code("Market", A, pointing_to(C), [A, B])
