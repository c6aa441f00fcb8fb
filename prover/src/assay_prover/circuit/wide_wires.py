"""Wires that hold field elements known before any challenge, in bulk: packed weights and their products."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import Wires

if TYPE_CHECKING:
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues
    from assay_prover.reference.tensor import Int64Array


def _wide(frame: WitnessValues) -> Int64Array:
    del frame
    raise TypeError("this wire holds a field element, not a small integer")


class ModelWires(Wires):
    """Wires of m: the same values in every proof of one model, bound by its published commitment."""

    def __init__(self, offset: int, size: int, values: Callable[[], FieldArray]) -> None:
        super().__init__(Region.MODEL, offset, size, _wide)
        self._make = values

    @cached_property
    def limbs(self) -> FieldArray:
        """Values `uint64[size, 4]`, computed once a model."""
        values = self._make()
        if values.shape != (self.size, 4):
            raise ValueError(f"model values have shape {values.shape}, {self.size} wires were allocated")
        return values


class LimbWires(Wires):
    """Wires of w2 that hold field elements which need no challenge."""

    def __init__(self, offset: int, size: int, values: Callable[[WitnessValues], FieldArray]) -> None:
        super().__init__(Region.FREE, offset, size, _wide)
        self._make = values

    def make(self, frame: WitnessValues) -> FieldArray:
        """Values `uint64[size, 4]` for one witness; use `WitnessValues.limbs`."""
        return self._make(frame)
