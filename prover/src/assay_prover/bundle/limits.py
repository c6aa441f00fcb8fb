"""Which limits an answer ran into, found by replaying the integers."""

from __future__ import annotations

from collections.abc import Sequence

from assay_prover.passes.quantise.limits import Limit
from assay_prover.reference import IntegerGraph, Requantise
from assay_prover.reference.tensor import Int64Array


def touched(graph: IntegerGraph, limits: Sequence[Limit], values: Int64Array) -> tuple[Limit, ...]:
    """The limits beyond which a value lay; `values` are the inputs, int64 `[n, *shape]`."""
    wanted = {limit.tensor: limit for limit in limits}
    tensors = graph.run(values)
    found = []
    for op in graph.ops:
        limit = wanted.get(op.output)
        if limit is None or not isinstance(op, Requantise):
            continue
        free = op.quotient(tensors[op.input])
        if (limit.lo is not None and bool((free < limit.lo).any())) or (
            limit.hi is not None and bool((free > limit.hi).any())
        ):
            found.append(limit)
    return tuple(found)
