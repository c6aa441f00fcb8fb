"""Which gadget constrains which operation of the integer graph; gadgets register where they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.linear import LinearTensor
    from assay_prover.reference import Op
    from assay_prover.reference.tensor import Int64Array, Tensor

    Lowering = Callable[[Builder, Any, "Operands"], LinearTensor]


@dataclass(frozen=True)
class Operands:
    """What an operation reads.

    Attributes:
        wires: the inputs in the circuit, flat.
        facts: their shapes and worst cases.
        span_checked: for a layer with private weights and the requantisation that reads it: whether the
            latter's range checks hold the former to its span.
    """

    wires: Sequence[LinearTensor]
    facts: Sequence[Tensor]
    span_checked: bool = False

    @property
    def first(self) -> LinearTensor:
        """The first input."""
        return self.wires[0]

    @property
    def lo(self) -> Int64Array:
        """The least value of each element of the first input, flat."""
        return self.facts[0].lo.ravel()

    @property
    def hi(self) -> Int64Array:
        """The greatest."""
        return self.facts[0].hi.ravel()


_LOWERINGS: dict[type, Lowering] = {}


def constrains(kind: type) -> Callable[[Lowering], Lowering]:
    """Register the decorated function: `(builder, operation, operands)` to the result's wires."""

    def register(function: Lowering) -> Lowering:
        if kind in _LOWERINGS:
            raise ValueError(f"{kind.__name__} has two gadgets")
        _LOWERINGS[kind] = function
        return function

    return register


def gadget_of(op: Op) -> Lowering:
    """The lowering of an operation.

    Raises:
        TypeError: no gadget constrains its class.
    """
    found = _LOWERINGS.get(type(op))
    if found is None:
        raise TypeError(f"no gadget lowers {type(op).__name__}")
    return found
