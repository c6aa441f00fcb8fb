"""A whole number as indicator bits: computed indices, embeddings, dictionaries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay_prover.errors import QuantisationError
from assay_prover.reference.operation import Unary
from assay_prover.reference.tensor import LARGEST, Int64Array, Tensor


@dataclass(frozen=True, eq=False)
class OneHot(Unary):
    """y[..., j] = 1 where x = lo + j, else 0, for lo <= x < lo + size."""

    lo: int
    size: int

    def __post_init__(self) -> None:
        """Check the size."""
        if self.size < 1:
            raise ValueError(f"{self.output!r}: a one-hot code needs at least one place")

    def evaluate(self, value: Int64Array) -> Int64Array:
        """Compare with every place."""
        return np.asarray(value[..., None] == self.lo + np.arange(self.size), dtype=np.int64)

    def infer(self, value: Tensor) -> Tensor:
        """Bits; those out of an element's reach stay 0.

        Raises:
            QuantisationError: a value without a place.
        """
        if value.min < self.lo or value.max >= self.lo + self.size:
            raise QuantisationError(
                f"tensor {value.name!r} reaches [{value.min}, {value.max}], the code of {self.output!r} has "
                f"places for [{self.lo}, {self.lo + self.size - 1}]"
            )
        if value.size * self.size > LARGEST:
            raise QuantisationError(f"tensor {self.output!r}: {self.size} places for {value.size} values")
        places = self.lo + np.arange(self.size)
        lo, hi = value.lo[..., None], value.hi[..., None]
        reachable = ((places >= lo) & (places <= hi)).astype(np.int64)
        certain = ((places == lo) & (places == hi)).astype(np.int64)
        return Tensor(self.output, (*value.shape, self.size), certain, reachable)
