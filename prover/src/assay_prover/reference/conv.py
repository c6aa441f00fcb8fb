"""Convolution of any spatial rank as a linear map."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from assay_prover.reference.exact import FLOAT_EXACT
from assay_prover.reference.maps import LinearMap, largest_norm
from assay_prover.reference.tensor import LARGEST, Int64Array
from assay_prover.reference.windows import columns


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

    @property
    def out_shape(self) -> tuple[int, ...]:
        """(O, *out)."""
        return (int(self.weight.shape[0]), *self.windows[1])

    @property
    def n_in(self) -> int:
        """Elements of the input."""
        return prod(self.in_shape)

    @property
    def n_out(self) -> int:
        """Elements of the output."""
        return prod(self.out_shape)

    @cached_property
    def _row_norm(self) -> float:
        # the sum's relative error is covered by the factor two at the comparison
        norms = np.abs(self.weight).reshape(self.weight.shape[0], -1).sum(axis=1, dtype=np.float64)
        return float(norms.max(initial=0.0))

    def apply(self, values: Int64Array) -> Int64Array:
        """Exact: as float64 products where every partial sum is an integer below 2^53, else as int64."""
        return self._convolve(self.weight, values)

    def apply_absolute(self, values: Int64Array) -> Int64Array:
        """The same with |weight|."""
        return self._convolve(np.abs(self.weight), values)

    def _convolve(self, weight: Int64Array, values: Int64Array) -> Int64Array:
        """One sample at a time, whose windows fit a cache; one product a group."""
        kernels = weight.reshape(self.groups, weight.shape[0] // self.groups, -1).transpose(0, 2, 1)
        samples = values.reshape(-1, *self.in_shape)
        if self.channels_last:
            samples = np.moveaxis(values.reshape(-1, *self.in_shape[1:], self.in_shape[0]), -1, 1)
        largest = float(np.abs(values).max(initial=0))
        fits = self._row_norm * largest * 2 < FLOAT_EXACT
        kind = np.dtype(np.float64 if fits else np.int64)
        kernels = np.ascontiguousarray(kernels.astype(kind, copy=False))
        result = np.empty((len(samples), self.n_out), dtype=np.int64)
        for row, sample in zip(result, samples, strict=True):
            taken = columns(
                sample.astype(kind, copy=False),
                self.weight.shape[2:],
                self.strides,
                self.pads,
                self.dilations,
                self.groups,
            )
            sums = taken @ kernels
            if self.channels_last:
                row.reshape(sums.shape[1], self.groups, -1)[:] = sums.transpose(1, 0, 2)
            else:
                row.reshape(self.groups, -1, sums.shape[1])[:] = sums.transpose(0, 2, 1)
        return result

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
        return largest_norm(self.weight.reshape(self.weight.shape[0], -1))

    def absolute(self) -> Conv:
        """|weight| with the same geometry."""
        return replace(self, weight=np.abs(self.weight))
