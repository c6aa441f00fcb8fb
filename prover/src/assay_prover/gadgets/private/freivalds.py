"""Freivalds' check of a linear layer with private weights, where one weight meets many positions.

Statement. Y[g, p] = sum_(i, k) P[g, i, k] x[i, windows[p, k]] + beta[g, p] for every block g of channels side
by side and every position p (`gadgets.private_linear`), P and beta being wires of m.

Constraints, c being the challenge. Position p has the exponent f(p), input place q the exponent e(q), tap k
the offset o(k), such that f(p) = e(q) - o(k) wherever p meets q through k; o the largest offset, at least 0.

    c^e(q) x[i, q] = z[i, q]                          each input once, whatever the kernel
    (sum_p z[i, windows[p, k]]) P[g, i, k] = t[g, i, k]   each packed weight once
    sum_k c^(o - o(k)) sum_i t[g, i, k]               by Horner's rule over the distinct offsets
    c^(f(p) + o) (Y[g, p] - beta[g, p]) = v[g, p]     each block of results once
    sum_p v[g, p] = that                              once a block

Cost. inputs + weights / R + results / R constraints, and offsets / R for each channel, R channels side by
side; the packed form pays weights * positions / R. Powers of c are shared by the whole circuit. In B are x,
y, the wires of m, and the powers of the few gaps between offsets.

Soundness. f is injective, so for each g the last line is the value at c of sum_p (Y - P X - beta)[g, p]
X^(f(p) + o), a polynomial whose coefficients x, y and m fix before c exists (inputs that are not are
refused). If one of the equations is false it is not zero, and its degree is below the number of powers, so
that c is a root with probability at most degree / r, for all blocks and layers together below 2^-200; c is
drawn once, after everything, and what a prover gains by trying again is counted in docs/protocol.md. Every
wire but y is the product of two others. What is proven is the equation that the packed form proves, for any
wires of m, and Y's digits are unique for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import lcm
from typing import TYPE_CHECKING

import numpy as np

from assay_prover import _native
from assay_prover.circuit.linear import LinearTensor
from assay_prover.gadgets.private.channel_packing import SideBySide
from assay_prover.gadgets.private.freivalds_rows import (
    FreivaldsRows,
    HornerRows,
    TapSums,
    Terms,
    WeightedInputRows,
    WeightedResultRows,
    WeightedSumRows,
)
from assay_prover.gadgets.private.packed_rows import PackedDigits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.lookup import DerivedWires
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues
    from assay_prover.reference import PrivateAffine
    from assay_prover.reference.geometry import Geometry, Grid
    from assay_prover.reference.tensor import Int64Array


def flat(steps: Sequence[int], shape: Sequence[int]) -> Int64Array:
    """sum_a steps[a] index[a] over all indices of a shape, row-major."""
    total = np.zeros(1, dtype=np.int64)
    for step, size in zip(steps, shape, strict=True):
        total = (total[:, None] + step * np.arange(size)[None]).ravel()
    return total


@dataclass(frozen=True, eq=False)
class Exponents:
    """Of the positions, and of each map's places and taps."""

    positions: Int64Array
    places: tuple[Int64Array, ...]
    offsets: tuple[Int64Array, ...]


def exponents(shapes: Sequence[Geometry]) -> Exponents | None:
    """The least that fit all maps of a layer; None if their positions are not the same grid."""
    grids = [shape.grid for shape in shapes if not shape.grid.is_pointwise]
    if not grids:
        position = np.arange(shapes[0].positions)
        return Exponents(position, (position,) * len(shapes), (np.zeros(1, dtype=np.int64),) * len(shapes))
    out = grids[0].outputs
    if any(grid.outputs != out for grid in grids):
        return None
    # one position further along an axis is this much: a multiple of every map's stride, and more than all
    # that the axes behind it can add
    steps: list[int] = []
    reach = 0
    for axis in reversed(range(len(out))):
        unit = lcm(*(grid.strides[axis] for grid in grids))
        steps.insert(0, unit * (reach // unit + 1))
        reach += steps[0] * (out[axis] - 1)
    position = flat(steps, out)
    places, offsets = [], []
    for shape in shapes:
        if shape.grid.is_pointwise:
            places.append(position)
            offsets.append(np.zeros(1, dtype=np.int64))
        else:
            place, offset = _of_map(shape.grid, steps)
            places.append(place)
            offsets.append(offset)
    return Exponents(position, tuple(places), tuple(offsets))


def _of_map(grid: Grid, steps: Sequence[int]) -> tuple[Int64Array, Int64Array]:
    inner = [step // stride for step, stride in zip(steps, grid.strides, strict=True)]
    dilated = [step * dilation for step, dilation in zip(inner, grid.dilations, strict=True)]
    padded = sum(step * pad for step, pad in zip(inner, grid.pads, strict=True))
    return flat(inner, grid.inputs), flat(dilated, grid.kernel) - padded


class _Part:
    """One map: the places it meets, and its packed weights, block after block, segment after segment."""

    def __init__(self, shape: Geometry, side: SideBySide, place: Int64Array, x: LinearTensor) -> None:
        self.shape = shape
        self.side = side
        self.x = x
        self.met, numbers = np.unique(shape.windows[shape.windows >= 0], return_inverse=True)
        self.windows = np.full(shape.windows.shape, -1, dtype=np.int64)
        self.windows[shape.windows >= 0] = numbers
        self.place = place[self.met]
        """Exponents of the places that are met."""
        self.elements = shape.element(np.arange(shape.inputs)[:, None], self.met[None]).ravel()
        """Inputs that are met, channel after channel."""

    @cached_property
    def segments(self) -> Int64Array:
        """(block, first channel, end) of channels that share a block and meet the same inputs, `[n, 3]`."""
        step = self.shape.channels_per_group
        found: list[tuple[int, int, int]] = []
        for block, (first, end) in enumerate(self.side.bounds.tolist()):
            cuts = [first, *range(first // step * step + step, end, step), end]
            found.extend((block, start, stop) for start, stop in pairwise(cuts))
        return np.array(found, dtype=np.int64)

    @property
    def weights(self) -> int:
        """Packed weights."""
        return len(self.segments) * self.shape.fan_in * self.shape.taps

    @cached_property
    def key(self) -> tuple[object, ...]:
        """Maps of equal keys have the same z: the same elements of one tensor under the same powers."""
        return ("freivalds input", self.x, self.elements.tobytes(), self.place.tobytes())

    def inputs_under_powers(self, b: Builder) -> DerivedWires:
        """z, shared by all maps that read these inputs under these powers."""
        known: DerivedWires | None = b.shared.get(self.key)
        if known is None:
            x = self.x[self.elements]
            places = np.tile(self.place, self.shape.inputs)
            powers = b.powers

            def values(frame: WitnessValues, challenge: int) -> FieldArray:
                return _native.field_mul_small(frame.derived(powers, challenge)[places], frame.value(x))

            known = b.derived_wires(x.size, values)
            b.push(WeightedInputRows(b.layer, b.gadget, powers, places, x, known))
            b.shared[self.key] = known
        return known

    def pack(self, weight: Int64Array) -> FieldArray:
        """Each segment's channels at their places of the block, `uint64[weights, 4]`."""
        by_channel = weight.reshape(self.shape.channels, -1)
        if len(self.segments) == self.side.blocks:
            return self.side.pack(by_channel)
        total = np.zeros((len(self.segments) * by_channel.shape[1], 4), dtype=np.uint64)
        padded = np.concatenate([by_channel, np.zeros((1, by_channel.shape[1]), dtype=np.int64)])
        block, first, end = self.segments.T
        for place in range(self.side.per_block):
            channel = self.side.bounds[block, 0] + place
            inside = (first <= channel) & (channel < end)
            column = padded[np.where(inside, channel, self.shape.channels)].ravel()
            power = np.ascontiguousarray(np.broadcast_to(self.side.powers[place], total.shape))
            total = _native.field_add(total, _native.field_mul_small(power, column))
        return total


class Freivalds:
    """The check of one layer; `of` makes it."""

    def __init__(
        self, op: PrivateAffine, side: SideBySide, positions: Exponents, inputs: list[LinearTensor]
    ) -> None:
        self.op = op
        self.side = side
        self.exponents = positions
        self.parts = [
            _Part(shape, side, place, x)
            for shape, place, x in zip(op.geometries, positions.places, inputs, strict=True)
        ]
        every = np.unique(np.concatenate(positions.offsets))
        self.shift = max(int(every[-1]), 0)
        # the result's own power at the end, where it lies above every offset
        self.steps = every if every[-1] == self.shift else np.append(every, self.shift)

    @classmethod
    def of(cls, op: PrivateAffine, bits: int, inputs: list[LinearTensor]) -> Freivalds | None:
        """For a layer whose results take `bits` bits; None for one without positions in common."""
        if not op.geometries:
            return None
        positions = exponents(op.geometries)
        channels, _ = op.channels
        return None if positions is None else cls(op, SideBySide(channels, bits, channels), positions, inputs)

    @property
    def degree(self) -> int:
        """The highest power."""
        highest = [int(self.exponents.positions.max()) + self.shift, 1]
        highest += [int(part.place.max(initial=0)) for part in self.parts]
        highest += np.diff(self.steps).tolist()
        return max(highest)

    def rows(self, b: Builder) -> int:
        """Constraints that it would add to what is there."""
        inputs = {part.key: part.elements.size for part in self.parts if part.key not in b.shared}
        weights = sum(part.weights for part in self.parts)
        _, positions = self.op.channels
        return (
            b.powers.missing(self.degree)
            + sum(inputs.values())
            + weights
            + self.side.blocks * (positions + self.steps.size)
        )

    def emit(self, b: Builder, digits: LinearTensor) -> None:
        """The rows; `digits` are the results less what public maps give."""
        b.powers.reach(self.degree)
        op, side, powers = self.op, self.side, b.powers
        terms = []
        for part, linear, offset in zip(self.parts, op.private, self.exponents.offsets, strict=True):
            terms.append(self._weighted(b, part, linear.weight, offset))
        horner = HornerRows(b.layer, b.gadget, powers, side.blocks, np.diff(self.steps), terms)
        if horner.n_rows:
            horner.h = b.derived_wires(horner.n_rows, horner.carried)
            b.push(horner)
        shape = op.geometries[0]
        by_channel = op.bias.size == side.channels
        per_block = 1 if by_channel else shape.positions
        bias = b.model_wires(
            side.blocks * per_block,
            lambda: side.pack(op.bias_by_channel),
        )
        bias_of = np.arange(side.blocks * shape.positions) // (shape.positions if by_channel else 1)
        packed = PackedDigits(digits, side.results(shape), side.powers)
        result_exponents = np.tile(self.exponents.positions + self.shift, side.blocks)
        v = b.derived_wires(packed.size, lambda frame, c: _native.field_mul(*results.evaluate(frame, c)))
        results = WeightedResultRows(b.layer, b.gadget, powers, result_exponents, packed, bias, bias_of, v)
        b.push(results)
        b.push(FreivaldsRows(b.layer, b.gadget, v, horner))

    def _weighted(self, b: Builder, part: _Part, weight: Int64Array, offsets: Int64Array) -> Terms:
        shape = part.shape
        sums = TapSums(part.inputs_under_powers(b), shape.inputs, part.windows)
        weights = b.model_wires(part.weights, lambda: part.pack(weight))
        kernel = np.arange(shape.fan_in * shape.taps)
        block, first, _ = part.segments.T
        group = first // shape.channels_per_group
        index = (group[:, None] * kernel.size + kernel[None]).ravel()

        def values(frame: WitnessValues, challenge: int) -> FieldArray:
            return _native.field_mul(frame.derived(sums, challenge)[index], weights.limbs)

        products = b.derived_wires(part.weights, values)
        b.push(WeightedSumRows(b.layer, b.gadget, sums, index, weights, products))
        step = np.searchsorted(self.steps, offsets)[kernel % shape.taps]
        return Terms(products, np.repeat(block, kernel.size), np.tile(step, len(block)))
