"""What several want at the same time is done at once: in as many requests as for one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from .errors import ChainError

W = TypeVar("W")
R = TypeVar("R")


class Together(Generic[W, R]):
    """Gathers what is wanted while earlier wants are seen to, and has all of it done in one go.

    Args:
        do: does what is wanted; one result for each want, in order. It is never run twice at the same time.
        turn: what it waits for; shared with whatever must not run beside it.

    Example:
        post = Together(post_many, asyncio.Lock())
        await asyncio.gather(post(first), post(second))  # one call of `post_many` with both
    """

    def __init__(self, do: Callable[[Sequence[W]], Awaitable[Sequence[R]]], turn: asyncio.Lock) -> None:
        self._do = do
        self._turn = turn
        self._waiting: dict[asyncio.Future[R], W] = {}

    async def __call__(self, want: W) -> R:
        """The result for one want.

        Raises:
            ChainError: as `do` raised it, to all whose wants it was given. One that is cancelled takes
                nothing from the others: what it was doing for them is done again, so `do` must bear that.
        """
        mine: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting[mine] = want
        try:
            async with self._turn:
                await asyncio.sleep(0)  # whoever asks at this moment joins
                if not mine.done():
                    await self._all()
            return mine.result()
        finally:
            self._waiting.pop(mine, None)
            if mine.done() and not mine.cancelled():
                mine.exception()  # of one that was cancelled: nobody else asks for it

    async def _all(self) -> None:
        taken = dict(self._waiting)
        try:
            results = await self._do(list(taken.values()))
        except ChainError as error:
            for future in taken:
                if not future.done():
                    future.set_exception(error)
            return
        for future, result in zip(taken, results, strict=True):
            if not future.done():
                future.set_result(result)
