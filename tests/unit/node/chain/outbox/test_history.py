"""A chain that went back, a restored backup, history that is forgotten, two copies of a key."""

from __future__ import annotations

import shutil
from typing import Any

from assay_node.chain import Call, IntentStatus, OutboxConfig
from assay_node.chain.outbox.outbox_store import OutboxStore
from assay_node.chain.outbox.sender_watch import SenderWatch

TO = "0x" + "ab" * 20


def call(name: str) -> Call:
    return Call(TO, name.encode(), description=name)


async def settle(outbox: Any, node: Any, clock: Any, rounds: int = 8) -> None:
    for _ in range(rounds):
        node.mine()
        clock.now += 6
        await outbox.step()


async def test_a_reorg_deeper_than_finality_is_survived(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    for name in "abc":
        await outbox.submit(name, call(name))
        await settle(outbox, node, clock)
    assert all(outbox.intent(name).status is IntentStatus.DONE for name in "abc")
    node.reorg(12, forget=True)
    await settle(outbox, node, clock, 20)
    assert [tx.data for tx in node.executed()] == [b"a", b"b", b"c"]
    assert all(outbox.intent(name).status is IntentStatus.DONE for name in "abc")


async def test_a_chain_set_back_to_an_older_state_is_noticed_after_a_restart(
    node, clock, open_outbox, tmp_path
):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    await settle(outbox, node, clock)
    outbox.close()
    del node.blocks[1:]
    again = await open_outbox(node, tmp_path / "o.db", clock)
    assert await again.next_nonce() == 0  # what is final here is not on this chain
    await settle(again, node, clock, 20)
    assert [tx.data for tx in node.executed()] == [b"a"]


async def test_a_node_that_lags_for_a_while_has_not_gone_back(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    await settle(outbox, node, clock)
    newest = node.blocks[2:]
    del node.blocks[2:]
    await outbox.step()
    node.blocks += newest
    await settle(outbox, node, clock)
    assert len(node.sent) == 1


async def test_an_older_backup_of_the_outbox_sends_nothing_twice(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    outbox.close()
    shutil.copy(tmp_path / "o.db", tmp_path / "backup.db")
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await settle(outbox, node, clock)
    await outbox.submit("b", call("b"))
    await settle(outbox, node, clock)
    outbox.close()
    restored = await open_outbox(node, tmp_path / "backup.db", clock)
    await settle(restored, node, clock)
    assert (await restored.submit("c", call("c"))).nonce == 2
    await settle(restored, node, clock)
    assert [tx.data for tx in node.executed()] == [b"a", b"b", b"c"]


async def test_what_was_settled_long_ago_is_forgotten(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    for name in "abc":
        await outbox.submit(name, call(name))
        await settle(outbox, node, clock)
    clock.now += OutboxConfig().retention + 1
    await outbox.submit("d", call("d"))
    await outbox.step()
    assert [outbox.intent(name) is None for name in "abcd"] == [True, True, True, False]
    assert await outbox.next_nonce() == 4


def test_of_two_copies_of_a_key_one_takes_over(clock) -> None:
    store = OutboxStore(":memory:")
    first = SenderWatch(TO, store, 0, clock, lambda: 0.0)
    second = SenderWatch(TO, store, 0, clock, lambda: 1.0)
    first.found([0])
    second.found([1])
    sent: dict[str, int] = {"first": 0, "second": 0}
    for _ in range(600):
        clock.now += 1
        for name, watch, other in (("first", first, second), ("second", second, first)):
            if not watch.trouble and clock.now % 10 == 0:
                sent[name] += 1
                other.found([sent[name]])
    assert sent["first"] > 50
    assert sent["second"] == 0
    store.close()


async def test_what_an_earlier_round_saw_mined_is_looked_at_anew_when_it_is_waited_for(
    node, clock, open_outbox, tmp_path
):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    node.mine()
    await outbox.wait("a")
    node.reorg(1, forget=True)
    node.after = lambda method: node.mine() if method == "send_raw" else None
    receipt = await outbox.wait("a")
    assert node.blocks[receipt.block_number].header.hash == receipt.block_hash
