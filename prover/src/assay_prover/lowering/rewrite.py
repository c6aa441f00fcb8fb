"""Rewrites of the integer graph that keep every integer of its output and change what the circuit costs."""

from __future__ import annotations

from collections import Counter

from assay_prover.reference import IntegerGraph, Op, ReduceMax, Requantise


def hoist_maxima(graph: IntegerGraph) -> IntegerGraph:
    """Take maxima before requantising instead of after: `max(f(x_i)) = f(max(x_i))` for a monotone f.

    A pooled layer then requantises one value a window instead of all of them, at the price of comparing
    wider integers. Only a requantisation that nothing else reads is moved. Returns the graph itself when
    there is none.
    """
    ops: list[Op] = list(graph.ops)
    changed = False
    while True:
        readers = Counter(name for op in ops for name in op.inputs)
        readers.update(graph.outputs)
        producer = {op.output: op for op in ops}
        found = next(
            (
                (op, source)
                for op in ops
                if isinstance(op, ReduceMax)
                and isinstance(source := producer.get(op.input), Requantise)
                and readers[source.output] == 1
            ),
            None,
        )
        if found is None:
            return IntegerGraph(graph.inputs, ops, graph.outputs) if changed else graph
        pool, source = found
        before = f"{pool.output}/max"
        while before in graph.tensors or before in producer:
            before += "'"
        swapped: list[Op] = [
            ReduceMax(source.input, before, pool.shape, pool.index),
            Requantise(before, pool.output, source.shift, source.lo, source.hi),
        ]
        position = ops.index(pool)
        ops[position : position + 1] = swapped
        ops.remove(source)
        changed = True
