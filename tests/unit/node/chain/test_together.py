"""What several want at once is done at once, and one's misfortune stays its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from assay_node.chain import ChainError
from assay_node.chain.together import Together


class Doer:
    """Doubles numbers, once it is let; keeps what it was given each time."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []
        self.let = asyncio.Event()
        self.let.set()
        self.failure: Exception | None = None

    async def do(self, wants: Sequence[int]) -> list[int]:
        self.given.append(list(wants))
        await self.let.wait()
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return [2 * want for want in wants]


async def test_what_is_wanted_at_the_same_moment_is_done_in_one_go():
    doer = Doer()
    together = Together(doer.do, asyncio.Lock())
    assert await asyncio.gather(*(together(number) for number in range(4))) == [0, 2, 4, 6]
    assert doer.given == [[0, 1, 2, 3]]


async def test_what_is_wanted_meanwhile_waits_and_is_then_done_in_one_go():
    doer = Doer()
    doer.let.clear()
    together = Together(doer.do, asyncio.Lock())
    first = asyncio.create_task(together(1))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(together(number)) for number in (2, 3)]
    await asyncio.sleep(0.01)
    doer.let.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6]
    assert doer.given == [[1], [2, 3]]


async def test_a_failure_is_told_to_all_whom_it_hit_and_to_nobody_after():
    doer = Doer()
    doer.failure = ChainError("the node is away")
    together = Together(doer.do, asyncio.Lock())
    found = await asyncio.gather(together(1), together(2), return_exceptions=True)
    assert [str(each) for each in found] == ["the node is away"] * 2
    assert await together(3) == 6
    assert doer.given == [[1, 2], [3]]


async def test_one_that_is_cancelled_while_it_acts_for_others_takes_nothing_from_them():
    doer = Doer()
    doer.let.clear()
    together = Together(doer.do, asyncio.Lock())
    first, second = asyncio.create_task(together(1)), asyncio.create_task(together(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    doer.let.set()
    assert await second == 4
    assert doer.given == [[1, 2], [2]]
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_one_that_is_cancelled_while_it_waits_is_not_served():
    doer = Doer()
    doer.let.clear()
    together = Together(doer.do, asyncio.Lock())
    first = asyncio.create_task(together(1))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(together(2))
    await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.sleep(0.01)
    third = asyncio.create_task(together(3))
    doer.let.set()
    assert (await first, await third) == (2, 6)
    assert doer.given == [[1], [3]]
