"""Which range checks hold a result that is wires of its own: those of whatever reads it, made exact.

The results of a layer with private weights, and of a checked matrix product, are wires that the prover
fills in. Both gadgets need them in an interval. Where a requantisation reads them, its range checks say
already that what it reads is an integer of an interval (`gadgets.requantise.enforced`), so that no checks
of their own are needed. A softmax, which subtracts a maximum before it requantises, holds differences
alone: its scores are checked on their own, which takes fewer constraints than to make its checks exact.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay_prover.gadgets.requantise import enforced
from assay_prover.reference import Affine, Gather, IntegerGraph, MatMul, Requantise, Scale

if TYPE_CHECKING:
    from assay_prover.reference import LinearMap


@dataclass(frozen=True)
class Holder:
    """A requantisation whose range checks, made exact, hold what it reads to an interval."""

    reader: Requantise
    held: tuple[int, int]


def find_holders(graph: IntegerGraph) -> dict[str, Holder]:
    """The holders of private layers' and matrix products' results, by tensor: the first reader of each.

    A private layer's reader must hold it to its span, since the layer's packing is made for it. A matrix
    product's packing is made for whatever interval its reader gives; its elements may be rearranged in
    between.
    """
    spans = {op.output: op.span for op in graph.private}
    product_of = {op.output: op.output for op in graph.ops if isinstance(op, MatMul)}
    found: dict[str, Holder] = {}
    for op in graph.ops:
        if isinstance(op, Affine):
            moved = len(op.inputs) == 1 and op.inputs[0] in product_of and not op.bias.any()
            if moved and _moves_all(op.maps[0]):
                product_of[op.output] = product_of[op.inputs[0]]
        elif isinstance(op, Requantise) and (op.input in spans or op.input in product_of):
            tensor = graph.tensors[op.input]
            held = enforced(tensor.lo.ravel(), tensor.hi.ravel(), op.shift, op.lo, op.hi)
            span = spans.get(op.input)
            if held is not None and (span is None or (span[0] <= held[0] and held[1] <= span[1])):
                found.setdefault(product_of.get(op.input, op.input), Holder(op, held))
    return found


def shared_factors(graph: IntegerGraph) -> set[str]:
    """Matrices that are the left factor of several products: those products are checked as one."""
    read = Counter(op.a for op in graph.ops if isinstance(op, MatMul))
    return {name for name, times in read.items() if times > 1 and len(graph.tensors[name].shape) == 2}


def _moves_all(linear: LinearMap) -> bool:
    """Whether every element of the source is an element of the result, as it is."""
    if isinstance(linear, Scale):
        return bool((linear.factor == 1).all())
    if isinstance(linear, Gather):
        return bool(np.unique(linear.index[linear.index >= 0]).size == linear.size)
    return False
