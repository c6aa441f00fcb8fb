"""Exact integer matrix products at BLAS speed.

numpy has no BLAS for int64. Below 2^53 every integer is a float64 and every partial sum of a product is
exact in any order, so a product runs in dgemm when `max_row |W|_1 * max |x|` stays well below 2^53, and in
int64 otherwise. About 10x on a 1M-weight layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay_prover.reference.tensor import LIMIT, Int64Array

FLOAT_EXACT = 1 << 53

BLOCK = 1 << 16
"""Weights that are looked at together (half a megabyte): what is computed of them stays in a cache."""


def row_blocks(rows: int, width: int) -> Iterator[slice]:
    """Consecutive rows of about BLOCK elements together."""
    step = max(1, BLOCK // max(width, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def largest_norm(rows: Int64Array) -> int:
    """Largest |row|_1 of `rows[n, k]`: exact below 62 bits, beyond them as near as float64 is.

    A sum in int64 could wrap to a small one, and weights may be a stranger's.
    """
    largest = 0
    for block in row_blocks(*rows.shape):
        absolute = np.abs(rows[block])
        rough = float(absolute.sum(axis=1, dtype=np.float64).max(initial=0.0))
        exact = FLOAT_EXACT < rough < LIMIT / 2
        largest = max(largest, int(absolute.sum(axis=1).max(initial=0)) if exact else int(rough))
    return largest


def centre_and_spread(
    weight: NDArray[Any], centre: NDArray[Any], width: NDArray[Any], kind: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """(W c, |W| w) for `weight[groups, rows, cols]` and `[groups, n, cols]`: `[groups, n, rows]` of `kind`.

    W is read once, and neither |W| nor a converted W is ever whole in memory.
    """
    groups, rows, cols = weight.shape
    sums, spreads = (np.empty((groups, centre.shape[1], rows), dtype=kind) for _ in range(2))
    for block in row_blocks(rows, groups * cols):
        part = np.array(weight[:, block], dtype=kind)
        np.matmul(centre, part.transpose(0, 2, 1), out=sums[:, :, block])
        np.abs(part, out=part)
        np.matmul(width, part.transpose(0, 2, 1), out=spreads[:, :, block])
    return sums, spreads


class ExactProducts:
    """Products with the constant int64 matrices `weight[groups, rows, cols]`."""

    def __init__(self, weight: Int64Array) -> None:
        self.weight = weight

    @cached_property
    def norm(self) -> int:
        """Largest |row|_1."""
        return largest_norm(self.weight.reshape(-1, self.weight.shape[2]))

    @cached_property
    def _floats(self) -> NDArray[np.float64]:
        return self.weight.astype(np.float64)

    def kind(self, *values: Int64Array) -> np.dtype[Any]:
        """float64 if products with values up to the largest of these are exact in it, else int64.

        The caller's interval analysis guarantees that they fit int64.
        """
        largest = max(max(int(v.max()), -int(v.min())) if v.size else 0 for v in values)
        return np.dtype(np.float64 if self.norm * largest < FLOAT_EXACT // 2 else np.int64)

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """`[groups, n, cols] -> [groups, n, rows]`, of the type of `values`, which `kind` has chosen."""
        weight = self._floats if values.dtype == np.float64 else self.weight
        return np.asarray(values @ weight.transpose(0, 2, 1))

    def centre_and_spread(self, centre: NDArray[Any], width: NDArray[Any]) -> tuple[Int64Array, Int64Array]:
        """(W c, |W| w), for interval analysis; the types are as for `apply`."""
        sums, spreads = centre_and_spread(self.weight, centre, width, centre.dtype)
        return sums.astype(np.int64, copy=False), spreads.astype(np.int64, copy=False)
