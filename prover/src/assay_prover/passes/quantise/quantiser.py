"""The quantiser's books: integer operations so far, scales, and accumulators that wait to be rounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import numpy as np

from assay_prover import reference as ref
from assay_prover.graph.graph import (
    FloatAffine,
    FloatGraph,
    FloatMatMul,
    FloatMultiply,
    FloatOp,
    FloatReduceMax,
)
from assay_prover.graph.maps import FloatGather
from assay_prover.passes.calibrate import Calibration
from assay_prover.passes.quantise.limits import Limit
from assay_prover.passes.quantise.precision import (
    InputEncoding,
    Precision,
    ScalePlan,
    encode_range,
    encode_whole,
)
from assay_prover.passes.quantise.private_layers import coarse, with_checked_span
from assay_prover.passes.quantise.registry import rule_for
from assay_prover.passes.quantise.wide import input_bits


@dataclass(frozen=True, eq=False)
class QuantisedModel:
    """An integer graph and how its ends relate to real values.

    `scales[name]` is the real value of one step of each tensor; `names` the integer tensor of each tensor of
    the float graph; `is_label` when the output is a class, not values; `limits` where integers stop although
    the network goes on.
    """

    graph: ref.IntegerGraph
    input: InputEncoding
    scales: dict[str, float]
    labels: dict[str, str]
    is_label: bool
    precision: Precision
    names: dict[str, str] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()

    @property
    def output_scale(self) -> float:
        """Real value of one step of the output; 1 for a label."""
        return 1.0 if self.is_label else self.scales[self.graph.output]

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Nearest integers of real inputs, clipped to the declared range."""
        return np.clip(np.rint(x / self.input.scale), self.input.lo, self.input.hi).astype(np.int64)


def _behind(graph: FloatGraph) -> dict[str, int]:
    """For each tensor the elements of all accumulators that are computed after it."""
    found: dict[str, int] = {}
    total = 0
    for op in reversed(graph.ops):
        found[op.output] = total
        moves = isinstance(op, FloatAffine) and all(isinstance(m, FloatGather) for m in op.maps)
        if isinstance(op, FloatAffine | FloatMatMul | FloatMultiply) and not moves:
            total += prod(op.shape)
    return found


class Quantiser:
    """One quantisation: rules read its tensors and append integer operations (`registry.quantises`).

    Attributes:
        graph: the float network.
        private: whether trained numbers stay out of the circuit.
        precision: the knobs.
        statistics: what the samples showed of each float tensor.
        consumers: the operations that read each float tensor.
        ops: the integer operations so far.
        tensors: shape and worst case of each integer tensor.
        scales: the real value of one step of each integer tensor.
        names: the integer tensor of each float tensor.
        limits: clamps and ends of tables that the network itself does not have.
        encoded: integer tensors whose elements are those of the input, rounded when it was encoded.
        plans: accumulators that still wait for their requantisation, by float tensor.
        behind: for each float tensor the elements of all accumulators that are computed after it.
    """

    def __init__(
        self, graph: FloatGraph, calibration: Calibration, precision: Precision, private: bool
    ) -> None:
        self.private = private
        self.graph = graph
        self.given = frozenset(graph.shapes)
        self.statistics = calibration.tensors
        if private:
            self.statistics = {name: coarse(seen) for name, seen in calibration.tensors.items()}
        self.precision = precision
        self.consumers = graph.consumers()
        declared = calibration.input_range
        bits = max(precision.input_bits, input_bits(graph, self.statistics))
        self.input = encode_whole(declared) if graph.whole_input else encode_range(declared, bits)
        lo, hi = np.array(self.input.lo), np.array(self.input.hi)
        start = ref.Tensor(graph.input, graph.input_shape, lo, hi)
        self.source = start
        self.ops: list[ref.Op] = []
        self.tensors = {graph.input: start}
        self.scales = {graph.input: self.input.scale}
        self.labels: dict[str, str] = {}
        self.names = {graph.input: graph.input}
        self.encoded = {graph.input}
        self.limits: list[Limit] = []
        self.producers = {op.output: op for op in graph.ops}
        self.plans: dict[str, ScalePlan] = {}
        self.behind = _behind(graph)
        self.spanned: set[str] = set()
        """Layers with private weights whose span their reader has settled."""

    def run(self) -> QuantisedModel:
        """Apply every operation's rule, in order.

        Raises:
            QuantisationError: an operation has no exact integer form.
        """
        for op in self.graph.ops:
            rule_for(op)(self, op)
        result = self.settled(self.graph.output)
        output = self.viewed(result, self.graph.output_shape, self.part(result, "shaped"))
        graph = ref.IntegerGraph([self.source], self.ops, output)
        return QuantisedModel(
            graph,
            self.input,
            self.scales,
            self.labels,
            self.graph.is_label,
            self.precision,
            self.names,
            tuple(self.limits),
        )

    # -- bookkeeping

    def append(self, op: FloatOp, integer: ref.Op, scale: float) -> None:
        """Define the integer tensor that stands for a float operation's output."""
        self.define(integer, scale, op.label)
        self.names[op.output] = integer.output

    def define(self, integer: ref.Op, scale: float, label: str) -> None:
        """Add an integer operation whose steps are worth `scale`; `label` is the ONNX node's name."""
        self.tensors[integer.output] = integer.infer(*(self.tensors[i] for i in integer.inputs))
        self.ops.append(integer)
        if isinstance(integer, ref.Affine) and set(integer.inputs) <= self.encoded and integer.only_moves:
            self.encoded.add(integer.output)
        self.scales[integer.output] = scale
        self.labels[integer.output] = label

    def part(self, name: str, part: str) -> str:
        """A name for a tensor on the way to another, which none of the network's has."""
        own = f"{name}/{part}"
        while own in self.given:
            own += "'"
        return own

    def pending(self, name: str) -> tuple[str, ScalePlan | None]:
        """A float tensor's integers for a reader that can take over their requantisation.

        (accumulator, plan) if it is the only reader of an accumulator that still waits; otherwise the settled
        tensor and None.
        """
        plan = self.plans.pop(name, None) if len(self.consumers[name]) == 1 else None
        return (self.names[name], plan) if plan is not None else (self.settled(name), None)

    def settled(self, name: str) -> str:
        """The integer tensor of a float tensor, requantised if it is an accumulator still."""
        plan = self.plans.pop(name, None)
        source = self.names[name]
        if plan is not None:
            target = self.part(name, "requantised")
            lo, hi = (None, None) if plan.clamp is None else (-(plan.clamp // 2) - 1, plan.clamp // 2)
            integer = self.requantise(source, target, plan.shift, lo, hi)
            self.define(integer, plan.scale, self.labels[source])
            if plan.clamp is not None:
                self.limited(self.producers[name], "clamp", integer, integer.lo, integer.hi)
            self.names[name] = target
        return self.names[name]

    def viewed(self, source: str, shape: tuple[int, ...], name: str) -> str:
        """The same integers under the shape that an operation needs; reshapes leave no trace elsewhere."""
        tensor = self.tensors[source]
        if tensor.shape == shape:
            return source
        identity = ref.Gather(np.arange(tensor.size, dtype=np.int64), tensor.size)
        bias = np.zeros(tensor.size, dtype=np.int64)
        view = ref.Affine((source,), name, shape, (identity,), bias)
        self.define(view, self.scales[source], self.labels.get(source, source))
        return name

    def waiting(self, name: str) -> str:
        """A float tensor's integers for a comparison: accumulators as they are, not rounded first."""
        if len(self.consumers[name]) == 1 and name in self.plans:
            self.plans.pop(name)
            return self.names[name]
        return self.settled(name)

    def resolution(self, name: str) -> int:
        """Bits asked of a tensor: the network's output or an activation."""
        last = self.destination(name)[0] == self.graph.output
        return self.precision.output_bits if last else self.precision.activation_bits

    def bound(self, name: str, resolution: int) -> None:
        """Clamp a result whose worst case is far beyond what samples showed when it is used next."""
        tensor, scale = self.tensors[name], self.scales[name]
        width = (tensor.max - tensor.min).bit_length()
        if width > resolution + 1 + self.precision.headroom_bits:
            self.plans[name] = ScalePlan(scale, 0, width, self.clamp(name, scale, resolution))

    def coarsen(self, name: str) -> None:
        """Leave what an exact result is finer than asked for to be shifted away when it is used next."""
        tensor, scale = self.tensors[name], self.scales[name]
        target, _ = self.destination(name)
        resolution = self.resolution(name)
        reach = self.statistics[target].reach or max(abs(tensor.min), abs(tensor.max)) * scale
        steps = reach / scale / (1 << resolution)
        limb = self.precision.limb_bits
        shift = int(np.log2(steps)) // limb * limb if steps >= 1 else 0
        if shift:
            width = (tensor.max - tensor.min).bit_length() - shift
            coarser = scale * (1 << shift)
            clamp = None
            if width > resolution + 1 + self.precision.headroom_bits:
                clamp = self.clamp(name, coarser, resolution)
            self.plans[name] = ScalePlan(coarser, shift, max(width, 1), clamp)

    def clamp(self, name: str, scale: float, resolution: int) -> int:
        """All that samples showed of a float tensor and what its resolution asks, in whole limbs."""
        seen = np.log2(self.statistics[name].far_reach / scale + 1) + 1
        return int((1 << self.precision.align(max(resolution + 2, seen))) - 1)

    def requantise(
        self, source: str, target: str, shift: int, lo: int | None, hi: int | None
    ) -> ref.Requantise:
        """With the clamps that the worst case can reach, and no others."""
        position, producer = next(
            ((i, op) for i, op in enumerate(self.ops) if op.output == source), (0, None)
        )
        if isinstance(producer, ref.PrivateAffine) and source not in self.spanned:
            self.spanned.add(source)
            inputs = [self.tensors[name] for name in producer.inputs]
            held = with_checked_span(producer, inputs, shift, lo, hi)
            self.ops[position] = held
            self.tensors[source] = held.infer(*inputs)
        free = ref.Requantise(source, target, shift).infer(self.tensors[source])
        return ref.Requantise(
            source,
            target,
            shift,
            None if lo is None or lo <= free.min else lo,
            None if hi is None or hi >= free.max else hi,
        )

    def limited(
        self,
        op: FloatOp,
        kind: str,
        clamped: ref.Requantise,
        lo: int | None,
        hi: int | None,
        answer: Callable[[float], float] | None = None,
    ) -> None:
        """Note that a requantisation stops at lo and hi although the network does not.

        `answer` is what becomes of a limit; by default it is the answer itself.
        """
        if lo is None and hi is None:
            return
        free = ref.Requantise(clamped.input, "", clamped.shift).infer(self.tensors[clamped.input])
        step = self.scales[clamped.output]
        answer = answer or (lambda value: value)
        seen = self.statistics[op.output if kind == "clamp" else op.inputs[0]]
        self.limits.append(
            Limit(
                layer=op.label,
                kind=kind,
                tensor=clamped.output,
                lo=lo,
                hi=hi,
                step=step,
                worst=(free.min * step, free.max * step),
                seen=seen.ends,
                answers=(
                    None if lo is None else float(answer(lo * step)),
                    None if hi is None else float(answer(hi * step)),
                ),
            )
        )

    def destination(self, name: str) -> tuple[str, FloatOp | None]:
        """Follow an accumulator through what only moves or compares it: (last tensor, its user)."""
        while True:
            readers = self.consumers[name]
            if len(readers) != 1 or name == self.graph.output:
                return name, None
            (reader,) = readers
            moves = isinstance(reader, FloatAffine) and len(reader.inputs) == 1 and reader.only_moves
            if moves or isinstance(reader, FloatReduceMax):
                name = reader.output
            else:
                return name, reader
