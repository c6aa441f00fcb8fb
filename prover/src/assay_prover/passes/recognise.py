"""Recognise: what exporters wrote out in simple operators, as the one operation that it is.

Older operator sets have no Gelu, no LayerNormalization and no Swish; their files compute them from Erf, Sqrt
and products. One table is cheaper than a table, a product and the roundings between, and an exact square root
and division are more accurate than a table of roots. Both are recognised by what they compute, whatever the
order of the operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np
import scipy.sparse as sp

from assay_prover.graph import functions
from assay_prover.graph.exact_ops import LARGEST_MATRIX, FloatDivide, FloatNormalise
from assay_prover.graph.graph import FloatAffine, FloatClip, FloatFunction, FloatGraph, FloatMultiply, FloatOp
from assay_prover.graph.maps import Float64Array, FloatGather, FloatScale, FloatSparse, Int64Array

Producers = Mapping[str, FloatOp]

PROBES = np.concatenate([np.linspace(-9.0, 9.0, 145), [-60.0, 60.0]])
"""Where functions are compared."""

SAME = 1e-6
"""Largest difference, relative to 1 + |x|, of functions that are the same: files hold float32 constants."""

KNOWN = ("Gelu", "GeluTanh", "HardSwish", "Mish", "Softplus")

LEAST_SWISH = 0.72
"""x sigmoid(a x) at 1, for the least a that is flat enough at the left end of its table."""

DEEPEST = 16
"""Operations that a function may be written in."""

TINY = 1e-6
"""A norm raised to at most this is raised only where it is zero to any integer."""


def recognise(graph: FloatGraph) -> FloatGraph:
    """The same network with written-out functions and norms replaced; their parts may lose all readers."""
    producers = {op.output: op for op in graph.ops}
    taken = set(graph.shapes)
    ops: list[FloatOp] = []
    for op in graph.ops:
        found: list[FloatOp] = []
        if _is_elementwise(op):
            found = _function(op, producers, taken)
        if not found and isinstance(op, FloatMultiply | FloatDivide):
            found = _norm(op, producers, taken)
        if not found and isinstance(op, FloatAffine):
            found = _centred(op, producers)
        ops += found or [op]
    return replace(graph, ops=tuple(ops))


def _apart(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    taken.add(name)
    return name


def _scaled(op: FloatOp, factor: float, taken: set[str]) -> tuple[str, list[FloatOp]]:
    """A name for what is to be multiplied by a factor into the operation's output, and that product."""
    if abs(factor - 1) <= SAME:
        return op.output, []
    unit = _apart(f"{op.output}/unit", taken)
    size = prod(op.shape)
    scale = FloatScale(np.full(size, factor))
    return unit, [FloatAffine((unit,), op.output, op.shape, (scale,), np.zeros(size), op.label)]


# -- functions of one number


def _function(op: FloatOp, producers: Producers, taken: set[str]) -> list[FloatOp]:
    """A table for an operation that computes a multiple of a known function in several steps."""
    for source in _sources(op, producers):
        values = _values(op.output, source, producers, {}, DEEPEST)
        if (
            values is None
            or not np.isfinite(values).all()
            or (isinstance(op, FloatFunction) and source == op.input)
        ):
            continue
        for sign in (1.0, -1.0):
            if (np.abs(values - functions.apply("Sigmoid", (), sign * PROBES)) <= SAME).all():
                argument, turned = _turned(op, source, sign, taken)
                return [*turned, FloatFunction(argument, op.output, op.shape, "Sigmoid", (), op.label)]
        if values[-1] == 0:
            continue
        # all other functions that are known tend to x
        factor = float(values[-1] / PROBES[-1])
        named = _name(values / factor)
        if named is not None:
            kind, parameters = named
            output, after = _scaled(op, factor, taken)
            return [FloatFunction(source, output, op.shape, kind, parameters, op.label), *after]
    return []


def _turned(op: FloatOp, source: str, sign: float, taken: set[str]) -> tuple[str, list[FloatOp]]:
    """The tensor itself or its negative."""
    if sign > 0:
        return source, []
    name = _apart(f"{op.output}/negated", taken)
    negative = FloatScale(np.full(prod(op.shape), sign))
    return name, [FloatAffine((source,), name, op.shape, (negative,), np.zeros(prod(op.shape)), op.label)]


def _sources(op: FloatOp, producers: Producers) -> list[str]:
    """Tensors that the operation is computed from element by element, the nearest last."""
    found: list[str] = []
    waiting, seen = [(name, 1) for name in dict.fromkeys(op.inputs)], set(op.inputs)
    while waiting:
        name, depth = waiting.pop(0)
        producer = producers.get(name)
        found.append(name)
        if producer is None or depth > DEEPEST or not _is_elementwise(producer):
            continue
        for before in producer.inputs:
            if before not in seen:
                seen.add(before)
                waiting.append((before, depth + 1))
    return found[::-1]


def _is_elementwise(op: FloatOp) -> bool:
    match op:
        case FloatFunction() | FloatClip() | FloatMultiply():
            return True
        case FloatAffine():
            return all(_factor(linear) is not None for linear in op.maps) and bool(
                (op.bias == op.bias[0]).all()
            )
        case _:
            return False


def _factor(linear: object) -> float | None:
    """c of the map c x."""
    if isinstance(linear, FloatGather) and linear.is_identity:
        return 1.0
    if isinstance(linear, FloatScale) and linear.factor.size and (linear.factor == linear.factor[0]).all():
        return float(linear.factor[0])
    return None


def _values(
    name: str, source: str, producers: Producers, known: dict[str, Float64Array | None], depth: int
) -> Float64Array | None:
    """What a tensor is where `source` is PROBES; None if it depends on anything else."""
    if name == source:
        return PROBES
    if name not in known:
        known[name] = None
        op = producers.get(name)
        if op is not None and depth and _is_elementwise(op):
            parts = [_values(part, source, producers, known, depth - 1) for part in op.inputs]
            inputs = [part for part in parts if part is not None]
            if len(inputs) == len(parts):
                known[name] = _apply(op, inputs)
    return known[name]


def _apply(op: FloatOp, inputs: list[Float64Array]) -> Float64Array:
    with np.errstate(all="ignore"):
        match op:
            case FloatAffine():
                factors = [_factor(linear) or 0.0 for linear in op.maps]
                total = float(op.bias[0]) + sum(c * x for c, x in zip(factors, inputs, strict=True))
                return np.asarray(total)
            case FloatMultiply():
                return inputs[0] * inputs[1]
            case FloatClip():
                return _clipped(op, inputs[0])
            case FloatFunction():
                return functions.apply(op.kind, op.parameters, inputs[0])
            case _:
                raise TypeError(type(op).__name__)


def _clipped(op: FloatClip, values: Float64Array) -> Float64Array:
    """Not a number anywhere if an end lies beyond all values: what it does there would not be compared."""
    unseen = (op.hi is not None and values.max() < op.hi) or (op.lo is not None and values.min() > op.lo)
    return np.full_like(values, np.nan) if unseen else np.clip(values, op.lo, op.hi)


def _name(values: Float64Array) -> tuple[str, tuple[float, ...]] | None:
    """A known function with these values at PROBES."""
    candidates: list[tuple[str, tuple[float, ...]]] = [(kind, ()) for kind in KNOWN]
    one = float(values[PROBES == 1.0][0])
    if LEAST_SWISH < one < 1:
        candidates.append(("Swish", (float(np.round(np.log(one / (1 - one)), 6)),)))
    for kind, parameters in candidates:
        exact = functions.apply(kind, parameters, PROBES)
        if (np.abs(values - exact) <= SAME * (1 + np.abs(PROBES))).all():
            return kind, parameters
    return None


# -- norms


def _centred(op: FloatAffine, producers: Producers) -> list[FloatOp]:
    """x less the mean of each element's group, as one matrix: rounded once, not twice."""
    if len(op.inputs) != 2:
        return []
    for own, other in ((0, 1), (1, 0)):
        mean = producers.get(op.inputs[other])
        if not (
            op.maps[own].is_identity
            and isinstance(mean, FloatAffine)
            and len(mean.maps) == 1
            and not mean.bias.any()
            and _viewed(mean.inputs[0], producers) == _viewed(op.inputs[own], producers)
        ):
            continue
        sums = sp.csr_array(mean.maps[0].csr())
        members, spread = np.diff(sums.indptr), sp.csr_array(op.maps[other].csr())
        if not members.size or (members != members[0]).any() or members[0] > LARGEST_MATRIX:
            continue
        if spread.nnz != spread.shape[0] or sums.nnz != sums.shape[1] or (spread.data != -1).any():
            continue
        if not np.allclose(sums.data, 1 / members[0], rtol=SAME):
            continue
        matrix = sp.csr_array(sp.eye_array(sums.shape[1], format="csr") + spread @ sums)
        centre = FloatSparse(matrix, structural=True)
        return [FloatAffine((op.inputs[own],), op.output, op.shape, (centre,), op.bias, op.label)]
    return []


def _norm(op: FloatMultiply | FloatDivide, producers: Producers, taken: set[str]) -> list[FloatOp]:
    """x / sqrt(w sum x^2 + e) over groups, as a division by a root or a product with its reciprocal."""
    pairs = [(op.a, op.b)] if isinstance(op, FloatDivide) else [(op.a, op.b), (op.b, op.a)]
    for x, divisor in pairs:
        found = _root(x, divisor, producers, inverse=isinstance(op, FloatMultiply))
        if found is None:
            continue
        index, weight, epsilon = found
        output, after = _scaled(op, weight**-0.5, taken)
        return [FloatNormalise(x, output, op.shape, index, epsilon / weight, op.label), *after]
    return []


def _viewed(name: str, producers: Producers) -> str:
    """The tensor whose elements these are under another shape."""
    op = producers.get(name)
    while isinstance(op, FloatAffine) and len(op.maps) == 1 and op.maps[0].is_identity and not op.bias.any():
        name = op.inputs[0]
        op = producers.get(name)
    return name


def _root(
    x: str, divisor: str, producers: Producers, *, inverse: bool
) -> tuple[Int64Array, float, float] | None:
    """(groups, w, e) if a tensor is sqrt(w sum x^2 + e) of each element's group, or its reciprocal."""
    spread = producers.get(divisor)
    if not (isinstance(spread, FloatAffine) and len(spread.maps) == 1 and not spread.bias.any()):
        return None
    (gather,) = spread.maps
    if not isinstance(gather, FloatGather) or (gather.index < 0).any():
        return None
    op = producers.get(spread.inputs[0])
    if inverse:
        if isinstance(op, FloatFunction) and op.kind == "Power" and op.parameters == (-0.5,):
            op = replace(op, kind="Sqrt", parameters=())
        elif isinstance(op, FloatFunction) and op.kind == "Reciprocal":
            op = producers.get(op.input)
        else:
            return None
    if isinstance(op, FloatClip) and op.hi is None and op.lo is not None and op.lo <= TINY:
        op = producers.get(op.input)
    is_root = isinstance(op, FloatFunction) and (op.kind, op.parameters) in (("Sqrt", ()), ("Power", (0.5,)))
    power = producers.get(op.inputs[0]) if op is not None and is_root else None
    if not isinstance(power, FloatAffine) or len(power.maps) != 1 or not (power.bias == power.bias[0]).all():
        return None
    squares = producers.get(power.inputs[0])
    weight, epsilon = power.maps[0].common_coefficient(), float(power.bias[0])
    if not isinstance(squares, FloatMultiply) or weight is None:
        return None
    if len({_viewed(name, producers) for name in (x, squares.a, squares.b)}) > 1:
        return None
    sums = sp.csr_array(power.maps[0].csr())
    counts = np.diff(sums.indptr)
    if epsilon < 0 or sums.nnz != gather.n_out or (counts != counts[0]).any() or (sums.data < 0).any():
        return None
    index = sums.indices.astype(np.int64).reshape(sums.shape[0], -1)
    own = np.empty(gather.n_out, dtype=np.int64)
    own[index] = np.arange(len(index))[:, None]
    if not (np.sort(index, axis=None) == np.arange(index.size)).all() or (own != gather.index).any():
        return None
    return index, weight, epsilon
