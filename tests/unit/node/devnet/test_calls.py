"""``eth_call`` and ``eth_estimateGas``."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from assay_node.devnet import RpcError

ERROR_STRING = "0x08c379a0" + encode(["string"], ["not today"]).hex()
PANIC_OVERFLOW = "0x4e487b71" + encode(["uint256"], [0x11]).hex()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("0x", "execution reverted"),
        ("0xdeadbeef" + "01" * 32, "execution reverted"),
        (ERROR_STRING, "execution reverted: not today"),
        (PANIC_OVERFLOW, "execution reverted: panic: arithmetic underflow or overflow (0x11)"),
        (ERROR_STRING[:20], "execution reverted"),
    ],
)
@pytest.mark.parametrize("method", ["eth_call", "eth_estimateGas"])
async def test_revert_data_arrives_untouched(net, deploy, contracts, method, data, message):
    target = await deploy(contracts.reverter)
    with pytest.raises(RpcError) as info:
        await net.rpc(method, {"to": target, "data": data})
    assert (info.value.code, info.value.message, info.value.data) == (3, message, data)


async def test_call_sees_the_block_it_is_made_at(net, clock, deploy, contracts):
    target = await deploy(contracts.environment)
    clock.now += 100
    await net.rpc("evm_mine")
    for tag in ("0x1", "0x2", "latest"):
        block = await net.rpc("eth_getBlockByNumber", tag, False)
        answer = await net.rpc("eth_call", {"to": target}, tag)
        timestamp, number, chain_id, base_fee = (int(answer[2 + 64 * i : 66 + 64 * i], 16) for i in range(4))
        assert timestamp == int(block["timestamp"], 16)
        assert number == int(block["number"], 16)
        assert chain_id == 31337
        assert base_fee == 0  # no fee offered: gas is free, as in geth


async def test_call_by_block_hash_and_to_a_missing_block(net, deploy, contracts):
    target = await deploy(contracts.environment)
    block = await net.rpc("eth_getBlockByNumber", "latest", False)
    assert await net.rpc("eth_call", {"to": target}, {"blockHash": block["hash"]}) != "0x"
    with pytest.raises(RpcError, match="header not found"):
        await net.rpc("eth_call", {"to": target}, "0x99")


async def test_call_changes_nothing(net, deploy, contracts):
    target = await deploy(contracts.counter)
    root = (await net.rpc("eth_getBlockByNumber", "latest", False))["stateRoot"]
    for _ in range(2):
        await net.rpc("eth_call", {"to": target})
        await net.rpc("eth_estimateGas", {"to": target})
    assert int(await net.rpc("eth_getStorageAt", target, "0x0", "latest"), 16) == 0
    await net.rpc("evm_mine")
    mined = await net.rpc("eth_getBlockByNumber", "latest", False)
    assert int(mined["gasUsed"], 16) == 0
    assert root != ""


async def test_call_that_sends_more_than_the_sender_has_is_refused(net, stranger):
    with pytest.raises(RpcError, match="insufficient funds for transfer"):
        await net.rpc("eth_call", {"from": stranger.address, "to": stranger.address, "value": "0x1"})


async def test_state_overrides_apply_to_the_call_only(net, stranger, contracts):
    override = {stranger.address: {"code": "0x" + contracts.environment, "balance": "0x1"}}
    answer = await net.rpc("eth_call", {"to": stranger.address}, "latest", override)
    assert len(answer) == 2 + 2 * 128
    assert await net.rpc("eth_getCode", stranger.address, "latest") == "0x"


async def test_transfer_estimate_is_exact(net, alice, bob):
    assert (
        await net.rpc("eth_estimateGas", {"from": alice.address, "to": bob.address, "value": "0x1"})
        == "0x5208"
    )


async def test_estimate_is_enough_and_close(net, alice, deploy, contracts):
    target = await deploy(contracts.counter)
    estimate = int(await net.rpc("eth_estimateGas", {"from": alice.address, "to": target}), 16)
    tx_hash = await net.rpc(
        "eth_sendTransaction", {"from": alice.address, "to": target, "gas": hex(estimate)}
    )
    receipt = await net.rpc("eth_getTransactionReceipt", tx_hash)
    assert receipt["status"] == "0x1"
    assert int(receipt["gasUsed"], 16) <= estimate <= int(receipt["gasUsed"], 16) * 1.2 + 2300 * 64 / 63


async def test_estimate_sees_the_clock_and_not_only_the_newest_block(net, clock, deploy, contracts):
    target = await deploy(contracts.deadline)
    call = {"to": target, "data": f"0x{int(clock.now) + 50:064x}"}
    with pytest.raises(RpcError, match="execution reverted"):
        await net.rpc("eth_estimateGas", call)
    clock.now += 60
    assert int(await net.rpc("eth_estimateGas", call), 16) > 21_000


async def test_estimate_beyond_the_allowance_is_refused(net, alice, deploy, contracts):
    target = await deploy(contracts.counter)
    with pytest.raises(RpcError, match=r"gas required exceeds allowance \(30000\)"):
        await net.rpc("eth_estimateGas", {"from": alice.address, "to": target, "gas": hex(30_000)})


async def test_conflicting_fields_are_refused(net, bob):
    with pytest.raises(RpcError, match="both gasPrice and"):
        await net.rpc("eth_call", {"to": bob.address, "gasPrice": "0x1", "maxFeePerGas": "0x1"})
    with pytest.raises(RpcError, match="not equal"):
        await net.rpc("eth_call", {"to": bob.address, "data": "0x01", "input": "0x02"})
    with pytest.raises(RpcError, match="chainId does not match"):
        await net.rpc("eth_call", {"to": bob.address, "chainId": "0x1"})


async def test_deep_recursion_ends_in_an_answer(net, alice, deploy, contracts):
    target = await deploy(contracts.recursion)
    assert await net.rpc("eth_call", {"from": alice.address, "to": target}) == "0x"
