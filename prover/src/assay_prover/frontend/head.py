"""Softmax, dropped at the end (it changes no order), computed within; ArgMax and the first of TopK."""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Context, Node, Step
from assay_prover.frontend.graph import FloatArgMax
from assay_prover.frontend.registry import lowers


@lowers("Softmax", "LogSoftmax")
def softmax(context: Context, node: Node) -> None:
    """At the end the proven output is the logits, whose order is the same; elsewhere exp and reciprocal
    tables.

    softmax(x) = e / sum(e) with e = exp(x - max x), the maximum being one of the x.
    """
    if any(follower != "ArgMax" for follower in context.followers(node)):
        _within(context, node)
        return
    context.note(
        f"{node.operator} {node.name!r} at the end was dropped: "
        "the output is its input (logits), in the same order"
    )
    context.drop(node)


def _within(context: Context, node: Node) -> None:
    shape = context.shape(node.inputs[0])
    if node.opset < 13:
        raise node.unsupported("before opset 13 only at the end of a network")
    axes = {"axes": [node.int("axis", -1) % len(shape)], "keepdims": 1}
    summed = {"keepdims": 1}
    steps: list[Step] = [
        ("ReduceMax", [node.inputs[0]], ".max", axes),
        ("Sub", [node.inputs[0], ".max"], ".below", {}),
        ("Exp", [".below"], ".exp", {}),
        ("ReduceSum", [".exp", ".axes"], ".sum", summed),
    ]
    if node.operator == "Softmax":
        steps += [
            ("Reciprocal", [".sum"], ".part", {}),
            ("Expand", [".part", ".shape"], ".parts", {}),
            ("Mul", [".exp", ".parts"], node.outputs[0], {}),
        ]
    else:
        steps += [("Log", [".sum"], ".log", {}), ("Sub", [".below", ".log"], node.outputs[0], {})]
    constants = {
        ".axes": np.array(axes["axes"], dtype=np.int64),
        ".shape": np.array(shape, dtype=np.int64),
    }
    context.expand(node, steps, constants)


@lowers("ArgMin")
def argmin(context: Context, node: Node) -> None:
    """ArgMax of -x."""
    steps: list[Step] = [
        ("Neg", [node.inputs[0]], ".negated", {}),
        ("ArgMax", [".negated"], node.outputs[0], node.attributes),
    ]
    context.expand(node, steps)


@lowers("ArgMax")
def argmax(context: Context, node: Node) -> None:
    """Ties go to the lowest position; at the end it is the network's label."""
    places = context.places(node, 0)
    axis = node.int("axis", 0) % places.ndim
    if node.int("select_last_index", 0):
        keep = {"axis": axis, "keepdims": node.int("keepdims", 1)}
        steps: list[Step] = [
            ("Gather", [node.inputs[0], ".turned"], ".x", {"axis": axis}),
            ("ArgMax", [".x"], ".first", keep),
            ("Sub", [".end", ".first"], node.outputs[0], {}),
        ]
        last = places.shape[axis] - 1
        turned = np.arange(last, -1, -1, dtype=np.int64)
        context.expand(node, steps, {".turned": turned, ".end": np.array(float(last))})
        return
    index = np.moveaxis(places, axis, -1)
    shape = index.shape[:-1]
    if node.int("keepdims", 1):
        shape = tuple(1 if a == axis else n for a, n in enumerate(places.shape))
    flat = np.ascontiguousarray(index.reshape(-1, places.shape[axis]))
    source = context.variable(node, 0)
    context.emit(node, FloatArgMax(source, node.outputs[0], shape, flat, node.name))


@lowers("TopK")
def top_k(context: Context, node: Node) -> None:
    """The greatest (or least) and its position, k = 1."""
    k = context.integers(node, 1, "k") or (1,)
    if k != (1,):
        raise node.unsupported("k other than 1")
    rank = len(context.shape(node.inputs[0]))
    axis = node.int("axis", -1) % rank
    largest = bool(node.int("largest", 1))
    values, positions = (*node.outputs, "")[:2]
    if values:
        operator = "ReduceMax" if largest else "ReduceMin"
        attributes = {"axes": [axis], "keepdims": 1}
        context.expand(node.writing(values), [(operator, [node.inputs[0]], values, attributes)])
    if positions:
        operator = "ArgMax" if largest else "ArgMin"
        attributes = {"axis": axis, "keepdims": 1}
        context.expand(node.writing(positions), [(operator, [node.inputs[0]], positions, attributes)])
