"""Activations that are exact on integers: Relu and Clip."""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Context, Step
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers
from assay_prover.graph.graph import FloatClip


@lowers("Relu")
def relu(context: Context, node: Node) -> None:
    """max(x, 0)."""
    _clip(context, node, 0.0, None)


@lowers("Clip")
def clip(context: Context, node: Node) -> None:
    """min(max(x, lo), hi); bounds as attributes before opset 11, as inputs since."""
    computed = [k for k in (1, 2) if context.has(node, k) and not context.is_constant(node, k)]
    if computed:
        x, y = node.inputs[0], node.outputs[0]
        steps: list[Step] = []
        for k, operator in ((1, "Max"), (2, "Min")):
            if context.has(node, k):
                steps.append((operator, [steps[-1][2] if steps else x, node.inputs[k]], f".bound{k}", {}))
        steps[-1] = (*steps[-1][:2], y, {})
        context.expand(node, steps)
        return
    bounds: list[float | None] = []
    for position, attribute in ((1, "min"), (2, "max")):
        if context.has(node, position):
            bounds.append(float(np.ravel(context.constant(node, position, attribute))[0]))
        else:
            bounds.append(float(node.attributes[attribute]) if attribute in node.attributes else None)
    lo, hi = bounds
    # opset 6 writes "no bound" as the largest float32
    limit = float(np.finfo(np.float32).max)
    lo = None if lo is not None and lo <= -limit else lo
    hi = None if hi is not None and hi >= limit else hi
    if (lo is not None and lo >= limit) or (hi is not None and hi <= -limit):
        raise node.unsupported(f"a bound that no number meets: min {lo}, max {hi}")
    if lo is not None and hi is not None and lo > hi:
        raise node.unsupported(f"the bounds are empty: min {lo} > max {hi}")
    if lo is None and hi is None:
        context.alias(node, 0, context.shape(node.inputs[0]))
    else:
        _clip(context, node, lo, hi)


def _clip(context: Context, node: Node, lo: float | None, hi: float | None) -> None:
    shape = context.shape(node.inputs[0])
    context.emit(node, FloatClip(context.variable(node, 0), node.outputs[0], shape, lo, hi, node.name))
