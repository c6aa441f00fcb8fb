"""Rounding to the nearest integer with halves to even: ONNX's Round, QuantizeLinear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay_prover.reference.operation import Unary
from assay_prover.reference.tensor import Int64Array, Tensor


@dataclass(frozen=True, eq=False)
class RoundEven(Unary):
    """y = x / 2^shift rounded to the nearest integer, halves to the even one; shift >= 1."""

    shift: int

    def __post_init__(self) -> None:
        """Check the shift."""
        if not 1 <= self.shift < 61:
            raise ValueError(f"{self.output!r}: shift {self.shift} is outside 1..60")

    def evaluate(self, value: Int64Array) -> Int64Array:
        """Half a step, less one unless floor(x / 2^shift) is odd, is added before the arithmetic shift."""
        odd = (value >> self.shift) & 1
        return np.asarray((value + (1 << (self.shift - 1)) - 1 + odd) >> self.shift, dtype=np.int64)

    def infer(self, value: Tensor) -> Tensor:
        """Monotone, so the ends map to the ends."""
        return Tensor(self.output, value.shape, self.evaluate(value.lo), self.evaluate(value.hi))
