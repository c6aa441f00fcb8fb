"""Linear tensors: vectors of linear combinations over wires, with the integers they evaluate to.

A `LinearTensor` is a description. Its rows (int64 CSR over wires) are computed only when a key is being
made; its values come from the integer inference and never touch a row, so proving costs nothing for
multiply-accumulates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from assay_prover.circuit.in_order import in_order
from assay_prover.circuit.layout import Region, WireLayout
from assay_prover.reference import LinearMap
from assay_prover.reference.tensor import Int64Array

if TYPE_CHECKING:
    from assay_prover.circuit.field import FieldTensor, Row
    from assay_prover.circuit.witness_values import WitnessValues

COEFFICIENT_LIMIT = 1 << 62

MOST_ENTRIES = 1 << 19
"""Non-zeros up to which a tensor's rows are expanded together and kept (8 MB); larger ones come in parts."""


class RowCache:
    """Rows of the tensors of one layer, so that a tensor used by several constraints is expanded once."""

    def __init__(self, layout: WireLayout) -> None:
        self.layout = layout
        self._rows: dict[LinearTensor, sp.csr_array] = {}
        self._field_rows: dict[FieldTensor, list[Row]] = {}

    def rows(self, tensor: LinearTensor) -> sp.csr_array:
        """The rows, `[size, n_wires]` int64 CSR, canonical (sorted, no duplicates, no zeros)."""
        known = self._rows.get(tensor)
        if known is not None:
            return known
        for part in in_order(tensor, self._whole_parts, self._rows):
            known = part.expand(self)
            self._rows[part] = known
        # of a tensor that comes in parts none is asked for again
        if isinstance(tensor, Gathered) and self._is_large(tensor.source):
            del self._rows[tensor]
        return self._rows[tensor] if known is None else known

    def _whole_parts(self, tensor: LinearTensor) -> list[LinearTensor]:
        """Tensors of which all rows are asked for when all of this one's are: found here, not by
        recursion.
        """
        found: list[LinearTensor] = []
        waiting = [(tensor, False)]
        while waiting:
            current, in_part = waiting.pop()
            in_part = in_part or isinstance(current, Gathered)
            for source in current.sources():
                if in_part and not isinstance(current, Mapped) and self._is_large(source):
                    waiting.append((source, True))
                else:
                    found.append(source)
        return found

    def rows_at(self, tensor: LinearTensor, index: Int64Array) -> sp.csr_array:
        """Some of the rows, in any order; those of a large tensor are expanded alone and not kept."""
        if self._is_large(tensor):
            return tensor.expand_at(self, index)
        return sp.csr_array(self.rows(tensor)[index])

    def _is_large(self, tensor: LinearTensor) -> bool:
        return tensor not in self._rows and tensor.size * tensor.width > MOST_ENTRIES

    def field_rows(self, tensor: FieldTensor) -> list[Row]:
        """The rows of combinations with full-width coefficients."""
        for part in in_order(tensor, field_parts, self._field_rows):
            self._field_rows[part] = part.rows(self)
        return self._field_rows[tensor]

    def clear(self) -> None:
        """Forget everything; called between layers to bound memory."""
        self._rows.clear()
        self._field_rows.clear()


def field_parts(tensor: FieldTensor) -> list[FieldTensor]:
    """The full-width tensors that one is made of."""
    return [source for source in tensor.sources() if not isinstance(source, LinearTensor)]


class LinearTensor(ABC):
    """`size` linear combinations over wires, compared by identity; `+`, `-`, `*` build new descriptions."""

    size: int
    regions: Region
    width: float = 1.0
    """Non-zeros of an average row, at most: two that meet in one wire count twice."""

    def sources(self) -> Sequence[LinearTensor]:
        """Tensors of whose rows this one's are made."""
        return ()

    @abstractmethod
    def expand(self, cache: RowCache) -> sp.csr_array:
        """Rows over the final wire indices; use `RowCache.rows`."""

    def expand_at(self, cache: RowCache, index: Int64Array) -> sp.csr_array:
        """Some of the rows; use `RowCache.rows_at`."""
        return sp.csr_array(cache.rows(self)[index])

    @abstractmethod
    def compute(self, frame: WitnessValues) -> Int64Array:
        """Values `int64[size]` for one witness; use `WitnessValues.value`."""

    def __add__(self, other: LinearTensor | Int64Array | int) -> Combination:
        """Elementwise sum with a tensor or a constant."""
        if isinstance(other, LinearTensor):
            return combine([(1, self), (1, other)])
        return combine([(1, self)], constant=other)

    def __sub__(self, other: LinearTensor | Int64Array | int) -> Combination:
        """Elementwise difference with a tensor or a constant."""
        if isinstance(other, LinearTensor):
            return combine([(1, self), (-1, other)])
        return combine([(1, self)], constant=-np.asarray(other, dtype=np.int64))

    def __mul__(self, factor: int) -> Combination:
        """Every combination times the same constant."""
        return combine([(factor, self)])

    def __getitem__(self, index: Int64Array) -> Gathered:
        """The combinations at `index`, repeats allowed."""
        return Gathered(self, np.asarray(index, dtype=np.int64).ravel())


def largest_coefficient(rows: sp.csr_array) -> int:
    """Largest |coefficient|."""
    return max(int(rows.data.max()), -int(rows.data.min())) if rows.nnz else 0


def _guard(bound: int) -> None:
    if bound >= COEFFICIENT_LIMIT:
        raise OverflowError(f"a linear combination's coefficient may reach {bound}: 62 bits is the limit")


def _canonical(rows: sp.csr_array) -> sp.csr_array:
    rows.sum_duplicates()
    rows.eliminate_zeros()
    rows.sort_indices()
    return rows


def product(matrix: sp.csr_array, rows: sp.csr_array) -> sp.csr_array:
    """matrix @ rows; where rows are different wires in ascending order, as a layer's inputs mostly are, only
    the columns are renamed: nothing is multiplied out or sorted again.
    """
    single = rows.nnz == rows.shape[0] and bool((np.diff(rows.indptr) == 1).all())
    if not single or not bool((np.diff(rows.indices) > 0).all()):
        return matrix @ rows
    data = matrix.data if (rows.data == 1).all() else matrix.data * rows.data[matrix.indices]
    return sp.csr_array(
        (data, rows.indices[matrix.indices], matrix.indptr), shape=(matrix.shape[0], rows.shape[1])
    )


def constant_rows(values: Int64Array, layout: WireLayout) -> sp.csr_array:
    """The constants as combinations of wire 0."""
    indptr = np.concatenate([[0], np.cumsum(values != 0)])
    data = values[values != 0]
    return sp.csr_array(
        (data, np.zeros(data.size, dtype=np.int64), indptr), shape=(values.size, layout.n_wires)
    )


class Wires(LinearTensor):
    """`size` consecutive wires of one region; `values` computes them from the frame."""

    def __init__(
        self, region: Region, offset: int, size: int, values: Callable[[WitnessValues], Int64Array]
    ) -> None:
        self.region = region
        self.regions = region
        self.offset = offset
        self.size = size
        self._values = values

    def expand(self, cache: RowCache) -> sp.csr_array:
        """One 1 in each row."""
        columns = np.arange(self.size) + cache.layout.base(self.region) + self.offset
        return sp.csr_array(
            (np.ones(self.size, dtype=np.int64), columns, np.arange(self.size + 1)),
            shape=(self.size, cache.layout.n_wires),
        )

    def compute(self, frame: WitnessValues) -> Int64Array:
        """Run the allocation's own rule."""
        values = np.asarray(self._values(frame), dtype=np.int64)
        if values.shape != (self.size,):
            raise ValueError(f"wire values have shape {values.shape}, {self.size} wires were allocated")
        return values


class Constant(LinearTensor):
    """Constants, as combinations of wire 0."""

    def __init__(self, values: Int64Array) -> None:
        self.values = np.asarray(values, dtype=np.int64)
        self.size = int(self.values.size)
        self.regions = Region.ONE

    def expand(self, cache: RowCache) -> sp.csr_array:
        """Only wire 0."""
        return constant_rows(self.values, cache.layout)

    def compute(self, frame: WitnessValues) -> Int64Array:
        """The constants."""
        del frame
        return self.values


class Combination(LinearTensor):
    """Elementwise sum of tensors with one integer coefficient each, plus constants."""

    def __init__(self, terms: Sequence[tuple[int, LinearTensor]], constant: Int64Array) -> None:
        self.terms = tuple(terms)
        self.constant = constant
        self.size = int(constant.size)
        self.regions = Region.ONE if constant.any() else Region(0)
        for coefficient, term in self.terms:
            if term.size != self.size:
                raise ValueError(f"tensors of {term.size} and {self.size} combinations cannot be added")
            _guard(abs(coefficient))
            self.regions |= term.regions
        self.width = sum(term.width for _, term in self.terms) + float(bool(constant.any()))

    def sources(self) -> Sequence[LinearTensor]:
        """The terms."""
        return [term for _, term in self.terms]

    def expand(self, cache: RowCache) -> sp.csr_array:
        """Sum of scaled rows; refuses coefficients beyond 62 bits."""
        return self._sum(
            constant_rows(self.constant, cache.layout), [cache.rows(term) for _, term in self.terms]
        )

    def expand_at(self, cache: RowCache, index: Int64Array) -> sp.csr_array:
        """The same for some rows."""
        start = constant_rows(self.constant[index], cache.layout)
        return self._sum(start, [cache.rows_at(term, index) for _, term in self.terms])

    def _sum(self, total: sp.csr_array, parts: Sequence[sp.csr_array]) -> sp.csr_array:
        scaled = zip((coefficient for coefficient, _ in self.terms), parts, strict=True)
        # dense rows last: every sum walks all that it adds up
        for coefficient, rows in sorted(scaled, key=lambda term: term[1].nnz):
            _guard(largest_coefficient(total) + abs(coefficient) * largest_coefficient(rows))
            total = total + (rows if coefficient == 1 else rows * np.int64(coefficient))
        return _canonical(sp.csr_array(total))

    def compute(self, frame: WitnessValues) -> Int64Array:
        """Sum of scaled values; partial sums may wrap, the result, by its worst case, fits."""
        total = self.constant.copy()
        for coefficient, term in self.terms:
            value = frame.value(term)
            if coefficient == 1:
                total += value
            elif coefficient == -1:
                total -= value
            else:
                total += value * np.int64(coefficient)
        return total


def combine(terms: Sequence[tuple[int, LinearTensor]], constant: Int64Array | int = 0) -> Combination:
    """Sum of `coefficient * tensor` plus a constant (one for each element, or one for all); flattens sums."""
    size = terms[0][1].size
    offset = np.array(np.broadcast_to(np.asarray(constant, dtype=np.int64), (size,)))
    flat: dict[LinearTensor, int] = {}
    for coefficient, term in terms:
        if isinstance(term, Combination):
            offset = offset + coefficient * term.constant
            for inner, part in term.terms:
                flat[part] = flat.get(part, 0) + coefficient * inner
        else:
            flat[term] = flat.get(term, 0) + coefficient
    return Combination([(k, term) for term, k in flat.items() if k], offset)


class Joined(LinearTensor):
    """The combinations of several tensors after one another."""

    def __init__(self, parts: Sequence[LinearTensor]) -> None:
        self.parts = tuple(parts)
        self.size = sum(part.size for part in parts)
        self.regions = Region(0)
        for part in parts:
            self.regions |= part.regions
        self.width = max(part.width for part in parts)
        self._starts = np.cumsum([0, *(part.size for part in parts)])

    def sources(self) -> Sequence[LinearTensor]:
        """The parts."""
        return self.parts

    def expand(self, cache: RowCache) -> sp.csr_array:
        """The parts' rows."""
        return sp.csr_array(sp.vstack([cache.rows(part) for part in self.parts], format="csr"))

    def expand_at(self, cache: RowCache, index: Int64Array) -> sp.csr_array:
        """From the parts that are asked for."""
        owner = np.searchsorted(self._starts, index, side="right") - 1
        order = np.argsort(owner, kind="stable")
        rows = [
            cache.rows_at(part, wanted) for part, wanted in self.parts_at(index[order]) if wanted is not None
        ]
        return sp.csr_array(sp.csr_array(sp.vstack(rows, format="csr"))[np.argsort(order)])

    def parts_at(self, index: Int64Array | None) -> list[tuple[LinearTensor, Int64Array | None]]:
        """The parts that elements belong to, and which of each part's they are, in order; None for all."""
        if index is None:
            return [(part, None) for part in self.parts]
        owner = np.searchsorted(self._starts, index, side="right") - 1
        return [
            (self.parts[place], index[owner == place] - self._starts[place]) for place in np.unique(owner)
        ]

    def compute(self, frame: WitnessValues) -> Int64Array:
        """The parts' values."""
        return np.concatenate([frame.value(part) for part in self.parts])


class Gathered(LinearTensor):
    """Rows of another tensor picked by index."""

    def __init__(self, source: LinearTensor, index: Int64Array) -> None:
        if index.size and not 0 <= int(index.min()) <= int(index.max()) < source.size:
            raise IndexError("gather index outside the tensor")
        self.source = source
        self.index = index
        self.size = int(index.size)
        self.regions = source.regions
        self.width = source.width

    def sources(self) -> Sequence[LinearTensor]:
        """What is picked from."""
        return (self.source,)

    def expand(self, cache: RowCache) -> sp.csr_array:
        """The same rows in another order."""
        return cache.rows_at(self.source, self.index)

    def expand_at(self, cache: RowCache, index: Int64Array) -> sp.csr_array:
        """The source's rows."""
        return cache.rows_at(self.source, self.index[index])

    def compute(self, frame: WitnessValues) -> Int64Array:
        """The same values in another order."""
        return frame.value(self.source)[self.index]


class Mapped(LinearTensor):
    """sum_k maps_k(x_k) + bias: an affine layer. `value` gives its integers, known from inference."""

    def __init__(
        self,
        parts: Sequence[tuple[LinearMap, LinearTensor]],
        bias: Int64Array,
        value: Callable[[WitnessValues], Int64Array],
    ) -> None:
        self.parts = tuple(parts)
        self.bias = bias
        self.size = int(bias.size)
        self._value = value
        self.regions = Region.ONE if bias.any() else Region(0)
        for _, source in self.parts:
            self.regions |= source.regions
        self.width = sum(
            linear.entries / max(linear.n_out, 1) * source.width for linear, source in self.parts
        ) + float(bool(bias.any()))

    def sources(self) -> Sequence[LinearTensor]:
        """What is mapped."""
        return [source for _, source in self.parts]

    def expand(self, cache: RowCache) -> sp.csr_array:
        """Sparse matrix products; refuses coefficients beyond 62 bits."""
        return self._sum(cache, self.bias, [linear.csr() for linear, _ in self.parts])

    def expand_at(self, cache: RowCache, index: Int64Array) -> sp.csr_array:
        """The same with some rows of each map."""
        return self._sum(cache, self.bias[index], [linear.csr_rows(index) for linear, _ in self.parts])

    def _sum(self, cache: RowCache, bias: Int64Array, matrices: Sequence[sp.csr_array]) -> sp.csr_array:
        total = constant_rows(bias, cache.layout)
        for (linear, source), matrix in zip(self.parts, matrices, strict=True):
            rows = cache.rows(source)
            _guard(largest_coefficient(total) + linear.row_norm() * largest_coefficient(rows))
            total = total + product(matrix, rows)
        return _canonical(sp.csr_array(total))

    def compute(self, frame: WitnessValues) -> Int64Array:
        """The layer's output in the integer inference."""
        return self._value(frame)
