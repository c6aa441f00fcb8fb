"""Cutting a network into slices, each a circuit of its own.

A cut lies between two operations. What is alive there, one tensor or several, leaves one slice and enters
the next behind one commitment that the prover blinds (`assay_prover.circuit.statement`). The integers are
those of the whole network: a slice's operations, and the worst cases they rely on, are taken over as they
are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from assay_prover.circuit.circuit import Circuit
from assay_prover.circuit.packing import values_per_word
from assay_prover.circuit.statement import CHAIN_WORDS, StatementSpec, range_bits
from assay_prover.errors import QuantisationError
from assay_prover.lowering.lower import compile_graph
from assay_prover.reference import IntegerGraph, Tensor

MAX_SLICES = 16
"""What a sliced verifying key may hold (docs/protocol.md)."""

PERMUTATION = 612
"""Constraints of hashing up to fifteen words, in the gadget's docstring."""

SLACK = 1.1
"""How much larger than the least possible the largest slice may be, for thinner cuts."""

HUGE = 1 << 50
"""Constraints of what is no slice; sixteen of them still fit an int64."""

DOUBT = 1.25
"""How far off an estimate may be: what exceeds a budget by more is not even compiled."""


def live(graph: IntegerGraph, position: int) -> tuple[Tensor, ...]:
    """Tensors that exist before operation `position` and are needed from there on, in order of creation."""
    needed = {name for op in graph.ops[position:] for name in op.inputs} | set(graph.outputs)
    made = [*(tensor.name for tensor in graph.inputs), *(op.output for op in graph.ops[:position])]
    return tuple(graph.tensors[name] for name in made if name in needed)


def cut(graph: IntegerGraph, positions: Sequence[int]) -> list[IntegerGraph]:
    """The slices of a network cut before each of the operations `positions`.

    Raises:
        ValueError: positions that do not ascend strictly within the network.
    """
    ends = [0, *positions, len(graph.ops)]
    if any(a >= b for a, b in pairwise(ends)):
        raise ValueError(f"a network of {len(graph.ops)} operations cannot be cut at {list(positions)}")
    slices = []
    for start, stop in pairwise(ends):
        entering = live(graph, start) if start else graph.inputs
        leaving = [t.name for t in live(graph, stop)] if stop < len(graph.ops) else graph.outputs
        slices.append(IntegerGraph(entering, graph.ops[start:stop], leaving))
    return slices


def words(tensor: Tensor) -> int:
    """Words that a tensor at a cut is packed in."""
    return -(-tensor.size // values_per_word(range_bits(tensor.min, tensor.max)))


def compile_slices(
    graph: IntegerGraph,
    spec: StatementSpec,
    whole: Circuit,
    *,
    slices: int | None = None,
    max_constraints: int | None = None,
) -> tuple[tuple[int, ...], list[Circuit]]:
    """Positions of the cuts, and the circuits between them.

    Args:
        graph: the whole network.
        spec: its statement.
        whole: its circuit, whose layers say what each operation costs.
        slices: how many there shall be.
        max_constraints: or how large one may be at most; then there are as few as possible.

    Raises:
        QuantisationError: the network cannot be cut like that.
    """
    costs = _Costs(graph, spec, whole)
    if slices is not None:
        positions = costs.best(slices)
        return positions, _compile(graph, spec, positions)
    if max_constraints is None or whole.n_constraints <= max_constraints:
        return (), [whole]
    least = whole.n_constraints
    for count in range(2, costs.most + 1):
        if costs.largest(count) > max_constraints * DOUBT:
            continue
        positions = costs.best(count)
        circuits = _compile(graph, spec, positions)
        largest = max(circuit.n_constraints for circuit in circuits)
        if largest <= max_constraints:
            return positions, circuits
        least = min(least, largest)
    raise QuantisationError(
        f"the network cannot be cut into {costs.most} slices of {max_constraints:,} constraints at most "
        f"(the largest has {least:,} at best): allow more"
    )


def _compile(graph: IntegerGraph, spec: StatementSpec, positions: Sequence[int]) -> list[Circuit]:
    parts = cut(graph, positions)
    return [compile_graph(part, spec.slice(i, len(parts))) for i, part in enumerate(parts)]


@dataclass(frozen=True)
class _Crossing:
    """Constraints of a cut, in the slice before it and in the one behind it."""

    leaving: int
    entering: int


class _Costs:
    """Estimated constraints of every possible slice: of its operations, its ends and its tables."""

    def __init__(self, graph: IntegerGraph, spec: StatementSpec, whole: Circuit) -> None:
        self.n_ops = len(graph.ops)
        plan = replace(whole.plan, hoist_maxima=False)
        circuit = whole if whole.graph is graph else compile_graph(graph, spec, plan=plan)
        by_layer: Counter[str] = Counter()
        for group in circuit.groups:
            by_layer[group.layer] += group.n_rows
        per_op = [by_layer.pop(op.output, 0) for op in graph.ops]
        self.before = np.concatenate([[0], np.cumsum(per_op)]).astype(np.int64)
        self.input = by_layer.pop(graph.inputs[0].name, 0)
        # what is left, binding and tables, every slice has for itself
        self.fixed = sum(by_layer.values())
        crossings = {p: self._crossing(graph, p, circuit) for p in range(1, self.n_ops)}
        self.crossings = {p: crossing for p, crossing in crossings.items() if crossing is not None}
        self.positions = [0, *sorted(self.crossings), self.n_ops]
        self.most = min(MAX_SLICES, len(self.positions) - 1)
        self.table = self._table()

    @staticmethod
    def _crossing(graph: IntegerGraph, position: int, circuit: Circuit) -> _Crossing | None:
        tensors = live(graph, position)
        widths = [range_bits(tensor.min, tensor.max) for tensor in tensors]
        if max(widths) > 62:
            return None
        # the first permutation takes domain and salt beside the words, of which the blinding is one
        hashed = PERMUTATION * -(-(sum(words(tensor) for tensor in tensors) + 2) // CHAIN_WORDS)
        checks = sum(
            tensor.size * sum(max(limb.lookups, 1) for limb in circuit.plan.tiles(bits, True))
            for tensor, bits in zip(tensors, widths, strict=True)
        )
        return _Crossing(hashed, hashed + checks)

    def _table(self) -> NDArray[np.int64]:
        """Cost of the slice from position i to position j, by places in `positions`; huge where j <= i."""
        n = len(self.positions)
        at = np.array(self.positions)
        enter = [self.crossings[p].entering for p in self.positions[1:-1]]
        leave = [self.crossings[p].leaving for p in self.positions[1:-1]]
        cost = self.before[at][None, :] - self.before[at][:, None] + self.fixed
        cost = cost + np.array([self.input, *enter, 0])[:, None] + np.array([0, *leave, 0])[None, :]
        return np.where(np.arange(n)[None, :] > np.arange(n)[:, None], cost, HUGE)

    def largest(self, count: int) -> int:
        """Size of the largest of `count` slices, where it is least."""
        return _partition(self.table, count, np.maximum)[0]

    def best(self, count: int) -> tuple[int, ...]:
        """Positions that make `count` slices: the largest nearly as small as can be, and the sum least."""
        if not 2 <= count <= self.most:
            raise QuantisationError(f"the network can be cut into 2 to {self.most} slices, not {count}")
        allowed = np.where(self.table <= self.largest(count) * SLACK, self.table, HUGE)
        return tuple(self.positions[i] for i in _partition(allowed, count, np.add)[1])


def _partition(table: NDArray[np.int64], count: int, join: np.ufunc) -> tuple[int, tuple[int, ...]]:
    """The cheapest way from the first place to the last in `count` steps, joined by max or sum.

    Returns its cost and the places between. Dynamic programming over the number of steps.
    """
    best, back = table[0].copy(), []
    for _ in range(count - 1):
        joined = join(best[:, None], table)
        back.append(joined.argmin(axis=0))
        best = joined.min(axis=0)
    place = table.shape[0] - 1
    places = []
    for step in reversed(back):
        place = int(step[place])
        places.append(place)
    return int(best[-1]), tuple(reversed(places))
