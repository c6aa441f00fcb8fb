"""Which wires occur on which side of the constraints, without expanding a row.

A proving key has a point only for a wire that occurs: this is what makes key sizes, and the number of points
of each multi-scalar multiplication, known before setup. A zero weight could leave a wire out that is counted
here; nothing else is approximate but `entries`, which ignores that two terms of a row may meet in one wire.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay_prover.circuit.field import FieldTensor
from assay_prover.circuit.in_order import in_order
from assay_prover.circuit.layout import WireLayout
from assay_prover.circuit.linear import (
    Combination,
    Constant,
    Gathered,
    Joined,
    LinearTensor,
    Mapped,
    Wires,
)
from assay_prover.reference import Gather, LinearMap, Scale, Sparse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assay_prover.circuit.rows import RowGroup
    from assay_prover.reference.tensor import Int64Array

Marks = NDArray[np.bool_]
Seen = dict[LinearTensor | FieldTensor, Marks]
"""Which elements of a tensor were looked at."""


class Support:
    """`a`, `b`, `c`: whether each wire occurs on that side of any constraint.

    `entries`: non-zeros of all three matrices; `widest_layer`: those of the layer that has most.
    """

    def __init__(self, layout: WireLayout, groups: Iterable[RowGroup]) -> None:
        self.layout = layout
        self.a, self.b, self.c = (np.zeros(layout.n_wires, dtype=bool) for _ in range(3))
        layers: Counter[str] = Counter()
        sides: list[tuple[Marks, Seen]] = [(self.a, {}), (self.b, {}), (self.c, {})]
        self._known_entries: dict[LinearTensor | FieldTensor, float] = {}
        for group in groups:
            for (marks, seen), operands in zip(sides, group.operands(), strict=True):
                for operand in operands:
                    layers[group.layer] += round(self._entries(operand))
                    self._mark(operand, marks, seen)
        # the rows that setup appends: one for each of 1, x, c, on the A side
        self.a[: layout.n_input_rows] = True
        self.entries = layers.total()
        self.widest_layer = max(layers.values(), default=0)
        self._known_entries.clear()

    def counts(self, start: int, stop: int) -> tuple[int, int, int, int]:
        """Of the wires in `[start, stop)`: how many occur in A, in B, in C, anywhere."""
        a, b, c = (side[start:stop] for side in (self.a, self.b, self.c))
        return int(a.sum()), int(b.sum()), int(c.sum()), int((a | b | c).sum())

    # -- occurrence

    def _mark(self, operand: LinearTensor | FieldTensor, marks: Marks, seen: Seen) -> None:
        """Mark the wires of a tensor's elements. Each element of each tensor is looked at once."""
        waiting: list[tuple[LinearTensor | FieldTensor, Int64Array | None]] = [(operand, None)]
        while waiting:
            tensor, wanted = waiting.pop()
            index = _unseen(tensor, wanted, seen)
            if index is not None and not index.size:
                continue
            if isinstance(tensor, FieldTensor):
                waiting += [(source, None) for source in tensor.sources()]
                marks[tensor.own_wires(self.layout)] = True
            elif isinstance(tensor, Wires):
                start = self.layout.base(tensor.region) + tensor.offset
                if index is None:
                    marks[start : start + tensor.size] = True
                else:
                    marks[start + index] = True
            elif isinstance(tensor, Constant):
                marks[0] = True
            elif isinstance(tensor, Combination):
                waiting += [(term, index) for _, term in tensor.terms]
                marks[0] |= bool(tensor.constant.any())
            elif isinstance(tensor, Gathered):
                waiting.append((tensor.source, tensor.index if index is None else tensor.index[index]))
            elif isinstance(tensor, Joined):
                waiting += tensor.parts_at(index)
            elif isinstance(tensor, Mapped):
                waiting += [(source, _columns(linear, index)) for linear, source in tensor.parts]
                marks[0] |= bool(tensor.bias.any())
            else:
                raise TypeError(f"the support of {type(tensor).__name__} is not known")

    # -- size

    def _entries(self, operand: LinearTensor | FieldTensor) -> float:
        known = self._known_entries
        for tensor in in_order(operand, _field_sources, known):
            if isinstance(tensor, FieldTensor):
                known[tensor] = tensor.size + sum(known[source] for source in tensor.sources())
            else:
                known[tensor] = tensor.size * tensor.width
        return known[operand]


def _field_sources(tensor: LinearTensor | FieldTensor) -> Iterable[LinearTensor | FieldTensor]:
    return tensor.sources() if isinstance(tensor, FieldTensor) else ()


def _unseen(tensor: LinearTensor | FieldTensor, wanted: Int64Array | None, seen: Seen) -> Int64Array | None:
    """Of the elements wanted (None: all) those not looked at before, which now are; None for all of them."""
    before = seen.get(tensor)
    if wanted is None:
        seen[tensor] = np.ones(tensor.size, dtype=bool)
        return None if before is None else np.flatnonzero(~before)
    if before is None:
        before = seen[tensor] = np.zeros(tensor.size, dtype=bool)
    fresh = np.unique(wanted[~before[wanted]])
    before[fresh] = True
    return fresh


def _columns(linear: LinearMap, rows: Int64Array | None) -> Int64Array | None:
    """Inputs that rows of a map read: exact for moves and sparse matrices, all (None) for layers."""
    if isinstance(linear, Gather):
        index = linear.index if rows is None else linear.index[rows]
        return np.asarray(index[index >= 0])
    if isinstance(linear, Scale):
        return rows
    if isinstance(linear, Sparse):
        matrix = linear.matrix if rows is None else linear.matrix[rows]
        return np.unique(matrix.indices).astype(np.int64)
    return None
