"""What every operation of the float graph is.

A class names its fields once; the rule that makes integers of it registers by the class
(`passes.quantise.registry`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay_prover.graph.maps import Float64Array


class FloatOperation(ABC):
    """One step of a `FloatGraph`: a frozen dataclass with `output`, its `shape`, and the ONNX node's `label`.

    Shapes keep ONNX's leading batch axis of 1.
    """

    output: str
    shape: tuple[int, ...]
    label: str

    if TYPE_CHECKING:

        @property
        def inputs(self) -> tuple[str, ...]:
            """The tensors that are read."""

    @abstractmethod
    def evaluate(self, *values: Any, **named: Any) -> Float64Array:
        """Float64, one `[batch, ..]` for each input; `[batch, *shape]`."""


@dataclass(frozen=True, eq=False)
class FloatUnary(FloatOperation):
    """An operation that reads one tensor."""

    input: str
    output: str
    shape: tuple[int, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one input."""
        return (self.input,)


@dataclass(frozen=True, eq=False)
class FloatBinary(FloatOperation):
    """An operation that reads two tensors, `a` before `b`."""

    a: str
    b: str
    output: str
    shape: tuple[int, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Both, in order."""
        return (self.a, self.b)
