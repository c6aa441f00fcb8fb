"""Time, snapshots, re-orgs and state edits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from assay_node.devnet import Devnet, DevnetConfig, RpcError


async def head(net) -> Any:
    return await net.rpc("eth_getBlockByNumber", "latest", False)


async def timestamp(net) -> int:
    return int((await head(net))["timestamp"], 16)


async def test_block_time_follows_the_clock(net, clock):
    clock.now += 1000
    await net.rpc("evm_mine")
    assert await timestamp(net) == int(clock.now)


async def test_blocks_within_a_second_share_it(net, clock):
    for _ in range(3):
        await net.rpc("evm_mine")
        assert await timestamp(net) == int(clock.now)
    clock.now += 1
    await net.rpc("evm_mine")
    assert await timestamp(net) == int(clock.now)


async def test_transactions_mined_at_once_do_not_move_the_time(net, clock, alice, bob):
    for _ in range(20):
        await net.rpc(
            "eth_sendTransaction", {"from": alice.address, "to": bob.address, "value": 1, "gas": 21_000}
        )
    assert (await head(net))["number"] == hex(20)
    assert await timestamp(net) == int(clock.now)


async def test_block_time_never_goes_back(net, clock):
    before = await timestamp(net)
    clock.now -= 100
    await net.rpc("evm_mine")
    assert await timestamp(net) == before


async def test_increase_time_moves_the_clock_for_good(net, clock):
    assert await net.rpc("evm_increaseTime", 3600) == hex(3600)
    assert await net.rpc("evm_increaseTime", "0x10") == hex(3616)
    clock.now += 1
    await net.rpc("evm_mine")
    assert await timestamp(net) == int(clock.now) + 3616


async def test_next_block_timestamp_is_exact_and_the_clock_goes_on_from_it(net, clock):
    target = int(clock.now) + 500
    await net.rpc("evm_setNextBlockTimestamp", target)
    await net.rpc("evm_mine")
    assert await timestamp(net) == target
    clock.now += 7
    await net.rpc("evm_mine")
    assert await timestamp(net) == target + 7


async def test_next_block_timestamp_must_be_after_the_head(net):
    with pytest.raises(RpcError, match="is not after the newest block"):
        await net.rpc("evm_setNextBlockTimestamp", await timestamp(net))


async def test_mining_many_blocks_with_an_interval(net):
    start = await timestamp(net)
    await net.rpc("anvil_mine", 5, 60)
    assert (await head(net))["number"] == "0x5"
    assert await timestamp(net) == start + 4 * 60


async def test_interval_mining_mines_without_transactions():
    async with Devnet(DevnetConfig(port=0, block_time=0.02)) as net:
        while int(await net.rpc("eth_blockNumber"), 16) < 3:
            await asyncio.sleep(0.01)
        await net.rpc("evm_setIntervalMining", 0)
        before = await net.rpc("eth_blockNumber")
        await asyncio.sleep(0.1)
        after = await net.rpc("eth_blockNumber")
        assert int(after, 16) - int(before, 16) <= 1  # one may have been under way


async def test_snapshot_brings_everything_back(net, alice, bob, clock, deploy, contracts):
    target = await deploy(contracts.counter)
    snapshot = await net.rpc("evm_snapshot")
    before = await head(net)
    await net.rpc("evm_increaseTime", 1000)
    tx_hash = await net.rpc("eth_sendTransaction", {"from": alice.address, "to": target})
    assert int(await net.rpc("eth_getStorageAt", target, "0x0"), 16) == 1
    assert await net.rpc("evm_revert", snapshot) is True
    assert await head(net) == before
    assert int(await net.rpc("eth_getStorageAt", target, "0x0"), 16) == 0
    assert await net.rpc("eth_getTransactionReceipt", tx_hash) is None
    assert await net.rpc("eth_getTransactionCount", alice.address, "latest") == "0x1"
    await net.rpc("evm_mine")
    assert await timestamp(net) < int(clock.now) + 1000
    assert await net.rpc("evm_revert", snapshot) is False  # a snapshot is used once


async def test_reverting_to_a_snapshot_forgets_later_ones(net):
    first = await net.rpc("evm_snapshot")
    await net.rpc("evm_mine")
    second = await net.rpc("evm_snapshot")
    assert await net.rpc("evm_revert", first) is True
    assert await net.rpc("evm_revert", second) is False
    assert await net.rpc("evm_revert", "0x99") is False


async def test_reverting_empties_the_pool(net, alice, sign):
    await net.rpc("evm_setAutomine", False)
    snapshot = await net.rpc("evm_snapshot")
    await net.rpc("eth_sendRawTransaction", sign(alice))
    await net.rpc("evm_revert", snapshot)
    assert await net.rpc("txpool_status") == {"pending": "0x0", "queued": "0x0"}


@pytest.mark.parametrize("policy", ["remine", "pool", "drop"])
async def test_reorg_replaces_blocks(net, alice, sign, policy):
    hashes = [await net.rpc("eth_sendRawTransaction", sign(alice, nonce=nonce)) for nonce in range(3)]
    old = [await net.rpc("eth_getBlockByNumber", hex(number), False) for number in range(4)]
    new_head = await net.rpc("assay_reorg", 2, {"transactions": policy})
    new = [await net.rpc("eth_getBlockByNumber", hex(number), False) for number in range(5)]
    assert new[:2] == old[:2]
    assert new[2]["parentHash"] == old[1]["hash"]
    assert new[2]["hash"] != old[2]["hash"]
    assert new[3]["hash"] != old[3]["hash"]
    assert new[4]["hash"] == new_head
    assert await net.rpc("eth_getBlockByHash", old[3]["hash"], False) is None
    receipts = [await net.rpc("eth_getTransactionReceipt", tx_hash) for tx_hash in hashes]
    assert receipts[0]["blockHash"] == old[1]["hash"]
    if policy == "remine":
        assert new[2]["transactions"] == hashes[1:]
    else:
        assert receipts[1:] == [None, None]
        pending = "0x2" if policy == "pool" else "0x0"
        assert await net.rpc("txpool_status") == {"pending": pending, "queued": "0x0"}


async def test_reorg_takes_logs_along(net, alice, deploy, contracts):
    target = await deploy(contracts.emitter)
    await net.rpc("eth_sendTransaction", {"from": alice.address, "to": target, "data": "0x" + "aa" * 65})
    everything = {"fromBlock": "0x0", "toBlock": "latest"}
    before = await net.rpc("eth_getLogs", everything)
    await net.rpc("assay_reorg", 1, {"transactions": "remine", "length": 1})
    after = await net.rpc("eth_getLogs", everything)
    assert len(before) == len(after) == 1
    assert before[0]["blockHash"] != after[0]["blockHash"]
    await net.rpc("assay_reorg", 1, {"transactions": "drop"})
    assert await net.rpc("eth_getLogs", everything) == []


async def test_reorg_sets_the_clock_back_though_not_before_the_block_that_it_follows(net):
    async def newest() -> int:
        return int((await net.rpc("eth_getBlockByNumber", "latest", False))["timestamp"], 16)

    start = await newest() + 1_000
    for seconds in (0, 100, 200):
        await net.rpc("evm_setNextBlockTimestamp", start + seconds)
        await net.rpc("evm_mine")
    await net.rpc("assay_reorg", 1, {"setBack": 60})
    assert start + 100 <= await newest() < start + 200
    await net.rpc("evm_mine")
    assert start + 100 <= await newest() < start + 200
    await net.rpc("assay_reorg", 1, {"setBack": 10_000})
    assert start + 100 <= await newest() < start + 200


async def test_reorg_drops_what_its_sender_can_no_longer_pay(net, alice, bob, sign):
    # bob -> stranger's money arrives in a replaced block; what it paid for falls with it.
    await net.rpc("evm_setAutomine", False)
    await net.rpc("eth_sendRawTransaction", sign(alice, to=bob.address, value=9_000 * 10**18))
    await net.rpc("evm_mine")
    await net.rpc("eth_sendRawTransaction", sign(bob, value=15_000 * 10**18))
    await net.rpc("evm_mine")
    await net.rpc("assay_reorg", 2, {"transactions": "pool"})
    assert await net.rpc("txpool_status") == {"pending": "0x1", "queued": "0x0"}


@pytest.mark.parametrize(
    ("depth", "options"), [(0, {}), (2, {}), (1, {"length": 0}), (1, {"transactions": "keep"})]
)
async def test_impossible_reorg_is_refused_and_changes_nothing(net, depth, options):
    await net.rpc("evm_mine")
    before = await head(net)
    with pytest.raises(RpcError):
        await net.rpc("assay_reorg", depth, options)
    assert await head(net) == before


async def test_snapshot_at_a_replaced_block_is_gone(net):
    await net.rpc("evm_mine")
    snapshot = await net.rpc("evm_snapshot")
    await net.rpc("assay_reorg", 1)
    assert await net.rpc("evm_revert", snapshot) is False


async def test_accounts_can_be_edited(net, stranger, contracts):
    address = stranger.address
    await net.rpc("anvil_setBalance", address, hex(5 * 10**18))
    await net.rpc("hardhat_setNonce", address, "0x7")
    await net.rpc("anvil_setCode", address, "0x" + contracts.counter)
    await net.rpc("anvil_setStorageAt", address, "0x0", "0x2a")
    assert await net.rpc("eth_getBalance", address) == hex(5 * 10**18)
    assert await net.rpc("eth_getTransactionCount", address) == "0x7"
    assert await net.rpc("eth_getCode", address) == "0x" + contracts.counter
    assert int(await net.rpc("eth_getStorageAt", address, "0x0"), 16) == 0x2A
    assert await net.rpc("eth_getBalance", address, "0x0") == "0x0"  # history is not rewritten
