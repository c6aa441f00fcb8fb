"""Exact division and square root: quotients of computed tensors, and vectors brought to unit length."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from assay_prover.errors import QuantisationError
from assay_prover.reference.operation import Binary, Unary
from assay_prover.reference.tensor import LIMIT, Int64Array, Tensor


def divide_rounded(a: Int64Array, b: Int64Array) -> Int64Array:
    """floor((2 a + b) / (2 b)) for b >= 1: a / b rounded, halves towards plus infinity; |a| < 2^60."""
    return np.asarray((2 * a + b) // (2 * b), dtype=np.int64)


def square_root(x: Int64Array) -> Int64Array:
    """floor(sqrt(x)) for 0 <= x < 2^62, exactly."""
    root = np.sqrt(x.astype(np.float64)).astype(np.int64)
    # float64 is off by at most one at this size
    root = np.where(root * root > x, root - 1, root)
    return np.where((root + 1) * (root + 1) <= x, root + 1, root)


@dataclass(frozen=True, eq=False)
class Divide(Binary):
    """y = a / b rounded, halves towards plus infinity; equal shapes, b >= 1 in the worst case."""

    def evaluate(self, a: Int64Array, b: Int64Array) -> Int64Array:
        """Elementwise."""
        return divide_rounded(a, b)

    def infer(self, a: Tensor, b: Tensor) -> Tensor:
        """Monotone in each argument for a fixed sign of the other, so the extremes are at corners."""
        if a.shape != b.shape:
            raise ValueError(f"{self.output!r}: shapes {a.shape} and {b.shape} differ")
        if b.min < 1:
            raise QuantisationError(f"divisor {b.name!r} can reach {b.min}; it must be at least 1")
        if max(abs(a.min), abs(a.max), b.max) >= LIMIT >> 2:
            raise QuantisationError(f"tensor {self.output!r}: a quotient's terms exceed 60 bits")
        corners = [divide_rounded(x, y) for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        return Tensor(self.output, a.shape, np.minimum.reduce(corners), np.maximum.reduce(corners))


@dataclass(frozen=True, eq=False)
class SquareRoot(Unary):
    """y = floor(sqrt(4^shift x)) for x >= 0: the root with `shift` bits behind the point."""

    shift: int

    def __post_init__(self) -> None:
        """Check the shift."""
        if not 0 <= self.shift < 30:
            raise ValueError(f"{self.output!r}: shift {self.shift} is outside 0..29")

    def evaluate(self, value: Int64Array) -> Int64Array:
        """Exact."""
        return square_root(value << (2 * self.shift))

    def infer(self, value: Tensor) -> Tensor:
        """Monotone, so the ends map to the ends.

        Raises:
            QuantisationError: an argument below 0, or of 62 bits or more with the shift.
        """
        if value.min < 0:
            raise QuantisationError(f"tensor {value.name!r} can reach {value.min}; a root needs at least 0")
        if value.max << (2 * self.shift) >= LIMIT:
            raise QuantisationError(f"tensor {self.output!r}: the argument of a root exceeds 62 bits")
        return Tensor(self.output, value.shape, self.evaluate(value.lo), self.evaluate(value.hi))


@dataclass(frozen=True, eq=False)
class Normalise(Unary):
    """Groups of elements brought to length `unit`: y_i = divide_rounded(unit 2^shift x_i, r).

    r = floor(sqrt(4^shift (sum of the group's x_j^2 + epsilon))), epsilon >= 1; `index[groups, k]` lists
    the members of each group, every element of the input in exactly one. `shift` is the root's precision in
    bits beyond that of x.
    """

    index: Int64Array = field(repr=False)
    epsilon: int
    shift: int
    unit: int

    def __post_init__(self) -> None:
        """Check the groups and the constants."""
        flat = np.sort(self.index, axis=None)
        if self.index.ndim != 2 or not (flat == np.arange(flat.size)).all():
            raise ValueError(f"{self.output!r}: the groups must list every element once")
        if self.epsilon < 1 or self.unit < 1 or not 0 <= self.shift < 30:
            raise ValueError(f"{self.output!r}: epsilon and unit must be positive, shift below 30")

    @property
    def owner(self) -> Int64Array:
        """The group of each element, flat."""
        owner = np.empty(self.index.size, dtype=np.int64)
        owner[self.index] = np.arange(self.index.shape[0])[:, None]
        return owner

    def power(self, flat: Int64Array) -> Int64Array:
        """4^shift (sum of squares + epsilon) of each group: `[batch, size] -> [batch, groups]`."""
        squares: Int64Array = (flat[:, self.index] ** 2).sum(axis=2)
        return (squares + self.epsilon) << (2 * self.shift)

    def evaluate(self, value: Int64Array) -> Int64Array:
        """Exact."""
        flat = value.reshape(value.shape[0], -1)
        root = square_root(self.power(flat))[:, self.owner]
        return divide_rounded(flat * (self.unit << self.shift), root).reshape(value.shape)

    def infer(self, value: Tensor) -> Tensor:
        """|y| <= unit: (2^shift x_i)^2 is at most the power, hence 2^shift |x_i| at most its root."""
        reach = max(abs(value.min), abs(value.max))
        power = self.largest_power(reach)
        if power >= LIMIT or (reach * self.unit) << self.shift >= LIMIT >> 2:
            raise QuantisationError(f"tensor {self.output!r}: a sum of squares exceeds 62 bits")
        zero = np.zeros(value.shape, dtype=np.int64)
        return Tensor(self.output, value.shape, zero - self.unit, zero + self.unit)

    def largest_power(self, reach: int) -> int:
        """Bound of `power` when every |x_i| is at most `reach`."""
        return (int(self.index.shape[1]) * reach * reach + self.epsilon) << (2 * self.shift)
