"""Operations of the float graph that the circuit computes exactly: comparison, rounding, division, trees."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from assay_prover.graph.maps import Float64Array, Int64Array
from assay_prover.graph.operation import FloatBinary, FloatUnary

LARGEST_MATRIX = 256
"""Members of a group up to which subtracting the mean is one matrix, of as many entries for each element."""


def _rows(values: Float64Array) -> Float64Array:
    return values.reshape(values.shape[0], -1)


@dataclass(frozen=True, eq=False)
class FloatCompare(FloatUnary):
    """y = 1 where x > threshold (`strict`) or x >= threshold (not), else 0; both flat."""

    threshold: Float64Array = field(repr=False)
    strict: np.ndarray = field(repr=False)
    label: str

    def evaluate(self, value: Float64Array) -> Float64Array:
        """Elementwise."""
        flat = _rows(value)
        met = np.where(self.strict, flat > self.threshold, flat >= self.threshold)
        return met.astype(np.float64).reshape(-1, *self.shape)


@dataclass(frozen=True, eq=False)
class FloatRound(FloatUnary):
    """y = the nearest integer, halves to the even one (`even`), or the greatest that is no greater than x.

    margin: how near to the next integer an argument of the latter may come; one nearer may be taken for it.
    """

    even: bool
    label: str
    margin: float = 2.0**-12

    def evaluate(self, value: Float64Array) -> Float64Array:
        """Elementwise."""
        return np.asarray(np.rint(value) if self.even else np.floor(value))


@dataclass(frozen=True, eq=False)
class FloatOneHot(FloatUnary):
    """y[..., j] = 1 where the whole number x is lo + j, else 0."""

    lo: int
    label: str

    def evaluate(self, value: Float64Array) -> Float64Array:
        """Compare with every place."""
        places = self.lo + np.arange(self.shape[-1])
        coded = _rows(value)[:, :, None] == places
        return np.asarray(coded, dtype=np.float64).reshape(-1, *self.shape)


@dataclass(frozen=True, eq=False)
class FloatDivide(FloatBinary):
    """y = a / b elementwise, both computed by the network, equal shapes."""

    label: str

    def evaluate(self, a: Float64Array, b: Float64Array) -> Float64Array:
        """Elementwise; not finite where b is 0."""
        with np.errstate(all="ignore"):
            return np.asarray(a / b)


@dataclass(frozen=True, eq=False)
class FloatNormalise(FloatUnary):
    """y_i = x_i / sqrt(sum of the squares of its group + epsilon); `index[groups, k]` lists the members."""

    index: Int64Array = field(repr=False)
    epsilon: float
    label: str

    def evaluate(self, value: Float64Array) -> Float64Array:
        """By groups; a group of zeros stays zero even without an epsilon."""
        flat = _rows(value)
        taken = flat[:, self.index]
        norm = np.sqrt((taken**2).sum(axis=2, keepdims=True) + self.epsilon)
        result = np.zeros_like(flat)
        result[:, self.index] = taken / np.where(norm == 0, 1.0, norm)
        return result.reshape(-1, *self.shape)


@dataclass(frozen=True, eq=False)
class FloatTrees(FloatUnary):
    """y = bias + sum over trees of the reached leaf's value; the fields are those of `reference.Trees`."""

    bit: Int64Array = field(repr=False)
    zero: Int64Array = field(repr=False)
    one: Int64Array = field(repr=False)
    roots: Int64Array = field(repr=False)
    values: Float64Array = field(repr=False)
    bias: Float64Array = field(repr=False)
    label: str

    def evaluate(self, value: Float64Array) -> Float64Array:
        """Walk all trees of all samples a level at a time; a leaf goes nowhere."""
        bits = _rows(value)
        batch = np.arange(bits.shape[0])[:, None]
        place = np.broadcast_to(self.roots, (bits.shape[0], self.roots.size)).copy()
        while (place >= 0).any():
            node = np.maximum(place, 0)
            below = np.where(bits[batch, self.bit[node]] > 0.5, self.one[node], self.zero[node])
            place = np.where(place >= 0, below, place)
        return np.asarray(self.bias + self.values[-1 - place].sum(axis=1)).reshape(-1, *self.shape)
