"""Transactions that are submitted at the same moment share nonces, fees, requests and commits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from assay_node.chain import (
    ChainError,
    IntentStatus,
    NodeUnavailable,
    RpcError,
)
from unit.node.chain.outbox.transactions import call, settle


async def test_several_that_submit_at_once_share_nonce_and_fees_and_one_commit(
    node, clock, open_outbox, tmp_path
):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    asked: list[str] = []
    node.before = asked.append
    names = [f"n{number}" for number in range(5)]
    intents = await asyncio.gather(*(outbox.submit(name, call(name)) for name in names))
    assert [intent.nonce for intent in intents] == [0, 1, 2, 3, 4]
    assert asked.count("fee_history") == 1
    assert asked.count("estimate_gas") == asked.count("send_raw") == 5


async def test_two_that_submit_one_key_at_once_send_it_once(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    first, second = await asyncio.gather(outbox.submit("a", call("a")), outbox.submit("a", call("a")))
    assert (first.row, first.nonce) == (second.row, second.nonce)
    await settle(outbox, node, clock)
    assert [tx.data for tx in node.executed()] == [b"a"]


async def test_one_of_several_at_once_that_would_revert_keeps_back_no_other(
    node, clock, open_outbox, tmp_path
):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    estimate = node.estimate_gas

    async def picky(sender: str, to: str | None, data: bytes, value: int) -> int:
        if data == b"bad":
            raise RpcError("eth_estimateGas", 3, "execution reverted", "0x")
        return int(await estimate(sender, to, data, value))

    node.estimate_gas = picky
    good = asyncio.create_task(outbox.submit("good", call("good")))
    with pytest.raises(ChainError):
        await outbox.submit("bad", call("bad"))
    assert (await good).status is IntentStatus.PENDING
    assert outbox.intent("bad") is None


async def test_those_that_wait_for_a_round_share_it(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    asked: list[str] = []
    header, going = node.header, asyncio.Event()

    async def slow(block: int | str | bytes) -> Any:
        if block == "latest":
            asked.append("round")
            await going.wait()
        return await header(block)

    node.header = slow
    first = asyncio.create_task(outbox.step())
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(outbox.step()) for _ in range(6)]
    await asyncio.sleep(0.01)
    node.mine()
    going.set()
    await asyncio.gather(first, *later)
    assert len(asked) == 2  # the one under way may have looked too early for those that came later
    assert outbox.intent("a").status is IntentStatus.MINED


async def test_a_round_that_failed_is_no_round_for_those_that_waited(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    header, asked = node.header, 0

    async def failing_once_shared(block: int | str | bytes) -> Any:
        nonlocal asked
        await asyncio.sleep(0)
        asked += block == "latest"
        if asked == 2:
            raise NodeUnavailable("away for a moment")
        return await header(block)

    node.header = failing_once_shared
    found = await asyncio.gather(*(outbox.step() for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in found] == [type(None), NodeUnavailable, type(None)]
    assert asked == 3
