"""Fuse: linear operations that follow each other become one, and what nothing reads is dropped.

Fewer roundings and narrower integers: a convolution, its batch normalisation and a residual addition end as
one affine operation with one requantisation. Composition happens over the reals, before any rounding, so it
changes no answer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from assay_prover.graph.graph import FloatAffine, FloatClip, FloatGraph, FloatOp
from assay_prover.graph.maps import compose
from assay_prover.passes.recognise import recognise
from assay_prover.passes.thresholds import compare_inputs


def fuse(graph: FloatGraph) -> FloatGraph:
    """Apply every fusion until none is left; the result computes the same function."""
    return _join(compare_inputs(_join(recognise(_join(graph)))))


def _join(graph: FloatGraph) -> FloatGraph:
    """One walk in execution order. Fusing never makes a tensor have fewer readers than its producer left it,
    so that no operation before becomes fit to be fused again."""
    ops = _live(list(graph.ops), graph.output)
    producers = {op.output: op for op in ops}
    readers = _count_readers(ops, graph.output)
    for op in ops:
        current = op
        while (fused := _absorb(current, producers, readers)) is not None:
            for name in fused.inputs:
                readers[name] += 1
            _release(current, producers, readers)
            producers[current.output] = current = fused
    return replace(graph, ops=tuple(_live([producers[op.output] for op in ops], graph.output)))


def _release(op: FloatOp, producers: dict[str, FloatOp], readers: dict[str, int]) -> None:
    """The operation reads its inputs no more; neither do those whose result nobody reads."""
    waiting = [op]
    while waiting:
        for name in waiting.pop().inputs:
            readers[name] -= 1
            if readers[name] == 0 and name in producers:
                waiting.append(producers[name])


def _count_readers(ops: list[FloatOp], output: str) -> dict[str, int]:
    readers = {output: 1}
    for op in ops:
        for name in op.inputs:
            readers[name] = readers.get(name, 0) + 1
    return readers


def _live(ops: list[FloatOp], output: str) -> list[FloatOp]:
    """Operations that the output depends on, in order."""
    needed = {output}
    kept: list[FloatOp] = []
    for op in reversed(ops):
        if op.output in needed:
            needed.update(op.inputs)
            kept.append(op)
    return kept[::-1]


def _absorb(op: FloatOp, producers: dict[str, FloatOp], readers: dict[str, int]) -> FloatOp | None:
    if isinstance(op, FloatAffine):
        for position, name in enumerate(op.inputs):
            producer = producers.get(name)
            if isinstance(producer, FloatAffine) and (readers[name] == 1 or producer.only_moves):
                fused = _substitute(op, position, producer)
                if fused is not None:
                    return fused
    if isinstance(op, FloatClip):
        producer = producers.get(op.input)
        if isinstance(producer, FloatClip) and readers[op.input] == 1:
            return _join_clips(producer, op)
    return None


def _substitute(op: FloatAffine, position: int, producer: FloatAffine) -> FloatAffine | None:
    """op with its input replaced by the producer's own inputs, or None if a composed map would be larger."""
    outer = op.maps[position]
    maps = [compose(outer, inner) for inner in producer.maps]
    found = [m for m in maps if m is not None]
    if len(found) != len(maps):
        return None
    return replace(
        op,
        inputs=(*op.inputs[:position], *producer.inputs, *op.inputs[position + 1 :]),
        maps=(*op.maps[:position], *found, *op.maps[position + 1 :]),
        bias=op.bias + outer.apply(producer.bias[None])[0],
        label=op.label if producer.only_moves else producer.label,
    )


def _join_clips(first: FloatClip, second: FloatClip) -> FloatClip:
    """clip(clip(x)) as one: clipping the first's ends by the second."""

    def through(value: float | None, fallback: float | None) -> float | None:
        if value is None:
            return fallback
        return float(np.clip(value, second.lo, second.hi))

    return replace(
        second, input=first.input, lo=through(first.lo, second.lo), hi=through(first.hi, second.hi)
    )
