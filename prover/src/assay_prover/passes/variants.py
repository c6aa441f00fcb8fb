"""Networks that differ from a given one in one way, to price what another design would cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from assay_prover.graph.graph import (
    FloatAffine,
    FloatClip,
    FloatFunction,
    FloatGraph,
    FloatOp,
    FloatReduceMax,
)
from assay_prover.graph.maps import FloatSparse

SMOOTH = frozenset(
    {
        "Celu",
        "Elu",
        "Gelu",
        "GeluTanh",
        "HardSwish",
        "Mish",
        "Selu",
        "Sigmoid",
        "Softplus",
        "Softsign",
        "Swish",
        "Tanh",
    }
)
"""Functions that stand between layers, where a ReLU could."""


def with_average_pools(graph: FloatGraph) -> FloatGraph | None:
    """Means in place of max pools; None if there are none (the maximum inside a softmax is no pool)."""
    shapes = graph.shapes
    ops: list[FloatOp] = []
    for op in graph.ops:
        if isinstance(op, FloatReduceMax) and not op.output.endswith("/max"):
            rows, taps = op.index.shape
            entries = (
                np.full(op.index.size, 1.0 / taps),
                (np.repeat(np.arange(rows), taps), op.index.ravel()),
            )
            width = int(np.prod(shapes[op.input]))
            mean = FloatSparse(sp.csr_array(sp.coo_array(entries, shape=(rows, width))))
            ops.append(FloatAffine((op.input,), op.output, op.shape, (mean,), np.zeros(rows), op.label))
        else:
            ops.append(op)
    return _changed(graph, ops)


def with_relus(graph: FloatGraph) -> FloatGraph | None:
    """ReLU in place of every smooth activation; None if there are none."""
    ops = [
        FloatClip(op.input, op.output, op.shape, 0.0, None, op.label)
        if isinstance(op, FloatFunction) and op.kind in SMOOTH
        else op
        for op in graph.ops
    ]
    return _changed(graph, ops)


def _changed(graph: FloatGraph, ops: list[FloatOp]) -> FloatGraph | None:
    if all(before is after for before, after in zip(graph.ops, ops, strict=True)):
        return None
    return replace(graph, ops=tuple(ops))
