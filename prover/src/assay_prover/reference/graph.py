"""A quantised network as a list of integer operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from assay_prover.errors import InputError
from assay_prover.reference.liveness import last_read, most_alive
from assay_prover.reference.operation import Operation
from assay_prover.reference.private import PrivateAffine
from assay_prover.reference.tensor import Int64Array, Tensor

Op = Operation
"""An operation; see `assay_prover.reference.operation`."""


class IntegerGraph:
    """Operations in execution order, from bounded integer inputs to one output (a slice may have several).

    Construction runs the interval analysis: `tensors[name]` has the shape and the worst case of every tensor
    for every input within its declared range, below 62 bits each.

    Raises:
        ValueError: a name read before it is written, or written twice; shapes that do not fit.
        QuantisationError: a worst case of 62 bits or more.
    """

    def __init__(self, inputs: Sequence[Tensor], ops: Sequence[Op], output: str | Sequence[str]) -> None:
        self.inputs = tuple(inputs)
        self.ops = tuple(ops)
        self.outputs = (output,) if isinstance(output, str) else tuple(output)
        self.tensors: dict[str, Tensor] = {}
        for tensor in self.inputs:
            self._define(tensor)
        for op in self.ops:
            missing = [name for name in op.inputs if name not in self.tensors]
            if missing:
                raise ValueError(f"{op.output!r} reads {missing[0]!r} before it is written")
            self._define(op.infer(*(self.tensors[name] for name in op.inputs)))
        for name in self.outputs:
            if name not in self.tensors:
                raise ValueError(f"output {name!r} is never written")

    def _define(self, tensor: Tensor) -> None:
        if tensor.name in self.tensors:
            raise ValueError(f"tensor {tensor.name!r} is written twice")
        self.tensors[tensor.name] = tensor

    @property
    def input(self) -> Tensor:
        """The input of a network that has one."""
        (only,) = self.inputs
        return only

    @property
    def output(self) -> str:
        """The output's name, of a network that has one."""
        (only,) = self.outputs
        return only

    @property
    def result(self) -> Tensor:
        """The output tensor, of a network that has one."""
        return self.tensors[self.output]

    @property
    def private(self) -> tuple[PrivateAffine, ...]:
        """The layers with private weights, in order."""
        return tuple(op for op in self.ops if isinstance(op, PrivateAffine))

    def with_private(self, layers: Sequence[PrivateAffine]) -> IntegerGraph:
        """The same network with other weights in its private layers, given in order.

        Raises:
            ValueError: another number of layers.
        """
        if len(layers) != len(self.private):
            raise ValueError(f"{len(layers)} layers for {len(self.private)}")
        given = iter(layers)
        ops = [next(given) if isinstance(op, PrivateAffine) else op for op in self.ops]
        return IntegerGraph(self.inputs, ops, self.outputs)

    def run(self, *values: Int64Array) -> dict[str, Int64Array]:
        """Evaluate a batch: one int64 array `[batch, *shape]` for each input; every tensor by name.

        Raises:
            InputError: not integers, a wrong shape, or a value outside the input's declared range.
        """
        return dict(self.stream(*values))

    def answers(self, *values: Int64Array) -> Int64Array:
        """As `run`, the output alone, `[batch, *shape]`, of a network that has one.

        Nothing is held longer than it is needed.
        """
        return next(value for name, value in self.stream(*values) if name == self.output)

    def stream(self, *values: Int64Array) -> Iterator[tuple[str, Int64Array]]:
        """As `run`, each tensor when it is known, the inputs first; none is kept after its last reader.

        Args:
            values: integers of each input, `[batch, *shape]`.

        Raises:
            InputError: another number of inputs, or one of another type, shape or range.
        """
        if len(values) != len(self.inputs):
            raise InputError(f"the network takes {len(self.inputs)} inputs, got {len(values)}")
        known: dict[str, Int64Array] = {}
        for tensor, value in zip(self.inputs, values, strict=True):
            array = np.asarray(value)
            if array.dtype.kind not in "iu" or array.shape[1:] != tensor.shape:
                raise InputError(
                    f"input {tensor.name!r} must be integers [batch, {tensor.shape}], "
                    f"got {array.dtype} {array.shape}"
                )
            array = array.astype(np.int64)
            if ((array < tensor.lo) | (array > tensor.hi)).any():
                raise InputError(
                    f"input {tensor.name!r} leaves its declared range [{tensor.min}, {tensor.max}]"
                )
            known[tensor.name] = array
        yield from list(known.items())
        for op, gone in zip(self.ops, last_read(self.ops, ()), strict=True):
            value = op.evaluate(*(known[name] for name in op.inputs))
            yield op.output, value
            known[op.output] = value
            for name in gone:
                del known[name]

    @property
    def values_alive(self) -> int:
        """Values of one sample that `answers` holds at once."""
        return most_alive(self.ops, {name: tensor.size for name, tensor in self.tensors.items()}, ())
