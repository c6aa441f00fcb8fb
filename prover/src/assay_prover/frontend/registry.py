"""Which ONNX operators compile, and the function that lowers each; families register themselves on import."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay_prover.frontend.context import Context
    from assay_prover.frontend.node import Node

    Lowering = Callable[[Context, Node], None]

_LOWERINGS: dict[str, Lowering] = {}


def lowers(*operators: str) -> Callable[[Lowering], Lowering]:
    """Register the decorated function as the lowering of these operators."""

    def register(function: Lowering) -> Lowering:
        for operator in operators:
            if operator in _LOWERINGS:
                raise ValueError(f"{operator} is registered twice")
            _LOWERINGS[operator] = function
        return function

    return register


def lowering(operator: str) -> Lowering | None:
    """The lowering of an operator, or None."""
    return _LOWERINGS.get(operator)


def supported_operators() -> tuple[str, ...]:
    """Sorted names of the operators that compile (on constants every ONNX operator does, by folding)."""
    return tuple(
        sorted(
            {name for name in _LOWERINGS if not name.startswith("assay.")}
            | {"Constant", "ConstantOfShape", "Shape", "Size"}
        )
    )
