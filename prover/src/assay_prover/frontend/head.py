"""What networks end with: Softmax is dropped (it changes no order), ArgMax becomes a proven label."""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Context, Node
from assay_prover.frontend.graph import FloatArgMax
from assay_prover.frontend.registry import lowers


@lowers("Softmax", "LogSoftmax")
def softmax(context: Context, node: Node) -> None:
    """At the end only: the proven output is the logits, whose order is the same."""
    if any(follower != "ArgMax" for follower in context.followers(node)):
        raise node.unsupported("only at the end of a network, where it is dropped")
    context.note(
        f"{node.operator} {node.name!r} at the end was dropped: "
        "the output is its input (logits), in the same order"
    )
    context.drop(node)


@lowers("ArgMax")
def argmax(context: Context, node: Node) -> None:
    """At the end only; ties go to the lowest position."""
    if context.followers(node):
        raise node.unsupported("only at the end of a network")
    if node.int("select_last_index", 0):
        raise node.unsupported("select_last_index")
    places = context.places(node, 0)
    axis = node.int("axis", 0) % places.ndim
    index = np.moveaxis(places, axis, -1)
    shape = index.shape[:-1]
    if node.int("keepdims", 1):
        shape = tuple(1 if a == axis else n for a, n in enumerate(places.shape))
    flat = np.ascontiguousarray(index.reshape(-1, places.shape[axis]))
    source = context.variable(node, 0)
    context.emit(node, FloatArgMax(source, node.outputs[0], shape, flat, node.name))
