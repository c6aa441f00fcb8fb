"""Which transactions are accepted, and the words in which the others are refused."""

from __future__ import annotations

import pytest

from assay_node.devnet import RpcError
from assay_node.devnet.vm import DevnetVM


async def refused(net, raw: str) -> str:
    with pytest.raises(RpcError) as info:
        await net.rpc("eth_sendRawTransaction", raw)
    assert info.value.code == -32000
    assert await net.rpc("txpool_status") == {"pending": "0x0", "queued": "0x0"}
    return info.value.message


@pytest.mark.parametrize("fields", [{}, {"gasPrice": 10**10}, {"gasPrice": 10**10, "accessList": []}])
async def test_each_envelope_is_accepted(net, alice, sign, fields):
    tx_hash = await net.rpc("eth_sendRawTransaction", sign(alice, **fields))
    assert (await net.rpc("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"


@pytest.mark.parametrize("fields", [{}, {"gasPrice": 10**10}])
async def test_transaction_for_another_chain_is_refused(net, alice, sign, fields):
    message = await refused(net, sign(alice, chainId=1, **fields))
    assert message == "invalid chain id for signer: have 1 want 31337"


async def test_transaction_without_chain_id_is_refused(net, alice, sign):
    assert "replay-protected" in await refused(net, sign(alice, chainId=None, gasPrice=10**10))


async def test_nonce_too_low_is_refused(net, alice, sign):
    await net.rpc("eth_sendRawTransaction", sign(alice))
    message = await refused(net, sign(alice, value=2))
    assert message == "nonce too low: next nonce 1, tx nonce 0"


async def test_known_transaction_is_refused(net, alice, sign):
    raw = sign(alice)
    await net.rpc("eth_sendRawTransaction", raw)
    assert await refused(net, raw) == "already known"


async def test_unfunded_account_is_refused(net, stranger, sign):
    message = await refused(net, sign(stranger))
    assert message.startswith(
        "insufficient funds for gas * price + value: balance 0, tx cost 210000000000001"
    )


async def test_gas_below_intrinsic_is_refused(net, alice, sign):
    assert (
        await refused(net, sign(alice, gas=20_999))
        == "intrinsic gas too low: gas 20999, minimum needed 21000"
    )


async def test_gas_below_calldata_floor_is_refused(net, alice, sign):
    data = "0x" + "ff" * 100  # intrinsic 22,600; EIP-7623 floor 21000 + 40 * 100 = 25,000
    message = await refused(net, sign(alice, data=data, gas=24_999))
    assert message == "insufficient gas for floor data gas cost: gas 24999, minimum needed 25000"
    tx_hash = await net.rpc("eth_sendRawTransaction", sign(alice, data=data, gas=25_000))
    assert (await net.rpc("eth_getTransactionReceipt", tx_hash))["gasUsed"] == hex(25_000)


async def test_gas_above_the_block_is_refused(net, alice, sign):
    assert "exceeds block gas limit" in await refused(net, sign(alice, gas=30_000_001))


async def test_tip_above_fee_cap_is_refused(net, alice, sign):
    message = await refused(net, sign(alice, maxFeePerGas=10**9, maxPriorityFeePerGas=10**9 + 1))
    assert message.startswith("max priority fee per gas higher than max fee per gas")


async def test_oversized_transaction_is_refused(net, alice, sign):
    assert (await refused(net, sign(alice, data="0x" + "00" * 131_072))).startswith("oversized data")


async def test_oversized_creation_code_is_refused(net, alice, sign):
    raw = sign(alice, to="", data="0x" + "00" * 49_153, gas=5_000_000)
    assert (await refused(net, raw)).startswith("max initcode size exceeded")


@pytest.mark.parametrize("raw", ["0x", "0x00", "0xc0", "0x02c0", "0x7f", "0xff" * 1, "0x04c101"])
async def test_bytes_that_are_no_transaction_are_refused(net, raw):
    assert await refused(net, raw)


async def test_trailing_byte_is_refused(net, alice, sign):
    assert "cannot be decoded" in await refused(net, sign(alice) + "00")


async def test_flipped_signature_bit_does_not_spend_from_the_signer(net, alice, sign):
    raw = bytearray.fromhex(sign(alice)[2:])
    raw[-1] ^= 1
    assert await refused(net, "0x" + bytes(raw).hex())  # another, unfunded, sender or none at all
    assert await net.rpc("eth_getTransactionCount", alice.address, "latest") == "0x0"


async def test_unknown_account_cannot_be_sent_from(net, stranger):
    with pytest.raises(RpcError, match="unknown account"):
        await net.rpc(
            "eth_sendTransaction", {"from": stranger.address, "to": stranger.address, "gas": "0x5208"}
        )


async def test_nonce_gap_waits_until_it_is_filled(net, alice, sign):
    later = await net.rpc("eth_sendRawTransaction", sign(alice, nonce=1))
    assert await net.rpc("eth_getTransactionReceipt", later) is None
    assert await net.rpc("txpool_status") == {"pending": "0x0", "queued": "0x1"}
    assert await net.rpc("eth_getTransactionCount", alice.address, "pending") == "0x0"
    await net.rpc("eth_sendRawTransaction", sign(alice, nonce=0))
    assert (await net.rpc("eth_getTransactionReceipt", later))["status"] == "0x1"


async def test_transaction_the_evm_fails_on_does_not_stop_the_chain(net, alice, sign, monkeypatch):
    apply = DevnetVM.apply_transaction

    def fail_on_value_13(vm, header, tx):
        if tx.value == 13:
            raise AssertionError("a defect in the EVM")
        return apply(vm, header, tx)

    monkeypatch.setattr(DevnetVM, "apply_transaction", fail_on_value_13)
    with pytest.raises(RpcError, match="which is dropped") as info:
        await net.rpc("eth_sendRawTransaction", sign(alice, value=13))
    assert info.value.code == -32603
    tx_hash = await net.rpc("eth_sendRawTransaction", sign(alice, value=14))
    assert (await net.rpc("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"


class TestPool:
    """Automine off: transactions wait."""

    @pytest.fixture(autouse=True)
    async def _manual(self, net):
        await net.rpc("evm_setAutomine", False)

    async def test_pending_transaction_has_no_block(self, net, alice, sign):
        tx_hash = await net.rpc("eth_sendRawTransaction", sign(alice))
        found = await net.rpc("eth_getTransactionByHash", tx_hash)
        assert (found["blockHash"], found["blockNumber"], found["transactionIndex"]) == (None, None, None)
        assert await net.rpc("eth_getTransactionReceipt", tx_hash) is None
        assert await net.rpc("eth_getTransactionCount", alice.address, "pending") == "0x1"
        assert await net.rpc("eth_getTransactionCount", alice.address, "latest") == "0x0"
        pending = await net.rpc("eth_getBlockByNumber", "pending", False)
        assert pending["transactions"] == [tx_hash]
        assert pending["hash"] is None

    async def test_replacement_needs_ten_percent_on_both_fees(self, net, alice, sign):
        first = await net.rpc("eth_sendRawTransaction", sign(alice))
        for fee, tip in ((10**10, 10**9 * 2), (11 * 10**9, 10**9), (11 * 10**9 - 1, 11 * 10**8)):
            with pytest.raises(RpcError, match=r"^replacement transaction underpriced$"):
                await net.rpc(
                    "eth_sendRawTransaction", sign(alice, maxFeePerGas=fee, maxPriorityFeePerGas=tip)
                )
        second = await net.rpc(
            "eth_sendRawTransaction", sign(alice, maxFeePerGas=11 * 10**9, maxPriorityFeePerGas=11 * 10**8)
        )
        assert await net.rpc("eth_getTransactionByHash", first) is None
        await net.rpc("evm_mine")
        assert (await net.rpc("eth_getTransactionReceipt", second))["status"] == "0x1"
        assert await net.rpc("eth_getTransactionReceipt", first) is None

    async def test_better_tip_goes_first_and_nonces_keep_their_order(self, net, alice, bob, sign):
        low = await net.rpc("eth_sendRawTransaction", sign(alice, nonce=0, maxPriorityFeePerGas=1))
        behind = await net.rpc("eth_sendRawTransaction", sign(alice, nonce=1, maxPriorityFeePerGas=9 * 10**9))
        high = await net.rpc("eth_sendRawTransaction", sign(bob, maxPriorityFeePerGas=5 * 10**8))
        await net.rpc("evm_mine")
        block = await net.rpc("eth_getBlockByNumber", "latest", False)
        assert block["transactions"] == [high, low, behind]

    async def test_fee_cap_below_base_fee_waits(self, net, alice, sign):
        fees = {"maxFeePerGas": 10, "maxPriorityFeePerGas": 1}
        tx_hash = await net.rpc("eth_sendRawTransaction", sign(alice, **fees))
        await net.rpc("evm_mine")
        assert await net.rpc("eth_getTransactionReceipt", tx_hash) is None
        await net.rpc("anvil_setNextBlockBaseFeePerGas", "0x9")
        await net.rpc("evm_mine")
        assert (await net.rpc("eth_getTransactionReceipt", tx_hash))["effectiveGasPrice"] == "0xa"

    async def test_full_block_leaves_the_rest_for_the_next(self, net, alice, bob, sign):
        # A limit must fit into what is left; 21,000 used is enough to leave no room for the same limit again.
        waiting = [
            await net.rpc("eth_sendRawTransaction", sign(alice, nonce=nonce, gas=29_990_000))
            for nonce in (0, 1)
        ]
        small = await net.rpc("eth_sendRawTransaction", sign(bob, maxPriorityFeePerGas=1))
        await net.rpc("evm_mine")
        assert (await net.rpc("eth_getBlockByNumber", "latest", False))["transactions"] == [waiting[0], small]
        await net.rpc("evm_mine")
        assert (await net.rpc("eth_getBlockByNumber", "latest", False))["transactions"] == [waiting[1]]

    async def test_queued_transactions_cannot_promise_more_than_the_balance(self, net, alice, sign):
        whole = 9_999 * 10**18
        await net.rpc("eth_sendRawTransaction", sign(alice, value=whole))
        with pytest.raises(RpcError, match=r"insufficient funds for gas \* price \+ value: queued cost"):
            await net.rpc("eth_sendRawTransaction", sign(alice, nonce=1, value=whole))

    async def test_dropped_transaction_is_forgotten(self, net, alice, sign):
        tx_hash = await net.rpc("eth_sendRawTransaction", sign(alice))
        assert await net.rpc("anvil_dropTransaction", tx_hash) is True
        assert await net.rpc("anvil_dropTransaction", tx_hash) is False
        await net.rpc("evm_mine")
        assert (await net.rpc("eth_getBlockByNumber", "latest", False))["transactions"] == []

    async def test_turning_automine_on_mines_what_waits(self, net, alice, sign):
        tx_hash = await net.rpc("eth_sendRawTransaction", sign(alice))
        await net.rpc("evm_setAutomine", True)
        assert (await net.rpc("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"

    async def test_pending_state_includes_the_pool(self, net, alice, sign):
        await net.rpc("eth_sendRawTransaction", sign(alice, value=5))
        target = "0x" + "11" * 20
        assert await net.rpc("eth_getBalance", target, "pending") == "0x5"
        assert await net.rpc("eth_getBalance", target, "latest") == "0x0"
