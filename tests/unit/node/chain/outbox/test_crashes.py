"""The outbox killed at every step, and in any weather: a transaction is neither lost nor sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay_node.chain import (
    IntentStatus,
    NodeUnavailable,
)
from unit.node.chain.outbox.transactions import call, settle


class Tripwire:
    """Ends the process at the n-th chance: just before or just after a request or a write."""

    def __init__(self, at: int, crash: type[BaseException]) -> None:
        self.left = at
        self.crash = crash

    def __call__(self, _: str = "") -> None:
        self.left -= 1
        if self.left == 0:
            raise self.crash


def arm(node: Any, outbox: Any, wire: Tripwire) -> None:
    node.before = node.after = wire
    store = outbox._store
    for name in ("add", "add_attempt", "mark_sent", "set_mined", "set_pending", "note"):
        original = getattr(store, name)

        def wrapped(*args: Any, original: Callable[..., Any] = original, **kwargs: Any) -> Any:
            wire()
            result = original(*args, **kwargs)
            wire()
            return result

        setattr(store, name, wrapped)


def disarm(node: Any) -> None:
    node.before = node.after = lambda _: None


async def test_a_crash_at_every_single_step_neither_loses_nor_repeats(
    new_node, new_clock, open_outbox, tmp_path, crash
):
    """Exhaustive: one scenario, killed at its first step, at its second, and so on until it is through."""

    async def scenario(outbox: Any, node: Any, clock: Any) -> None:
        for name in ("a", "b"):
            await outbox.submit(name, call(name))
        node.base_fee = 40  # stuck: replacements are needed
        for _ in range(6):
            clock.now += 11
            await outbox.step()
            node.mine(1)
        await outbox.step()

    crashes = 0
    for at in range(1, 2000):
        node, clock, path = new_node(), new_clock(), tmp_path / f"{at}.db"
        outbox = await open_outbox(node, path, clock, lock_dir=tmp_path / str(at))
        arm(node, outbox, Tripwire(at, crash))
        try:
            await scenario(outbox, node, clock)
        except crash:
            crashes += 1
        finally:
            disarm(node)
        survived = crashes < at
        outbox.close()
        outbox = await open_outbox(node, path, clock, lock_dir=tmp_path / str(at))
        for name in ("a", "b"):
            await outbox.submit(name, call(name))
        await settle(outbox, node, clock, 10)
        assert sorted(tx.data for tx in node.executed()) == [b"a", b"b"], at
        assert all(outbox.intent(name).status is IntentStatus.DONE for name in ("a", "b")), at
        if survived:
            break
        outbox.close()
    else:
        pytest.fail("the scenario never got through")
    assert crashes > 50  # it has that many steps


WEATHER = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.integers(0, 4)),
        st.tuples(st.just("mine"), st.integers(0, 3)),
        st.tuples(st.just("reorg"), st.integers(1, 2)),
        st.tuples(st.just("forget"), st.integers(1, 2)),
        st.tuples(st.just("drop"), st.integers(1, 2)),
        st.tuples(st.just("lose"), st.integers(1, 2)),
        st.tuples(st.just("fee"), st.integers(1, 80)),
        st.tuples(st.just("down"), st.integers(0, 1)),
        st.tuples(st.just("refuse"), st.integers(0, 1)),
        st.tuples(st.just("wait"), st.integers(0, 30)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("crash"), st.integers(1, 30)),
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(weather=WEATHER)
def test_any_weather_then_calm(weather, new_node, new_clock, account, crash, tmp_path_factory):
    asyncio.run(
        _any_weather(weather, new_node(), new_clock(), account, crash, tmp_path_factory.mktemp("outbox"))
    )


async def _any_weather(
    weather: list[tuple[str, int]],
    node: Any,
    clock: Any,
    account: LocalAccount,
    crash: type[BaseException],
    folder: Path,
) -> None:
    from assay_node.chain import FinalityPolicy, Outbox, OutboxConfig

    async def open_() -> Outbox:
        return await Outbox.open(
            node,
            account,
            folder / "o.db",
            finality=FinalityPolicy(confirmations=0, final_after=3),
            config=OutboxConfig(resubmit_after=10.0, poll=0.0),
            clock=clock,
        )

    wanted: set[str] = set()
    outbox = await open_()
    for what, amount in weather:
        try:
            match what:
                case "submit":
                    wanted.add(str(amount))
                    await outbox.submit(str(amount), call(str(amount)))
                case "mine":
                    node.mine(amount)
                case "reorg":
                    node.reorg(amount)
                case "forget":
                    node.reorg(amount, forget=True)
                case "drop":
                    node.drop_next = amount
                case "lose":
                    node.lose_answers = amount
                case "fee":
                    node.base_fee = amount
                case "down":
                    node.down = bool(amount)
                case "refuse":
                    node.refuse = "txpool is full" if amount else None
                case "wait":
                    clock.now += amount
                case "crash":
                    arm(node, outbox, Tripwire(amount, crash))
                case "restart":
                    down, node.down = node.down, False
                    outbox.close()
                    outbox = await open_()
                    node.down = down
            await outbox.step()
        except NodeUnavailable:
            pass
        except crash:
            disarm(node)
            down, node.down = node.down, False
            outbox.close()
            outbox = await open_()
            node.down = down
    disarm(node)
    node.down, node.refuse, node.drop_next, node.lose_answers, node.base_fee = False, None, 0, 0, 5
    outbox.close()
    outbox = await open_()
    for name in sorted(wanted):
        await outbox.submit(name, call(name))
    await settle(outbox, node, clock, 20)
    assert sorted(tx.data.decode() for tx in node.executed()) == sorted(wanted)
    assert not outbox.pending()
    outbox.close()
