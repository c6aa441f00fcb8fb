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
from assay_prover.reference.conv import window_index
from assay_prover.reference.windows import columns

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

LARGEST_COEFFICIENT = float(1 << 40)
"""Quantised coefficients stay below this; a wider one means a scale has degenerated."""


def round_coefficients(values: Float64Array, factor: float) -> Int64Array:
    """Nearest integers of `values * factor`."""
    scaled = np.rint(values * factor)
    if scaled.size and float(np.abs(scaled).max()) > LARGEST_COEFFICIENT:
        raise OverflowError("a quantised coefficient exceeds 40 bits")
    return scaled.astype(np.int64)


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

    @abstractmethod
    def row_sums(self, power: int) -> Float64Array:
        """Sum over each row of |coefficient|^power, `[n_out]`; power 0 counts the non-zeros."""

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
        absolute = np.abs(self.coefficients)
        absolute = absolute[absolute > 0]
        if not absolute.size:
            return None
        c = float(absolute.max())
        return c if float(absolute.min()) == c else None


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

    def row_sums(self, power: int) -> Float64Array:
        """Over columns."""
        return np.asarray(_powers(self.weight, power).sum(axis=1))

    def quantise(self, factor: float) -> ref.Dense:
        """Rounded weights."""
        return ref.Dense(round_coefficients(self.weight, factor))

    def scale_rows(self, factor: Float64Array) -> FloatDense:
        """diag(factor) W."""
        return FloatDense(self.weight * factor[:, None])

    def worst_case(self, lo: Float64Array, hi: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Without the detour over CSR."""
        centre, radius = self.weight @ ((lo + hi) / 2), np.abs(self.weight) @ ((hi - lo) / 2)
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
    def _windows(self) -> tuple[Int64Array, tuple[int, ...]]:
        return window_index(self.in_shape[1:], self.weight.shape[2:], self.strides, self.pads, self.dilations)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """(O, *out)."""
        return (int(self.weight.shape[0]), *self._windows[1])

    @property
    def coefficients(self) -> Float64Array:
        """All kernel weights."""
        return self.weight

    def apply(self, values: Float64Array) -> Float64Array:
        """Windows times the kernels of each group, sample by sample."""
        return self._convolve(self.weight, values)

    def _convolve(self, weight: Float64Array, values: Float64Array) -> Float64Array:
        kernels = weight.reshape(self.groups, weight.shape[0] // self.groups, -1).transpose(0, 2, 1)
        kernels = np.ascontiguousarray(kernels)
        samples = values.reshape(-1, *self.in_shape)
        if self.channels_last:
            samples = np.moveaxis(values.reshape(-1, *self.in_shape[1:], self.in_shape[0]), -1, 1)
        result = np.empty((len(samples), self.n_out))
        for row, sample in zip(result, samples, strict=True):
            taken = columns(sample, weight.shape[2:], self.strides, self.pads, self.dilations, self.groups)
            sums = taken @ kernels
            if self.channels_last:
                row.reshape(sums.shape[1], self.groups, -1)[:] = sums.transpose(1, 0, 2)
            else:
                row.reshape(self.groups, -1, sums.shape[1])[:] = sums.transpose(0, 2, 1)
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

    def row_sums(self, power: int) -> Float64Array:
        """The kernel's sum for every position: an upper bound where a window meets padding."""
        sums = _powers(self.weight, power).reshape(self.weight.shape[0], -1).sum(axis=1)
        positions = prod(self._windows[1])
        return np.tile(sums, positions) if self.channels_last else np.repeat(sums, positions)

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
        """By two convolutions."""
        centre = self._convolve(self.weight, (lo + hi)[None] / 2)[0]
        radius = self._convolve(np.abs(self.weight), (hi - lo)[None] / 2)[0]
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

    def row_sums(self, power: int) -> Float64Array:
        """Over the stored entries."""
        powers = sp.csr_array(
            (_powers(self.matrix.data, power), self.matrix.indices, self.matrix.indptr),
            shape=self.matrix.shape,
        )
        return np.asarray(powers.sum(axis=1)).ravel()

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

    def row_sums(self, power: int) -> Float64Array:
        """One where something is picked."""
        del power
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

    def row_sums(self, power: int) -> Float64Array:
        """|factor|^power."""
        return _powers(self.factor, power)

    def quantise(self, factor: float) -> ref.Scale:
        """Rounded factors."""
        return ref.Scale(round_coefficients(self.factor, factor))

    def scale_rows(self, factor: Float64Array) -> FloatScale:
        """Product of the factors."""
        return FloatScale(self.factor * factor)


def _powers(values: Float64Array, power: int) -> Float64Array:
    return (values != 0).astype(np.float64) if power == 0 else np.abs(values) ** power


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
