"""The operations of the integer graph.

Each is a frozen description with three readings that must agree: `evaluate` (exact integers on a leading
batch axis), `infer` (shape and worst-case interval of the result) and the gadget that the circuit lowers it
to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from assay_prover.errors import QuantisationError
from assay_prover.reference.maps import Gather, LinearMap
from assay_prover.reference.operation import Binary, Operation, Unary
from assay_prover.reference.tensor import LARGEST, LIMIT, Int64Array, Tensor


def _matrix_form(values: Int64Array) -> Int64Array:
    return values.reshape(values.shape[0], -1)


@dataclass(frozen=True, eq=False)
class Affine(Operation):
    """y = sum_k maps_k(x_k) + bias. Costs no constraints: its rows are linear combinations."""

    inputs: tuple[str, ...]
    output: str
    shape: tuple[int, ...]
    maps: tuple[LinearMap, ...] = field(repr=False)
    bias: Int64Array = field(repr=False)

    def __post_init__(self) -> None:
        """Check that maps, bias and shape fit."""
        size = prod(self.shape)
        if len(self.inputs) != len(self.maps) or not self.maps:
            raise ValueError(f"{self.output!r}: one map for each input")
        if self.bias.dtype != np.int64 or self.bias.shape != (size,):
            raise ValueError(f"{self.output!r}: bias must be int64[{size}]")
        if any(m.n_out != size for m in self.maps):
            raise ValueError(f"{self.output!r}: a map's rows differ from the output's size {size}")

    @property
    def only_moves(self) -> bool:
        """Whether every element is one of its input's: reshapes, slices, repetitions."""
        (first, *others) = self.maps
        return (
            not others
            and isinstance(first, Gather)
            and not self.bias.any()
            and bool((first.index >= 0).all())
        )

    def evaluate(self, *values: Int64Array) -> Int64Array:
        """Exact; the intervals guarantee that no sum leaves int64."""
        total = self.maps[0].apply(_matrix_form(values[0])) + self.bias
        for linear, value in zip(self.maps[1:], values[1:], strict=True):
            total += linear.apply(_matrix_form(value))
        return total.reshape(-1, *self.shape)

    def infer(self, *inputs: Tensor) -> Tensor:
        """Sum of the maps' exact worst cases."""
        lo, hi = self.bias.copy(), self.bias.copy()
        for linear, tensor in zip(self.maps, inputs, strict=True):
            if linear.n_in != tensor.size:
                raise ValueError(
                    f"{self.output!r}: map takes {linear.n_in} values, {tensor.name!r} has {tensor.size}"
                )
            part_lo, part_hi = linear.bounds(tensor.lo.ravel(), tensor.hi.ravel())
            if max(_reach(lo, hi) + _reach(part_lo, part_hi), _reach(lo, hi)) >= LIMIT:
                raise QuantisationError(f"tensor {self.output!r} exceeds 62 bits in the worst case")
            lo += part_lo
            hi += part_hi
        return Tensor(self.output, self.shape, lo.reshape(self.shape), hi.reshape(self.shape))


def _reach(lo: Int64Array, hi: Int64Array) -> int:
    return max(abs(int(lo.min())), abs(int(hi.max()))) if lo.size else 0


@dataclass(frozen=True, eq=False)
class Requantise(Unary):
    """y = clamp(floor((x + 2^(shift-1)) / 2^shift), lo, hi); shift 0 only clamps.

    Halves round towards plus infinity, for negative values too. `lo = 0` is ReLU; `None` means that side
    needs no clamp.
    """

    shift: int
    lo: int | None = None
    hi: int | None = None

    def __post_init__(self) -> None:
        """Check the shift and the clamp."""
        if not 0 <= self.shift < 62:
            raise QuantisationError(f"{self.output!r}: shift {self.shift} is outside 0..61")
        if self.lo is not None and self.hi is not None and self.lo > self.hi:
            raise ValueError(f"{self.output!r}: empty clamp")

    def quotient(self, value: Int64Array) -> Int64Array:
        """The rounded quotient before the clamp, elementwise."""
        return (value + (1 << (self.shift - 1))) >> self.shift if self.shift else value

    def evaluate(self, value: Int64Array) -> Int64Array:
        """Arithmetic shift after adding a half, then the clamp."""
        q = self.quotient(value)
        return q if self.lo is None and self.hi is None else np.clip(q, self.lo, self.hi)

    def infer(self, value: Tensor) -> Tensor:
        """Monotone, so the ends map to the ends."""
        return Tensor(self.output, value.shape, self.evaluate(value.lo), self.evaluate(value.hi))


def _check_groups(op: ReduceMax | ArgMax) -> None:
    if (
        op.index.dtype != np.int64
        or op.index.ndim != 2
        or op.index.shape[0] != prod(op.shape)
        or not op.index.shape[1]
    ):
        raise ValueError(f"{op.output!r}: index must be int64[{prod(op.shape)}, k] with k >= 1")
    if op.index.size and op.index.min() < 0:
        raise ValueError(
            f"{op.output!r}: negative index (repeat a member of the group where padding would be)"
        )


@dataclass(frozen=True, eq=False)
class ReduceMax(Unary):
    """y_i = max_j x[index[i, j]] over the flattened input: MaxPool, maximum over axes.

    A window that meets padding repeats one of its own members, which changes no maximum.
    """

    shape: tuple[int, ...]
    index: Int64Array = field(repr=False)

    def __post_init__(self) -> None:
        """Check the groups."""
        _check_groups(self)

    def evaluate(self, value: Int64Array) -> Int64Array:
        """Gather, then the maximum."""
        return np.asarray(
            _matrix_form(value)[:, self.index].max(axis=2).reshape(-1, *self.shape), dtype=np.int64
        )

    def infer(self, value: Tensor) -> Tensor:
        """The maximum of lower bounds is a lower bound; the same for upper."""
        lo, hi = (side.ravel()[self.index].max(axis=1).reshape(self.shape) for side in (value.lo, value.hi))
        return Tensor(self.output, self.shape, lo, hi)


@dataclass(frozen=True, eq=False)
class ArgMax(Unary):
    """y_i = the lowest j that maximises x[index[i, j]]: ties go to the lowest position."""

    shape: tuple[int, ...]
    index: Int64Array = field(repr=False)

    def __post_init__(self) -> None:
        """Check the groups."""
        _check_groups(self)

    def evaluate(self, value: Int64Array) -> Int64Array:
        """numpy's argmax has the same tie rule."""
        return np.asarray(
            _matrix_form(value)[:, self.index].argmax(axis=2).reshape(-1, *self.shape), dtype=np.int64
        )

    def infer(self, value: Tensor) -> Tensor:
        """Any position of the group."""
        del value
        zero = np.zeros(self.shape, dtype=np.int64)
        return Tensor(self.output, self.shape, zero, zero + (self.index.shape[1] - 1))


def _product_bounds(
    a_lo: Int64Array, a_hi: Int64Array, b_lo: Int64Array, b_hi: Int64Array
) -> tuple[Int64Array, Int64Array]:
    corners = [a_lo * b_lo, a_lo * b_hi, a_hi * b_lo, a_hi * b_hi]
    return np.minimum.reduce(corners), np.maximum.reduce(corners)


def _check_product(name: str, a: Tensor, b: Tensor, terms: int) -> None:
    if _reach(a.lo, a.hi) * _reach(b.lo, b.hi) * terms >= LIMIT:
        raise QuantisationError(f"tensor {name!r}: a product of wires exceeds 62 bits in the worst case")


@dataclass(frozen=True, eq=False)
class Multiply(Binary):
    """y = a * b elementwise, equal shapes. One constraint an element."""

    def evaluate(self, a: Int64Array, b: Int64Array) -> Int64Array:
        """Elementwise product."""
        return a * b

    def infer(self, a: Tensor, b: Tensor) -> Tensor:
        """Interval product; a square is not treated apart, so its lower bound may be negative."""
        if a.shape != b.shape:
            raise ValueError(f"{self.output!r}: shapes {a.shape} and {b.shape} differ")
        _check_product(self.output, a, b, 1)
        lo, hi = _product_bounds(a.lo, a.hi, b.lo, b.hi)
        return Tensor(self.output, a.shape, lo, hi)


@dataclass(frozen=True, eq=False)
class MatMul(Binary):
    """y = a @ b over the last two axes, leading axes broadcast. One constraint a product of wires."""

    def evaluate(self, a: Int64Array, b: Int64Array) -> Int64Array:
        """numpy's int64 matmul; the batch axis leads both."""
        rank = max(a.ndim, b.ndim)
        left, right = (v.reshape(v.shape[0], *[1] * (rank - v.ndim), *v.shape[1:]) for v in (a, b))
        return np.asarray(left @ right, dtype=np.int64)

    def infer(self, a: Tensor, b: Tensor) -> Tensor:
        """Sum over k of the interval products."""
        if len(a.shape) < 2 or len(b.shape) < 2 or a.shape[-1] != b.shape[-2]:
            raise ValueError(f"{self.output!r}: shapes {a.shape} and {b.shape} cannot be multiplied")
        _check_product(self.output, a, b, a.shape[-1])
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        if prod(shape) > LARGEST:
            raise QuantisationError(f"tensor {self.output!r}: a product of {prod(shape)} elements")
        lo, hi = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for k in range(a.shape[-1]):
            column, row = slice(k, k + 1), (..., slice(k, k + 1), slice(None))
            part = _product_bounds(a.lo[..., column], a.hi[..., column], b.lo[row], b.hi[row])
            lo += part[0]
            hi += part[1]
        return Tensor(self.output, shape, lo, hi)


@dataclass(frozen=True, eq=False)
class Table(Unary):
    """y = values[x - lo] for lo <= x < lo + len(values): any function of one bounded integer."""

    lo: int
    values: Int64Array = field(repr=False)

    @property
    def hi(self) -> int:
        """The last argument the table holds."""
        return self.lo + int(self.values.size) - 1

    def evaluate(self, value: Int64Array) -> Int64Array:
        """Look up; the interval analysis guarantees membership."""
        return self.values[value - self.lo]

    def infer(self, value: Tensor) -> Tensor:
        """Extremes of the table over the reachable span of the whole tensor."""
        if value.min < self.lo or value.max > self.hi:
            raise QuantisationError(
                f"tensor {value.name!r} reaches [{value.min}, {value.max}], "
                f"the table of {self.output!r} holds [{self.lo}, {self.hi}]"
            )
        reachable = self.values[value.min - self.lo : value.max - self.lo + 1]
        zero = np.zeros(value.shape, dtype=np.int64)
        return Tensor(self.output, value.shape, zero + reachable.min(), zero + reachable.max())
