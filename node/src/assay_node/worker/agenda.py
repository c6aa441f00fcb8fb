"""What is to be done, in the order in which it is to be done."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from typing import Generic, TypeVar

from .lifecycle.instructions import Instruction

Item = TypeVar("Item")


class Agenda:
    """Instructions for jobs in hand: the nearest deadline first, equal ones in the order they were given."""

    def __init__(self) -> None:
        self._order = 0
        self._heap: list[tuple[int, int, bytes, Instruction]] = []

    def __len__(self) -> int:
        """How many instructions are listed."""
        return len(self._heap)

    def add(self, deadline: int, job_id: bytes, instruction: Instruction) -> None:
        """Lists an instruction that is of use until `deadline`, in chain time."""
        self._order += 1
        heapq.heappush(self._heap, (deadline, self._order, job_id, instruction))

    def pop(self) -> tuple[bytes, Instruction]:
        """Takes off what to do next. Raises IndexError if nothing is listed."""
        _, _, job_id, instruction = heapq.heappop(self._heap)
        return job_id, instruction


class FairQueue(Generic[Item]):
    """Items of many owners: each owner has its turn, whoever else has a thousand items.

    The owner that arrived last and the one that has waited longest are served by turns. So an owner that
    arrives behind a flood is served at once, also when the flood comes from a thousand owners, and nobody
    waits for ever while new ones keep arriving.
    """

    def __init__(self) -> None:
        self._items: dict[str, OrderedDict[bytes, Item]] = {}
        self._arrived: list[str] = []
        self._waiting: deque[str] = deque()
        self._newest = True

    def __len__(self) -> int:
        """How many items are listed."""
        return sum(len(items) for items in self._items.values())

    def add(self, owner: str, key: bytes, item: Item) -> None:
        """Lists an item; one of the same key takes the place of the one there is."""
        if owner not in self._items:
            self._items[owner] = OrderedDict()
            self._arrived.append(owner)
            self._waiting.append(owner)
        self._items[owner][key] = item

    def pop(self) -> tuple[bytes, Item]:
        """Takes off the next item. Raises IndexError if nothing is listed."""
        owner = self._next_owner()
        items = self._items[owner]
        taken = items.popitem(last=False)
        if items:
            self._waiting.append(owner)
        else:
            del self._items[owner]
        return taken

    def _next_owner(self) -> str:
        self._newest = not self._newest
        while self._newest and self._arrived:
            owner = self._arrived.pop()
            if owner in self._items:
                # It leaves the other line as well, to stand at its end again if it has more.
                self._waiting.remove(owner)
                return owner
        while True:
            owner = self._waiting.popleft()
            if owner in self._items:
                if owner in self._arrived:
                    self._arrived.remove(owner)
                return owner
