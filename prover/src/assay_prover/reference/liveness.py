"""How long the values of a graph are needed, so that running it holds no more than that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol


class Reader(Protocol):
    """An operation of either graph."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Tensors that it reads."""

    @property
    def output(self) -> str:
        """The tensor that it writes."""


def last_read(ops: Sequence[Reader], kept: Iterable[str]) -> list[tuple[str, ...]]:
    """For each operation the tensors that nothing needs after it, its own result perhaps among them."""
    needed = set(kept)
    found: list[tuple[str, ...]] = []
    for op in reversed(ops):
        names = dict.fromkeys((*op.inputs, op.output))
        found.append(tuple(name for name in names if name not in needed))
        needed.update(op.inputs)
    return found[::-1]


def most_alive(ops: Sequence[Reader], sizes: Mapping[str, int], kept: Iterable[str]) -> int:
    """Values of one sample that are held at once, when each is dropped after its last reader."""
    dropped = last_read(ops, kept)
    most = total = sum(sizes.values()) - sum(sizes[op.output] for op in ops)
    for op, gone in zip(ops, dropped, strict=True):
        total += sizes[op.output]
        most = max(most, total)
        total -= sum(sizes[name] for name in gone)
    return max(most, 1)
