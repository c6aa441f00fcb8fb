"""Private weights in the quantiser: what of a layer is private, and the limits that every model must keep.

The circuit of an architecture may not depend on the weights, so nothing that decides it is computed from
them but each layer's limit and each tensor's reach on the samples, rounded up to one of four steps an
octave: the next training of the same network usually fits, and no more than that about weights becomes
public. What is public by its kind: the layers' shapes and order, and numbers that all elements of a layer
share, which count as hyperparameters.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from hashlib import sha256
from math import ceil, floor, log2, prod
from typing import TYPE_CHECKING

import numpy as np

from assay_prover import reference as ref
from assay_prover.errors import QuantisationError
from assay_prover.gadgets.requantise import enforced
from assay_prover.graph.graph import FloatAffine, FloatGraph
from assay_prover.graph.maps import (
    Float64Array,
    FloatConv,
    FloatDense,
    FloatMap,
    FloatScale,
    FloatSparse,
    round_coefficients,
    row_wise,
)
from assay_prover.passes.calibrate import TensorStatistics

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

HEADROOM = 1.25
"""How much larger than the largest weight a limit is at least."""

SNAPS = 6
"""Rounds in which a span settles; without, the layer's own range check holds it."""


def limit_of(values: Float64Array) -> float:
    """The limit of real weights: a power of 2^(1/4) that leaves the headroom."""
    largest = float(np.abs(values).max(initial=0.0))
    return 2.0 ** (ceil(4 * log2(HEADROOM * largest)) / 4) if largest > 0 else 1.0


def coarse(statistics: TensorStatistics) -> TensorStatistics:
    """Outward to the next of four steps an octave: scales tell no more of the weights than limits do."""

    def octave(value: float, up: bool) -> float:
        steps = 4 * log2(value)
        return float(2.0 ** ((ceil(steps) if up else floor(steps)) / 4))

    def above(value: float) -> float:
        return octave(value, True) if value > 0 else -octave(-value, False) if value < 0 else 0.0

    far = None
    if statistics.far is not None:
        far = -above(-statistics.far[0]), above(statistics.far[1])
    return TensorStatistics(-above(-statistics.lo), above(statistics.hi), above(statistics.rms), far)


def is_private(op: FloatAffine) -> bool:
    """Whether the layer has trained numbers: a matrix, a kernel, unequal factors, an unequal bias.

    What is left are reshapes, pooling, sums and hyperparameters, which belong to the architecture.
    """
    unequal = bool(op.bias.size) and bool((op.bias != op.bias.ravel()[0]).any())
    return unequal or any(has_weights(m) for m in op.maps)


def has_weights(linear: FloatMap) -> bool:
    """Whether a map's coefficients are trained numbers."""
    if isinstance(linear, FloatSparse) and linear.structural:
        return False
    return isinstance(linear, FloatDense | FloatConv) or linear.common_coefficient() is None


def private_form(op: FloatAffine) -> FloatAffine:
    """The layer with all its weights in matrices or kernels: factors become a depthwise convolution.

    Raises:
        QuantisationError: weights in another form.
    """
    return replace(op, maps=tuple(_as_kernel(op, m) if has_weights(m) else m for m in op.maps))


def _as_kernel(op: FloatAffine, linear: FloatMap) -> FloatDense | FloatConv:
    if isinstance(linear, FloatDense | FloatConv):
        return linear
    if not isinstance(linear, FloatScale):
        raise QuantisationError(
            f"layer {op.label!r}: a sparse matrix of trained numbers cannot be private; keep weights constant"
        )
    size, factor = linear.n_in, linear.factor
    beside = {m.channels_last for m in op.maps if isinstance(m, FloatConv)}
    last = op.shape[-1]
    if False not in beside and (factor.reshape(-1, last) == factor[:last]).all():
        return row_wise(factor[:last, None], size // last, groups=last)
    channels = op.shape[1] if len(op.shape) > 2 else size
    by_channel = factor.reshape(channels, -1)
    if not (by_channel == by_channel[:, :1]).all():
        channels, by_channel = size, factor.reshape(size, 1)
    kernel = by_channel[:, :1].reshape(channels, 1, 1)
    return FloatConv(kernel, (1,), (0, 0), (1,), channels, (channels, size // channels))


def met_magnitude(linear: FloatDense | FloatConv, magnitude: Float64Array) -> Float64Array:
    """Sum of |x_j| that each row meets."""
    if not isinstance(linear, FloatConv):
        return np.full(linear.n_out, float(magnitude.sum()))
    # channels that meet the same inputs have the same sums: one is enough
    ones = np.ones((linear.groups, *linear.weight.shape[1:]))
    sums = replace(linear, weight=ones).apply(magnitude[None])[0]
    same = linear.weight.shape[0] // linear.groups
    if linear.channels_last:
        return np.repeat(sums.reshape(-1, linear.groups), same, axis=1).ravel()
    return np.repeat(sums.reshape(linear.groups, -1), same, axis=0).ravel()


def fan_in(linear: FloatDense | FloatConv) -> int:
    """Weights of a row."""
    return int(prod(linear.weight.shape[1:]))


def biases(op: FloatAffine) -> Float64Array:
    """One for each channel where a convolution's are equal at every position, otherwise one an element."""
    kernels = [m for m in op.maps if isinstance(m, FloatConv)]
    if kernels:
        by_channel = kernels[0].by_channel(op.bias)
        if (by_channel == by_channel[:, :1]).all():
            return np.ascontiguousarray(by_channel[:, 0])
    return op.bias


def round_layer(
    op: FloatAffine,
    sources: tuple[str, ...],
    scales: list[float],
    limits: list[float | None],
    bias_limit: float,
    accumulator: float,
) -> ref.PrivateAffine:
    """The integer layer: real numbers over the accumulator's scale; its span is still the widest there is."""
    factors = [s / accumulator for s in scales]
    maps = tuple(m.quantise(f) for m, f in zip(op.maps, factors, strict=True))
    steps = [None if x is None else ceil(x * f) for x, f in zip(limits, factors, strict=True)]
    return ref.PrivateAffine(
        inputs=sources,
        output=op.output,
        shape=op.shape,
        maps=maps,
        limits=tuple(steps),
        bias=round_coefficients(biases(op), 1.0 / accumulator),
        bias_limit=ceil(bias_limit / accumulator),
        span=(-ref.LIMIT // 2, ref.LIMIT // 2),
        factors=tuple(None if x is None else f for x, f in zip(limits, factors, strict=True)),
        bias_factor=1.0 / accumulator,
    )


def with_power_span(layer: ref.PrivateAffine, inputs: list[ref.Tensor]) -> ref.PrivateAffine:
    """The least span of a power of two around the worst case: one range check holds it."""
    least, most = layer.worst_case(*inputs)
    bits = max(-least - 1, most).bit_length() + 1
    return replace(layer, span=(-(1 << (bits - 1)), (1 << (bits - 1)) - 1))


def with_checked_span(
    layer: ref.PrivateAffine, inputs: list[ref.Tensor], shift: int, lo: int | None, hi: int | None
) -> ref.PrivateAffine:
    """The span that the requantisation which reads the layer holds it to, so that it needs no other check."""
    span = layer.worst_case(*inputs)
    for _ in range(SNAPS):
        least, most = (np.array([end], dtype=np.int64) for end in span)
        held = enforced(least, most, shift, lo, hi)
        if held is None:
            return layer
        if span[0] <= held[0] and held[1] <= span[1]:
            return replace(layer, span=span)
        span = min(span[0], held[0]), max(span[1], held[1])
        if max(-span[0], span[1]) >= ref.LIMIT // 2:
            return layer
    return layer


def requantised_weights(op: FloatAffine, layer: ref.PrivateAffine) -> ref.PrivateAffine:
    """Another model's numbers in the layer of an architecture.

    Raises:
        QuantisationError: a number beyond its limit, named with the layer.
    """
    given = [
        m.quantise(f).weight  # type: ignore[attr-defined]
        for m, f in zip(op.maps, layer.factors, strict=True)
        if f is not None
    ]
    bias = round_coefficients(biases(op), layer.bias_factor)
    if bias.size != layer.bias.size and layer.bias.size == op.bias.size:
        bias = round_coefficients(op.bias, layer.bias_factor)
    try:
        return layer.with_weights((*given, bias))
    except (QuantisationError, ValueError) as error:
        raise QuantisationError(f"layer {op.label!r} does not fit the architecture: {error}") from error


def architecture(graph: FloatGraph) -> str:
    """SHA-256 of a fused network without its trained numbers and without names.

    Networks with equal digests have circuits that differ in nothing but scales and limits.
    """
    numbers = {graph.input: 0}
    h = sha256(b"assay/architecture/v1")
    h.update(json.dumps([graph.input_shape]).encode())
    for op in graph.ops:
        numbers[op.output] = len(numbers)
        h.update(json.dumps([type(op).__name__, [numbers[name] for name in op.inputs]]).encode())
        private = isinstance(op, FloatAffine) and is_private(op)
        shown = private_form(op) if isinstance(op, FloatAffine) and private else op
        for entry in fields(shown):  # type: ignore[arg-type]
            if entry.name in ("inputs", "input", "output", "label", "a", "b"):
                continue
            value = getattr(shown, entry.name)
            if entry.name == "maps":
                for linear in value:
                    _digest_map(h, linear)
            elif entry.name == "bias" and private:
                h.update(b"bias")
            else:
                _digest(h, entry.name, value)
    h.update(json.dumps([numbers[graph.output]]).encode())
    return h.hexdigest()


def _digest_map(h: Hash, linear: FloatMap) -> None:
    h.update(type(linear).__name__.encode())
    hidden = has_weights(linear)
    for entry in fields(linear):  # type: ignore[arg-type]
        value = getattr(linear, entry.name)
        if entry.name == "weight" and hidden:
            _digest(h, "weight", list(value.shape))
        elif isinstance(linear, FloatSparse):
            m = linear.matrix
            for part in (m.data, m.indices, m.indptr):
                _digest(h, entry.name, part)
        else:
            _digest(h, entry.name, value)


def _digest(h: Hash, name: str, value: object) -> None:
    h.update(name.encode())
    if isinstance(value, np.ndarray):
        h.update(json.dumps([str(value.dtype), list(value.shape)]).encode())
        h.update(np.ascontiguousarray(value).tobytes())
    else:
        h.update(json.dumps(value).encode())
