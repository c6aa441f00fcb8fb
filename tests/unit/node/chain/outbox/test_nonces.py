"""A node that is wrong about how many nonces are used: nothing is burned for it, and nothing hangs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from assay_node.chain import Call, IntentStatus
from assay_node.chain.outbox.dispatcher import MOST_GAPS
from assay_node.chain.outbox.nonces import MOST_FOREIGN

TO = "0x" + "ab" * 20
LIES = [1, 2, 3, 5, 60, 10**6, 2**62]


def call(name: str) -> Call:
    return Call(TO, name.encode(), description=name)


def lie(node: Any, about: str, by: int, times: int | None = None) -> list[int]:
    """Makes the node count nonces wrong for `about` ("pending" or "latest"); returns the lies told."""
    honest: Callable[..., Any] = node.nonce
    told: list[int] = []

    async def nonce(address: str, block: str = "latest") -> int:
        count: int = await honest(address, block)
        if block == about and (times is None or len(told) < times):
            told.append(count + by)
            return max(0, count + by)
        return count

    node.nonce = nonce
    return told


async def settle(outbox: Any, node: Any, clock: Any, rounds: int = 14) -> None:
    for _ in range(rounds):
        clock.now += 11
        await outbox.step()
        node.mine()
    await outbox.step()


@pytest.mark.parametrize("about", ["pending", "latest"])
@pytest.mark.parametrize("by", LIES)
async def test_one_wrong_count_costs_nothing(node, clock, open_outbox, tmp_path, about: str, by: int) -> None:
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    assert lie(node, about, by, times=1) == []
    intent = await outbox.submit("a", call("a"))
    assert intent.nonce == 0
    await settle(outbox, node, clock)
    assert outbox.intent("a").status is IntentStatus.DONE
    assert {tx.nonce for tx in node.sent} == {0}


@pytest.mark.parametrize("by", LIES)
async def test_a_pending_count_that_is_always_wrong_costs_a_few_transactions(
    node, clock, open_outbox, tmp_path, by: int
) -> None:
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    lie(node, "pending", by)
    for name in "abc":
        await outbox.submit(name, call(name))
        await settle(outbox, node, clock)
    assert [outbox.intent(name).status for name in "abc"] == [IntentStatus.DONE] * 3
    assert len({tx.nonce for tx in node.sent}) <= 3 + MOST_FOREIGN


async def test_transactions_far_above_the_account_are_given_up_after_a_restart(
    node, clock, open_outbox, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("assay_node.chain.outbox.nonces.MOST_FOREIGN", 10**9)  # as it was believed once
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    lie(node, "pending", 60)
    assert (await outbox.submit("a", call("a"))).nonce == 60
    del node.nonce
    outbox.close()
    monkeypatch.undo()
    again = await open_outbox(node, tmp_path / "o.db", clock)
    await settle(again, node, clock, 4)
    assert again.intent("a").status is IntentStatus.LOST
    await again.submit("a", call("a"), again=True)
    await settle(again, node, clock)
    assert again.intent("a").status is IntentStatus.DONE
    assert [tx.data for tx in node.executed()] == [b"a"]
    assert sum(len(block.txs) for block in node.blocks) == 1


async def test_a_few_unused_nonces_are_filled(node, clock, open_outbox, tmp_path, monkeypatch) -> None:
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    lie(node, "pending", MOST_GAPS)
    assert (await outbox.submit("a", call("a"))).nonce == MOST_GAPS
    del node.nonce
    await settle(outbox, node, clock)
    assert outbox.intent("a").status is IntentStatus.DONE
    assert sum(len(block.txs) for block in node.blocks) == MOST_GAPS + 1


async def test_a_node_that_lags_behind_what_is_final_is_not_believed(
    node, clock, open_outbox, tmp_path
) -> None:
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    await settle(outbox, node, clock)
    lie(node, "latest", -1)
    lie(node, "pending", -1)
    assert await outbox.next_nonce() == 1
