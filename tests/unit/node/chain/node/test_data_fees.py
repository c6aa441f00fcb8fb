"""What rollups take for a transaction's bytes: asked of the contract that knows."""

from __future__ import annotations

from typing import Any

import pytest

from assay_node.chain import Call, DataFees, InsufficientFunds, RpcError, data_fee
from assay_node.chain.node.data_fees import ARB_SYS, GAS_PRICE_ORACLE, NODE_INTERFACE


def rollup(node: Any, kind: str, *, fjord: bool = True) -> Any:
    """Makes a node one of a rollup where 1,000 bytes cost 800 wei."""

    async def code(address: str) -> bytes:
        return {("op", GAS_PRICE_ORACLE): b"\x60", ("arbitrum", ARB_SYS): b"\xfe"}.get((kind, address), b"")

    async def call(to: str, data: bytes, **_: Any) -> bytes:
        if kind == "op" and to == GAS_PRICE_ORACLE:
            if len(data) == 36 and not fjord:
                raise RpcError("eth_call", 3, "execution reverted")
            return (800).to_bytes(32, "big")
        assert to == NODE_INTERFACE
        return b"".join(value.to_bytes(32, "big") for value in (80, 10, 7))

    node.code, node.call = code, call
    return node


@pytest.mark.parametrize("fjord", [True, False])
async def test_an_op_stack_chain_charges_beside_the_gas(node: Any, fjord: bool) -> None:
    fees = DataFees(rollup(node, "op", fjord=fjord))
    assert (await fees.price(), await fees.beside_gas()) == (1000, 1000)


async def test_arbitrum_charges_within_the_gas(node: Any) -> None:
    fees = DataFees(rollup(node, "arbitrum"))
    assert (await fees.price(), await fees.beside_gas()) == (1000, 0)


async def test_something_else_at_the_oracles_address_charges_nothing(node: Any) -> None:
    fees = DataFees(rollup(node, "op"))

    async def call(*_: Any, **__: Any) -> bytes:
        raise RpcError("eth_call", 3, "execution reverted")

    node.call = call
    assert (await fees.price(), await fees.beside_gas()) == (0, 0)


async def test_other_chains_charge_nothing(node: Any) -> None:
    fees = DataFees(rollup(node, ""))
    assert (await fees.price(), await fees.beside_gas()) == (0, 0)


def test_a_transaction_has_bytes_beside_its_calldata() -> None:
    assert data_fee(1000, 300) == 500
    assert data_fee(0, 300) == 0


async def test_the_fee_is_part_of_what_an_account_must_have(
    node: Any, clock: Any, open_outbox: Any, tmp_path: Any, account: Any
) -> None:
    rollup(node, "op")
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    gas, fee = 62_500, 22  # the double's estimate and offer
    node.balances[account.address] = gas * fee + data_fee(1000, 100) - 1
    with pytest.raises(InsufficientFunds):
        await outbox.submit("a", Call("0x" + "ab" * 20, bytes(100)))
    node.balances[account.address] += 1
    await outbox.submit("a", Call("0x" + "ab" * 20, bytes(100)))
