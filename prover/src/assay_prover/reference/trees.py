"""Decision trees over bits: which leaf is reached, and the sum of the leaves' values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from assay_prover.errors import QuantisationError
from assay_prover.reference.operation import Unary
from assay_prover.reference.tensor import LIMIT, Int64Array, Tensor


@dataclass(frozen=True, eq=False)
class Trees(Unary):
    """y = bias + sum over the trees of the value of the leaf that the bits lead to.

    bit[n]: which input bit the inner node n asks; zero[n], one[n]: where it goes. A place p >= 0 is an inner
    node, p < 0 the leaf -1 - p. `roots` are places too. values[leaves, outputs], bias[outputs].

    The input's elements must be 0 or 1 in the worst case.
    """

    shape: tuple[int, ...]
    bit: Int64Array = field(repr=False)
    zero: Int64Array = field(repr=False)
    one: Int64Array = field(repr=False)
    roots: Int64Array = field(repr=False)
    values: Int64Array = field(repr=False)
    bias: Int64Array = field(repr=False)

    def __post_init__(self) -> None:
        """Check that the places form trees: every node and every leaf has exactly one parent or is a root."""
        nodes, leaves = self.bit.size, self.values.shape[0]
        places = np.concatenate([self.zero, self.one, self.roots])
        if self.zero.shape != self.bit.shape or self.one.shape != self.bit.shape:
            raise ValueError(f"{self.output!r}: one bit and two branches for each node")
        if (
            not np.array_equal(np.sort(places), np.arange(-leaves, nodes))
            or sum(map(len, self.levels)) != nodes
        ):
            raise ValueError(f"{self.output!r}: nodes and leaves do not form trees")
        if self.values.shape[1] != self.bias.size or int(np.prod(self.shape)) != self.bias.size:
            raise ValueError(f"{self.output!r}: values, bias and shape disagree")

    @cached_property
    def levels(self) -> list[Int64Array]:
        """Inner nodes by depth, a flat array for each, roots first; a cycle is never reached."""
        found = []
        level = self.roots[self.roots >= 0]
        # every node has one parent, so that a level below the roots cannot meet an earlier one
        while level.size:
            found.append(level)
            below = np.concatenate([self.zero[level], self.one[level]])
            level = below[below >= 0]
        return found

    @cached_property
    def _owner(self) -> Int64Array:
        """The tree of each leaf."""
        node_owner = np.zeros(self.bit.size, dtype=np.int64)
        owner = np.zeros(self.values.shape[0], dtype=np.int64)

        def assign(places: Int64Array, trees: Int64Array) -> None:
            inner = places >= 0
            node_owner[places[inner]] = trees[inner]
            owner[-1 - places[~inner]] = trees[~inner]

        assign(self.roots, np.arange(self.roots.size))
        for level in self.levels:
            assign(self.zero[level], node_owner[level])
            assign(self.one[level], node_owner[level])
        return owner

    def evaluate(self, value: Int64Array) -> Int64Array:
        """Walk all trees of all samples a level at a time."""
        bits = value.reshape(value.shape[0], -1)
        batch = np.arange(bits.shape[0])[:, None]
        place = np.broadcast_to(self.roots, (bits.shape[0], self.roots.size)).copy()
        for _ in self.levels:
            node = np.maximum(place, 0)
            below = np.where(bits[batch, self.bit[node]] == 1, self.one[node], self.zero[node])
            place = np.where(place >= 0, below, place)
        totals: Int64Array = self.bias + self.values[-1 - place].sum(axis=1)
        return totals.reshape(-1, *self.shape)

    def infer(self, value: Tensor) -> Tensor:
        """The sum over the trees of their least and greatest leaves."""
        if value.min < 0 or value.max > 1:
            raise ValueError(f"{self.output!r}: {value.name!r} holds no bits")
        reach = np.abs(self.values.astype(np.float64)).max(initial=0.0) * self.roots.size
        if reach + np.abs(self.bias.astype(np.float64)).max(initial=0.0) >= LIMIT:
            raise QuantisationError(f"tensor {self.output!r}: a sum of leaves exceeds 62 bits")
        lo = np.full((self.roots.size, self.bias.size), np.iinfo(np.int64).max)
        hi = np.full_like(lo, np.iinfo(np.int64).min)
        np.minimum.at(lo, self._owner, self.values)
        np.maximum.at(hi, self._owner, self.values)
        least, most = self.bias + lo.sum(axis=0), self.bias + hi.sum(axis=0)
        return Tensor(self.output, self.shape, least.reshape(self.shape), most.reshape(self.shape))
