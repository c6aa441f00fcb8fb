"""An affine layer whose weights are nobody's constants: the circuit knows only their declared limits.

The worst case of its result holds for every model of the architecture, so that one circuit and one pair of
keys serve all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

import numpy as np

from assay_prover.errors import QuantisationError
from assay_prover.reference.conv import Conv
from assay_prover.reference.geometry import Geometry, geometry
from assay_prover.reference.maps import Dense, LinearMap
from assay_prover.reference.operation import Operation
from assay_prover.reference.tensor import LIMIT, Int64Array, Tensor


@dataclass(frozen=True, eq=False)
class PrivateAffine(Operation):
    """y = sum_k maps_k(x_k) + bias, like `Affine`, with weights that the verifier does not know.

    limits: the largest |weight| of each map, which is a `Dense` or a `Conv`; None marks a map whose
    coefficients are public (a residual connection).
    bias: one for each channel (the leading axis of a convolution's result) or for each element, int64.
    bias_limit: the largest |bias|.
    span: the interval that the circuit holds every result to, whatever was committed as weights; it contains
    the worst case over all weights within the limits.
    factors: weights are round(real weight * factor), None for a public map; bias_factor: the same for the
    bias. With these another training of the network becomes integers of the same circuit.

    Raises:
        QuantisationError: a weight or bias beyond its limit.
    """

    inputs: tuple[str, ...]
    output: str
    shape: tuple[int, ...]
    maps: tuple[LinearMap, ...] = field(repr=False)
    limits: tuple[int | None, ...]
    bias: Int64Array = field(repr=False)
    bias_limit: int
    span: tuple[int, int]
    factors: tuple[float | None, ...]
    bias_factor: float

    def __post_init__(self) -> None:
        """Check that the parts fit, and that the weights keep their limits."""
        size = prod(self.shape)
        if not len(self.inputs) == len(self.maps) == len(self.limits) == len(self.factors) > 0:
            raise ValueError(f"{self.output!r}: one map, limit and factor for each input")
        if any(m.n_out != size for m in self.maps):
            raise ValueError(f"{self.output!r}: a map's rows differ from the output's size {size}")
        for linear, limit in zip(self.maps, self.limits, strict=True):
            if limit is None:
                continue
            if not isinstance(linear, Dense | Conv):
                raise TypeError(f"{self.output!r}: private weights are those of Dense or Conv")
            self._check_limit("weight", linear.weight, limit)
        self._check_limit("bias", self.bias, self.bias_limit)
        if len({g.layout for g in self.geometries}) > 1:
            raise ValueError(f"{self.output!r}: its private maps disagree about channels and positions")
        if self.bias.dtype != np.int64 or self.bias.shape not in ((self.channels[0],), (size,)):
            raise ValueError(f"{self.output!r}: bias must be int64, one for each channel or element")

    def _check_limit(self, what: str, values: Int64Array, limit: int) -> None:
        largest = int(np.abs(values).max(initial=0))
        if largest > limit or limit < 0:
            # how large it is stays the owner's secret
            raise QuantisationError(
                f"layer {self.output!r}: a {what} exceeds the {limit} steps that the architecture allows"
            )

    @property
    def private(self) -> tuple[Dense | Conv, ...]:
        """The maps whose weights are private."""
        return tuple(
            m
            for m, limit in zip(self.maps, self.limits, strict=True)
            if limit is not None and isinstance(m, Dense | Conv)
        )

    @cached_property
    def geometries(self) -> tuple[Geometry, ...]:
        """The shapes of the private maps."""
        return tuple(geometry(m) for m in self.private)

    @property
    def weights(self) -> tuple[Int64Array, ...]:
        """Everything private, as flat arrays: the weights of each private map, then the bias."""
        return (*(m.weight for m in self.private), self.bias)

    @property
    def channels(self) -> tuple[int, int]:
        """(channels, positions): elements of one position meet the same inputs, those of a channel the same
        weights.
        """
        for shape in self.geometries:
            return shape.channels, shape.positions
        return prod(self.shape), 1

    @property
    def bias_by_channel(self) -> Int64Array:
        """`[channels, 1]`, or one for each position, `[channels, positions]`."""
        channels, _ = self.channels
        if self.bias.size == channels:
            return self.bias[:, None]
        return self.geometries[0].by_channel(self.bias)

    @property
    def full_bias(self) -> Int64Array:
        """One bias for each element, flat."""
        size = prod(self.shape)
        if self.bias.size == size:
            return self.bias
        return np.broadcast_to(self.bias[:, None], self.channels)[self._places]

    @property
    def _places(self) -> tuple[Int64Array, Int64Array]:
        """(channel, position) of each element."""
        shape = self.geometries[0]
        flat = np.arange(prod(self.shape))
        if shape.channels_last:
            return flat % shape.channels, flat // shape.channels
        return flat // shape.positions, flat % shape.positions

    def with_weights(self, weights: tuple[Int64Array, ...]) -> PrivateAffine:
        """The same layer of another model; `weights` as the property has them.

        Raises:
            QuantisationError: beyond the limits.
            ValueError: other shapes.
        """
        if [w.shape for w in weights] != [w.shape for w in self.weights]:
            raise ValueError(f"{self.output!r}: weights of another shape")
        given = iter(weights)
        maps = tuple(
            m if limit is None else replace(m, weight=next(given))  # type: ignore[type-var]
            for m, limit in zip(self.maps, self.limits, strict=True)
        )
        return replace(self, maps=maps, bias=next(given))

    def blank(self) -> PrivateAffine:
        """The architecture alone: every private number is zero."""
        return self.with_weights(tuple(np.zeros_like(w) for w in self.weights))

    def evaluate(self, *values: Int64Array) -> Int64Array:
        """Exact; the intervals guarantee that no sum leaves int64."""
        flat = [v.reshape(v.shape[0], -1) for v in values]
        total = np.broadcast_to(self.full_bias, (flat[0].shape[0], prod(self.shape))).copy()
        for linear, value in zip(self.maps, flat, strict=True):
            total += linear.apply(value)
        return total.reshape(-1, *self.shape)

    def worst_case(self, *inputs: Tensor) -> tuple[int, int]:
        """The extremes over all weights within the limits, all inputs within theirs and all elements.

        Raises:
            QuantisationError: beyond 60 bits.
            ValueError: a map takes another number of values than its input has.
        """
        size = prod(self.shape)
        lo = np.full(size, -self.bias_limit, dtype=np.int64)
        hi = -lo
        for linear, limit, tensor in zip(self.maps, self.limits, inputs, strict=True):
            if linear.n_in != tensor.size:
                raise ValueError(
                    f"{self.output!r}: map takes {linear.n_in} values, {tensor.name!r} has {tensor.size}"
                )
            if limit is None:
                low, high = linear.bounds(tensor.lo.ravel(), tensor.hi.ravel())
            else:
                magnitude = np.maximum(np.abs(tensor.lo), np.abs(tensor.hi)).ravel()
                if float(magnitude.sum(dtype=np.float64)) * limit >= LIMIT // 4:
                    raise QuantisationError(f"layer {self.output!r}: its worst case exceeds 60 bits")
                high = limit * row_sums(linear, magnitude)
                low = -high
            if max(-int(low.min()), int(high.max())) + max(-int(lo.min()), int(hi.max())) >= LIMIT // 2:
                raise QuantisationError(f"tensor {self.output!r} exceeds 61 bits in the worst case")
            lo, hi = lo + low, hi + high
        return int(lo.min()), int(hi.max())

    def infer(self, *inputs: Tensor) -> Tensor:
        """The span, which does not depend on the weights.

        Raises:
            QuantisationError: the worst case leaves the span, so that some input would not prove.
        """
        least, most = self.worst_case(*inputs)
        if least < self.span[0] or most > self.span[1]:
            raise QuantisationError(
                f"layer {self.output!r} reaches [{least}, {most}], its span is {list(self.span)}"
            )
        lo, hi = (np.array(end, dtype=np.int64) for end in self.span)
        return Tensor(self.output, self.shape, lo, hi)


def row_sums(linear: LinearMap, values: Int64Array) -> Int64Array:
    """What the map would give with all its weights 1: the sum of the inputs that each row meets."""
    if not isinstance(linear, Conv):
        return np.full(linear.n_out, int(values.sum()), dtype=np.int64)
    # channels that meet the same inputs have the same sums: one is enough
    ones = np.ones((linear.groups, *linear.weight.shape[1:]), dtype=np.int64)
    sums = replace(linear, weight=ones).apply(values[None])[0]
    same = linear.weight.shape[0] // linear.groups
    if linear.channels_last:
        return np.repeat(sums.reshape(-1, linear.groups), same, axis=1).ravel()
    return np.repeat(sums.reshape(linear.groups, -1), same, axis=0).ravel()
