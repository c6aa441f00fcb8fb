"""What a tensor is made of, before the tensor itself: without recursion, each once.

A network may be thousands of operations deep, and a stranger's is as deep as its file is long.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def in_order(last: T, needs: Callable[[T], Iterable[T]], known: Container[T]) -> Iterator[T]:
    """Everything that `last` needs and that is not yet known, each after what it needs itself; `last` comes
    last.

    Whoever iterates adds each to `known` before asking for the next. What needs itself never ends: a circuit
    has no such tensors.

    Args:
        last: what is wanted.
        needs: what one is made of.
        known: what is there already.
    """
    waiting = [last]
    while waiting:
        current = waiting[-1]
        missing = [] if current in known else [part for part in needs(current) if part not in known]
        if missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        if current not in known:
            yield current
