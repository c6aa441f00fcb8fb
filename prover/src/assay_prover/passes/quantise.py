"""Quantise: the float graph as an `IntegerGraph` with exact semantics.

Every tensor is integers times one scale, without zero points. A linear layer's weights absorb all scales:
with input scale s_x and accumulator scale s_a a weight w becomes round(w s_x / s_a), of as many bits as
accuracy asks for, since constants cost nothing in a circuit. An accumulator is brought back to activation
width by one rounding shift, s_y = s_a 2^shift, which also applies Relu. Maps whose coefficients are all
equal (reshapes, pooling, sums of one tensor) are exact and only change the scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from assay_prover import reference as ref
from assay_prover.errors import QuantisationError
from assay_prover.graph import functions
from assay_prover.graph.exact_ops import (
    FloatCompare,
    FloatDivide,
    FloatNormalise,
    FloatOneHot,
    FloatRound,
    FloatTrees,
)
from assay_prover.graph.functions import FUNCTIONS
from assay_prover.graph.graph import (
    FloatAffine,
    FloatArgMax,
    FloatClip,
    FloatFunction,
    FloatGraph,
    FloatMatMul,
    FloatMultiply,
    FloatOp,
    FloatReduceMax,
)
from assay_prover.graph.maps import FloatConv, FloatDense, FloatGather
from assay_prover.passes import discrete
from assay_prover.passes.calibrate import Calibration
from assay_prover.passes.precision import (
    InputEncoding,
    Precision,
    ScalePlan,
    encode_range,
    encode_whole,
    headroom,
    plan_capped,
    plan_scale,
    plan_shift,
)
from assay_prover.passes.private import (
    coarse,
    fan_in,
    has_weights,
    is_private,
    limit_of,
    met_magnitude,
    private_form,
    round_layer,
    with_checked_span,
    with_power_span,
)

TABLE_MARGIN = 0.25
"""Part of the calibrated span that a table covers beyond it at each side."""

WHOLE_LIMIT = 1 << 32
"""Sums of whole numbers are kept as they are below this, and rounded like any others beyond."""

UNBOUNDED = 62
"""Width of a plan that asks for none."""

CLIP_STEPS = 64
"""Steps between the two ends of a Clip, at least: where a coarse tensor has fewer, most answers are ends."""

RETRIES = 6
"""Rounded weights can exceed the planned width by a little; the scale then grows and the layer is rounded
again. Should that not settle, the layer costs another limb: the width is a wish, the interval analysis of
the result is what the
circuit uses."""


@dataclass(frozen=True, eq=False)
class QuantisedModel:
    """An integer graph and how its ends relate to real values.

    `scales[name]` is the real value of one step of each tensor; `names` the integer tensor of each tensor of
    the float graph; `is_label` when the output is a class, not values.
    """

    graph: ref.IntegerGraph
    input: InputEncoding
    scales: dict[str, float]
    labels: dict[str, str]
    is_label: bool
    precision: Precision
    names: dict[str, str] = field(default_factory=dict)

    @property
    def output_scale(self) -> float:
        """Real value of one step of the output; 1 for a label."""
        return 1.0 if self.is_label else self.scales[self.graph.output]

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Nearest integers of real inputs, clipped to the declared range."""
        return np.clip(np.rint(x / self.input.scale), self.input.lo, self.input.hi).astype(np.int64)


def quantise(
    graph: FloatGraph, calibration: Calibration, precision: Precision, *, private: bool = False
) -> QuantisedModel:
    """Round the network to integers; with `private` its trained numbers become those of `PrivateAffine`s.

    Raises:
        QuantisationError: an accumulator's worst case cannot be held in 61 bits even with clamps, or the
            network itself overflows on the samples.
    """
    try:
        model = _Quantiser(graph, calibration, precision, private).run()
    except OverflowError as error:
        raise QuantisationError(f"the network's numbers exceed all integers: {error}") from error
    for name, seen in calibration.tensors.items():
        if not np.isfinite([seen.lo, seen.hi]).all():
            raise QuantisationError(f"tensor {name!r} is not finite on the samples")
    return model


FREE_BITS = 12
"""Bits by which a constant layer's worst case may exceed its headroom as long as a clamp does not pay."""


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


class _Quantiser:
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
        self.input = (
            encode_whole(declared) if graph.whole_input else encode_range(declared, precision.input_bits)
        )
        lo, hi = np.array(self.input.lo), np.array(self.input.hi)
        start = ref.Tensor(graph.input, graph.input_shape, lo, hi)
        self.source = start
        self.ops: list[ref.Op] = []
        self.tensors = {graph.input: start}
        self.scales = {graph.input: self.input.scale}
        self.labels: dict[str, str] = {}
        self.names = {graph.input: graph.input}
        self.plans: dict[str, ScalePlan] = {}
        """Accumulators that still wait for their requantisation, by float tensor."""
        self.behind = _behind(graph)
        self.spanned: set[str] = set()
        """Layers with private weights whose span their reader has settled."""

    def run(self) -> QuantisedModel:
        for op in self.graph.ops:
            match op:
                case FloatAffine():
                    self._affine(op)
                case FloatClip():
                    self._clip(op)
                case FloatReduceMax():
                    self._reduce_max(op)
                case FloatArgMax():
                    source = self.waiting(op.input)
                    self._append(op, ref.ArgMax(source, op.output, op.shape, op.index), 1.0)
                case FloatFunction():
                    self._function(op)
                case FloatMultiply() | FloatMatMul():
                    self._product(op)
                case FloatCompare():
                    discrete.compare(self, op)
                case FloatRound():
                    discrete.round_(self, op)
                case FloatOneHot():
                    discrete.one_hot(self, op)
                case FloatDivide():
                    discrete.divide(self, op)
                case FloatNormalise():
                    discrete.normalise(self, op)
                case FloatTrees():
                    discrete.trees(self, op)
        result = self._settled(self.graph.output)
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
        )

    # -- bookkeeping

    def _append(self, op: FloatOp, integer: ref.Op, scale: float) -> None:
        self._define(integer, scale, op.label)
        self.names[op.output] = integer.output

    def _define(self, integer: ref.Op, scale: float, label: str) -> None:
        self.tensors[integer.output] = integer.infer(*(self.tensors[i] for i in integer.inputs))
        self.ops.append(integer)
        self.scales[integer.output] = scale
        self.labels[integer.output] = label

    def part(self, name: str, part: str) -> str:
        """A name for a tensor on the way to another, which none of the network's has."""
        own = f"{name}/{part}"
        while own in self.given:
            own += "'"
        return own

    def _settled(self, name: str) -> str:
        """The integer tensor of a float tensor, requantised if it is an accumulator still."""
        plan = self.plans.pop(name, None)
        source = self.names[name]
        if plan is not None:
            target = self.part(name, "requantised")
            lo, hi = (None, None) if plan.clamp is None else (-(plan.clamp // 2) - 1, plan.clamp // 2)
            integer = self._requantise(source, target, plan.shift, lo, hi)
            self._define(integer, plan.scale, self.labels[source])
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
        self._define(view, self.scales[source], self.labels.get(source, source))
        return name

    def waiting(self, name: str) -> str:
        """A float tensor's integers for a comparison: accumulators as they are, not rounded first."""
        if len(self.consumers[name]) == 1 and name in self.plans:
            self.plans.pop(name)
            return self.names[name]
        return self._settled(name)

    def resolution(self, name: str) -> int:
        """Bits asked of a tensor: the network's output or an activation."""
        last = self._destination(name)[0] == self.graph.output
        return self.precision.output_bits if last else self.precision.activation_bits

    def bound(self, name: str, resolution: int) -> None:
        """Clamp a result whose worst case is far beyond what samples showed when it is used next."""
        tensor, scale = self.tensors[name], self.scales[name]
        width = (tensor.max - tensor.min).bit_length()
        if width > resolution + 1 + self.precision.headroom_bits:
            self.plans[name] = ScalePlan(scale, 0, width, self._clamp(name, scale, resolution))

    def _clamp(self, name: str, scale: float, resolution: int) -> int:
        """All that samples showed of a float tensor and what its resolution asks, in whole limbs."""
        seen = np.log2(self.statistics[name].reach / scale + 1) + 1
        return int((1 << self.precision.align(max(resolution + 2, seen))) - 1)

    def _requantise(
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

    def _destination(self, name: str) -> tuple[str, FloatOp | None]:
        """Follow an accumulator through what only moves or compares it: (last tensor, its user)."""
        while True:
            readers = self.consumers[name]
            if len(readers) != 1 or name == self.graph.output:
                return name, None
            (reader,) = readers
            if isinstance(reader, FloatReduceMax) or (
                isinstance(reader, FloatAffine) and len(reader.inputs) == 1 and self._is_gather(reader)
            ):
                name = reader.output
            else:
                return name, reader

    @staticmethod
    def _is_gather(op: FloatAffine) -> bool:
        return all(isinstance(m, FloatGather) for m in op.maps) and not op.bias.any()

    # -- linear layers

    def _affine(self, op: FloatAffine) -> None:
        if len(op.inputs) == 1 and self._is_gather(op):
            # keeps a waiting requantisation waiting: moving elements and rounding them commute
            plan = self.plans.pop(op.inputs[0], None) if len(self.consumers[op.inputs[0]]) == 1 else None
            source = self.names[op.inputs[0]] if plan is not None else self._settled(op.inputs[0])
            bias = np.zeros(op.bias.size, dtype=np.int64)
            moved = ref.Affine((source,), op.output, op.shape, (op.maps[0].quantise(1.0),), bias)
            self._append(op, moved, self.scales[source])
            if plan is not None:
                self.plans[op.output] = plan
            return
        sources = tuple(self._settled(name) for name in op.inputs)
        if self.private and is_private(op):
            self._private(private_form(op), sources)
        elif not self._exact(op, sources):
            self._weighted(op, sources)

    def _exact(self, op: FloatAffine, sources: tuple[str, ...]) -> bool:
        """Emit without rounding if one common factor explains every coefficient."""
        if self._whole(op, sources):
            return True
        common = [c for m in op.maps if (c := m.common_coefficient()) is not None]
        if len(common) != len(op.maps):
            return False
        steps = {c * self.scales[s] for c, s in zip(common, sources, strict=True)}
        if len(steps) != 1:
            return False
        (step,) = steps
        bias = op.bias / step
        if (bias != np.rint(bias)).any() or np.abs(bias).max(initial=0.0) >= 2.0**60:
            return False
        maps = tuple(m.quantise(1.0 / c) for m, c in zip(op.maps, common, strict=True))
        integer = ref.Affine(sources, op.output, op.shape, maps, bias.astype(np.int64))
        self._append(op, integer, step)
        return True

    def _whole(self, op: FloatAffine, sources: tuple[str, ...]) -> bool:
        """Emit without rounding if whole numbers are combined with whole coefficients, and stay small."""
        if any(self.scales[source] != 1.0 for source in sources):
            return False
        parts = [op.bias, *(m.coefficients for m in op.maps)]
        if any(
            np.abs(part).max(initial=0.0) >= WHOLE_LIMIT or (part != np.rint(part)).any() for part in parts
        ):
            return False
        integer = self._rounded(op, sources, 1.0)
        bounds = integer.infer(*(self.tensors[source] for source in sources))
        if max(abs(bounds.min), abs(bounds.max)) >= WHOLE_LIMIT:
            return False
        self._append(op, integer, 1.0)
        return True

    def _weighted(self, op: FloatAffine, sources: tuple[str, ...]) -> None:
        plan = self._plan(op, sources)
        integer = self._rounded(op, sources, plan.accumulator)
        for _ in range(RETRIES):
            bounds = integer.infer(*(self.tensors[s] for s in sources))
            free = ref.Requantise(op.output, "", plan.shift).infer(bounds)
            span = self._span(op, float(free.min), float(free.max))
            if span < (1 << plan.bits):
                break
            grown = plan.scale * (span / ((1 << plan.bits) - 1)) * (1 + 2.0**-16)
            plan = ScalePlan(grown, plan.shift, plan.bits, plan.clamp)
            integer = self._rounded(op, sources, plan.accumulator)
        self._append(op, integer, plan.accumulator)
        self.plans[op.output] = plan

    def _private(self, op: FloatAffine, sources: tuple[str, ...]) -> None:
        """The same planning over the worst case of every model within the limits."""
        scales = [self.scales[s] for s in sources]
        inputs = [self.tensors[s] for s in sources]
        limits = [limit_of(m.coefficients) if has_weights(m) else None for m in op.maps]
        reach = np.zeros(op.bias.size)
        terms = [0.0]
        variance = 0.0
        for linear, limit, tensor, step, name in zip(op.maps, limits, inputs, scales, op.inputs, strict=True):
            magnitude = np.maximum(np.abs(tensor.lo), np.abs(tensor.hi)).ravel() * step
            if limit is not None and isinstance(linear, FloatDense | FloatConv):
                reach += limit * met_magnitude(linear, magnitude)
                terms.append(limit * float(magnitude.max(initial=0.0)))
                variance += fan_in(linear) * (self.statistics[name].rms / step) ** 2 / 12
            else:
                reach += np.maximum(*np.abs(linear.worst_case(-magnitude, magnitude)))
                variance += float(linear.terms.max()) * (self.statistics[name].rms / step) ** 2 / 12
        # a bias may always weigh as much as one term of the sum
        bias_limit = max(limit_of(op.bias), *terms)
        reach += bias_limit
        plan = self._scale_plan(op, -reach, reach, float(np.sqrt(variance)))
        for _ in range(RETRIES):
            integer = self._private_layer(op, sources, scales, limits, bias_limit, plan.accumulator)
            least, most = integer.worst_case(*inputs)
            half = (1 << plan.shift) >> 1
            span = self._span(op, (least + half) >> plan.shift, (most + half) >> plan.shift)
            if span < (1 << plan.bits):
                break
            grown = plan.scale * (span / ((1 << plan.bits) - 1)) * (1 + 2.0**-16)
            plan = ScalePlan(grown, plan.shift, plan.bits, plan.clamp)
        self._append(op, with_power_span(integer, inputs), plan.accumulator)
        self.plans[op.output] = plan

    @staticmethod
    def _private_layer(
        op: FloatAffine,
        sources: tuple[str, ...],
        scales: list[float],
        limits: list[float | None],
        bias_limit: float,
        accumulator: float,
    ) -> ref.PrivateAffine:
        try:
            return round_layer(op, sources, scales, limits, bias_limit, accumulator)
        except (OverflowError, ValueError) as error:
            raise QuantisationError(f"layer {op.label!r}: {error}") from error

    def _rounded(self, op: FloatAffine, sources: tuple[str, ...], accumulator: float) -> ref.Affine:
        try:
            maps = tuple(
                m.quantise(self.scales[s] / accumulator) for m, s in zip(op.maps, sources, strict=True)
            )
        except OverflowError as error:
            raise QuantisationError(f"layer {op.label!r}: {error}") from error
        bias = np.rint(op.bias / accumulator)
        if np.abs(bias).max(initial=0.0) >= ref.LIMIT:
            raise QuantisationError(f"layer {op.label!r}: its bias exceeds 62 bits")
        return ref.Affine(sources, op.output, op.shape, maps, bias.astype(np.int64))

    def _span(self, op: FloatAffine, lo: float, hi: float) -> float:
        """What the range check must hold: |y| under a one-sided Relu, the whole width otherwise."""
        _, reader = self._destination(op.output)
        if isinstance(reader, FloatClip) and (reader.lo is None) != (reader.hi is None):
            return max(abs(lo), abs(hi))
        return hi - lo

    def _plan(self, op: FloatAffine, sources: tuple[str, ...]) -> ScalePlan:
        lo, hi = op.bias.copy(), op.bias.copy()
        variance = np.zeros(op.bias.size)
        _, reader = self._destination(op.output)
        floored = isinstance(reader, FloatRound) and not reader.even
        for linear, source, name in zip(op.maps, sources, op.inputs, strict=True):
            tensor, step = self.tensors[source], self.scales[source]
            low, high = linear.worst_case(
                tensor.lo.ravel().astype(np.float64) * step, tensor.hi.ravel().astype(np.float64) * step
            )
            lo, hi = lo + low, hi + high
            # a floor jumps at whole numbers: it errs for no input in range, whatever samples showed
            typical = max(abs(tensor.min), abs(tensor.max)) if floored else self.statistics[name].rms / step
            variance += linear.terms * typical**2 / 12
        return self._scale_plan(op, lo, hi, float(np.sqrt(variance.max() if floored else variance.mean())))

    def _scale_plan(self, op: FloatAffine, lo: np.ndarray, hi: np.ndarray, spread: float) -> ScalePlan:
        """A plan for a worst case of [lo, hi] in real values, elementwise, and a rounding noise."""
        target, reader = self._destination(op.output)
        final = reader.output if isinstance(reader, FloatClip) else target
        compared = isinstance(reader, FloatArgMax | FloatCompare)
        is_last = compared or target == self.graph.output
        resolution = self.precision.output_bits if is_last else self.precision.activation_bits
        worst = self._span(op, float(lo.min()), float(hi.max()))
        if worst <= 0:
            # a layer that is constant, whatever the input, though what it adds up need not be small
            scale = max(abs(float(hi.max())), 1.0) / (1 << resolution)
            return ScalePlan(scale, plan_shift(self.precision, spread), UNBOUNDED, None)
        # the output's width is the statement's, a private layer's that of its packed digits
        room: float = self.precision.headroom_bits
        if not is_last:
            most = room if self.private else room + FREE_BITS
            room = headroom(self.precision, resolution, op.bias.size, self.behind[op.output], most)
        seen = self.statistics[final]
        reach = seen.reach
        cap: float | None = None
        if isinstance(reader, FloatClip) and reader.lo is not None and reader.hi is not None:
            # what is told apart lies between the ends, however far they are from zero
            reach, cap = min(reach, seen.span or reach), reader.hi - reader.lo
        scale, bits, clamp = plan_scale(self.precision, resolution, worst, reach, room)
        if compared or (clamp is not None and clamp * scale < seen.reach):
            clamp = None
        if cap is not None:
            found = plan_capped(self.precision, resolution, worst, reach, cap)
            scale, bits, clamp = found or (scale, bits, clamp)
        # judged by the steps that were asked for, not by the finer ones that fill the limbs
        wanted = reach / ((1 << resolution) - 1)
        if isinstance(reader, FloatFunction):
            return self._table_plan(reader, spread)
        if isinstance(reader, FloatRound):
            return discrete.round_plan(self, reader, spread)
        noise = spread * min(1.0, scale / wanted if wanted > 0 else 1.0)
        return ScalePlan(scale, plan_shift(self.precision, noise), bits, clamp)

    # -- functions

    def _domain(self, op: FloatFunction) -> tuple[float, float]:
        """Real arguments that the table covers: what was seen with a margin, within the natural domain."""
        seen = self.statistics[op.input]
        natural = FUNCTIONS[op.kind]
        if op.kind == "Log" and seen.hi > seen.lo * 2.0 ** (0.75 * self.precision.table_bits):
            raise QuantisationError(
                f"the arguments of Log in layer {op.label!r} go from {seen.lo:g} to {seen.hi:g}: more than a "
                f"table of 2^{self.precision.table_bits} entries resolves"
            )
        margin = min(TABLE_MARGIN * max(seen.hi - seen.lo, seen.reach / 64, 1e-9), natural.margin)
        lo, hi = max(seen.lo - margin, natural.lo), min(seen.hi + margin, natural.hi)
        if lo <= 0 < seen.lo:
            lo = seen.lo / 2
        if hi >= 0 > seen.hi:
            hi = seen.hi / 2
        if op.kind in ("Sin", "Cos") and hi - lo > 2.0 ** (self.precision.table_bits - 1):
            raise QuantisationError(
                f"the arguments of {op.kind} in layer {op.label!r} go from {lo:g} to {hi:g}: more periods "
                f"than a table of 2^{self.precision.table_bits} entries resolves"
            )
        if lo >= hi:
            lo, hi = min(lo, hi) - 1e-3, max(lo, hi) + 1e-3
        return lo, hi

    def _table_plan(self, op: FloatFunction, noise: float) -> ScalePlan:
        lo, hi = self._domain(op)
        scale = (hi - lo) / ((1 << self.precision.table_bits) - 1)
        # whatever the worst case, the argument is clamped to the table
        return ScalePlan(scale, plan_shift(self.precision, noise), UNBOUNDED, None)

    def _function(self, op: FloatFunction) -> None:
        plan = self.plans.pop(op.input, None) if len(self.consumers[op.input]) == 1 else None
        source = self.names[op.input] if plan is not None else self._settled(op.input)
        lo, hi = self._domain(op)
        shift = plan.shift if plan is not None else self._coarsening(source, (hi - lo))
        scale = self.scales[source] * (1 << shift)
        first, last = int(np.ceil(lo / scale)), int(np.floor(hi / scale))
        first, last = min(first, last), max(first, last)
        clamped = self._requantise(source, self.part(op.output, "argument"), shift, first, last)
        self._define(clamped, scale, op.label)
        reached = self.tensors[clamped.output]
        arguments = np.arange(reached.min, reached.max + 1, dtype=np.float64) * scale
        values = functions.apply(op.kind, op.parameters, arguments)
        if not np.isfinite(values).all():
            raise QuantisationError(
                f"{op.kind} of layer {op.label!r} is not defined on all of "
                f"[{arguments[0]:g}, {arguments[-1]:g}]"
            )
        resolution = self.precision.activation_bits
        if self._destination(op.output)[0] == self.graph.output:
            resolution = self.precision.output_bits
        step = (self.statistics[op.output].reach or 1.0) / ((1 << resolution) - 1)
        entries = np.rint(values / step)
        if np.abs(entries).max() >= 1 << 40:
            raise QuantisationError(f"{op.kind} of layer {op.label!r} exceeds 40 bits")
        table = ref.Table(clamped.output, op.output, reached.min, entries.astype(np.int64))
        self._append(op, table, step)

    def _coarsening(self, source: str, span: float) -> int:
        """Shift that brings a settled tensor near the table's resolution."""
        wanted = span / ((1 << self.precision.table_bits) - 1)
        return max(0, int(np.floor(np.log2(wanted / self.scales[source]))))

    # -- the rest

    def _clip(self, op: FloatClip) -> None:
        plan = self.plans.pop(op.input, None) if len(self.consumers[op.input]) == 1 else None
        source = self.names[op.input] if plan is not None else self._settled(op.input)
        shift = plan.shift if plan is not None else 0
        planned = self.scales[source] * (1 << shift)
        source, shift = self._finer(op, source, shift)
        scale = self.scales[source] * (1 << shift)
        least, most = (
            far if end is None else end / scale for end, far in ((op.lo, -np.inf), (op.hi, np.inf))
        )
        if max(least, -most) >= ref.LIMIT:
            raise QuantisationError(f"the bound of {op.label!r} exceeds 62 bits")
        # one that no tensor reaches is none
        lo = int(np.rint(least)) if least > -ref.LIMIT else None
        hi = int(np.rint(most)) if most < ref.LIMIT else None
        if plan is not None and plan.clamp is not None:
            # counted in the steps that were planned, each a power of two of the finer ones
            clamp = plan.clamp * round(planned / scale)
            hi = clamp if hi is None else min(hi, clamp)
            lo = -clamp if lo is None else lo
        integer = self._requantise(source, op.output, shift, lo, hi)
        self._append(op, integer, scale)

    def _finer(self, op: FloatClip, source: str, shift: int) -> tuple[str, int]:
        """The same values in steps of which CLIP_STEPS fit between the ends: a multiple is an exact one."""
        if op.lo is None or op.hi is None or op.lo >= op.hi:
            return source, shift
        step = self.scales[source] * 2.0**shift
        if (op.lo / step).is_integer() and (op.hi / step).is_integer():
            return source, shift
        steps = (op.hi - op.lo) / step
        missing = max(0, int(np.ceil(np.log2(CLIP_STEPS / steps)))) if steps > 0 else 0
        if missing <= shift:
            return source, shift - missing
        tensor, times = self.tensors[source], 1 << min(missing - shift, UNBOUNDED - 1)
        if max(abs(tensor.min), abs(tensor.max), 1) * times >= ref.LIMIT:
            raise QuantisationError(f"the ends of {op.label!r} are too close to each other for 62 bits")
        multiple = ref.Affine(
            (source,),
            self.part(op.output, "multiple"),
            tensor.shape,
            (ref.Scale(np.full(tensor.size, times, dtype=np.int64)),),
            np.zeros(tensor.size, dtype=np.int64),
        )
        self._define(multiple, self.scales[source] / times, op.label)
        return multiple.output, 0

    def _reduce_max(self, op: FloatReduceMax) -> None:
        plan = self.plans.pop(op.input, None) if len(self.consumers[op.input]) == 1 else None
        source = self.names[op.input] if plan is not None else self._settled(op.input)
        self._append(op, ref.ReduceMax(source, op.output, op.shape, op.index), self.scales[source])
        if plan is not None:
            self.plans[op.output] = plan

    def _product(self, op: FloatMultiply | FloatMatMul) -> None:
        shapes = self.graph.shapes
        a = self.viewed(self._settled(op.a), shapes[op.a], self.part(op.output, "a"))
        b = self.viewed(self._settled(op.b), shapes[op.b], self.part(op.output, "b"))
        integer: ref.Op
        if isinstance(op, FloatMultiply):
            integer = ref.Multiply(a, b, op.output)
        else:
            integer = ref.MatMul(a, b, op.output)
        scale = self.scales[a] * self.scales[b]
        self._append(op, integer, scale)
        tensor = self.tensors[op.output]
        target, _ = self._destination(op.output)
        resolution = (
            self.precision.output_bits if target == self.graph.output else self.precision.activation_bits
        )
        reach = self.statistics[target].reach or max(abs(tensor.min), abs(tensor.max)) * scale
        steps = reach / scale / (1 << resolution)
        limb = self.precision.limb_bits
        shift = int(np.log2(steps)) // limb * limb if steps >= 1 else 0
        if shift:
            width = (tensor.max - tensor.min).bit_length() - shift
            coarser = scale * (1 << shift)
            clamp = None
            if width > resolution + 1 + self.precision.headroom_bits:
                clamp = self._clamp(op.output, coarser, resolution)
            self.plans[op.output] = ScalePlan(coarser, shift, max(width, 1), clamp)
