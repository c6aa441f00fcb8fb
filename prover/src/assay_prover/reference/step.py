"""Comparison with zero: the operation behind Greater, Less, Where and the branches of trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay_prover.reference.operation import Unary
from assay_prover.reference.tensor import Int64Array, Tensor


@dataclass(frozen=True, eq=False)
class Step(Unary):
    """y = 1 where x >= 0, else 0. Zero counts as not negative: there is one zero, without a sign."""

    def evaluate(self, value: Int64Array) -> Int64Array:
        """Elementwise."""
        return (value >= 0).astype(np.int64)

    def infer(self, value: Tensor) -> Tensor:
        """Monotone, so the ends map to the ends."""
        return Tensor(self.output, value.shape, self.evaluate(value.lo), self.evaluate(value.hi))
