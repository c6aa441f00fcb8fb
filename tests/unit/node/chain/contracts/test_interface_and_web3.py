"""The contracts' codec and web3's say the same of every function, event and error of every contract."""

from __future__ import annotations

import json
import random
from importlib.resources import files
from typing import Any

import pytest
from eth_utils.address import is_address, to_checksum_address
from web3 import Web3

from assay_node.chain.contracts.artifacts import interface
from assay_node.chain.contracts.contracts import CONTRACTS
from assay_node.chain.contracts.interface import snake_case
from unit.node.chain.contracts.abi_values import ADDRESS, encoded, log_of, values_of


def entries(kind: str) -> list[Any]:
    """`(contract, ABI, entry)` for each entry of a kind."""
    found = []
    for name in CONTRACTS:
        abi = json.loads(files("assay_node").joinpath("abi", f"{name}.json").read_text())["abi"]
        found += [
            pytest.param(name, abi, entry, id=f"{name}.{entry['name']}")
            for entry in abi
            if entry["type"] == kind
        ]
    return found


def plain(value: Any) -> Any:
    """Values of either codec without their containers: field by field, in order, bytes as hexadecimal."""
    if isinstance(value, dict) or hasattr(value, "keys"):
        return [plain(value[key]) for key in value]
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return to_checksum_address(value) if isinstance(value, str) and is_address(value) else value


@pytest.mark.parametrize(("name", "abi", "entry"), entries("function"))
def test_calls_are_the_same_bytes_and_read_back_the_same(name: str, abi: Any, entry: Any) -> None:
    source = random.Random(entry["name"])  # noqa: S311
    contract, ours = Web3().eth.contract(address=ADDRESS, abi=abi), interface(name)
    for _ in range(3):
        values = values_of(entry["inputs"], source)
        data = ours.encode_call(entry["name"], *values)
        assert "0x" + data.hex() == contract.encode_abi(entry["name"], values)
        _, theirs = contract.decode_function_input(data)
        read = ours.decode_arguments(entry["name"], data)
        assert list(read) == [snake_case(component["name"]) for component in entry["inputs"]]
        assert plain(read) == plain([theirs[component["name"]] for component in entry["inputs"]])
        outputs = values_of(entry["outputs"], source)
        returned = ours.decode_return(entry["name"], encoded(entry["outputs"], outputs))
        if len(outputs) < 2:
            returned = () if not outputs else (returned,)
        assert plain(returned) == plain(outputs)


@pytest.mark.parametrize(("name", "abi", "entry"), entries("event"))
def test_logs_are_read_the_same(name: str, abi: Any, entry: Any) -> None:
    source = random.Random(entry["name"])  # noqa: S311
    event = Web3().eth.contract(address=ADDRESS, abi=abi).events[entry["name"]]()
    for _ in range(3):
        log = log_of(entry, source)
        ours = interface(name).decode_event(log)
        theirs = event.process_log(
            {
                "address": log.address, "topics": list(log.topics), "data": log.data, "blockNumber": 7,
                "blockHash": log.block_hash, "transactionHash": log.tx_hash, "transactionIndex": 0,
                "logIndex": log.log_index,
            }
        )  # fmt: skip
        assert ours is not None
        assert ours.name == theirs["event"]
        assert plain(ours.args) == plain([theirs["args"][field["name"]] for field in entry["inputs"]])


@pytest.mark.parametrize(("name", "abi", "entry"), entries("error"))
def test_errors_are_read_the_same(name: str, abi: Any, entry: Any) -> None:
    source = random.Random(entry["name"])  # noqa: S311
    values = values_of(entry["inputs"], source)
    contract = Web3().eth.contract(
        abi=[{**entry, "type": "function", "outputs": [], "stateMutability": "pure"}]
    )
    data = bytes.fromhex(contract.encode_abi(entry["name"], values)[2:])
    read = interface(name).decode_error(data)
    assert read is not None
    assert read.name == entry["name"]
    assert plain(read.args) == plain(values)
