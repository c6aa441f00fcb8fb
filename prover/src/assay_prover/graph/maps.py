"""Linear maps with real coefficients: the float twins of `assay_prover.reference.maps`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from assay_prover import reference as ref
from assay_prover.reference.exact import BLOCK, centre_and_spread
from assay_prover.reference.windows import Windows

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

LARGEST_COEFFICIENT = float(1 << 40)
"""Quantised coefficients stay below this; a wider one means a scale has degenerated."""


REAL = np.dtype(np.float64)


def round_coefficients(values: Float64Array, factor: float) -> Int64Array:
    """Nearest integers of `values * factor`."""
    flat = np.ascontiguousarray(values).reshape(-1)
    rounded = np.empty(flat.size, dtype=np.int64)
    for start in range(0, flat.size, BLOCK):
        scaled = flat[start : start + BLOCK] * factor
        np.rint(scaled, out=scaled)
        if not (scaled.min() >= -LARGEST_COEFFICIENT and scaled.max() <= LARGEST_COEFFICIENT):
            raise OverflowError("a quantised coefficient exceeds 40 bits")
        rounded[start : start + BLOCK] = scaled
    return rounded.reshape(values.shape)


class FloatMap(ABC):
    """y = M x over the reals, `[batch, n_in] -> [batch, n_out]`."""

    n_in: int
    n_out: int

    @property
    def is_identity(self) -> bool:
        """Whether it only renames."""
        return False

    @property
    @abstractmethod
    def coefficients(self) -> Float64Array:
        """Every stored coefficient once, in any order."""

    @abstractmethod
    def apply(self, values: Float64Array) -> Float64Array:
        """M x for a batch."""

    @abstractmethod
    def csr(self) -> sp.csr_array:
        """M as float64 CSR."""

    @property
    @abstractmethod
    def terms(self) -> Float64Array:
        """Non-zeros of each row, `[n_out]`."""

    @abstractmethod
    def quantise(self, factor: float) -> ref.LinearMap:
        """The integer map with coefficients `round(M * factor)`."""

    def scale_rows(self, factor: Float64Array) -> FloatMap:
        """diag(factor) M."""
        return FloatSparse(sp.csr_array(sp.diags_array(factor) @ self.csr()))

    def worst_case(self, lo: Float64Array, hi: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Bounds of each row over the box `lo <= x <= hi`."""
        matrix = self.csr()
        centre, radius = matrix @ ((lo + hi) / 2), abs(matrix) @ ((hi - lo) / 2)
        return centre - radius, centre + radius

    def common_coefficient(self) -> float | None:
        """c > 0 when every non-zero coefficient is c or -c: such a map needs no rounding at all."""
        return self._common

    @cached_property
    def _common(self) -> float | None:
        flat = np.ascontiguousarray(self.coefficients).reshape(-1)
        common: float | None = None
        for start in range(0, flat.size, BLOCK):
            absolute = np.abs(flat[start : start + BLOCK])
            absolute = absolute[absolute > 0]
            if not absolute.size:
                continue
            if common is None:
                common = float(absolute[0])
            if (absolute != common).any():
                return None
        return common


@dataclass(frozen=True, eq=False)
class FloatDense(FloatMap):
    """A full matrix, `weight[out, in]`."""

    weight: Float64Array = field(repr=False)

    def __post_init__(self) -> None:
        """Derive the sizes."""
        object.__setattr__(self, "n_out", int(self.weight.shape[0]))
        object.__setattr__(self, "n_in", int(self.weight.shape[1]))

    @property
    def coefficients(self) -> Float64Array:
        """All weights."""
        return self.weight

    def apply(self, values: Float64Array) -> Float64Array:
        """W x."""
        return np.asarray(values @ self.weight.T)

    def csr(self) -> sp.csr_array:
        """W without zeros."""
        return sp.csr_array(self.weight)

    @cached_property
    def terms(self) -> Float64Array:
        """Counted once."""
        return np.asarray(np.count_nonzero(self.weight, axis=1), dtype=np.float64)

    def quantise(self, factor: float) -> ref.Dense:
        """Rounded weights."""
        return ref.Dense(round_coefficients(self.weight, factor))

    def scale_rows(self, factor: Float64Array) -> FloatDense:
        """diag(factor) W."""
        return FloatDense(self.weight * factor[:, None])

    def worst_case(self, lo: Float64Array, hi: Float64Array) -> tuple[Float64Array, Float64Array]:
        """By products that read the weights once."""
        box = ((lo + hi)[None, None] / 2, (hi - lo)[None, None] / 2)
        centre, radius = (part[0, 0] for part in centre_and_spread(self.weight[None], *box, REAL))
        return centre - radius, centre + radius


@dataclass(frozen=True, eq=False)
class FloatConv(FloatMap):
    """A convolution; the fields are those of `assay_prover.reference.Conv`."""

    weight: Float64Array = field(repr=False)
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int
    in_shape: tuple[int, ...]
    channels_last: bool = False

    def __post_init__(self) -> None:
        """Derive the sizes."""
        object.__setattr__(self, "n_in", prod(self.in_shape))
        object.__setattr__(self, "n_out", prod(self.out_shape))

    @cached_property
    def _windows(self) -> Windows:
        kernel = tuple(self.weight.shape[2:])
        geometry = (self.strides, self.pads, self.dilations, self.groups, self.channels_last)
        return Windows(self.in_shape, kernel, *geometry)

    @property
    def _kernels(self) -> Float64Array:
        """Those of each group as a matrix, `[groups, rows, cols]`."""
        return self.weight.reshape(self.groups, self.weight.shape[0] // self.groups, -1)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """(O, *out)."""
        return (int(self.weight.shape[0]), *self._windows.out)

    @property
    def coefficients(self) -> Float64Array:
        """All kernel weights."""
        return self.weight

    def apply(self, values: Float64Array) -> Float64Array:
        """Windows times the kernels of each group, a few samples at a time."""
        result = np.empty((len(values), self.n_out))
        kernels = self._kernels.transpose(0, 2, 1)
        for which, columns in self._windows.chunks(values, REAL):
            self._windows.place(columns @ kernels, result[which])
        return result

    def csr(self) -> sp.csr_array:
        """The integer twin's structure with this map's weights at its places."""
        # positions 1..n in place of the weights give the structure once, exactly, for any weights
        places = np.arange(1, self.weight.size + 1, dtype=np.int64).reshape(self.weight.shape)
        structure = self._integer(places).csr()
        return sp.csr_array(
            (self.weight.ravel()[structure.data - 1], structure.indices, structure.indptr),
            shape=structure.shape,
        )

    def _integer(self, weight: Int64Array) -> ref.Conv:
        geometry = (self.strides, self.pads, self.dilations, self.groups, self.in_shape, self.channels_last)
        return ref.Conv(weight, *geometry)

    def by_channel(self, values: Float64Array) -> Float64Array:
        """A flat result as `[channels, positions]`."""
        channels = self.weight.shape[0]
        return values.reshape(-1, channels).T if self.channels_last else values.reshape(channels, -1)

    @cached_property
    def terms(self) -> Float64Array:
        """The kernel's for every position: an upper bound where a window meets padding."""
        by_channel = self.weight.reshape(self.weight.shape[0], -1)
        counts = np.count_nonzero(by_channel, axis=1).astype(np.float64)
        positions = self._windows.positions
        return np.tile(counts, positions) if self.channels_last else np.repeat(counts, positions)

    def quantise(self, factor: float) -> ref.Conv:
        """Rounded kernels."""
        return self._integer(round_coefficients(self.weight, factor))

    def scale_rows(self, factor: Float64Array) -> FloatMap:
        """Stays a convolution when the factor is constant over each channel."""
        channel = self.by_channel(factor)
        if not (channel == channel[:, :1]).all():
            return super().scale_rows(factor)
        weight = self.weight * channel[:, 0].reshape(-1, *[1] * (self.weight.ndim - 1))
        return replace(self, weight=weight)

    def worst_case(self, lo: Float64Array, hi: Float64Array) -> tuple[Float64Array, Float64Array]:
        """By two convolutions that read the kernels once."""
        box = self._windows.samples(np.stack([lo + hi, hi - lo]) / 2)
        middle, width = (self._windows.columns(part[None]) for part in box)
        sums = centre_and_spread(self._kernels, middle, width, REAL)
        placed = np.empty((2, self.n_out))
        for part, flat in zip(sums, placed, strict=True):
            self._windows.place(part, flat[None])
        centre, radius = placed
        return centre - radius, centre + radius


@dataclass(frozen=True, eq=False)
class FloatSparse(FloatMap):
    """Any matrix in CSR form.

    structural: its coefficients follow from the operator alone (a mean, an interpolation): no weights.
    """

    matrix: sp.csr_array = field(repr=False)
    structural: bool = False

    def __post_init__(self) -> None:
        """Bring into canonical form and derive the sizes."""
        canonical = sp.csr_array(self.matrix, dtype=np.float64, copy=True)
        canonical.sum_duplicates()
        canonical.eliminate_zeros()
        canonical.sort_indices()
        object.__setattr__(self, "matrix", canonical)
        object.__setattr__(self, "n_out", int(canonical.shape[0]))
        object.__setattr__(self, "n_in", int(canonical.shape[1]))

    @property
    def coefficients(self) -> Float64Array:
        """The stored entries."""
        return np.asarray(self.matrix.data)

    def apply(self, values: Float64Array) -> Float64Array:
        """M x."""
        return np.asarray((self.matrix @ values.T).T)

    def csr(self) -> sp.csr_array:
        """M itself."""
        return self.matrix

    @property
    def terms(self) -> Float64Array:
        """The stored entries."""
        return np.asarray(np.diff(self.matrix.indptr), dtype=np.float64)

    def quantise(self, factor: float) -> ref.Sparse:
        """Rounded entries."""
        data = round_coefficients(self.matrix.data, factor)
        return ref.Sparse(
            sp.csr_array((data, self.matrix.indices, self.matrix.indptr), shape=self.matrix.shape)
        )


@dataclass(frozen=True, eq=False)
class FloatGather(FloatMap):
    """y_i = x[index_i], or 0 at -1."""

    index: Int64Array = field(repr=False)
    size: int

    def __post_init__(self) -> None:
        """Derive the sizes."""
        object.__setattr__(self, "n_out", int(self.index.size))
        object.__setattr__(self, "n_in", self.size)

    @property
    def is_identity(self) -> bool:
        """Whether it only renames."""
        return self.n_in == self.n_out and bool((self.index == np.arange(self.size)).all())

    @property
    def coefficients(self) -> Float64Array:
        """One 1."""
        return np.ones(1)

    def apply(self, values: Float64Array) -> Float64Array:
        """Pick, with zeros at -1."""
        picked = values[:, self.index]
        picked[:, self.index < 0] = 0
        return picked

    def csr(self) -> sp.csr_array:
        """Ones."""
        return sp.csr_array(ref.Gather(self.index, self.size).csr(), dtype=np.float64)

    @property
    def terms(self) -> Float64Array:
        """One where something is picked."""
        return (self.index >= 0).astype(np.float64)

    def quantise(self, factor: float) -> ref.LinearMap:
        """A plain gather when the factor rounds to one."""
        weight = int(round_coefficients(np.ones(1), factor)[0])
        gather = ref.Gather(self.index, self.size)
        return gather if weight == 1 else ref.Sparse(gather.csr() * weight)


@dataclass(frozen=True, eq=False)
class FloatScale(FloatMap):
    """y_i = factor_i x_i."""

    factor: Float64Array = field(repr=False)

    def __post_init__(self) -> None:
        """Derive the sizes."""
        object.__setattr__(self, "n_out", int(self.factor.size))
        object.__setattr__(self, "n_in", int(self.factor.size))

    @property
    def coefficients(self) -> Float64Array:
        """The factors."""
        return self.factor

    def apply(self, values: Float64Array) -> Float64Array:
        """Multiply elementwise."""
        return values * self.factor

    def csr(self) -> sp.csr_array:
        """A diagonal."""
        return sp.csr_array(sp.diags_array(self.factor))

    @property
    def terms(self) -> Float64Array:
        """One for each factor that is not 0."""
        return np.asarray(self.factor != 0, dtype=np.float64)

    def quantise(self, factor: float) -> ref.Scale:
        """Rounded factors."""
        return ref.Scale(round_coefficients(self.factor, factor))

    def scale_rows(self, factor: Float64Array) -> FloatScale:
        """Product of the factors."""
        return FloatScale(self.factor * factor)


def row_wise(weight: Float64Array, rows: int, groups: int = 1) -> FloatConv:
    """`weight[out, in / groups]` on each of `rows` rows: `[rows, in] -> [rows, out]`, flattened row-major."""
    kernel = np.ascontiguousarray(weight)[:, :, None]
    return FloatConv(kernel, (1,), (0, 0), (1,), groups, (weight.shape[1] * groups, rows), channels_last=True)


def compose(outer: FloatMap, inner: FloatMap) -> FloatMap | None:
    """outer . inner as one map where that is no larger than the two apart; None otherwise."""
    if isinstance(inner, FloatGather) and inner.is_identity:
        return outer
    if isinstance(outer, FloatGather):
        if outer.is_identity:
            return inner
        if isinstance(inner, FloatGather):
            return FloatGather(np.where(outer.index < 0, -1, inner.index[outer.index]), inner.size)
        if isinstance(inner, FloatDense) and outer.n_out <= 2 * inner.n_out:
            return FloatDense(np.where(outer.index[:, None] < 0, 0.0, inner.weight[outer.index]))
    if isinstance(outer, FloatScale):
        return inner.scale_rows(outer.factor)
    if isinstance(outer, FloatDense):
        if isinstance(inner, FloatScale):
            return FloatDense(outer.weight * inner.factor[None])
        if isinstance(inner, FloatDense) and inner.n_in <= 2 * inner.n_out:
            return FloatDense(outer.weight @ inner.weight)
        if isinstance(inner, FloatGather) and inner.n_in <= 2 * inner.n_out:
            present = inner.index >= 0
            weight = np.zeros((outer.n_out, inner.n_in))
            np.add.at(weight.T, inner.index[present], outer.weight.T[present])
            return FloatDense(weight)
    return None
