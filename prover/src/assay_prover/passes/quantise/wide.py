"""Functions of positive numbers over several orders of magnitude: exact roots, mantissas with an exponent.

A table has steps of one size, so that over a wide range it knows nothing of small arguments. Square roots
are computed exactly instead. For logarithms and powers x = m 2^e is taken apart by comparing it with every
power of two: log x = log m + e log 2 and x^p = m^p 2^(p e), where only m in [1, 2) meets a table, whose
entries are 2^-MANTISSA_BITS apart. What 2^e or e log 2 contributes is a combination of the comparisons' bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from assay_prover import reference as ref
from assay_prover.errors import QuantisationError
from assay_prover.graph.functions import apply
from assay_prover.graph.graph import FloatAffine, FloatFunction, FloatGraph
from assay_prover.passes.calibrate import TensorStatistics
from assay_prover.reference.division import SquareRoot

if TYPE_CHECKING:
    from assay_prover.passes.quantise.quantiser import Quantiser
    from assay_prover.reference.tensor import Int64Array

KINDS = ("Log", "Power", "Reciprocal", "Sqrt")

WIDE = 16.0
"""Arguments whose largest is so many times their smallest are wide."""

MANTISSA_BITS = 10
"""A mantissa's table has 2^MANTISSA_BITS entries: log x errs by 2^-11, x^p by |p| 2^-11 of itself."""

GUARD_BITS = 5
"""Bits beyond the resolution asked for in what an exponent contributes."""

LEAST_PART = 0.25
"""Arguments are held above this part of the least that was seen, or one step."""

MOST_BITS = 58

MOST_INPUT_BITS = 28

LEAST_BITS = 4
"""Bits of the least argument of a wide function."""

ROOT_ORDERS = 16
"""Binary orders below the largest argument that a root tells apart: its own are half as many."""


def is_wide(statistics: Mapping[str, TensorStatistics], op: FloatFunction) -> bool:
    """Whether the arguments seen go over several orders of magnitude, for a function that takes them so."""
    seen = statistics[op.input]
    if op.kind == "Sqrt":
        return seen.lo >= 0 and seen.hi > WIDE * max(seen.lo, 0.0)
    known = op.kind in ("Log", "Reciprocal") or (op.kind == "Power" and abs(op.parameters[0]) <= 2)
    return known and seen.lo > 0 and seen.hi > WIDE * seen.lo


def reads_exactly(q: Quantiser, name: str) -> bool:
    """Whether a product is next summed, without weights, into the argument of a wide function."""
    while True:
        readers = q.consumers[name]
        if len(readers) != 1 or name == q.graph.output:
            return False
        (reader,) = readers
        if isinstance(reader, FloatFunction):
            return is_wide(q.statistics, reader)
        if not isinstance(reader, FloatAffine) or any(m.common_coefficient() is None for m in reader.maps):
            return False
        name = reader.output


def reading_the_input(graph: FloatGraph) -> list[FloatFunction]:
    """Roots, logarithms and powers that read the input with nothing but sums without weights between."""
    exact = {graph.input}
    found = []
    for op in graph.ops:
        if isinstance(op, FloatAffine) and exact.issuperset(op.inputs):
            if all(m.common_coefficient() is not None for m in op.maps):
                exact.add(op.output)
        elif isinstance(op, FloatFunction) and op.input in exact and op.kind in KINDS:
            found.append(op)
    return found


def input_bits(graph: FloatGraph, statistics: Mapping[str, TensorStatistics]) -> int:
    """Bits that an input needs which a wide function reads; 0 without one."""
    found = 0
    for op in reading_the_input(graph):
        if is_wide(statistics, op):
            seen = statistics[op.input]
            orders = np.log2(
                seen.hi / max(seen.lo, seen.hi * 2.0**-ROOT_ORDERS if op.kind == "Sqrt" else 0.0)
            )
            found = max(found, min(MOST_INPUT_BITS, int(np.ceil(orders)) + LEAST_BITS))
    return found


def wide_function(q: Quantiser, op: FloatFunction) -> None:
    """The function's rule where its arguments are wide; an accumulator is read as it is.

    Raises:
        QuantisationError: the arguments go over more orders of magnitude than 58 bits hold.
    """
    source = q.waiting(op.input)
    if op.kind == "Sqrt":
        _square_root(q, op, source)
    else:
        _by_mantissa(q, op, source)


def _square_root(q: Quantiser, op: FloatFunction, source: str) -> None:
    source = _held(q, op, source, 0)
    tensor, scale = q.tensors[source], q.scales[source]
    resolution = q.resolution(op.output)
    reach = q.statistics[op.output].reach or 1.0
    wanted = np.log2(np.sqrt(scale) * ((1 << resolution) - 1) / reach)
    room = (MOST_BITS - tensor.max.bit_length()) // 2
    shift = int(min(max(0, np.ceil(wanted)), max(0, room)))
    q.append(op, SquareRoot(source, op.output, shift), float(np.sqrt(scale)) / (1 << shift))
    q.coarsen(op.output)


def _held(q: Quantiser, op: FloatFunction, source: str, least: int) -> str:
    """The argument, at least `least`."""
    if q.tensors[source].min >= least:
        return source
    held = q.requantise(source, q.part(op.output, "argument"), 0, least, None)
    q.define(held, q.scales[source], op.label)
    if least > 0:
        q.limited(
            op, op.kind, held, held.lo, None, lambda x: float(apply(op.kind, op.parameters, np.array(x)))
        )
    return held.output


def _by_mantissa(q: Quantiser, op: FloatFunction, source: str) -> None:
    seen = q.statistics[op.input]
    finest, most = q.scales[source], q.tensors[source].max
    fitting = (s for s in range(62) if _bits_needed(seen.lo / finest / 2.0**s, most >> s) <= MOST_BITS)
    shift = next(fitting, None)
    if shift is None or seen.lo < 2.0**shift * finest:
        raise QuantisationError(
            f"the arguments of {op.kind} in layer {op.label!r} go from {seen.lo:g} on the samples to "
            f"{most * finest:g} in the worst case: more than 58 bits hold; declare a smaller range"
        )
    if shift:
        coarser = q.requantise(source, q.part(op.output, "coarser"), shift, None, None)
        q.define(coarser, finest * (1 << shift), op.label)
        source = coarser.output
    least = max(1, int(LEAST_PART * seen.lo / q.scales[source]))
    source = _held(q, op, source, least)
    tensor, scale = q.tensors[source], q.scales[source]
    first, last = least.bit_length() - 1, tensor.max.bit_length() - 1
    powers = np.arange(first + 1, last + 1)
    bits = _exponent_bits(q, op, source, powers)
    mantissa = _mantissa(q, op, source, bits, powers, last)
    resolution = q.resolution(op.output)
    reach = q.statistics[op.output].reach or 1.0
    arguments = np.arange(1 << MANTISSA_BITS, (1 << (MANTISSA_BITS + 1)) + 1) / float(1 << MANTISSA_BITS)
    table = q.part(op.output, "of the mantissa")
    if op.kind == "Log":
        step = reach / ((1 << (resolution + GUARD_BITS)) - 1)
        entries = np.rint(np.log(arguments) / step).astype(np.int64)
        q.define(ref.Table(mantissa, table, 1 << MANTISSA_BITS, entries), step, op.label)
        exponent = np.full(powers.size, int(np.rint(np.log(2.0) / step)))
        bias = int(np.rint((first * np.log(2.0) + np.log(scale)) / step))
        size = tensor.size
        maps = (ref.Gather(np.arange(size, dtype=np.int64), size), _of_bits(size, exponent))
        sums = ref.Affine((table, bits), op.output, op.shape, maps, np.full(size, bias, dtype=np.int64))
        q.append(op, sums, step)
        q.coarsen(op.output)
        return
    exponent_of = -1.0 if op.kind == "Reciprocal" else op.parameters[0]
    unit = 1 << (MANTISSA_BITS + GUARD_BITS)
    entries = np.rint(arguments**exponent_of * unit).astype(np.int64)
    q.define(ref.Table(mantissa, table, 1 << MANTISSA_BITS, entries), 1.0 / unit, op.label)
    # 2^(p e) for every e, the least of them as fine as the result's resolution asks
    factors = 2.0 ** (exponent_of * np.arange(first, last + 1)) * scale**exponent_of
    fine = min(float(factors.min()), reach / ((1 << (resolution + GUARD_BITS)) - 1))
    step = max(fine, float(factors.max()) * 2.0 ** (MANTISSA_BITS + GUARD_BITS + 2 - MOST_BITS))
    whole = np.rint(factors / step).astype(np.int64)
    size = tensor.size
    power = q.part(op.output, "power of two")
    steps_up = _of_bits(size, np.diff(whole))
    scaled = ref.Affine((bits,), power, op.shape, (steps_up,), np.full(size, whole[0], dtype=np.int64))
    q.define(scaled, step, op.label)
    shaped = q.viewed(table, op.shape, q.part(op.output, "shaped"))
    q.append(op, ref.Multiply(shaped, power, op.output), step / unit)
    q.coarsen(op.output)


def _bits_needed(seen: float, most: int) -> int:
    """Bits of the largest argument times the power that normalises the least one."""
    first = max(1, int(LEAST_PART * seen)).bit_length() - 1
    return 2 * (most.bit_length() - 1) - first + 1


def _exponent_bits(q: Quantiser, op: FloatFunction, source: str, powers: Int64Array) -> str:
    """[x >= 2^i] for every power: the bits of each element after one another."""
    size = q.tensors[source].size
    margin, bits = q.part(op.output, "above"), q.part(op.output, "exponent")
    index = np.repeat(np.arange(size, dtype=np.int64), powers.size)
    bias = -np.tile(np.int64(1) << powers.astype(np.int64), size)
    repeated = ref.Affine((source,), margin, (index.size,), (ref.Gather(index, size),), bias)
    q.define(repeated, q.scales[source], op.label)
    q.define(ref.Step(margin, bits), 1.0, op.label)
    return bits


def _mantissa(q: Quantiser, op: FloatFunction, source: str, bits: str, powers: Int64Array, last: int) -> str:
    """x 2^-e in [1, 2), in steps of 2^-MANTISSA_BITS: x times 2^(last - e), shifted."""
    tensor = q.tensors[source]
    factor, product = q.part(op.output, "to the left"), q.part(op.output, "normalised")
    # 2^(last - e) halves with every power that x reaches
    falls = -(np.int64(1) << (last - powers).astype(np.int64))
    most = 1 << (last - int(powers[0]) + 1) if powers.size else 1
    shifted = ref.Affine(
        (bits,), factor, op.shape, (_of_bits(tensor.size, falls),), np.full(tensor.size, most, dtype=np.int64)
    )
    q.define(shifted, 1.0, op.label)
    shaped = q.viewed(source, op.shape, q.part(op.output, "argument shaped"))
    q.define(ref.Multiply(shaped, factor, product), q.scales[source], op.label)
    lo, hi = 1 << MANTISSA_BITS, 1 << (MANTISSA_BITS + 1)
    if last < MANTISSA_BITS:
        finer = q.part(op.output, "finer")
        times = np.full(tensor.size, 1 << (MANTISSA_BITS - last), dtype=np.int64)
        zeros = np.zeros(tensor.size, dtype=np.int64)
        q.define(
            ref.Affine((product,), finer, op.shape, (ref.Scale(times),), zeros), q.scales[source], op.label
        )
        product = finer
    rounded = q.requantise(product, q.part(op.output, "mantissa"), max(0, last - MANTISSA_BITS), lo, hi)
    q.define(rounded, 2.0**-MANTISSA_BITS, op.label)
    return rounded.output


def _of_bits(size: int, coefficients: Int64Array) -> ref.LinearMap:
    """For each element the sum of its exponent's bits, each with its coefficient."""
    count = coefficients.size
    data = np.tile(np.asarray(coefficients, dtype=np.int64), size)
    pointers = np.arange(0, size * count + 1, count) if count else np.zeros(size + 1, dtype=np.int64)
    return ref.Sparse(sp.csr_array((data, np.arange(size * count), pointers), shape=(size, size * count)))
