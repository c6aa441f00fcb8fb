"""Calls, views, events and errors against the packaged ABI, without a node."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, cast

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from assay_node.chain import (
    ChainError,
    ContractReverted,
    Deployment,
    DeploymentError,
    JobRequest,
    JobState,
    JobSubmitted,
    Log,
    Market,
    ModelSpec,
    Node,
    RpcError,
    artifact,
    create_address,
    decode_event,
    decode_revert,
    interface,
)
from assay_node.chain.contracts.contracts import CONTRACTS, interfaces, read_view
from assay_node.chain.contracts.events import _TYPES
from assay_node.chain.contracts.interface import snake_case
from assay_node.chain.contracts.reverts import _SENTENCES
from assay_node.chain.node.node_errors import revert_data

A, B = "0x" + "Aa" * 20, "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"
JOB = b"\x07" * 32


class OneAnswer:
    """A node with one thing to say."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer

    async def call(self, *_: Any, **__: Any) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def one_answer(answer: Any) -> Node:
    """A node that answers every call so, and has nothing else."""
    return cast("Node", OneAnswer(answer))


def selector(signature: str) -> bytes:
    return bytes(keccak(text=signature)[:4])


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_artifact_is_packaged(name):
    compiled = artifact(name)
    assert len(compiled.creation_code) > 1000


def test_unknown_artifact_is_one_clear_error():
    with pytest.raises(DeploymentError, match="no compiled contract Nothing"):
        artifact("Nothing")


def test_call_encodes_selector_and_arguments():
    call = Market(one_answer(b""), A).place_bid(JOB, 12)
    assert call.data == selector("placeBid(bytes32,uint128)") + JOB + (12).to_bytes(32, "big")
    assert call.to == A


def test_struct_arguments_round_trip():
    request = JobRequest(JOB, 5, 1, 2, 60, 61, 62, b"\x01" * 32, "http://x", B, 9, True, 2)
    call = Market(one_answer(b""), A).submit_job(request, [3, 4], value=77)
    decoded = interface("Market").decode_arguments("submitJob", call.data)
    assert JobRequest(**decoded["request"]) == request
    assert decoded["input_words"] == (3, 4)
    assert call.value == 77
    with pytest.raises(ValueError, match=r"no call of Market\.award"):
        interface("Market").decode_arguments("award", call.data)


async def test_job_view_decodes_every_field():
    values = (JOB, b"\x08" * 32, A, 3, 1, 0, 60, True, 2, B, 61, 62, A, 999, 10, 9, 8, 7)
    kinds = (
        "(bytes32,bytes32,address,uint8,uint8,uint32,uint32,bool,uint8,address,uint32,uint32,address,uint64"
        ",uint128,uint128,uint128,uint128)"
    )
    job = await Market(one_answer(encode([kinds], [values])), A).job_of(JOB)
    assert (job.state, job.round, job.worker, job.deadline) == (JobState.ACCEPTED, 1, B, 999)
    assert (job.bid_window, job.requester_awards, job.rounds, job.accept_window) == (60, True, 2, 61)
    assert (job.max_price, job.price, job.min_stake, job.collateral) == (10, 9, 8, 7)


async def test_view_of_nothing_says_so():
    with pytest.raises(ChainError, match="no Market at"):
        await Market(one_answer(b""), A).job_of(JOB)


async def test_view_that_reverts_is_decoded():
    data = selector("JobUnknown(bytes32)") + JOB
    error = RpcError("eth_call", 3, "execution reverted", "0x" + data.hex())
    with pytest.raises(ContractReverted, match="the market has no job 0x0707"):
        await Market(one_answer(error), A).job_of(JOB)


async def test_other_node_errors_pass_through():
    with pytest.raises(RpcError):
        await Market(one_answer(RpcError("eth_call", -32000, "header not found")), A).job_of(JOB)


def test_job_submitted_is_decoded():
    request = JobRequest(JOB, 5, input_uri="http://x")
    kinds = [
        "uint256",
        "uint64",
        "(bytes32,uint128,uint128,uint128,uint32,uint32,uint32,bytes32,string,address,uint32,bool,uint8)",
        "uint256[]",
    ]
    signature = f"JobSubmitted(bytes32,bytes32,address,{','.join(kinds)})"
    topics = (bytes(keccak(text=signature)), JOB, b"\x09" * 32, bytes(12) + bytes.fromhex(B[2:]))
    data = encode(kinds, [4, 1234, request.abi(), [1, 2]])
    log = Log(A, topics, data, 5, b"\x01" * 32, b"\x02" * 32, 3)
    event = decode_event({A: interface("Market")}, log)
    assert isinstance(event, JobSubmitted)
    assert (event.job_id, event.requester, event.nonce, event.bid_deadline) == (JOB, B, 4, 1234)
    assert event.request == request
    assert event.input_words == (1, 2)
    assert event.origin.block_number == 5


def test_every_event_class_matches_the_abi():
    """An event whose fields drift from the contract's would fail only when it first happens."""
    from dataclasses import fields

    events: dict[str, set[str]] = {}
    for name in CONTRACTS:
        for entry in _abi(name):
            if entry["type"] == "event":
                events[entry["name"]] = {snake_case(argument["name"]) for argument in entry["inputs"]}
    for name, kind in _TYPES.items():
        assert {field.name for field in fields(kind)} - {"origin"} == events[name], name


def test_every_sentence_is_about_an_error_that_exists_and_reads_its_arguments():
    known: dict[str, Any] = {}
    for name in (*CONTRACTS, "errors"):
        known.update({entry["name"]: entry for entry in _abi(name) if entry["type"] == "error"})
    samples = {"bytes32": JOB, "address": A, "bytes": b"", "string": "x"}
    for name in _SENTENCES:
        entry = known[name]
        values = [samples.get(argument["type"], 1) for argument in entry["inputs"]]
        types = [argument["type"] for argument in entry["inputs"]]
        data = selector(f"{name}({','.join(types)})") + encode(types, values)
        text = str(decode_revert(data, interfaces()))
        assert "the contract refused" not in text, text


def test_error_without_a_sentence_is_shown_whole():
    data = selector("WrongWiring(address)") + encode(["address"], [A])
    assert "the contract refused: WrongWiring(component=0x" in str(decode_revert(data, interfaces()))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "without a reason"),
        (bytes.fromhex("08c379a0") + encode(["string"], ["no"]), "the contract refused: no"),
        (bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]), "arithmetic overflow"),
        (bytes.fromhex("08c379a0") + b"\xff" * 5, "reverted with 0x08c379a0"),
        (b"\x01\x02\x03\x04", "reverted with 0x01020304"),
        (selector("JobUnknown(bytes32)") + b"\x01", "reverted with 0x"),
    ],
)
def test_other_reverts_are_readable(data, text):
    assert text in str(decode_revert(data, interfaces()))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RpcError("m", 3, "execution reverted", "0x1234"), b"\x12\x34"),
        (RpcError("m", -32000, "execution reverted"), b""),
        (RpcError("m", -32603, "x", {"data": "0x1234", "message": "y"}), b"\x12\x34"),
        (RpcError("m", -32015, "VM execution error", "Reverted 0x1234"), b"\x12\x34"),
        (RpcError("m", -32000, "insufficient funds for gas * price + value"), None),
    ],
)
def test_revert_data_of_every_kind_of_node(error, expected):
    assert revert_data(error) == expected


def test_create_address_is_known():
    # The well-known first contract of the well-known first development account.
    assert (
        create_address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", 0)
        == "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    )


def test_model_spec_order_is_the_contracts():
    names = _fields("ModelRegistry", "register")
    spec = ModelSpec(
        b"\x01" * 32,
        b"\x02" * 32,
        b"\x03" * 32,
        n_in=1,
        n_out=2,
        input_private=True,
        output_encrypted=False,
        output_committed=True,
        ceremony_hash=b"\x04" * 32,
        uri="u",
        royalty_bps=3,
    )
    assert spec.abi() == tuple(getattr(spec, snake_case(name)) for name in names)


def test_job_request_order_is_the_contracts():
    names = _fields("Market", "submitJob")
    request = JobRequest(JOB, 5, 1, 2, 60, 61, 62, b"\x01" * 32, "u", B, 9, True, 2)
    assert request.abi() == tuple(getattr(request, snake_case(name)) for name in names)


def test_deployment_round_trip(tmp_path):
    deployment = Deployment(chain_id=1, block=2, verifier=A.lower(), models=A, vault=A, workers=A, market=B)
    deployment.save(tmp_path / "d" / "x.json")
    assert Deployment.load(tmp_path / "d" / "x.json") == deployment
    assert deployment.verifier != A.lower()  # checksummed


@pytest.mark.parametrize("text", ["", "{}", '{"chain_id": 1}', "\x00\xff"])
def test_damaged_deployment_is_one_clear_error(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DeploymentError, match="no deployment file"):
        Deployment.load(tmp_path / "x.json")


def test_missing_deployment_is_one_clear_error(tmp_path):
    with pytest.raises(DeploymentError, match="Deploy first"):
        Deployment.load(tmp_path / "x.json")


def _abi(name: str) -> list[dict[str, Any]]:
    import assay_node

    path = Path(assay_node.__file__).parent / "abi" / f"{name}.json"
    abi: list[dict[str, Any]] = json.loads(path.read_text())["abi"]
    return abi


def _fields(contract: str, function: str) -> list[str]:
    entry = next(entry for entry in _abi(contract) if entry.get("name") == function)
    return [field["name"] for field in entry["inputs"][0]["components"]]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("Market", "jobOf"),
        ("WorkerRegistry", "workerOf"),
        ("ModelRegistry", "modelOf"),
        ("ModelRegistry", "verifyingKeyOf"),
    ],
)
@pytest.mark.parametrize("word", [2**256 - 1, 2**255, 2**64, 2**63 - 1, 2**31, 5])
def test_any_word_of_a_views_answer_may_be_a_lie(name, function, word):
    contract = interface(name)
    for place in range(24):
        words = [32, *[0] * 23]
        words[place] = word
        data = b"".join(value.to_bytes(32) for value in words)
        with contextlib.suppress(ChainError):
            read_view(A, contract, function, data)


@pytest.mark.parametrize("word", [2**256 - 1, 2**64, 5])
def test_revert_data_with_offsets_that_lie_is_still_a_refusal(word):
    data = bytes.fromhex("08c379a0") + word.to_bytes(32) + bytes(64)
    assert isinstance(decode_revert(data, list(interfaces())), ContractReverted)
