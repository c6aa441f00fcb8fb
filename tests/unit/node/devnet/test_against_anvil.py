"""The same requests to the devnet and to anvil: same gas, same results, same reverts."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_hash.auto import keccak
from web3 import HTTPProvider

from assay_node.devnet import DevnetConfig, DevnetThread
from node_tools import foundry, needs_node

ROOT = Path(__file__).parents[4]
VECTORS = json.loads((ROOT / "contracts" / "test" / "vectors" / "groth16.json").read_text())
VERIFIER = json.loads((ROOT / "node" / "src" / "assay_node" / "abi" / "Groth16Verifier.json").read_text())
SENDER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
DEV_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # the mnemonic's first
VERIFY = keccak(b"verify(address,uint256[],bytes,bytes)")[:4]

pytestmark = [pytest.mark.anvil, needs_node]


class Node:
    """A JSON-RPC endpoint."""

    def __init__(self, url: str) -> None:
        self._provider = HTTPProvider(url)

    def ask(self, method: str, *params: Any) -> dict[str, Any]:
        return dict(self._provider.make_request(method, list(params)))

    def rpc(self, method: str, *params: Any) -> Any:
        answer = self.ask(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def send(self, **fields: Any) -> dict[str, Any]:
        tx_hash = self.rpc("eth_sendTransaction", {"from": SENDER, "gas": hex(5_000_000), **fields})
        return self.receipt(tx_hash)

    def receipt(self, tx_hash: str) -> dict[str, Any]:
        for _ in range(200):  # anvil mines a moment after it answers
            receipt = self.rpc("eth_getTransactionReceipt", tx_hash)
            if receipt is not None:
                return dict(receipt)
            time.sleep(0.02)
        raise AssertionError(f"{tx_hash} was not mined")


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Node, Node]]:
    """The devnet and anvil, both fresh."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        foundry("anvil"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--silent",
        "--hardfork",
        "prague",
    ]
    process = subprocess.Popen([*command, "--gas-limit", "30000000"])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        with DevnetThread(DevnetConfig(port=0)) as net:
            yield Node(net.url), Node(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def verifier(nodes) -> str:
    """The Groth16 verifier, at the same address on both."""
    receipts = [node.send(data=VERIFIER["bytecode"]) for node in nodes]
    assert receipts[0]["gasUsed"] == receipts[1]["gasUsed"]
    assert receipts[0]["contractAddress"].lower() == receipts[1]["contractAddress"].lower()
    return str(receipts[0]["contractAddress"])


def store_key(nodes, key: str) -> str:
    """Put a verifying key on both chains as contract code, and return where."""
    code = "00" + key[2:]
    creation = f"0x61{len(code) // 2:04x}80600a3d393df3{code}"
    receipts = [node.send(data=creation) for node in nodes]
    assert receipts[0]["gasUsed"] == receipts[1]["gasUsed"]
    address = receipts[0]["contractAddress"]
    assert [node.rpc("eth_getCode", address, "latest") for node in nodes] == [f"0x{code}"] * 2
    return str(address)


def verify_call(verifier: str, key: str, vector: dict[str, Any], proof: str) -> dict[str, str]:
    inputs = [int(word, 16) for word in vector["inputs"][0]]
    commitment = bytes.fromhex(vector["modelCommitment"][2:])
    arguments = (key, inputs, bytes.fromhex(proof[2:]), commitment)
    data = VERIFY + encode(["address", "uint256[]", "bytes", "bytes"], arguments)
    return {"from": SENDER, "to": verifier, "data": "0x" + data.hex()}


@pytest.mark.parametrize("mode", ["plain", "committed", "private", "committedPrivate"])
def test_proof_is_verified_with_the_same_gas(nodes, verifier, mode):
    vector = VECTORS[mode]
    key = store_key(nodes, vector["vk"])
    call = verify_call(verifier, key, vector, vector["proofs"][0])
    ours, theirs = (node.rpc("eth_call", call, "latest") for node in nodes)
    assert ours == theirs
    receipts = [node.send(**call) for node in nodes]
    assert [receipt["status"] for receipt in receipts] == ["0x1", "0x1"]
    assert receipts[0]["gasUsed"] == receipts[1]["gasUsed"]
    estimates = [int(node.rpc("eth_estimateGas", call), 16) for node in nodes]
    used = int(receipts[0]["gasUsed"], 16)
    assert all(used <= estimate <= used * 1.1 for estimate in estimates), (used, estimates)


@pytest.mark.parametrize("position", [5, 70, 150, 250])
def test_tampered_proof_reverts_with_the_same_data(nodes, verifier, position):
    vector = VECTORS["plain"]
    key = store_key(nodes, vector["vk"])
    proof = bytearray.fromhex(vector["proofs"][0][2:])
    proof[position] ^= 1
    call = verify_call(verifier, key, vector, "0x" + bytes(proof).hex())
    ours, theirs = (node.ask("eth_call", call, "latest")["error"] for node in nodes)
    assert ours["code"] == theirs["code"] == 3
    assert ours["data"] == theirs["data"]
    receipts = [node.send(**call) for node in nodes]
    assert [receipt["status"] for receipt in receipts] == ["0x0", "0x0"]
    assert receipts[0]["gasUsed"] == receipts[1]["gasUsed"]


PROGRAMS = {
    # Reads, writes, clears and rewrites storage: EIP-2200, 2929, 3529.
    "storage": "600160005560026000556000600055600360015560006001556001600055600254600155 00",
    # Refunds more than a fifth of the gas: the cap.
    "refund": "60005460 05 57 00 5b 6000600055 00",
    # Transient storage and MCOPY: EIP-1153, 5656.
    "cancun": "6001 5f 5d 5f 5c 5f 55 6020 5f 6020 5e 00",
    # KECCAK256 over growing memory, CODECOPY, EXTCODEHASH of self and of nobody.
    "memory": "6110005f20 5f55 60ff5f5f39 303f 600155 6042 3f 600255 00",
    # CREATE and CREATE2 of empty code, SELFBALANCE, BASEFEE dropped.
    "create": "5f5f5ff0 5f55 6001 5f5f5ff5 600155 47 600255 48 50 00",
    # STATICCALL the SHA-256, RIPEMD-160, identity and MODEXP precompiles, and an empty account.
    "precompiles": "".join(f"60205f60605f60{address:02x}5afa50" for address in (2, 3, 4, 5, 9, 0x42))
    + "5f5155 00",
    # INVALID burns everything.
    "invalid": "fe",
    # Out of gas in an endless loop.
    "loop": "5b5f56",
    # Stack underflow.
    "underflow": "50",
    # Jump to a place that is no JUMPDEST.
    "badjump": "600356005b",
    # SELFDESTRUCT to the caller, after Cancun only a transfer.
    "selfdestruct": "33ff",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_use_the_same_gas_and_leave_the_same_storage(nodes, name):
    runtime = PROGRAMS[name].replace(" ", "")
    creation = f"0x60{len(runtime) // 2:02x}8060095f395ff3{runtime}"
    created = [node.send(data=creation) for node in nodes]
    assert created[0]["gasUsed"] == created[1]["gasUsed"]
    target = created[0]["contractAddress"]
    for data in ("0x", "0x" + "00ff" * 300):
        receipts = [node.send(to=target, data=data, gas=hex(400_000)) for node in nodes]
        fields = ("status", "gasUsed", "logs", "type")
        assert [receipts[0][field] for field in fields] == [receipts[1][field] for field in fields]
    for slot in ("0x0", "0x1", "0x2"):
        ours, theirs = (node.rpc("eth_getStorageAt", target, slot, "latest") for node in nodes)
        assert ours == theirs


def test_capped_refund_and_calldata_floor_meet(nodes):
    """EIP-7623 beside EIP-3529: clearing slots refunds more than a fifth, and the data's floor decides."""
    setter = "".join(f"600160{slot:02x}55" for slot in range(4)) + "00"
    clearer = "5b" + "".join(f"5f60{slot:02x}55" for slot in range(4)) + "00"
    runtime = f"3660{4 + len(setter) // 2:02x}57{setter}{clearer}"  # without data set, with data clear
    created = [node.send(data=f"0x60{len(runtime) // 2:02x}8060095f395ff3{runtime}") for node in nodes]
    target = created[0]["contractAddress"]
    for size in (1, 200, 350, 400, 500, 1000):
        assert {node.send(to=target)["status"] for node in nodes} == {"0x1"}
        used = [node.send(to=target, data="0x" + "ff" * size)["gasUsed"] for node in nodes]
        assert used[0] == used[1], size


def test_delegated_account_runs_its_code(nodes):
    """EIP-7702: an account takes on a contract's code by authorization."""
    runtime = PROGRAMS["storage"].replace(" ", "")
    target, _ = [node.send(data=f"0x60{len(runtime) // 2:02x}8060095f395ff3{runtime}") for node in nodes]
    sender, authority = (Account.from_key(DEV_KEY), Account.from_key("0x" + "07" * 32))
    authorization = authority.sign_authorization(
        {"chainId": 31337, "address": target["contractAddress"], "nonce": 0}
    )
    nonces = {node.rpc("eth_getTransactionCount", SENDER, "latest") for node in nodes}
    assert len(nonces) == 1
    fields = {
        "chainId": 31337,
        "nonce": int(nonces.pop(), 16),
        "to": authority.address,
        "value": 0,
        "gas": 300_000,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 10**9,
        "authorizationList": [authorization],
    }
    raw = "0x" + bytes(sender.sign_transaction(fields).raw_transaction).hex()
    receipts = [node.receipt(node.rpc("eth_sendRawTransaction", raw)) for node in nodes]
    assert [receipt["status"] for receipt in receipts] == ["0x1", "0x1"]
    assert receipts[0]["gasUsed"] == receipts[1]["gasUsed"]
    codes = [node.rpc("eth_getCode", authority.address, "latest") for node in nodes]
    assert codes == ["0xef0100" + target["contractAddress"][2:].lower()] * 2
    slots = [node.rpc("eth_getStorageAt", authority.address, "0x2", "latest") for node in nodes]
    assert slots[0] == slots[1]
    ours = nodes[0].rpc("eth_getTransactionByHash", receipts[0]["transactionHash"])
    theirs = nodes[1].rpc("eth_getTransactionByHash", receipts[1]["transactionHash"])
    assert ours["authorizationList"][0]["r"] == theirs["authorizationList"][0]["r"]


def test_transaction_objects_have_anvils_fields(nodes):
    for fields in ({"gasPrice": hex(10**10)}, {"maxFeePerGas": hex(10**10)}):
        objects = []
        for node in nodes:
            receipt = node.send(to=SENDER, value="0x1", **fields)
            mined = node.rpc("eth_getTransactionByHash", receipt["transactionHash"])
            block = node.rpc("eth_getBlockByHash", receipt["blockHash"], False)
            objects.append((receipt, mined, block))
        for ours, theirs in zip(*objects, strict=True):
            absent = {key for key, value in theirs.items() if value is not None} - set(ours)
            assert absent <= {"blobGasPrice", "blockTimestamp"}


def test_sender_pays_the_same(nodes):
    start = 10_000 * 10**18
    spent = []
    for node in nodes:
        balance = int(node.rpc("eth_getBalance", SENDER, "latest"), 16)
        fees = 0
        for number in range(1, int(node.rpc("eth_blockNumber"), 16) + 1):
            for receipt in node.rpc("eth_getBlockReceipts", hex(number)):
                fees += int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
        spent.append(start - balance - fees)
    assert spent == [0, 0]  # nothing but the fees the receipts name
