"""Gas that may cost more than the cap: for what would cost more by its absence, up to that, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from assay_node.chain import Call, FeePolicy, FeesTooHigh, InsufficientFunds, IntentStatus

TO = "0x" + "ab" * 20
CAPPED = FeePolicy(max_fee_cap=30, tip_cap=5)
GAS = 62_500
"""What the double's estimate comes to."""


def call(name: str) -> Call:
    return Call(TO, name.encode(), description=name)


def executed(node: Any) -> list[bytes]:
    return [tx.data for tx in node.executed()]


async def test_what_is_allowed_more_is_sent_above_the_cap(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock, fees=CAPPED)
    node.base_fee = 100
    with pytest.raises(FeesTooHigh):
        await outbox.submit("proof", call("proof"))
    outbox.allow("proof", 150 * GAS)
    await outbox.submit("proof", call("proof"))
    node.mine()
    assert executed(node) == [b"proof"]
    with pytest.raises(FeesTooHigh):
        await outbox.submit("bid", call("bid"))  # nobody said that of this one
    assert max(tx.max_fee for tx in node.sent) <= 150


async def test_no_more_is_paid_than_was_allowed(node, clock, open_outbox, tmp_path):
    outbox = await open_outbox(node, tmp_path / "o.db", clock, fees=CAPPED)
    outbox.allow("proof", 99 * GAS)
    node.base_fee = 100
    with pytest.raises(FeesTooHigh, match="above the cap"):
        await outbox.submit("proof", call("proof"))
    node.base_fee = 20
    await outbox.submit("proof", call("proof"))
    node.base_fee = 1000
    for _ in range(20):
        clock.now += 11
        await outbox.step()
        node.mine()
    assert 30 < max(tx.max_fee for tx in node.sent) <= 99


async def test_a_stuck_transaction_is_replaced_at_once_when_more_is_allowed(
    node, clock, open_outbox, tmp_path
):
    outbox = await open_outbox(node, tmp_path / "o.db", clock, fees=CAPPED)
    await outbox.submit("proof", call("proof"))
    node.base_fee = 100
    await outbox.step()
    node.mine()
    assert executed(node) == []
    outbox.allow("proof", 150 * GAS)
    await outbox.step()  # no time has passed
    node.mine()
    assert executed(node) == [b"proof"]
    sent = len(node.sent)
    outbox.allow("proof", 150 * GAS)  # said again every round
    await outbox.step()
    assert len(node.sent) == sent


@pytest.mark.parametrize("submitted", [False, True])
async def test_what_holds_it_up_is_lifted_with_it(node, clock, open_outbox, tmp_path, submitted):
    outbox = await open_outbox(node, tmp_path / "o.db", clock, fees=CAPPED)
    await outbox.submit("bid", call("bid"))
    if submitted:
        await outbox.submit("proof", call("proof"))
    node.base_fee = 100
    outbox.allow("proof", 150 * 2 * GAS)
    await outbox.submit("proof", call("proof"))
    await outbox.step()
    node.mine()
    assert executed(node) == [b"bid", b"proof"]
    assert sum(tx.max_fee for tx in node.blocks[-1].txs) * GAS <= 150 * 2 * GAS


async def test_less_headroom_is_taken_when_the_purse_has_no_more(node, clock, open_outbox, tmp_path, account):
    outbox = await open_outbox(node, tmp_path / "o.db", clock, fees=CAPPED)
    outbox.allow("proof", 1000 * GAS)
    node.base_fee = 100
    node.balances[account.address] = 99 * GAS
    with pytest.raises(InsufficientFunds):
        await outbox.submit("proof", call("proof"))
    node.balances[account.address] = 110 * GAS
    await outbox.submit("proof", call("proof"))
    assert node.sent[-1].max_fee == 110


async def test_a_replacement_that_cannot_be_paid_is_not_signed(node, clock, open_outbox, tmp_path, account):
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", call("a"))
    node.base_fee = 100
    node.balances[account.address] = 90 * GAS
    for _ in range(4):
        clock.now += 11
        await outbox.step()
    assert len({tx.hash for tx in node.sent}) == 1
    assert outbox.intent("a").status is IntentStatus.PENDING
    node.balances[account.address] = 120 * GAS
    clock.now += 11
    await outbox.step()
    node.mine()
    assert executed(node) == [b"a"]


async def test_a_gap_that_is_too_dear_to_fill_does_not_stop_the_round(
    node, clock, open_outbox, tmp_path, account
):
    foreign = await open_outbox(node, ":memory:", clock, account=account)
    await foreign.submit("z", call("z"))
    outbox = await open_outbox(node, tmp_path / "o.db", clock, fees=CAPPED)
    await outbox.submit("a", call("a"))
    node.pool.pop((account.address, 0))
    node.base_fee = 100
    for _ in range(4):
        clock.now += 11
        await outbox.step()  # and raises nothing
    node.base_fee = 10
    for _ in range(4):
        clock.now += 11
        await outbox.step()
        node.mine()
    assert executed(node) == [b"a"]
