"""Which gadget constrains which operation of the integer graph; gadgets register where they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
        result: shape and worst case of the result.
        held: the interval in which the range checks of the result's reader hold it, if they are made exact;
            None if no reader can.
        exact: for a requantisation: whether a gadget before relies on its range checks.
        batched: whether other matrix products have the same left factor.
        reader, relied: the reader that holds the result, and all those that are relied on.
    """

    wires: Sequence[LinearTensor]
    facts: Sequence[Tensor]
    result: Tensor
    held: tuple[int, int] | None = None
    exact: bool = False
    batched: bool = False
    reader: Op | None = None
    relied: set[Op] = field(default_factory=set)

    def rely(self) -> bool:
        """Have the reader hold the result to `held`; whether there is one."""
        if self.reader is not None:
            self.relied.add(self.reader)
        return self.reader is not None

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
