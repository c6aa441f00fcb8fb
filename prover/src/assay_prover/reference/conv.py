"""Convolution of any spatial rank as a linear map."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from assay_prover.reference.exact import ExactProducts
from assay_prover.reference.maps import LinearMap
from assay_prover.reference.tensor import LARGEST, Int64Array
from assay_prover.reference.windows import Windows


def window_index(
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    dilations: tuple[int, ...],
    ceil_mode: bool = False,
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Flat indices of every window over one channel of spatial `shape`; -1 where a window meets padding.

    `pads` is ONNX's: all begins, then all ends. Returns `(index[prod(out), prod(kernel)], out)`. With
    `ceil_mode` a window may hang over the end, but, as in ONNX, none starts in the end padding.
    """
    rank = len(shape)
    per_axis: list[NDArray[np.int64]] = []
    out: list[int] = []
    for axis in range(rank):
        begin, end = pads[axis], pads[rank + axis]
        span = shape[axis] + begin + end - (dilations[axis] * (kernel[axis] - 1) + 1)
        if span < 0 and not ceil_mode:
            raise ValueError(f"kernel does not fit the padded input on spatial axis {axis}")
        count = (-(-span // strides[axis]) if ceil_mode else span // strides[axis]) + 1
        if ceil_mode and (count - 1) * strides[axis] >= shape[axis] + begin:
            count -= 1
        position = (
            np.arange(count)[:, None] * strides[axis]
            + np.arange(kernel[axis])[None] * dilations[axis]
            - begin
        )
        per_axis.append(np.where((position >= 0) & (position < shape[axis]), position, -1))
        out.append(count)
    index = np.zeros([1] * (2 * rank), dtype=np.int64)
    missing = np.zeros([1] * (2 * rank), dtype=bool)
    for axis, position in enumerate(per_axis):
        view = [1] * (2 * rank)
        view[axis], view[rank + axis] = position.shape
        placed = position.reshape(view)
        index = index * shape[axis] + placed
        missing = missing | (placed < 0)
    flat = np.where(missing, -1, index)
    return flat.reshape(prod(out), prod(kernel)), tuple(out)


@dataclass(frozen=True, eq=False)
class Conv(LinearMap):
    """ONNX Conv without bias: `weight[O, I/groups, *kernel]` over `in_shape = (I, *spatial)`.

    With `channels_last` input and result are flattened with the channels innermost, `(*spatial, I)`: a matrix
    that meets every row of a sequence is a kernel of one tap in this order.
    """

    weight: Int64Array = field(repr=False)
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int
    in_shape: tuple[int, ...]
    channels_last: bool = False

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        rank = len(self.in_shape) - 1
        if self.weight.dtype != np.int64:
            raise TypeError(f"weight must be int64, got {self.weight.dtype}")
        if (
            self.weight.ndim != rank + 2
            or not len(self.strides) == len(self.dilations) == rank == len(self.pads) // 2
        ):
            raise ValueError("convolution attributes disagree about the number of spatial axes")
        if min((*self.strides, *self.dilations, self.groups)) < 1 or min(self.pads, default=0) < 0:
            raise ValueError("strides, dilations and groups must be positive, pads not negative")
        # axis by axis, before windows are listed; too many by a few where a kernel is wider than a stride
        padded = (n + b + e for n, b, e in zip(self.in_shape[1:], self.pads, self.pads[rank:], strict=False))
        positions = prod(length // stride + 1 for length, stride in zip(padded, self.strides, strict=True))
        if positions * prod(self.weight.shape[2:]) > LARGEST:
            raise ValueError("a convolution of implausibly many positions")
        if self.weight.shape[1] * self.groups != self.in_shape[0] or self.weight.shape[0] % self.groups:
            raise ValueError("convolution channels do not fit the groups")

    @cached_property
    def windows(self) -> tuple[NDArray[np.int64], tuple[int, ...]]:
        """`window_index` of one input channel: the taps of each position, and the output's spatial shape."""
        return window_index(self.in_shape[1:], self.weight.shape[2:], self.strides, self.pads, self.dilations)

    @cached_property
    def _windows(self) -> Windows:
        kernel = tuple(self.weight.shape[2:])
        geometry = (self.strides, self.pads, self.dilations, self.groups, self.channels_last)
        return Windows(self.in_shape, kernel, *geometry)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """(O, *out)."""
        return (int(self.weight.shape[0]), *self._windows.out)

    @property
    def n_in(self) -> int:
        """Elements of the input."""
        return prod(self.in_shape)

    @property
    def n_out(self) -> int:
        """Elements of the output."""
        return prod(self.out_shape)

    @cached_property
    def _exact(self) -> ExactProducts:
        return ExactProducts(self.weight.reshape(self.groups, self.weight.shape[0] // self.groups, -1))

    def apply(self, values: Int64Array) -> Int64Array:
        """Exact: as float64 products where every partial sum is an integer below 2^53, else as int64."""
        result = np.empty((len(values), self.n_out), dtype=np.int64)
        for which, columns in self._windows.chunks(values, self._exact.kind(values)):
            self._windows.place(self._exact.apply(columns), result[which])
        return result

    def centre_and_spread(self, centre: Int64Array, width: Int64Array) -> tuple[Int64Array, Int64Array]:
        """By two convolutions that read the kernels once."""
        kind = self._exact.kind(centre, width)
        both = self._windows.samples(np.stack([centre, width]).astype(kind))
        sums = self._exact.centre_and_spread(*(self._windows.columns(part[None]) for part in both))
        placed = np.empty((2, self.n_out), dtype=np.int64)
        for part, flat in zip(sums, placed, strict=True):
            self._windows.place(part, flat[None])
        return placed[0], placed[1]

    def csr(self) -> sp.csr_array:
        """Every window of every output channel as a row; padding leaves no entry."""
        index, _ = self.windows
        positions, taps = index.shape
        spatial = prod(self.in_shape[1:])
        per_group = self.in_shape[0] // self.groups
        channel = np.arange(per_group)[None, :, None] * spatial
        present = np.broadcast_to((index >= 0)[:, None, :], (positions, per_group, taps))
        local = (channel + index[:, None, :])[present]
        indptr_one = np.concatenate([[0], np.cumsum(present.reshape(positions, -1).sum(axis=1))])
        out_channels = self.weight.shape[0]
        data = np.empty((out_channels, local.size), dtype=np.int64)
        columns = np.empty((out_channels, local.size), dtype=np.int64)
        step = out_channels // self.groups
        for o in range(out_channels):
            data[o] = np.broadcast_to(self.weight[o].reshape(1, per_group, taps), present.shape)[present]
            columns[o] = local + (o // step) * per_group * spatial
        indptr = np.concatenate(
            [[0], (indptr_one[1:] + np.arange(out_channels)[:, None] * local.size).ravel()]
        )
        met = columns.ravel()
        if self.channels_last:
            met = met % spatial * self.in_shape[0] + met // spatial
        matrix = sp.csr_array((data.ravel(), met, indptr), shape=(self.n_out, self.n_in))
        if self.channels_last:
            matrix = sp.csr_array(matrix[np.arange(self.n_out).reshape(out_channels, positions).T.ravel()])
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return matrix

    def csr_rows(self, rows: Int64Array) -> sp.csr_array:
        """Their windows alone."""
        index, _ = self.windows
        spatial = prod(self.in_shape[1:])
        out_channels, per_group = self.weight.shape[:2]
        if self.channels_last:
            position, channel = np.divmod(rows, out_channels)
        else:
            channel, position = np.divmod(rows, len(index))
        first = channel // (out_channels // self.groups) * per_group
        window = index[position][:, None, :]
        met = (first[:, None] + np.arange(per_group))[:, :, None]
        inputs = window * self.in_shape[0] + met if self.channels_last else met * spatial + window
        weights = self.weight.reshape(out_channels, per_group, -1)[channel]
        there = (window >= 0) & (weights != 0)
        indptr = np.concatenate([[0], np.cumsum(there.sum(axis=(1, 2)))])
        matrix = sp.csr_array((weights[there], inputs[there], indptr), shape=(rows.size, self.n_in))
        matrix.sort_indices()
        return matrix

    @property
    def entries(self) -> int:
        """Every window whole, padding included."""
        return self.n_out * prod(self.weight.shape[1:])

    def row_norm(self) -> int:
        """Largest |kernel|_1 of an output channel."""
        return self._exact.norm

    def absolute(self) -> Conv:
        """|weight| with the same geometry."""
        return replace(self, weight=np.abs(self.weight))
