"""Every custom error that the compiled contracts can revert with is decoded, whoever declared it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple, function_signature_to_4byte_selector

import assay_node
from assay_node.chain.contracts.contracts import CONTRACTS, interfaces
from assay_node.chain.contracts.reverts import decode_revert

ABI = Path(assay_node.__file__).parent / "abi"
_PANIC, _ERROR = bytes.fromhex("4e487b71"), bytes.fromhex("08c379a0")
_MASK = b"\xff" * 4
_PUSH0, _PUSH4, _PUSH32 = 0x5F, 0x63, 0x7F
_WRITES = tuple(bytes.fromhex(text) for text in ("60e01b", "5f52", "600052", "3d52"))
"""PUSH1 0xe0 SHL; PUSH0, PUSH1 0 or RETURNDATASIZE, then MSTORE."""
_EXAMPLES: dict[str, Any] = {
    "address": "0x" + "ab" * 20,
    "bytes32": b"\x07" * 32,
    "string": "text",
    "bool": True,
}


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ABI / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def selector(entry: dict[str, Any]) -> bytes:
    types = ",".join(collapse_if_tuple(field) for field in entry["inputs"])
    return bytes(function_signature_to_4byte_selector(f"{entry['name']}({types})"))


def written(code: bytes) -> Iterator[bytes]:
    """Selectors that a contract's code writes to memory, to call or to revert with.

    PUSH4 before a shift to the word's top or a store at 0, and words that are four bytes and zeros; a mask
    has fewer bytes, or all bits. A dispatcher compares and writes none.
    """
    at = 0
    while at < len(code):
        opcode = code[at]
        width = opcode - _PUSH0 if _PUSH0 < opcode <= _PUSH32 else 0
        value, rest = code[at + 1 : at + 1 + width], code[at + 1 + width :]
        if (opcode == _PUSH4 and rest.startswith(_WRITES)) or (
            opcode == _PUSH32 and any(value[2:4]) and not any(value[4:]) and value[:4] != _MASK
        ):
            yield value[:4]
        at += 1 + width


ERRORS = document("errors")["abi"]


@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry["name"])
def test_every_declared_error_is_decoded_with_its_arguments(entry: dict[str, Any]) -> None:
    kinds = [collapse_if_tuple(field) for field in entry["inputs"]]
    values = [_EXAMPLES.get(kind, 1) for kind in kinds]
    decoded = decode_revert(selector(entry) + encode(kinds, values), interfaces())
    assert decoded.name == entry["name"]
    assert len(decoded.args_by_name) == len(kinds)
    assert "0x" + selector(entry).hex() not in str(decoded)


def test_the_list_of_errors_has_those_of_every_contract_and_of_what_reverts_in_assembly() -> None:
    known = {selector(entry) for entry in ERRORS}
    for name in CONTRACTS:
        assert {selector(entry) for entry in document(name)["abi"] if entry["type"] == "error"} <= known
    assert bytes.fromhex("30116425") in known


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_selector_in_a_contracts_code_is_a_function_or_an_error_that_is_decoded(name: str) -> None:
    functions = {
        selector(entry)
        for contract in CONTRACTS
        for entry in document(contract)["abi"]
        if entry["type"] == "function"
    }
    # What contracts of others are asked: a consumer, and an attester that is a contract (ERC-1271).
    asked = ("onJobSettled(bytes32,uint256[])", "isValidSignature(bytes32,bytes)")
    called = {bytes(function_signature_to_4byte_selector(each)) for each in asked}
    errors = {selector(entry) for entry in ERRORS} | {_PANIC, _ERROR}
    found = set(written(bytes.fromhex(document(name)["deployedBytecode"].removeprefix("0x"))))
    assert found & errors, "the scan finds no error at all"
    assert found <= functions | errors | called, [each.hex() for each in found - functions - errors]
