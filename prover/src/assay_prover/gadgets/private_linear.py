"""Linear layer with private weights: y = W x + b, W and b bound by the model's commitment M.

Statement. With one fixed P and beta for each model, and S_r the elements that meet the same inputs x_j (the
rows of a matrix, the channels of a convolution at one position), R of them in a group: sum_r S_r 2^(k r) =
sum_j P_j x_j + beta, every S_r an integer in [lo, lo + 2^k). The model's owner commits to P_j = sum_r W_rj
2^(k r) and beta = sum_r b_r 2^(k r), which makes S = W x + b.

Constraints. P_j x_j = t_j for each product; one row a group that adds them up, the S_r being wires of w1.
Each S_r is range-checked, by the requantisation that reads it (`requantise.enforced`) or, where none does,
here.

Cost. inputs / R products a row, R = floor(253 / k), and one row a group. P_j is a wire of m and stands on the
A side alone, where its part of the sum is the same in every proof of a model; x_j is small, on the B side;
t_j is full-width and only in C.

Soundness. All of it holds for any P, in the weights' limits or not. The S_r - lo are in [0, 2^k) and k R <=
253, so sum_r (S_r - lo) 2^(k r) is an integer below 2^253 < r: two different answers S for the same x would
be two expansions of one integer in base 2^k. Hence S is a function of x and of what M binds, and it lies in
the span that the interval analysis of everything behind assumes. t_j is determined by its factors; P and beta
are those of M by the verifier's equation (docs/protocol.md). Completeness for every input: the span contains
the worst case over all weights within their limits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from assay_prover import _native
from assay_prover.circuit.field import to_limbs
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import LinearTensor, Mapped, combine
from assay_prover.circuit.packing import WORD_BITS
from assay_prover.circuit.private_rows import PackedSumRows, PrivateProductRows
from assay_prover.gadgets.range import range_check
from assay_prover.reference import Conv, Dense, PrivateAffine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.frame import FieldArray, Frame
    from assay_prover.circuit.limbs import LimbWires
    from assay_prover.reference import LinearMap
    from assay_prover.reference.tensor import Int64Array


class Groups:
    """Which elements share products: blocks of at most `per_group` channels, at each position."""

    def __init__(self, op: PrivateAffine, bits: int) -> None:
        self.bits = bits
        self.channels, self.positions = op.channels
        step = self.channels
        for linear in op.private:
            if isinstance(linear, Conv):
                step = int(np.gcd(step, self.channels // linear.groups))
        self.per_group = min(WORD_BITS // bits, step)
        starts = [
            (first, min(first + self.per_group, start + step))
            for start in range(0, self.channels, step)
            for first in range(start, start + step, self.per_group)
        ]
        self.blocks = np.array(starts, dtype=np.int64)

    @property
    def size(self) -> int:
        """Number of groups; group `block * positions + position`."""
        return len(self.blocks) * self.positions

    @cached_property
    def members(self) -> Int64Array:
        """Elements of each group by place, `[groups, per_group]`, -1 where a group is not full."""
        channel = self.blocks[:, :1] + np.arange(self.per_group)
        place = channel[:, None, :] * self.positions + np.arange(self.positions)[None, :, None]
        short = np.broadcast_to((channel >= self.blocks[:, 1:])[:, None, :], place.shape)
        return np.where(short, -1, place).reshape(self.size, self.per_group)

    @cached_property
    def powers(self) -> FieldArray:
        """2^(k r) for each place."""
        return to_limbs(1 << (self.bits * place) for place in range(self.per_group))

    def pack(self, values: Int64Array) -> FieldArray:
        """sum_r values[.., r] 2^(k r), `int64[n, per_group] -> uint64[n, 4]`."""
        total = np.zeros((len(values), 4), dtype=np.uint64)
        for place in range(values.shape[1]):
            power = np.broadcast_to(self.powers[place], total.shape)
            column = np.ascontiguousarray(values[:, place])
            total = _native.field_add(total, _native.field_mul_small(np.ascontiguousarray(power), column))
        return total

    def pack_channels(self, values: Int64Array) -> FieldArray:
        """`[channels, n]` packed by blocks: `uint64[blocks * n, 4]`."""
        padded = np.concatenate([values, np.zeros((1, values.shape[1]), dtype=np.int64)])
        channel = self.blocks[:, :1] + np.arange(self.per_group)
        picked = padded[np.where(channel < self.blocks[:, 1:], channel, self.channels)]
        return self.pack(picked.transpose(0, 2, 1).reshape(-1, self.per_group))


class Products:
    """The products of one private map: which weight wire meets which input, group after group."""

    def __init__(self, linear: Dense | Conv, groups: Groups) -> None:
        self.linear = linear
        self.groups = groups

    @property
    def weights_per_block(self) -> int:
        """Wires of m for one block of channels."""
        return int(np.prod(self.linear.weight.shape[1:]))

    @cached_property
    def _windows(self) -> tuple[Int64Array, NDArray[np.bool_]]:
        """Inputs that each position meets, before the group's channel offset, and which are there."""
        linear = self.linear
        if not isinstance(linear, Conv):
            index = np.arange(linear.n_in, dtype=np.int64)[None]
            return index, np.ones_like(index, dtype=bool)
        windows, _ = linear.windows
        spatial = linear.n_in // linear.in_shape[0]
        channel = np.arange(linear.weight.shape[1])[None, :, None] * spatial
        index = (channel + windows[:, None, :]).reshape(len(windows), -1)
        there = np.broadcast_to(
            (windows >= 0)[:, None, :], (len(windows), linear.weight.shape[1], windows.shape[1])
        )
        return index, there.reshape(index.shape)

    @property
    def counts(self) -> Int64Array:
        """Products of each group."""
        return np.tile(self._windows[1].sum(axis=1), len(self.groups.blocks))

    @cached_property
    def pairs(self) -> tuple[Int64Array, Int64Array]:
        """(weight wire, input) of each product."""
        index, there = self._windows
        blocks = len(self.groups.blocks)
        wire = np.broadcast_to(np.arange(index.shape[1]), index.shape)[there]
        offset = np.zeros(blocks, dtype=np.int64)
        if isinstance(self.linear, Conv):
            step = self.groups.channels // self.linear.groups
            offset = self.groups.blocks[:, 0] // step * (self.linear.n_in // self.linear.groups)
        met = index[there]
        wires = (np.arange(blocks)[:, None] * self.weights_per_block + wire[None]).ravel()
        return wires, (offset[:, None] + met[None]).ravel()

    def values(self) -> FieldArray:
        """P: the packed weights, block after block."""
        return self.groups.pack_channels(self.linear.weight.reshape(self.linear.weight.shape[0], -1))


def private_affine(
    b: Builder, op: PrivateAffine, inputs: list[LinearTensor], *, checked: bool
) -> LinearTensor:
    """The layer's results as wires of w1.

    Args:
        b: the builder.
        op: the layer; its weights are read only when the model's wires are.
        inputs: one tensor for each of its maps, before the challenge.
        checked: whether the reader of the result holds it to `op.span`.

    Raises:
        ValueError: an input that depends on the challenge.
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
    groups = Groups(op, bits)
    sums: list[tuple[LimbWires, Int64Array]] = []
    public: list[tuple[LinearMap, LinearTensor]] = []
    for linear, limit, x in zip(op.maps, op.limits, inputs, strict=True):
        if limit is not None and isinstance(linear, Dense | Conv):
            sums.append(_products(b, Products(linear, groups), x))
        else:
            public.append((linear, x))
    digits: LinearTensor = results
    if public:
        none = np.zeros(size, dtype=np.int64)
        digits = results - Mapped(public, none, _public_part(public))
    by_channel = op.bias.size != size or op.channels[1] == 1
    biases = len(groups.blocks) if by_channel else groups.size
    bias = b.model_wires(biases, lambda: _packed_bias(op, groups, by_channel))
    of_group = np.arange(groups.size) // (groups.positions if by_channel else 1)
    b.push(PackedSumRows(b.layer, b.gadget, digits, groups.members, groups.powers, sums, bias, of_group))
    return results


def _packed_bias(op: PrivateAffine, groups: Groups, by_channel: bool) -> FieldArray:
    if by_channel:
        return groups.pack_channels(op.bias.reshape(groups.channels, 1))
    padded = np.append(op.bias, 0)
    return groups.pack(padded[groups.members])


def _public_part(public: Sequence[tuple[LinearMap, LinearTensor]]) -> Callable[[Frame], Int64Array]:
    def value(frame: Frame) -> Int64Array:
        parts = [linear.apply(frame.value(x)[None])[0] for linear, x in public]
        return np.asarray(np.sum(parts, axis=0), dtype=np.int64)

    return value


def _products(b: Builder, products: Products, x: LinearTensor) -> tuple[LimbWires, Int64Array]:
    """Wires t of the products, and how many of them each group has."""
    counts = products.counts
    weights = b.model_wires(len(products.groups.blocks) * products.weights_per_block, products.values)

    def values(frame: Frame) -> FieldArray:
        wire, met = products.pairs
        return _native.field_mul_small(weights.limbs[wire], frame.value(x)[met])

    t = b.limb_wires(int(counts.sum()), values)
    b.push(PrivateProductRows(b.layer, b.gadget, weights, x, lambda: products.pairs, t))
    return t, counts
