"""How much work running a network is, counted in multiplications."""

from __future__ import annotations

from math import prod

from assay_prover.graph.graph import FloatAffine, FloatGraph, FloatMatMul
from assay_prover.graph.maps import FloatConv

ELEMENT_WORK = 64
"""Multiplications in whose time a tensor's element is moved, rounded and clipped."""


def sample_work(graph: FloatGraph) -> int:
    """What running one sample takes, in multiplications at the speed of large matrices."""
    return multiplications(graph) + ELEMENT_WORK * sum(prod(shape) for shape in graph.shapes.values())


def multiplications(graph: FloatGraph) -> int:
    """Multiply-accumulates of one sample, those by constants included."""
    shapes = graph.shapes
    total = 0
    for op in graph.ops:
        if isinstance(op, FloatAffine):
            for linear in op.maps:
                size = linear.coefficients.size
                if isinstance(linear, FloatConv):
                    size *= prod(op.shape) // linear.weight.shape[0]
                total += size
        elif isinstance(op, FloatMatMul):
            total += prod(op.shape) * shapes[op.a][-1]
    return total
