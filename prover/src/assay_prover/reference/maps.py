"""Linear maps with constant integer coefficients: `Dense`, `Sparse`, `Gather`, `Scale`; `conv` has `Conv`.

Each maps `[batch, n_in] -> [batch, n_out]`, flattened row-major, and writes itself as a sparse matrix for
the circuit. In a circuit they cost no constraints: constants are coefficients of linear combinations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from assay_prover.errors import QuantisationError
from assay_prover.reference.exact import ExactProducts, largest_norm
from assay_prover.reference.tensor import LIMIT, Int64Array


class LinearMap(ABC):
    """y = M x over the integers."""

    _box: ClassVar[tuple[Int64Array, Int64Array, Int64Array, Int64Array] | None] = None
    """The last box (lo, hi) that `bounds` was asked for, and its answer."""

    @property
    @abstractmethod
    def n_in(self) -> int:
        """Columns of M."""

    @property
    @abstractmethod
    def n_out(self) -> int:
        """Rows of M."""

    @abstractmethod
    def apply(self, values: Int64Array) -> Int64Array:
        """M x for a batch: `[batch, n_in] -> [batch, n_out]`."""

    @abstractmethod
    def csr(self) -> sp.csr_array:
        """M as int64 CSR, `[n_out, n_in]`, column indices sorted within rows, no explicit zeros."""

    def csr_rows(self, rows: Int64Array) -> sp.csr_array:
        """Some rows of `csr`, in any order, without the others where a map is large."""
        return sp.csr_array(self.csr()[rows])

    @property
    def entries(self) -> int:
        """Number of coefficients of M; may count some that are zero."""
        return int(self.csr().nnz)

    @abstractmethod
    def absolute(self) -> LinearMap:
        """|M|, elementwise."""

    @abstractmethod
    def row_norm(self) -> int:
        """Largest sum of |coefficients| of a row."""

    def bounds(self, lo: Int64Array, hi: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Exact worst case over the box `lo <= x <= hi` (flat arrays): (M (lo + hi) -+ |M| (hi - lo)) / 2.

        The last box's is kept, read-only: a network is analysed when it is made, and again whenever it is
        rearranged.

        Raises:
            QuantisationError: the largest row of |M| times the largest |x| reaches 61 bits; below that every
                sum and difference in the analysis is exact in int64.
        """
        if self._box is not None and np.array_equal(self._box[0], lo) and np.array_equal(self._box[1], hi):
            return self._box[2], self._box[3]
        largest = int(max(np.abs(lo).max(initial=0), np.abs(hi).max(initial=0)))
        if self.row_norm() * largest >= LIMIT // 2:
            raise QuantisationError("a linear layer's worst case exceeds 61 bits")
        # equal parities: M (lo + hi) and |M| (hi - lo) differ by an even number, so halving is exact
        doubled_centre, spread = self.centre_and_spread(lo + hi, hi - lo)
        low, high = (doubled_centre - spread) // 2, (doubled_centre + spread) // 2
        box = (lo.copy(), hi.copy(), low, high)
        for side in box:
            side.setflags(write=False)
        object.__setattr__(self, "_box", box)
        return low, high

    def centre_and_spread(self, centre: Int64Array, width: Int64Array) -> tuple[Int64Array, Int64Array]:
        """(M c, |M| w) of flat arrays, for interval analysis."""
        return self.apply(centre[None])[0], self.absolute().apply(width[None])[0]


def _check_int64(array: Int64Array, what: str) -> None:
    if array.dtype != np.int64:
        raise TypeError(f"{what} must be int64, got {array.dtype}")


@dataclass(frozen=True, eq=False)
class Dense(LinearMap):
    """A full matrix, `weight[out, in]`."""

    weight: Int64Array = field(repr=False)

    def __post_init__(self) -> None:
        """Check the type."""
        _check_int64(self.weight, "weight")

    @property
    def n_in(self) -> int:
        """Columns."""
        return int(self.weight.shape[1])

    @property
    def n_out(self) -> int:
        """Rows."""
        return int(self.weight.shape[0])

    @cached_property
    def _exact(self) -> ExactProducts:
        return ExactProducts(self.weight[None])

    def apply(self, values: Int64Array) -> Int64Array:
        """Exact: as float64 products where every partial sum is an integer below 2^53, else as int64."""
        kind = self._exact.kind(values)
        sums = self._exact.apply(values.astype(kind, copy=False)[None])[0]
        return np.asarray(sums, dtype=np.int64)

    def centre_and_spread(self, centre: Int64Array, width: Int64Array) -> tuple[Int64Array, Int64Array]:
        """By products that read W once."""
        kind = self._exact.kind(centre, width)
        both = (part.astype(kind)[None, None] for part in (centre, width))
        sums, spread = self._exact.centre_and_spread(*both)
        return sums[0, 0], spread[0, 0]

    def csr(self) -> sp.csr_array:
        """W without its zeros."""
        return sp.csr_array(self.weight)

    def csr_rows(self, rows: Int64Array) -> sp.csr_array:
        """Those rows of W."""
        return sp.csr_array(self.weight[rows])

    @property
    def entries(self) -> int:
        """All weights."""
        return int(self.weight.size)

    def row_norm(self) -> int:
        """Largest |row|_1."""
        return self._exact.norm

    def absolute(self) -> Dense:
        """|W|."""
        return Dense(np.abs(self.weight))


@dataclass(frozen=True, eq=False)
class Sparse(LinearMap):
    """Any matrix in CSR form; pooling sums, padding with weights, compositions."""

    matrix: sp.csr_array = field(repr=False)

    def __post_init__(self) -> None:
        """Bring the matrix into canonical form."""
        _check_int64(self.matrix.data, "matrix")
        canonical = sp.csr_array(self.matrix, copy=True)
        canonical.sum_duplicates()
        canonical.eliminate_zeros()
        canonical.sort_indices()
        object.__setattr__(self, "matrix", canonical)

    @property
    def n_in(self) -> int:
        """Columns."""
        return int(self.matrix.shape[1])

    @property
    def n_out(self) -> int:
        """Rows."""
        return int(self.matrix.shape[0])

    def apply(self, values: Int64Array) -> Int64Array:
        """M x."""
        return np.ascontiguousarray((self.matrix @ values.T).T)

    def csr(self) -> sp.csr_array:
        """M itself."""
        return self.matrix

    @cached_property
    def _norm(self) -> int:
        rough = float(abs(self.matrix.astype(np.float64)).sum(axis=1).max(initial=0.0))
        return int(abs(self.matrix).sum(axis=1).max(initial=0)) if rough < LIMIT / 2 else int(rough)

    def row_norm(self) -> int:
        """Largest |row|_1."""
        return self._norm

    def absolute(self) -> Sparse:
        """|M|."""
        return Sparse(abs(self.matrix))


@dataclass(frozen=True, eq=False)
class Gather(LinearMap):
    """y_i = x[index_i], or 0 where index_i is -1: reshape, transpose, slice, pad, broadcast."""

    index: Int64Array = field(repr=False)
    size: int

    def __post_init__(self) -> None:
        """Check that every index is in range."""
        _check_int64(self.index, "index")
        if self.index.size and not (int(self.index.min()) >= -1 and int(self.index.max()) < self.size):
            raise ValueError("gather index out of range")

    @property
    def n_in(self) -> int:
        """Elements gathered from."""
        return self.size

    @property
    def n_out(self) -> int:
        """Elements gathered."""
        return int(self.index.size)

    def apply(self, values: Int64Array) -> Int64Array:
        """Pick, with zeros at -1."""
        picked = values[:, self.index]
        picked[:, self.index < 0] = 0
        return picked

    def csr(self) -> sp.csr_array:
        """One 1 in each row, none where the index is -1."""
        present = self.index >= 0
        indptr = np.concatenate([[0], np.cumsum(present)])
        columns = self.index[present]
        return sp.csr_array(
            (np.ones(columns.size, dtype=np.int64), columns, indptr), shape=(self.n_out, self.n_in)
        )

    @property
    def entries(self) -> int:
        """One a row."""
        return self.n_out

    def row_norm(self) -> int:
        """One."""
        return 1

    def absolute(self) -> Gather:
        """Itself: no negative entry."""
        return self


@dataclass(frozen=True, eq=False)
class Scale(LinearMap):
    """y_i = factor_i x_i."""

    factor: Int64Array = field(repr=False)

    def __post_init__(self) -> None:
        """Check the type."""
        _check_int64(self.factor, "factor")

    @classmethod
    def uniform(cls, factor: int, size: int) -> Scale:
        """The same factor for every element; 1 is the identity."""
        return cls(np.full(size, factor, dtype=np.int64))

    @property
    def n_in(self) -> int:
        """Elements."""
        return int(self.factor.size)

    @property
    def n_out(self) -> int:
        """Elements."""
        return int(self.factor.size)

    def apply(self, values: Int64Array) -> Int64Array:
        """Multiply elementwise."""
        return values * self.factor

    def csr(self) -> sp.csr_array:
        """A diagonal."""
        matrix = sp.csr_array(sp.diags_array(self.factor, dtype=np.int64))
        matrix.eliminate_zeros()
        return matrix

    @property
    def entries(self) -> int:
        """One a row."""
        return self.n_out

    def row_norm(self) -> int:
        """Largest |factor|."""
        return largest_norm(self.factor[:, None])

    def absolute(self) -> Scale:
        """|factor|."""
        return Scale(np.abs(self.factor))
