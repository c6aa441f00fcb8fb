"""A second node: what one lies about, alone, is not believed."""

from __future__ import annotations

from typing import Any, cast

import pytest

from assay_node.chain import Call, CrossCheck, NodesDisagree, NodeUnavailable, Rpc, RpcError
from assay_node.chain.node import cross_check

A = "0x" + "ab" * 20


@pytest.fixture
def two(new_node: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, CrossCheck]:
    monkeypatch.setattr(cross_check, "PATIENCE", 0.05)
    monkeypatch.setattr(cross_check, "PAUSE", 0.01)
    one, other = new_node(), new_node()
    for node in (one, other):
        node.mine(0)
        node.log(A, [b"\x01" * 32], b"data")
    return one, other, CrossCheck(cast(Rpc, one), cast(Rpc, other))


QUESTIONS = {
    "chain_id": lambda node: node.chain_id(),
    "header": lambda node: node.header(1),
    "logs": lambda node: node.logs(0, 1, [A]),
    "nonce": lambda node: node.nonce(A),
    "balance": lambda node: node.balance(A),
    "code": lambda node: node.code(A),
    "call": lambda node: node.call(A, b"x"),
}


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("liar", [0, 1])
async def test_what_one_node_lies_about_is_refused(two: Any, name: str, liar: int) -> None:
    honest = await QUESTIONS[name](two[2])
    lie: Any = {int: 7, bytes: b"lie", list: []}.get(type(honest))

    async def lying(*_: Any, **__: Any) -> Any:
        return lie

    setattr(two[liar], name, lying)
    with pytest.raises(NodesDisagree, match="two nodes give different answers about"):
        await QUESTIONS[name](two[2])


async def test_what_both_say_is_believed(two: Any) -> None:
    one, _, node = two
    for name, ask in QUESTIONS.items():
        assert await ask(node) == await ask(one), name


async def test_a_node_that_is_behind_is_waited_for(two: Any) -> None:
    one, other, node = two
    one.mine(0)
    assert await node.block_number() == 1
    assert (await node.header("latest")).number == 1
    assert await node.balance(A) == 10**20
    with pytest.raises(NodesDisagree):  # it does not come within the patience
        await node.header(2)
    other.mine(0)
    assert (await node.header(2)).number == 2


async def test_a_revert_is_believed_of_both_alone(two: Any) -> None:
    one, other, node = two
    one.reverts.add(b"x")
    with pytest.raises(NodesDisagree):
        await node.call(A, b"x")
    other.reverts.add(b"x")
    with pytest.raises(RpcError, match="reverted"):
        await node.call(A, b"x")


async def test_a_node_that_is_away_is_told_as_such(two: Any) -> None:
    two[1].down = True
    with pytest.raises(NodeUnavailable):
        await two[2].balance(A)


async def test_a_transaction_goes_to_both(
    two: Any, account: Any, clock: Any, open_outbox: Any, tmp_path: Any
) -> None:

    one, other, node = two
    outbox = await open_outbox(node, tmp_path / "o.db", clock)
    await outbox.submit("a", Call(A, b"a"))
    assert [len(each.sent) for each in (one, other)] == [1, 1]
    one.mine()
    await outbox.step()
    assert str(outbox.intent("a").status) == "pending"  # one node alone says that it is mined
    other.mine()
    await outbox.step()
    assert str(outbox.intent("a").status) == "mined"
