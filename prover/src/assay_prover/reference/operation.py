"""What every operation of the integer graph is.

A class names its fields once. From them follow its file form (`bundle.archive`) and the tensors it reads; the
gadget that constrains it registers by its class (`gadgets.registry`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from assay_prover.reference.tensor import Int64Array, Tensor


class Operation(ABC):
    """One step of an `IntegerGraph`: a frozen dataclass with `output`, and readings that must agree.

    `evaluate` computes exact integers on a leading batch axis, `infer` shape and worst case of the result;
    the third reading is the gadget.
    """

    KINDS: ClassVar[dict[str, type[Operation]]] = {}
    """Every operation by the name of its class, which is its name in files."""

    output: str

    if TYPE_CHECKING:

        @property
        def inputs(self) -> tuple[str, ...]:
            """The tensors that are read."""

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        """Make the class known by its name."""
        super().__init_subclass__()
        if not abstract:
            if Operation.KINDS.get(cls.__name__, cls).__module__ != cls.__module__:
                raise TypeError(f"two operations are called {cls.__name__}")
            Operation.KINDS[cls.__name__] = cls

    @abstractmethod
    def evaluate(self, *values: Any, **named: Any) -> Int64Array:
        """Exact integers: one `int64[batch, *shape]` for each input, and the result's."""

    @abstractmethod
    def infer(self, *inputs: Any, **named: Any) -> Tensor:
        """Shape and worst case of the result.

        Raises:
            QuantisationError: a worst case of 62 bits or more, or one that the operation is not made for.
            ValueError: inputs of shapes that the operation does not take.
        """


@dataclass(frozen=True, eq=False)
class Unary(Operation, abstract=True):
    """An operation that reads one tensor."""

    input: str
    output: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one input."""
        return (self.input,)


@dataclass(frozen=True, eq=False)
class Binary(Operation, abstract=True):
    """An operation that reads two tensors, `a` before `b`."""

    a: str
    b: str
    output: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """Both, in order."""
        return (self.a, self.b)
