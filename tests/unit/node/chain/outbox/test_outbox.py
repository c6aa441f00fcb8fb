"""The outbox: once, through crashes, lost answers, full pools, re-orgs and foreign transactions."""

from __future__ import annotations

import asyncio

import pytest

from assay_node.chain import (
    Call,
    ChainError,
    ContractReverted,
    FeePolicy,
    FeesTooHigh,
    FinalityPolicy,
    InsufficientFunds,
    IntentStatus,
    NodeUnavailable,
    RpcError,
    SenderBusy,
    TransactionFailed,
    TransactionLost,
    TransactionPending,
)
from unit.node.chain.outbox.transactions import TO, call, settle


async def test_sends_and_confirms(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    assert outbox.intent("a").status is IntentStatus.PENDING
    node.mine()
    receipt = await outbox.wait("a")
    assert receipt.succeeded
    assert outbox.intent("a").status is IntentStatus.MINED
    for _ in range(3):
        node.mine()
    await outbox.step()
    assert outbox.intent("a").status is IntentStatus.DONE
    assert [tx.data for tx in node.executed()] == [b"a"]


TAGGED = FinalityPolicy(confirmations=0, final_after=3, tag="finalized")


async def test_a_transaction_is_not_forgotten_because_a_node_calls_blocks_to_come_final(
    node, clock, open_outbox, tmp_path
):
    """A re-org follows that drops it: what was forgotten would not be sent again."""
    outbox = await open_outbox(node, tmp_path / "o.db", clock, finality=TAGGED)
    node.final = 1000
    await outbox.submit("a", call("a"))
    node.mine()
    await outbox.step()
    assert outbox.intent("a").status is IntentStatus.MINED
    node.reorg(1, forget=True)
    await settle(outbox, node, clock)
    assert outbox.intent("a").status is IntentStatus.DONE
    assert [tx.data for tx in node.executed()] == [b"a"]


@pytest.mark.parametrize(
    "says", [[0] * 20, [6, 2, 9, 0, 3, 8, 1, 12, 0, 0]], ids=["nothing", "back and forth"]
)
async def test_a_node_whose_final_block_stands_still_or_goes_back_costs_nothing(
    node, clock, open_outbox, tmp_path, says
):
    outbox = await open_outbox(node, tmp_path / "o.db", clock, finality=TAGGED)
    for number, final in enumerate(says):
        node.final = final
        await outbox.submit(str(number), call(str(number)))
        clock.now += 11
        node.mine()
        await outbox.step()
        for earlier in range(number):
            intent = outbox.intent(str(earlier))
            assert intent.status in (IntentStatus.MINED, IntentStatus.DONE)
            if intent.status is IntentStatus.DONE:  # a block that was never called final, or lies too high
                assert intent.block_number <= min(max(says[: number + 1]), len(node.blocks) - 4)
    node.final = None
    await settle(outbox, node, clock)
    assert [tx.data for tx in node.executed()] == [str(number).encode() for number in range(len(says))]
    assert {outbox.intent(str(number)).status for number in range(len(says))} == {IntentStatus.DONE}


async def test_same_key_is_sent_once(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    first = await outbox.submit("a", call("a"))
    second = await outbox.submit("a", call("something else"))
    assert second == first
    await settle(outbox, node, clock)
    assert (await outbox.submit("a", call("a"))).status is IntentStatus.DONE
    assert [tx.data for tx in node.executed()] == [b"a"]


async def test_nonces_are_consecutive(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await asyncio.gather(*(outbox.submit(str(i), call(str(i))) for i in range(5)))
    assert [intent.nonce for intent in outbox.pending()] == [0, 1, 2, 3, 4]


async def test_reverting_call_uses_no_nonce(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    node.estimate_error = RpcError("eth_estimateGas", 3, "execution reverted", "0x")
    with pytest.raises(ContractReverted, match="cannot a: the contract reverted without a reason"):
        await outbox.submit("a", call("a"))
    assert outbox.intent("a") is None
    assert await outbox.next_nonce() == 0


async def test_refuses_what_cannot_be_paid(node, clock, open_outbox, tmp_path, account):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    node.balances[account.address] = 1000
    with pytest.raises(InsufficientFunds, match=r"has 1,000 wei"):
        await outbox.submit("a", call("a"))
    assert outbox.pending() == []


async def test_counts_pending_transactions_against_the_balance(node, clock, open_outbox, tmp_path, account):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", Call(TO, b"a", value=10**18))
    node.balances[account.address] = 10**18 + 10**17
    with pytest.raises(InsufficientFunds):
        await outbox.submit("b", Call(TO, b"b", value=10**18))


async def test_fee_cap_is_kept(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock, fees=FeePolicy(max_fee_cap=30, tip_cap=5))
    node.base_fee = 31
    with pytest.raises(FeesTooHigh):
        await outbox.submit("a", call("a"))
    node.base_fee = 20
    await outbox.submit("a", call("a"))
    node.base_fee = 1000
    for _ in range(20):
        clock.now += 11
        await outbox.step()
        node.mine()
    assert max(tx.max_fee for tx in node.sent) <= 30
    node.base_fee = 5
    await settle(outbox, node, clock)
    assert [tx.data for tx in node.executed()] == [b"a"]


async def test_stuck_transaction_is_replaced_at_higher_fees(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    node.base_fee = 100  # the pool's transaction is now too cheap to be mined
    node.mine()
    await outbox.step()
    assert len(node.sent) == 1  # patience first
    clock.now += 11
    await outbox.step()
    first, second = node.sent
    assert second.nonce == first.nonce
    assert second.max_fee * 10 >= first.max_fee * 11
    assert second.tip * 10 >= first.tip * 11
    await settle(outbox, node, clock)
    assert [tx.data for tx in node.executed()] == [b"a"]


async def test_lost_answer_does_not_send_twice(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    node.lose_answers = 1
    await outbox.submit("a", call("a"))
    await settle(outbox, node, clock)
    assert outbox.intent("a").status is IntentStatus.DONE
    assert [tx.data for tx in node.executed()] == [b"a"]


async def test_dropped_transaction_is_sent_again(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    node.drop_next = 1
    await outbox.submit("a", call("a"))
    assert not node.pool
    await settle(outbox, node, clock)
    assert [tx.data for tx in node.executed()] == [b"a"]


async def test_forgetful_pool_heals_the_nonce_below(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    node.drop_next = 1
    await outbox.submit("a", call("a"))
    await outbox.submit("b", call("b"))
    node.mine()
    assert node.executed() == []  # b waits for a
    await settle(outbox, node, clock)
    assert [tx.data for tx in node.executed()] == [b"a", b"b"]


async def test_refusal_by_the_node_only_delays(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    node.refuse = "txpool is full"
    await outbox.submit("a", call("a"))
    assert outbox.intent("a").note == "txpool is full"
    waiting = asyncio.create_task(outbox.wait("a", timeout=5))
    for _ in range(3):
        await asyncio.sleep(0)
        clock.now += 6
    with pytest.raises(TransactionPending, match="txpool is full"):
        await waiting
    node.refuse = None
    await settle(outbox, node, clock)
    assert [tx.data for tx in node.executed()] == [b"a"]


async def test_reorg_brings_a_mined_transaction_back(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    node.mine()
    await outbox.step()
    assert outbox.intent("a").status is IntentStatus.MINED
    node.reorg(1, forget=True)
    await outbox.step()
    assert outbox.intent("a").status is IntentStatus.PENDING
    await settle(outbox, node, clock)
    assert outbox.intent("a").status is IntentStatus.DONE
    assert [tx.data for tx in node.executed()] == [b"a"]


async def test_replaced_transaction_that_is_mined_after_all_is_found(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    original = node.pool[next(iter(node.pool))]
    clock.now += 11
    await outbox.step()
    node.pool[original.sender, original.nonce] = original  # another miner never saw the replacement
    node.mine()
    await settle(outbox, node, clock)
    intent = outbox.intent("a")
    assert (intent.status, intent.tx_hash) == (IntentStatus.DONE, original.hash)


async def test_reverted_transaction_raises_and_may_be_repeated(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    node.reverts.add(b"a")
    await outbox.submit("a", call("a"))
    node.mine()
    with pytest.raises(TransactionFailed, match="mined and reverted"):
        await outbox.wait("a")
    assert (await outbox.submit("a", call("a"))).generation == 0
    node.reverts.clear()
    node.reverts.add(b"x")
    again = await outbox.submit("a", Call(TO, b"a2"), again=True)
    assert (again.generation, again.nonce) == (1, 1)
    await settle(outbox, node, clock)
    assert outbox.intent("a").status is IntentStatus.DONE


async def test_foreign_transaction_with_our_nonce_is_reported(node, clock, open_outbox, tmp_path, account):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    node.drop_next = 1
    await outbox.submit("a", call("a"))
    other = await open_outbox(node, ":memory:", clock, account=account)  # another program with the same key
    await other.submit("z", call("z"))
    node.mine()
    for _ in range(3):
        await outbox.step()
        assert outbox.intent("a").status is IntentStatus.PENDING  # not before it is final
        node.mine()
    for _ in range(4):
        node.mine()
        await outbox.step()
    assert outbox.intent("a").status is IntentStatus.LOST
    with pytest.raises(TransactionLost):
        await outbox.wait("a")
    again = await outbox.submit("a", call("a"), again=True)
    assert again.nonce == 1
    await settle(outbox, node, clock)
    assert [tx.data for tx in node.executed()] == [b"z", b"a"]


async def test_gap_below_is_filled(node, clock, open_outbox, tmp_path, account):
    foreign = await open_outbox(node, ":memory:", clock, account=account)
    await foreign.submit("z", call("z"))
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    assert (await outbox.submit("a", call("a"))).nonce == 1
    node.pool.pop((account.address, 0))  # the pool forgets the foreign one, and nobody sends it again
    await settle(outbox, node, clock)
    assert [tx.data for tx in node.executed()] == [b"a"]
    assert await node.nonce(account.address) == 2


async def test_cancel_gives_the_nonce_up(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    await outbox.cancel("a")
    await settle(outbox, node, clock)
    assert outbox.intent("a").status is IntentStatus.CANCELLED
    assert node.executed() == []
    with pytest.raises(TransactionLost, match="cancelled"):
        await outbox.wait("a")


async def test_cancel_that_loses_the_race_is_a_success(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    original = node.pool[next(iter(node.pool))]
    await outbox.cancel("a")
    node.pool[original.sender, original.nonce] = original
    node.mine()
    await settle(outbox, node, clock)
    assert outbox.intent("a").status is IntentStatus.DONE
    assert (await outbox.wait("a")).succeeded


async def test_one_sender_for_each_key(node, clock, open_outbox, tmp_path, account, stranger):
    first = await open_outbox(node, tmp_path / "o.db", clock)
    with pytest.raises(SenderBusy, match="another process"):
        await open_outbox(node, tmp_path / "other.db", clock)
    other = await open_outbox(node, tmp_path / "third.db", clock, account=stranger)
    assert other.account.address != first.account.address


async def test_lock_is_free_after_close(node, clock, open_outbox, tmp_path):
    from assay_node.chain import Outbox

    first = await Outbox.open(node, (await open_outbox(node, ":memory:", clock)).account, tmp_path / "o.db")
    first.close()
    await open_outbox(node, tmp_path / "o.db", clock)


async def test_refuses_another_chains_outbox(node, new_node, clock, open_outbox, tmp_path):
    (await open_outbox(node, tmp_path / "a" / "o.db", clock, lock_dir=tmp_path / "1"))
    other = new_node()
    other._forks = 7
    other.blocks.clear()
    other.mine(0)
    with pytest.raises(ChainError, match="another chain"):
        await open_outbox(other, tmp_path / "a" / "o.db", clock, lock_dir=tmp_path / "2")


async def test_refuses_another_accounts_outbox(node, clock, open_outbox, tmp_path, stranger):
    await open_outbox(node, tmp_path / "o.db", clock)
    with pytest.raises(ChainError, match="another account"):
        await open_outbox(node, tmp_path / "o.db", clock, account=stranger)


async def test_final_transaction_undone_by_a_deep_reorg_is_sent_again_when_wanted(
    node, clock, open_outbox, tmp_path
):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    await settle(outbox, node, clock)
    assert outbox.intent("a").status is IntentStatus.DONE
    node.reorg(12, forget=True)
    assert (await outbox.submit("a", call("a"))).status is IntentStatus.DONE  # not asked to look again
    assert (await outbox.submit("a", call("a"), again=True)).status is IntentStatus.PENDING
    await settle(outbox, node, clock)
    assert [tx.data for tx in node.executed()] == [b"a"]


async def test_final_transaction_whose_nonce_is_taken_after_a_deep_reorg(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    await settle(outbox, node, clock)
    node.reorg(12, forget=True)
    await outbox.submit("b", call("b"))
    again = await outbox.submit("a", call("a"), again=True)
    assert (again.generation, again.nonce) == (1, 1)
    await settle(outbox, node, clock)
    assert [tx.data for tx in node.executed()] == [b"b", b"a"]


async def test_a_node_that_goes_away_while_waiting_is_told_and_the_transaction_kept(
    node, clock, open_outbox, tmp_path
):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)

    def gone(method: str) -> None:
        node.down = node.down or (method == "header" and bool(node.sent))
        clock.now += 1

    node.before = gone
    with pytest.raises(
        NodeUnavailable, match=r"is signed, and whether it was mined is not known.*sent again"
    ):
        await outbox.send("a", call("a"))
    outbox.close()
    node.before, node.down = (lambda _: None), False
    node.pool.clear()  # a node that was restarted
    again = await open_outbox(node, tmp_path / "o.db", clock)
    clock.now += 30
    await settle(again, node, clock)
    assert [tx.data for tx in node.executed()] == [b"a"]


async def test_a_short_outage_while_waiting_is_waited_out(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    rounds = 0

    def flaky(method: str) -> None:
        nonlocal rounds
        if method == "header":
            rounds += 1
            clock.now += 1
            node.down = rounds < 5
            if rounds == 6:
                node.mine()

    node.before = flaky
    assert (await outbox.send("a", call("a"))).succeeded
