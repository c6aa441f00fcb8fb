"""The float graph: what a network computes over the reals, in the few forms that the quantiser knows.

Everything linear is an `Affine` (a constant matrix in the most compact form that fits), so that convolution,
pooling, batch normalisation, slices and residual additions are one thing to the passes. Shapes keep ONNX's
leading batch axis, which is 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import prod

import numpy as np

from assay_prover.graph import functions
from assay_prover.graph.exact_ops import FloatOneHot
from assay_prover.graph.maps import Float64Array, FloatGather, FloatMap, Int64Array
from assay_prover.graph.operation import FloatBinary, FloatOperation, FloatUnary
from assay_prover.reference.liveness import last_read, most_alive


def _rows(values: Float64Array) -> Float64Array:
    return values.reshape(values.shape[0], -1)


@dataclass(frozen=True, eq=False)
class FloatAffine(FloatOperation):
    """y = sum_k maps_k(x_k) + bias; `bias` is flat, `[prod(shape)]`."""

    inputs: tuple[str, ...]
    output: str
    shape: tuple[int, ...]
    maps: tuple[FloatMap, ...] = field(repr=False)
    bias: Float64Array = field(repr=False)
    label: str

    @property
    def only_moves(self) -> bool:
        """Whether it picks, repeats, drops or pads elements and computes nothing."""
        return all(isinstance(m, FloatGather) for m in self.maps) and not self.bias.any()

    def evaluate(self, *values: Float64Array) -> Float64Array:
        """Float64, `[batch, *shape]`."""
        total = self.bias + sum(m.apply(_rows(v)) for m, v in zip(self.maps, values, strict=True))
        return np.asarray(total).reshape(-1, *self.shape)


@dataclass(frozen=True, eq=False)
class FloatClip(FloatUnary):
    """y = min(max(x, lo), hi); Relu is lo = 0."""

    lo: float | None
    hi: float | None
    label: str

    def evaluate(self, value: Float64Array) -> Float64Array:
        """Clip."""
        return np.asarray(np.clip(value, self.lo, self.hi))


@dataclass(frozen=True, eq=False)
class FloatReduceMax(FloatUnary):
    """y_i = max_j x[index[i, j]] over the flattened input."""

    index: Int64Array = field(repr=False)
    label: str

    def evaluate(self, value: Float64Array) -> Float64Array:
        """Gather, then the maximum."""
        return np.asarray(_rows(value)[:, self.index].max(axis=2)).reshape(-1, *self.shape)


@dataclass(frozen=True, eq=False)
class FloatArgMax(FloatUnary):
    """y_i = lowest j maximising x[index[i, j]]; only at the end of a network."""

    index: Int64Array = field(repr=False)
    label: str

    def evaluate(self, value: Float64Array) -> Float64Array:
        """First maximum."""
        first = np.argmax(_rows(value)[:, self.index], axis=2)
        return np.asarray(first, dtype=np.float64).reshape(-1, *self.shape)


@dataclass(frozen=True, eq=False)
class FloatFunction(FloatUnary):
    """y = f(x) elementwise, by table; `kind` is a name of `frontend.functions.FUNCTIONS`."""

    kind: str
    parameters: tuple[float, ...]
    label: str

    @property
    def is_total(self) -> bool:
        """Whether it is defined for every number."""
        return bool(
            np.isfinite(functions.apply(self.kind, self.parameters, np.linspace(-8.0, 8.0, 33))).all()
        )

    def evaluate(self, value: Float64Array) -> Float64Array:
        """Elementwise; not finite where the function is not defined."""
        return functions.apply(self.kind, self.parameters, value)


@dataclass(frozen=True, eq=False)
class FloatMultiply(FloatBinary):
    """y = a * b elementwise, both computed by the network, equal shapes."""

    label: str

    def evaluate(self, a: Float64Array, b: Float64Array) -> Float64Array:
        """Elementwise."""
        return a * b


@dataclass(frozen=True, eq=False)
class FloatMatMul(FloatBinary):
    """y = a @ b, both computed by the network."""

    label: str

    def evaluate(self, a: Float64Array, b: Float64Array) -> Float64Array:
        """numpy's matmul under a leading batch axis."""
        rank = max(a.ndim, b.ndim)
        left, right = (v.reshape(v.shape[0], *[1] * (rank - v.ndim), *v.shape[1:]) for v in (a, b))
        return np.asarray(left @ right)


FloatOp = FloatOperation
"""An operation; see `assay_prover.graph.operation`."""


@dataclass(frozen=True, eq=False)
class FloatGraph:
    """Operations in execution order from one input to one output.

    `notes` says what the import changed or dropped; `labels` names are those of ONNX nodes.
    """

    input: str
    input_shape: tuple[int, ...]
    ops: tuple[FloatOp, ...]
    output: str
    onnx_output: str
    """The ONNX tensor whose values the output has; not the file's own output if a Softmax was dropped."""
    notes: tuple[str, ...] = ()
    whole_input: bool = False
    """The input holds whole numbers or truth values, which the circuit takes as they are."""
    parts: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """The file's inputs (name, shape) where there are several: the input is all of them side by side."""
    whole_parts: tuple[str, ...] = ()
    """Which of several inputs hold whole numbers or truth values, where others hold real ones."""
    classes: tuple[str, ...] = ()
    """Names of the classes where the output is a class's position and the file answers with its name."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor."""
        return {self.input: self.input_shape} | {op.output: op.shape for op in self.ops}

    @property
    def whole_elements(self) -> np.ndarray | None:
        """Which elements of the input belong to `whole_parts`, `[size]`; None if there are none."""
        if not self.whole_parts:
            return None
        return np.concatenate([np.full(prod(shape), name in self.whole_parts) for name, shape in self.parts])

    @property
    def is_label(self) -> bool:
        """Whether the output is the number of a class: an ArgMax, perhaps renumbered or reshaped."""
        producers = {op.output: op for op in self.ops}
        op = producers.get(self.output)
        while isinstance(op, FloatAffine) and len(op.maps) == 1:
            before = producers.get(op.inputs[0])
            if isinstance(before, FloatOneHot):
                op = producers.get(before.input)
            elif op.maps[0].is_identity and not op.bias.any():
                op = before
            else:
                break
        return isinstance(op, FloatArgMax)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output."""
        return self.shapes[self.output]

    def consumers(self) -> dict[str, list[FloatOp]]:
        """Who reads each tensor; a tensor read twice by one operation lists it twice."""
        found: dict[str, list[FloatOp]] = {name: [] for name in self.shapes}
        for op in self.ops:
            for name in op.inputs:
                found[name].append(op)
        return found

    def run(self, x: Float64Array, keep: Iterable[str] | None = None) -> dict[str, Float64Array]:
        """Evaluate a batch `[batch, *input_shape]` in float64; `keep` limits what is returned."""
        wanted = None if keep is None else set(keep)
        return {name: value for name, value in self.stream(x) if wanted is None or name in wanted}

    def stream(self, x: Float64Array) -> Iterator[tuple[str, Float64Array]]:
        """As `run`, each tensor when it is known, the input first; none is kept after its last reader."""
        known = {self.input: np.asarray(x, dtype=np.float64)}
        yield self.input, known[self.input]
        for op, gone in zip(self.ops, last_read(self.ops, ()), strict=True):
            value = op.evaluate(*(known[name] for name in op.inputs))
            yield op.output, value
            known[op.output] = value
            for name in gone:
                del known[name]

    @property
    def values_alive(self) -> int:
        """Values of one sample that `stream` holds at once."""
        return most_alive(self.ops, {name: prod(shape) for name, shape in self.shapes.items()}, ())
