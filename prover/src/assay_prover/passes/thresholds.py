"""Thresholds: compare the input itself where a network compares a scaled or shifted input.

Exporters write x > t as x - t > 0, and pipelines scale their features before a tree asks about them. Compared
with (t - b) / a instead, the input's own integer decides: the threshold is rounded as the input is, and
nothing else is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from assay_prover.graph.exact_ops import FloatCompare
from assay_prover.graph.graph import FloatAffine, FloatGraph, FloatOp
from assay_prover.graph.maps import Float64Array, FloatGather, FloatScale, Int64Array


def compare_inputs(graph: FloatGraph) -> FloatGraph:
    """The same network; affine operations that only comparisons read lose their readers."""
    producers = {op.output: op for op in graph.ops}
    taken = set(graph.shapes)
    ops: list[FloatOp] = []
    for op in graph.ops:
        found = _moved(op, producers, graph.input, taken) if isinstance(op, FloatCompare) else None
        ops += found or [op]
    return replace(graph, ops=tuple(ops))


def _moved(
    op: FloatCompare, producers: dict[str, FloatOp], source: str, taken: set[str]
) -> list[FloatOp] | None:
    """The comparison of the input that decides the same, or None."""
    producer = producers.get(op.input)
    if not isinstance(producer, FloatAffine) or producer.only_moves or producer.inputs != (source,):
        return None
    read = _one_each(producer)
    if read is None:
        return None
    index, factor = read
    if (factor == 0).any():
        return None
    threshold = (op.threshold - producer.bias) / factor
    asked = _apart(f"{op.output}/asked", taken)
    size = producer.maps[0].n_in
    gather = FloatAffine(
        (source,), asked, op.shape, (FloatGather(index, size),), np.zeros(index.size), op.label
    )
    falling = factor < 0
    if not falling.any():
        return [gather, replace(op, input=asked, threshold=threshold)]
    # a x + b > t is x < u where a < 0, which is 1 - [x >= u]
    bits = _apart(f"{op.output}/bits", taken)
    compared = replace(
        op, input=asked, output=bits, threshold=threshold, strict=np.where(falling, ~op.strict, op.strict)
    )
    flipped = FloatAffine(
        (bits,),
        op.output,
        op.shape,
        (FloatScale(np.where(falling, -1.0, 1.0)),),
        np.where(falling, 1.0, 0.0),
        op.label,
    )
    return [gather, compared, flipped]


def _one_each(op: FloatAffine) -> tuple[Int64Array, Float64Array] | None:
    """For each element the one input that it reads and its factor; None where one reads several or none."""
    (linear,) = op.maps
    if isinstance(linear, FloatScale):
        return np.arange(linear.n_in, dtype=np.int64), linear.factor
    matrix = linear.csr()
    if (np.diff(matrix.indptr) != 1).any():
        return None
    return matrix.indices.astype(np.int64), np.asarray(matrix.data, dtype=np.float64)


def _apart(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    taken.add(name)
    return name
