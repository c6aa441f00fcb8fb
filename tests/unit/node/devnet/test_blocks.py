"""Blocks, transactions and receipts as clients read them."""

from __future__ import annotations

import pytest
import rlp
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth_hash.auto import keccak
from eth_typing import Address, BlockNumber, Hash32
from trie.hexary import HexaryTrie

from assay_node.devnet import RpcError


async def test_genesis_holds_the_well_known_accounts(net):
    accounts = await net.rpc("eth_accounts")
    assert len(accounts) == 10
    assert accounts[0] == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    for account in accounts:
        assert int(await net.rpc("eth_getBalance", account, "latest"), 16) == 10_000 * 10**18


async def test_automine_puts_each_transaction_in_a_block_of_its_own(net, alice, bob):
    for expected in (1, 2, 3):
        tx_hash = await net.rpc(
            "eth_sendTransaction", {"from": alice.address, "to": bob.address, "value": "0x1"}
        )
        receipt = await net.rpc("eth_getTransactionReceipt", tx_hash)
        assert int(receipt["blockNumber"], 16) == expected
    assert await net.rpc("eth_blockNumber") == "0x3"


async def test_block_hash_is_the_hash_of_the_header_the_fields_describe(net, alice, bob):
    await net.rpc("eth_sendTransaction", {"from": alice.address, "to": bob.address, "value": "0x1"})
    block = await net.rpc("eth_getBlockByNumber", "latest", False)
    hexes = {key: value for key, value in block.items() if isinstance(value, str)}
    raw = {key: bytes.fromhex(value[2:]) for key, value in hexes.items() if len(value) % 2 == 0}
    number = {key: int(value, 16) for key, value in hexes.items() if value != "0x"}
    header = PragueBlockHeader(
        parent_hash=Hash32(raw["parentHash"]), uncles_hash=Hash32(raw["sha3Uncles"]),
        coinbase=Address(raw["miner"]),
        state_root=Hash32(raw["stateRoot"]), transaction_root=Hash32(raw["transactionsRoot"]),
        receipt_root=Hash32(raw["receiptsRoot"]), bloom=number["logsBloom"], difficulty=0,
        block_number=BlockNumber(number["number"]),
        gas_limit=number["gasLimit"], gas_used=number["gasUsed"], timestamp=number["timestamp"],
        extra_data=raw["extraData"], mix_hash=Hash32(raw["mixHash"]), nonce=raw["nonce"],
        base_fee_per_gas=number["baseFeePerGas"], withdrawals_root=Hash32(raw["withdrawalsRoot"]),
        blob_gas_used=0,
        excess_blob_gas=0, parent_beacon_block_root=Hash32(raw["parentBeaconBlockRoot"]),
        requests_hash=Hash32(raw["requestsHash"]),
    )  # fmt: skip
    assert "0x" + keccak(rlp.encode(header)).hex() == block["hash"]
    assert block["size"] != "0x0"


async def test_transaction_is_found_by_hash_and_by_position(net, alice, bob):
    tx_hash = await net.rpc("eth_sendTransaction", {"from": alice.address, "to": bob.address, "value": "0x7"})
    found = await net.rpc("eth_getTransactionByHash", tx_hash)
    assert found["from"] == alice.address
    assert found["to"] == bob.address
    assert found["value"] == "0x7"
    assert found == await net.rpc("eth_getTransactionByBlockNumberAndIndex", "0x1", "0x0")
    assert found == await net.rpc("eth_getTransactionByBlockHashAndIndex", found["blockHash"], "0x0")
    assert found == (await net.rpc("eth_getBlockByHash", found["blockHash"], True))["transactions"][0]
    raw = await net.rpc("eth_getRawTransactionByHash", tx_hash)
    assert "0x" + keccak(bytes.fromhex(raw[2:])).hex() == tx_hash


async def test_unknown_blocks_and_transactions_are_null(net):
    nowhere = "0x" + "ab" * 32
    assert await net.rpc("eth_getBlockByNumber", "0x5", False) is None
    assert await net.rpc("eth_getBlockByHash", nowhere, False) is None
    assert await net.rpc("eth_getTransactionByHash", nowhere) is None
    assert await net.rpc("eth_getTransactionReceipt", nowhere) is None


async def test_receipts_of_a_block_add_up(net, alice, bob, sign):
    await net.rpc("evm_setAutomine", False)
    for nonce in range(3):
        await net.rpc("eth_sendRawTransaction", sign(alice, nonce=nonce))
    await net.rpc("evm_mine")
    receipts = await net.rpc("eth_getBlockReceipts", "latest")
    assert [int(receipt["cumulativeGasUsed"], 16) for receipt in receipts] == [21_000, 42_000, 63_000]
    assert [receipt["transactionIndex"] for receipt in receipts] == ["0x0", "0x1", "0x2"]
    block = await net.rpc("eth_getBlockByNumber", "latest", False)
    assert int(block["gasUsed"], 16) == 63_000
    assert block["transactions"] == [receipt["transactionHash"] for receipt in receipts]


async def test_sender_pays_exactly_what_the_receipt_says(net, alice, bob, deploy, contracts):
    target = await deploy(contracts.counter)
    before = int(await net.rpc("eth_getBalance", alice.address, "latest"), 16)
    tx_hash = await net.rpc("eth_sendTransaction", {"from": alice.address, "to": target, "gas": "0x186a0"})
    receipt = await net.rpc("eth_getTransactionReceipt", tx_hash)
    after = int(await net.rpc("eth_getBalance", alice.address, "latest"), 16)
    assert before - after == int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)


async def test_reverted_transaction_is_mined_with_status_zero(net, alice, deploy, contracts):
    target = await deploy(contracts.reverter)
    tx_hash = await net.rpc(
        "eth_sendTransaction", {"from": alice.address, "to": target, "data": "0xdeadbeef", "gas": "0xffff"}
    )
    receipt = await net.rpc("eth_getTransactionReceipt", tx_hash)
    assert receipt["status"] == "0x0"
    assert receipt["logs"] == []


async def test_old_states_stay_readable(net, alice, bob):
    for _ in range(3):
        await net.rpc("eth_sendTransaction", {"from": alice.address, "to": bob.address, "value": "0x1"})
    start = 10_000 * 10**18
    for block in range(4):
        assert int(await net.rpc("eth_getBalance", bob.address, hex(block)), 16) == start + block
        assert await net.rpc("eth_getTransactionCount", alice.address, hex(block)) == hex(block)


async def test_blockhash_opcode_reaches_back_256_blocks(net, deploy, contracts):
    target = await deploy(contracts.blockhash)
    await net.rpc("anvil_mine", 260)
    head = int(await net.rpc("eth_blockNumber"), 16)
    for depth, known in ((1, True), (256, True), (257, False)):
        answer = await net.rpc("eth_call", {"to": target, "data": f"0x{head - depth:064x}"}, "latest")
        block = await net.rpc("eth_getBlockByNumber", hex(head - depth), False)
        assert answer == (block["hash"] if known else "0x" + "00" * 32)


async def test_fee_history_follows_the_blocks(net, alice, bob):
    for tip in (10**9, 2 * 10**9):
        await net.rpc(
            "eth_sendTransaction",
            {
                "from": alice.address,
                "to": bob.address,
                "maxPriorityFeePerGas": hex(tip),
                "maxFeePerGas": hex(10**10),
            },
        )
    history = await net.rpc("eth_feeHistory", "0x2", "latest", [0, 50, 100])
    blocks = [await net.rpc("eth_getBlockByNumber", number, False) for number in ("0x1", "0x2")]
    assert history["oldestBlock"] == "0x1"
    assert history["baseFeePerGas"][:2] == [block["baseFeePerGas"] for block in blocks]
    assert len(history["baseFeePerGas"]) == 3
    assert history["reward"] == [[hex(10**9)] * 3, [hex(2 * 10**9)] * 3]
    assert history["gasUsedRatio"] == [21_000 / 30_000_000] * 2
    await net.rpc("evm_mine")
    mined = await net.rpc("eth_getBlockByNumber", "0x3", False)
    assert history["baseFeePerGas"][2] == mined["baseFeePerGas"]


async def test_finalized_and_safe_are_behind_the_head(clock):
    from assay_node.devnet import Devnet, DevnetConfig

    async with Devnet(DevnetConfig(port=0, clock=clock, finality=3)) as devnet:
        await devnet.rpc("anvil_mine", 5)
        assert (await devnet.rpc("eth_getBlockByNumber", "finalized", False))["number"] == "0x2"
        assert (await devnet.rpc("eth_getBlockByNumber", "safe", False))["number"] == "0x2"


@pytest.mark.parametrize("block", ["0x99", "0x" + "11" * 32, {"blockNumber": "0x99"}, "pending"])
async def test_receipts_of_an_unknown_block_are_null(net, block):
    assert await net.rpc("eth_getBlockReceipts", block) is None
    assert await net.rpc("eth_getBlockReceipts", "latest") == []


@pytest.mark.parametrize("percentiles", [[50, 50], [0, 10, 10], [60, 50], [101], [-1], ["50"], [True]])
async def test_fee_history_refuses_percentiles_that_do_not_ascend(net, percentiles):
    with pytest.raises(RpcError, match="percentile") as refused:
        await net.rpc("eth_feeHistory", "0x1", "latest", percentiles)
    assert refused.value.code == -32602


async def test_fee_history_has_one_base_fee_more_than_blocks(net, alice, bob):
    for _ in range(3):
        await net.rpc("eth_sendTransaction", {"from": alice.address, "to": bob.address, "value": "0x1"})
    for asked, given in (("0x2", 2), ("0x400", 4)):
        history = await net.rpc("eth_feeHistory", asked, "latest", [50])
        assert len(history["baseFeePerGas"]) == len(history["baseFeePerBlobGas"]) == given + 1
        assert len(history["gasUsedRatio"]) == len(history["reward"]) == given
        assert all(len(row) == 1 for row in history["reward"])
    assert "reward" not in await net.rpc("eth_feeHistory", "0x2", "latest")
    with pytest.raises(RpcError, match="beyond head"):
        await net.rpc("eth_feeHistory", "0x2", "0x99")


async def test_a_proof_leads_from_the_state_root_to_the_account_and_its_storage(
    net, alice, stranger, deploy, contracts
):
    counter = await deploy(contracts.counter)
    await net.rpc("eth_sendTransaction", {"from": alice.address, "to": counter})
    block = await net.rpc("eth_getBlockByNumber", "latest", False)
    proof = await net.rpc("eth_getProof", counter, ["0x0", "0x1"], "latest")
    account = rlp.decode(_proven(block["stateRoot"], counter, proof["accountProof"]))
    assert [int.from_bytes(field) for field in account[:2]] == [
        int(proof[key], 16) for key in ("nonce", "balance")
    ]
    assert ["0x" + field.hex() for field in account[2:]] == [proof["storageHash"], proof["codeHash"]]
    first, second = proof["storageProof"]
    assert (first["value"], second["value"]) == ("0x1", "0x0")
    assert rlp.decode(_proven(proof["storageHash"], "0x" + "00" * 32, first["proof"])) == b"\x01"
    assert _proven(proof["storageHash"], "0x" + "00" * 31 + "01", second["proof"]) == b""
    absent = await net.rpc("eth_getProof", stranger.address, [], block["number"])
    assert (absent["balance"], absent["nonce"], absent["storageProof"]) == ("0x0", "0x0", [])
    assert _proven(block["stateRoot"], stranger.address, absent["accountProof"]) == b""


def _proven(root: str, key: str, nodes: list[str]) -> bytes:
    """The value at a key, by nothing but the proof's nodes."""
    path = [rlp.decode(bytes.fromhex(node[2:])) for node in nodes]
    return bytes(HexaryTrie.get_from_proof(bytes.fromhex(root[2:]), keccak(bytes.fromhex(key[2:])), path))
