"""Which limits an answer ran into, found by replaying the integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay_prover.bundle.files import WEIGHTS
from assay_prover.errors import BundleError
from assay_prover.passes.quantise.limits import Limit
from assay_prover.reference import Requantise

if TYPE_CHECKING:
    from assay_prover.bundle.bundle import Bundle
    from assay_prover.reference.tensor import Int64Array


def touched(bundle: Bundle, ints: Int64Array) -> tuple[Limit, ...]:
    """See `Bundle.limits_touched`."""
    if not bundle.has_weights:
        raise BundleError(f"{bundle.path} has no {WEIGHTS}: only the model's owner has them")
    graph = bundle.graph
    wanted = {limit.tensor: limit for limit in bundle.manifest.limits}
    tensors = graph.run(bundle.check_integers(ints).reshape(1, *graph.input.shape))
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
