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
from assay_prover.circuit.layout import WireLayout
from assay_prover.circuit.linear import (
    Combination,
    Constant,
    Gathered,
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


class Support:
    """`a`, `b`, `c`: whether each wire occurs on that side of any constraint.

    `entries`: non-zeros of all three matrices; `widest_layer`: those of the layer that has most.
    """

    def __init__(self, layout: WireLayout, groups: Iterable[RowGroup]) -> None:
        self.layout = layout
        self.a, self.b, self.c = (np.zeros(layout.n_wires, dtype=bool) for _ in range(3))
        layers: Counter[str] = Counter()
        sides = [(self.a, set[object]()), (self.b, set[object]()), (self.c, set[object]())]
        for group in groups:
            for (marks, seen), operands in zip(sides, group.operands(), strict=True):
                for operand in operands:
                    layers[group.layer] += round(self._entries(operand))
                    self._mark(operand, None, marks, seen)
        # the rows that setup appends: one for each of 1, x, c, on the A side
        self.a[: layout.n_input_rows] = True
        self.entries = layers.total()
        self.widest_layer = max(layers.values(), default=0)

    def counts(self, start: int, stop: int) -> tuple[int, int, int, int]:
        """Of the wires in `[start, stop)`: how many occur in A, in B, in C, anywhere."""
        a, b, c = (side[start:stop] for side in (self.a, self.b, self.c))
        return int(a.sum()), int(b.sum()), int(c.sum()), int((a | b | c).sum())

    # -- occurrence

    def _mark(
        self,
        tensor: LinearTensor | FieldTensor,
        index: Int64Array | None,
        marks: Marks,
        seen: set[object],
    ) -> None:
        """Mark the wires of a tensor's elements, all of them or those at `index`."""
        if index is None:
            if tensor in seen:
                return
            seen.add(tensor)
        if isinstance(tensor, FieldTensor):
            for source in tensor.sources():
                self._mark(source, None, marks, seen)
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
            for _, term in tensor.terms:
                self._mark(term, index, marks, seen)
            marks[0] |= bool(tensor.constant.any())
        elif isinstance(tensor, Gathered):
            self._mark(tensor.source, tensor.index if index is None else tensor.index[index], marks, seen)
        elif isinstance(tensor, Mapped):
            for linear, source in tensor.parts:
                self._mark(source, _columns(linear, index), marks, seen)
            marks[0] |= bool(tensor.bias.any())
        else:
            raise TypeError(f"the support of {type(tensor).__name__} is not known")

    # -- size

    def _entries(self, tensor: LinearTensor | FieldTensor) -> float:
        if isinstance(tensor, FieldTensor):
            return tensor.size + sum(self._entries(source) for source in tensor.sources())
        return tensor.size * tensor.width


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
