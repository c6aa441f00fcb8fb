"""What the tests of the outbox send, and calm weather to send it in."""

from __future__ import annotations

from typing import Any

from assay_node.chain import (
    Call,
)

TO = "0x" + "ab" * 20


def call(name: str) -> Call:
    return Call(TO, name.encode(), description=name)


async def settle(outbox: Any, node: Any, clock: Any, rounds: int = 12) -> None:
    """Calm weather: blocks come, the outbox looks."""
    for _ in range(rounds):
        clock.now += 11
        await outbox.step()
        node.mine()
    await outbox.step()
