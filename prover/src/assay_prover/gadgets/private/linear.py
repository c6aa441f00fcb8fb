"""Linear layer with private weights: y = W x + b, W and b bound by the model's commitment M.

Statement. With F the one function that M fixes, y = F(x), and every y is an integer in the layer's span. The
model's owner commits to W and b within their limits, which makes F(x) = W x + b.

Constraints. Every y is a wire of w1 in its span, held there by the requantisation that reads it
(`requantise.enforced`) or, where none does, here. R = floor(253 / k) channels stand side by side in a field
element, k being the span's bits: Y_g = sum_r y_r 2^(k r), and so do the weights that meet the same input,
P_gj = sum_r W_rj 2^(k r), and biases, which are the wires of m. Of two forms of Y = P X + beta the cheaper
one is taken:

    packed     P_gj x_j = t_gj and one row a group, Y_g = sum_j t_gj + beta_g, where a weight meets few inputs
    Freivalds  a random combination over the positions, where it meets many (`gadgets.freivalds`)

Cost. packed: inputs / R products for each result, and 1 / R. P_gj stands on the A side alone, where its part
of the sum is the same in every proof of a model; x_j is small, on the B side; t_gj is full-width and only in
C.

Soundness. All of it holds for any wires of m, in the weights' limits or not, full-width or not. x and m fix
the field element that each Y_g must be. The y_r - lo are in [0, 2^k) and k R <= 253, so sum_r (y_r - lo) 2^(k
r) is an integer below 2^253 < r: two different answers y for the same x would be two expansions of one
integer in base 2^k. Hence y is a function of x and of what M binds, and it lies in the span that the interval
analysis of everything behind assumes. t is determined by its factors; m is what M opens to by the verifier's
equation (docs/protocol.md). Where F(x) has no expansion in the span, which limits exclude, no proof exists.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from assay_prover import _native
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import LinearTensor, Mapped, combine
from assay_prover.gadgets.private.channel_packing import SideBySide
from assay_prover.gadgets.private.freivalds import Freivalds
from assay_prover.gadgets.private.packed_rows import PackedDigits, PackedSumRows, PrivateProductRows
from assay_prover.gadgets.range import range_check
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.reference import Conv, Dense, PrivateAffine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.wide_wires import LimbWires
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues
    from assay_prover.reference import LinearMap
    from assay_prover.reference.geometry import Geometry
    from assay_prover.reference.tensor import Int64Array

Form = Literal["packed", "freivalds"]
PrivatePart = tuple["Dense | Conv", LinearTensor]


def private_affine(
    b: Builder, op: PrivateAffine, inputs: list[LinearTensor], *, checked: bool, form: Form | None = None
) -> LinearTensor:
    """The layer's results as wires of w1.

    Args:
        b: the builder.
        op: the layer; its weights are read only when the model's wires are.
        inputs: one tensor for each of its maps, before the challenge.
        checked: whether the reader of the result holds it to `op.span`.
        form: by default the one of fewer constraints.

    Raises:
        ValueError: an input that depends on the challenge, or a form that does not fit the layer.
    """
    if any(x.regions & (Region.FREE | Region.CHALLENGE) for x in inputs):
        raise ValueError(f"{op.output!r}: its inputs are not fixed before the challenge")
    lo, hi = op.span
    bits = max((hi - lo).bit_length(), 1)
    size = int(np.prod(op.shape))
    results = b.integers(size, lambda frame: frame.tensor(op.output))
    if not checked:
        range_check(b, results - lo, bits, exact=True)
        if hi - lo + 1 != 1 << bits:
            range_check(b, combine([(-1, results)], constant=hi), bits, exact=True)
    private: list[PrivatePart] = []
    public: list[tuple[LinearMap, LinearTensor]] = []
    for linear, limit, x in zip(op.maps, op.limits, inputs, strict=True):
        if limit is not None and isinstance(linear, Dense | Conv):
            private.append((linear, x))
        else:
            public.append((linear, x))
    digits: LinearTensor = results
    if public:
        none = np.zeros(size, dtype=np.int64)
        digits = results - Mapped(public, none, _public_part(public))
    packed = _Packed(op, bits)
    freivalds = Freivalds.of(op, bits, [x for _, x in private])
    if form is None:
        form = "freivalds" if freivalds is not None and freivalds.rows(b) < packed.rows else "packed"
    if form == "packed":
        packed.emit(b, digits, private)
    elif freivalds is not None:
        freivalds.emit(b, digits)
    else:
        raise ValueError(f"{op.output!r}: its maps have no positions in common")
    return results


def _public_part(public: Sequence[tuple[LinearMap, LinearTensor]]) -> Callable[[WitnessValues], Int64Array]:
    def value(frame: WitnessValues) -> Int64Array:
        parts = [linear.apply(frame.value(x)[None])[0] for linear, x in public]
        return np.asarray(np.sum(parts, axis=0), dtype=np.int64)

    return value


class _Packed:
    """One product for each packed weight and position."""

    def __init__(self, op: PrivateAffine, bits: int) -> None:
        self.op = op
        channels, self.positions = op.channels
        step = channels
        for shape in op.geometries:
            step = int(np.gcd(step, shape.channels_per_group))
        self.side = SideBySide(channels, bits, step)
        self.products = [_Products(shape, self.side) for shape in op.geometries]

    @property
    def groups(self) -> int:
        """Blocks at each position."""
        return self.side.blocks * self.positions

    @property
    def rows(self) -> int:
        """Constraints."""
        return self.groups + sum(self.side.blocks * products.in_block for products in self.products)

    def emit(self, b: Builder, digits: LinearTensor, private: list[PrivatePart]) -> None:
        """The products and the sums."""
        op, side = self.op, self.side
        sums = [
            _emit_products(b, products, linear, x)
            for products, (linear, x) in zip(self.products, private, strict=True)
        ]
        by_channel = op.bias.size == side.channels
        per_block = 1 if by_channel else self.positions
        bias = b.model_wires(side.blocks * per_block, lambda: side.pack(op.bias_by_channel))
        bias_of = np.arange(self.groups) // (self.positions if by_channel else 1)
        shape = op.geometries[0] if op.geometries else None
        members = side.members if shape is None else side.results(shape)
        packed = PackedDigits(digits, members, side.powers)
        b.push(PackedSumRows(b.layer, b.gadget, packed, sums, bias, bias_of))


class _Products:
    """Which weight wire meets which input, block after block, position after position."""

    def __init__(self, shape: Geometry, side: SideBySide) -> None:
        self.shape = shape
        self.side = side
        self._valid = (shape.windows >= 0).sum(axis=1)

    @property
    def in_block(self) -> int:
        """Products of one block."""
        return int(self._valid.sum()) * self.shape.fan_in

    @property
    def counts(self) -> Int64Array:
        """Products of each group."""
        return np.tile(self._valid * self.shape.fan_in, self.side.blocks)

    @cached_property
    def pairs(self) -> tuple[Int64Array, Int64Array]:
        """(weight wire, input) of each product."""
        shape = self.shape
        weight = np.arange(shape.fan_in * shape.taps).reshape(1, shape.fan_in, shape.taps)
        met = shape.element(np.arange(shape.fan_in)[None, :, None], shape.windows[:, None, :])
        there = np.broadcast_to((shape.windows >= 0)[:, None, :], met.shape)
        wire, met = np.broadcast_to(weight, met.shape)[there], met[there]
        block = np.arange(self.side.blocks)[:, None]
        group = self.side.bounds[:, :1] // shape.channels_per_group
        first = shape.element(group * shape.fan_in, np.zeros_like(group))
        return (block * weight.size + wire[None]).ravel(), (first + met[None]).ravel()


def _emit_products(
    b: Builder, products: _Products, linear: Dense | Conv, x: LinearTensor
) -> tuple[LimbWires, Int64Array]:
    """Wires t of the products, and how many of them each group has."""
    side, shape = products.side, products.shape
    weights = b.model_wires(
        side.blocks * shape.fan_in * shape.taps, lambda: side.pack(linear.weight.reshape(side.channels, -1))
    )

    def values(frame: WitnessValues) -> FieldArray:
        wire, met = products.pairs
        return _native.field_mul_small(weights.limbs[wire], frame.value(x)[met])

    counts = products.counts
    t = b.limb_wires(int(counts.sum()), values)
    b.push(PrivateProductRows(b.layer, b.gadget, weights, x, lambda: products.pairs, t))
    return t, counts


@constrains(PrivateAffine)
def _lower(b: Builder, op: PrivateAffine, given: Operands) -> LinearTensor:
    return private_affine(b, op, list(given.wires), checked=given.rely())
