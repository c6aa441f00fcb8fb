"""Layers with private weights, alone: a few shapes, each in both forms where both exist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from assay_prover.circuit import FIELD_ORDER as R
from assay_prover.circuit.builder import Builder
from assay_prover.circuit.challenge_powers import PowerRows
from assay_prover.circuit.checker import dot, flatten, sparse_rows
from assay_prover.circuit.field import from_limbs, to_limbs
from assay_prover.circuit.linear import LinearTensor, RowCache, Wires
from assay_prover.circuit.plan import Plan
from assay_prover.circuit.witness_values import FieldArray, WitnessValues
from assay_prover.gadgets.private.channel_packing import SideBySide
from assay_prover.gadgets.private.freivalds_rows import (
    FreivaldsRows,
    HornerRows,
    WeightedInputRows,
    WeightedResultRows,
    WeightedSumRows,
)
from assay_prover.gadgets.private.linear import Form, private_affine
from assay_prover.gadgets.private.packed_rows import PackedSumRows, PrivateProductRows
from assay_prover.reference import Conv, Dense, Gather, LinearMap, PrivateAffine, Scale, Tensor
from assay_prover.reference.tensor import Int64Array
from soundness.harness import Values
from soundness.underconstrained import System

PACKED = (PrivateProductRows, PackedSumRows)
FREIVALDS = (WeightedInputRows, WeightedSumRows, HornerRows, WeightedResultRows, FreivaldsRows)
EQUATIONS = (*PACKED, *FREIVALDS)


@dataclass(frozen=True)
class Shape:
    """What a layer is made of; a map with `public` has known coefficients."""

    maps: tuple[LinearMap, ...]
    shape: tuple[int, ...]
    public: tuple[bool, ...] = ()
    bias_by_element: bool = False
    low: int = -4
    high: int = 3


def conv(
    out: int,
    in_shape: tuple[int, ...],
    kernel: tuple[int, ...],
    *,
    strides: int = 1,
    pads: int = 0,
    dilations: int = 1,
    groups: int = 1,
    uneven: bool = False,
    last: bool = False,
) -> Conv:
    """A kernel that is drawn later; `uneven` pads the beginnings alone, `last`: channels innermost."""
    rank = len(kernel)
    weight = np.zeros((out, in_shape[0] // groups, *kernel), dtype=np.int64)
    ends = 0 if uneven else pads
    return Conv(
        weight,
        (strides,) * rank,
        (pads,) * rank + (ends,) * rank,
        (dilations,) * rank,
        groups,
        in_shape,
        last,
    )


def dense(out: int, inputs: int) -> Dense:
    """A matrix that is drawn later."""
    return Dense(np.zeros((out, inputs), dtype=np.int64))


def _plain(*maps: LinearMap, shape: tuple[int, ...] | None = None, **options: object) -> Shape:
    first = maps[0]
    found = first.out_shape if isinstance(first, Conv) else (first.n_out,)
    return Shape(maps, shape or found, **options)  # type: ignore[arg-type]


def _bias_alone() -> Shape:
    return Shape((Gather(np.arange(3)[::-1].copy(), 3),), (3,), (True,), bias_by_element=True)


SHAPES: dict[str, Callable[[], Shape]] = {
    "matrix": lambda: _plain(dense(3, 4)),
    "tiny": lambda: _plain(dense(2, 2)),
    "wide matrix": lambda: _plain(dense(30, 3)),
    "least": lambda: _plain(conv(1, (1, 3), (2,))),
    "two matrices": lambda: _plain(dense(3, 4), dense(3, 2)),
    "matrix and residual": lambda: _plain(dense(3, 4), Scale.uniform(5, 3), public=(False, True)),
    "bias alone": _bias_alone,
    "conv": lambda: _plain(conv(2, (1, 4, 4), (2, 2))),
    "conv of many channels": lambda: _plain(conv(30, (2, 3, 3), (2, 2))),
    "conv 1-D": lambda: _plain(conv(2, (2, 6), (3,))),
    "conv 1-D, strided": lambda: _plain(conv(2, (2, 7), (3,), strides=2)),
    "padded": lambda: _plain(conv(2, (1, 4, 3), (3, 3), pads=1)),
    "padded unevenly": lambda: _plain(conv(2, (1, 4, 3), (2, 2), pads=1, uneven=True)),
    "padded beyond the kernel": lambda: _plain(conv(2, (1, 3, 2), (1, 1), pads=2)),
    "strided": lambda: _plain(conv(2, (2, 5, 4), (2, 2), strides=2)),
    "strided beyond the kernel": lambda: _plain(conv(2, (1, 7, 7), (2, 2), strides=3)),
    "dilated": lambda: _plain(conv(2, (1, 5, 5), (2, 2), dilations=2)),
    "padded, strided, dilated": lambda: _plain(conv(2, (1, 6, 7), (3, 2), strides=2, pads=2, dilations=2)),
    "groups": lambda: _plain(conv(4, (4, 3, 3), (2, 2), groups=2)),
    "depthwise": lambda: _plain(conv(3, (3, 4, 4), (2, 2), groups=3)),
    "depthwise multiplied": lambda: _plain(conv(4, (2, 3, 3), (2, 2), groups=2)),
    "pointwise": lambda: _plain(conv(3, (2, 2, 3), (1, 1))),
    "scales": lambda: _plain(conv(3, (3, 4), (1,), groups=3)),
    "a bias each": lambda: _plain(conv(2, (1, 4, 4), (2, 2)), bias_by_element=True),
    "matrix over rows": lambda: _plain(conv(3, (2, 4), (1,), last=True)),
    "matrix over rows in groups": lambda: _plain(conv(4, (4, 3), (1,), groups=2, last=True)),
    "scales over rows": lambda: _plain(conv(3, (3, 4), (1,), groups=3, last=True)),
    "matrices over rows, a bias each": lambda: _plain(
        conv(3, (2, 4), (1,), last=True), conv(3, (3, 4), (1,), groups=3, last=True), bias_by_element=True
    ),
    "square": lambda: _plain(conv(2, (2, 2), (1,))),
    "square over rows": lambda: _plain(conv(2, (2, 2), (1,), last=True)),
    "conv over rows": lambda: _plain(conv(2, (2, 6), (3,), pads=1, last=True)),
    "conv and residual": lambda: _plain(
        conv(2, (2, 3, 3), (3, 3), pads=1), Scale.uniform(3, 18), public=(False, True)
    ),
    "conv and strided shortcut": lambda: _plain(
        conv(2, (2, 3, 3), (3, 3), pads=1), conv(2, (1, 6, 6), (1, 1), strides=2)
    ),
    "conv and scales": lambda: _plain(conv(2, (1, 3, 4), (2, 2)), conv(2, (2, 6), (1,), groups=2)),
    "two strides": lambda: _plain(
        conv(2, (1, 5, 5), (2, 2), strides=2, pads=1), conv(2, (1, 8, 8), (2, 2), strides=3)
    ),
}
"""Every geometry that the layers of a network can have, small."""

BOTH = [name for name in SHAPES if name != "bias alone"]
FORMS: list[tuple[str, Form]] = [(name, "packed") for name in SHAPES] + [(name, "freivalds") for name in BOTH]
"""Layers that have maps can be written in either form."""


def make(name: str, seed: int = 1) -> PrivateAffine:
    """The layer with weights drawn within small limits."""
    shape = SHAPES[name]()
    rng = np.random.default_rng(seed)
    public = shape.public or (False,) * len(shape.maps)
    limit = 5
    maps = tuple(
        m if known else replace(m, weight=rng.integers(-limit, limit + 1, m.weight.shape))  # type: ignore[attr-defined, type-var]
        for m, known in zip(shape.maps, public, strict=True)
    )
    size = prod(shape.shape)
    private = [m for m, known in zip(maps, public, strict=True) if not known]
    channels = private[0].weight.shape[0] if private else size  # type: ignore[attr-defined]
    biases = size if shape.bias_by_element else channels
    op = PrivateAffine(
        inputs=tuple(f"x{i}" for i in range(len(maps))),
        output="y",
        shape=shape.shape,
        maps=maps,
        limits=tuple(None if known else limit for known in public),
        bias=rng.integers(-9, 10, biases),
        bias_limit=9,
        span=(-(1 << 40), 1 << 40),
        factors=tuple(None if known else 1.0 for known in public),
        bias_factor=1.0,
    )
    tensors = [Tensor(f"x{i}", (m.n_in,), np.array(-4), np.array(3)) for i, m in enumerate(maps)]
    least, most = op.worst_case(*tensors)
    return replace(op, span=(least, most))


class Layer:
    """One layer as a circuit; its inputs are given, its results the prover's.

    model: values of the wires of m, instead of the layer's own weights. results: of y, instead of the
    layer's own. checked: leave out the layer's own range checks, as where a requantisation reads it.
    """

    def __init__(
        self,
        op: PrivateAffine,
        form: Form | None,
        widths: tuple[int, ...] = (4,),
        *,
        seed: int = 2,
        model: Sequence[FieldArray] | None = None,
        inputs: Values | None = None,
        results: Int64Array | None = None,
        checked: bool = False,
        challenge: int | None = None,
    ) -> None:
        rng = np.random.default_rng(seed)
        drawn = {name: rng.integers(-4, 4, m.n_in) for name, m in zip(op.inputs, op.maps, strict=True)}
        self.x = inputs or drawn
        self.op = op
        self.builder = Builder(Plan(widths, 0, 0.0))
        self.inputs = {name: self.builder.integers(v.size, _reader(name)) for name, v in self.x.items()}
        given: list[LinearTensor] = [self.inputs[name] for name in op.inputs]
        output = private_affine(self.builder, op, given, checked=checked, form=form)
        assert isinstance(output, Wires)
        self.output = output
        self.layout = self.builder.finish()
        if model is not None:
            for wires, values in zip(self.builder.model, model, strict=True):
                wires.__dict__["limbs"] = values
        self.frame = self._frame(self.answers if results is None else results)
        known = [i for wires in self.inputs.values() for i in self.indices(wires)]
        self.system = System(self.builder, self.frame, given=known, challenge=challenge)

    @property
    def answers(self) -> Int64Array:
        """What the layer's own weights give."""
        flat = self.op.evaluate(*(self.x[name][None] for name in self.op.inputs))
        return np.asarray(flat.ravel(), dtype=np.int64)

    def _frame(self, results: Int64Array) -> WitnessValues:
        return WitnessValues({**self.x, "y": results}, None, 0)

    @property
    def bits(self) -> int:
        """Of a digit."""
        lo, hi = self.op.span
        return max((hi - lo).bit_length(), 1)

    @property
    def limbs(self) -> list[FieldArray]:
        """Values of the wires of m, allocation by allocation: each map's weights, then the biases."""
        return [wires.limbs for wires in self.builder.model]

    def indices(self, wires: Wires) -> range:
        """Positions of allocated wires in z."""
        first = self.layout.base(wires.region) + wires.offset
        return range(first, first + wires.size)

    @property
    def results(self) -> range:
        """Positions of y."""
        return self.indices(self.output)

    @property
    def n_rows(self) -> int:
        """Constraints, powers included, range checks and tables left out."""
        kinds = (*EQUATIONS, PowerRows)
        return sum(group.n_rows for group in self.builder.groups if isinstance(group, kinds))

    def holds(self) -> bool:
        """Whether every constraint does."""
        return self.system.first_failure() is None

    def attempt(self, results: Sequence[int]) -> tuple[bool, bool]:
        """(the layer's equations hold, everything holds) for other results, all else made to fit them."""
        changes = {w: v % R for w, v in zip(self.results, results, strict=True) if v % R != self.system.z[w]}
        z = self.system.z.copy()
        for wire, value in changes.items():
            z[wire] = value
        self.system._recompute(z, frozenset(changes))
        equations = all(self.system._holds(row, z) for row in self._equations)
        if all(abs(value) < 1 << 62 for value in results):
            # the limbs that an honest prover of these results would have
            frame = self._frame(np.array(results, dtype=np.int64))
            counted = {m for table in self.system.tables.values() for m in table.multiplicities}
            for wires in self.builder.committed:
                if counted.isdisjoint(self.indices(wires)):
                    claimed = zip(self.indices(wires), frame.value(wires).tolist(), strict=True)
                    changes |= {i: v % R for i, v in claimed if v % R != self.system.z[i]}
        return equations, self.system.accepts(changes) if changes else self.holds()

    @property
    def _equations(self) -> list[int]:
        ends = np.cumsum([group.n_rows for group in self.builder.groups]).tolist()
        return [
            row
            for group, end in zip(self.builder.groups, ends, strict=True)
            if isinstance(group, EQUATIONS)
            for row in range(end - group.n_rows, end)
        ]

    def equations_hold(self) -> bool:
        """Whether y is what the wires of m make of x, its range aside."""
        return all(self.system._holds(row, self.system.z) for row in self._equations)

    def matrices_agree_with_values(self) -> bool:
        """Whether <A, z> and <B, z> by the rows are what the groups say they are."""
        cache = RowCache(self.layout)
        z, c = self.system.z, self.system.challenge
        for group in self.builder.groups:
            sides = [sparse_rows(side) for side in group.matrices(cache)[:2]]
            for rows, values in zip(sides, group.evaluate(self.frame, c), strict=True):
                if [dot(row, z) for row in rows] != flatten([values]):
                    return False
        return True


def _reader(name: str) -> Callable[[WitnessValues], Int64Array]:
    return lambda frame: frame.tensor(name)


def hostile(op: PrivateAffine, form: Form, answers: Sequence[int]) -> Layer:
    """A model of random full-width weights whose biases make one input's answers what they like.

    The layer has one bias for each result, so that each equation can be solved for its own.
    """
    rng = np.random.default_rng(5)
    honest = Layer(op, form)
    weights = [to_limbs(int.from_bytes(rng.bytes(40)) % R for _ in values) for values in honest.limbs[:-1]]
    (shape,), (x,) = op.geometries, honest.x.values()
    side = SideBySide(shape.channels, honest.bits, shape.channels)
    packed_weights = np.array(from_limbs(weights[0]), dtype=object).reshape(side.blocks, shape.fan_in, -1)
    biases = []
    for group, members in enumerate(side.results(shape)):
        block, position = divmod(group, shape.positions)
        packed = sum(answers[m] << (honest.bits * r) for r, m in enumerate(members.tolist()) if m >= 0)
        for channel, tap in np.ndindex(shape.fan_in, shape.taps):
            place = shape.windows[position, tap]
            packed -= packed_weights[block, channel, tap] * int(x[shape.element(channel, place)])
        biases.append(packed % R)
    return Layer(op, form, model=[*weights, to_limbs(biases)], inputs=honest.x)
