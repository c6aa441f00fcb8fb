"""Two copies of one keystore in two homes: no lock sees both, the chain does."""

from __future__ import annotations

from typing import Any

import pytest

from assay_node.chain import Call, IntentStatus
from assay_node.chain.outbox.sender_watch import REMEMBERED

TO = "0x" + "ab" * 20


def call(name: str) -> Call:
    return Call(TO, name.encode(), description=name)


@pytest.fixture
async def two(node: Any, clock: Any, open_outbox: Any, tmp_path: Any) -> tuple[Any, Any]:
    """Two outboxes of one account, each with a folder and a lock of its own."""
    return (
        await open_outbox(node, tmp_path / "a" / "o.db", clock),
        await open_outbox(node, tmp_path / "b" / "o.db", clock),
    )


async def test_own_transactions_are_no_trouble(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    for name in "abc":
        await outbox.submit(name, call(name))
    node.mine(2)
    await outbox.step()
    outbox.close()
    again = await open_outbox(node, tmp_path / "o.db", clock)  # one still waits in the pool
    await again.submit("d", call("d"))
    node.mine()
    assert again.shared == ""


async def test_what_was_mined_before_the_start_is_no_trouble(node, clock, two):
    first, second = two
    await first.submit("a", call("a"))
    node.mine()
    first.close()
    await second.submit("b", call("b"))
    assert second.shared != ""  # it was open while the other sent
    clock.now += REMEMBERED + 1
    assert second.shared == ""


async def test_a_transaction_that_waits_at_the_start_and_is_not_ours_is_told(
    node, clock, open_outbox, tmp_path, account
):
    elsewhere = await open_outbox(node, tmp_path / "a" / "o.db", clock)
    await elsewhere.submit("a", call("a"))
    outbox = await open_outbox(node, tmp_path / "b" / "o.db", clock)
    assert f"another program sends with the account {account.address}" in outbox.shared


async def test_two_that_send_in_turn_both_find_out(node, two):
    first, second = two
    await first.submit("a", call("a"))
    assert (await second.submit("b", call("b"))).nonce == 1
    assert second.shared
    assert not first.shared
    await first.submit("c", call("c"))
    assert first.shared


async def test_a_nonce_taken_by_another_is_told(node, clock, two):
    first, second = two
    node.drop_next = 1
    await first.submit("a", call("a"))  # which no pool has
    await second.submit("b", call("b"))
    for _ in range(8):
        node.mine()
        await first.step()
    assert first.intent("a").status is IntentStatus.LOST
    assert first.shared


async def test_a_node_that_lags_is_no_other_sender(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    node.mine()
    await outbox.step()
    node.reorg(1)
    await outbox.submit("b", call("b"))
    node.mine()
    await outbox.submit("c", call("c"))
    assert outbox.shared == ""
