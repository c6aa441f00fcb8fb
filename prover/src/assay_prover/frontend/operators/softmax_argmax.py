"""Softmax, dropped at the end (it changes no order), computed within; ArgMax and the first of TopK."""

from __future__ import annotations

from math import prod

import numpy as np

from assay_prover.frontend.context import Array, Context, Step
from assay_prover.frontend.masks import softmax_steps
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers
from assay_prover.graph.graph import FloatArgMax, FloatReduceMax

LARGEST_SORT = 1 << 18
"""Comparisons of a TopK; each costs a few constraints."""


@lowers("Softmax", "LogSoftmax")
def softmax(context: Context, node: Node) -> None:
    """At the end the proven output is the logits, whose order is the same; elsewhere exp and reciprocal
    tables.

    softmax(x) = e / sum(e) with e = exp(x - max x), the maximum being one of the x.
    """
    masked = context.masks.get(node.inputs[0])
    followers = context.followers(node)
    ends = all(_asks_for_order(context, node, follower) for follower in followers)
    if masked is not None or not ends or not (followers or context.is_output(node.outputs[0])):
        _within(context, node)
        return
    context.note(
        f"{node.operator} {node.name!r} at the end was dropped: "
        "the output is its input (logits), in the same order"
    )
    context.drop(node)


def _over(node: Node, rank: int) -> list[int]:
    """The axes that sum to one: before opset 13 all from `axis` on."""
    axis = node.int("axis", -1 if node.opset >= 13 else 1) % rank
    return [axis] if node.opset >= 13 else list(range(axis, rank))


def _asks_for_order(context: Context, node: Node, follower: Node) -> bool:
    """Whether it is an ArgMax over axes that sum to one: across them a Softmax keeps no order."""
    rank = len(context.shape(node.inputs[0]))
    return follower.operator == "ArgMax" and follower.int("axis", 0) % rank in _over(node, rank)


def _within(context: Context, node: Node) -> None:
    shape = context.shape(node.inputs[0])
    over = _over(node, len(shape))
    x, mask = context.unmasked(node.inputs[0]), context.masks.get(node.inputs[0])
    keep = {"axes": over, "keepdims": 1}
    constants: dict[str, Array] = {
        ".axes": np.array(over, dtype=np.int64),
        ".shape": np.array(shape, dtype=np.int64),
    }
    if mask is None:
        steps: list[Step] = [("ReduceMax", [x], ".max", keep), ("Sub", [x, ".max"], ".below", {})]
        steps.append(("Exp", [".below"], ".exp", {}))
    else:
        if mask.blank or mask.known.all(axis=tuple(over)).any():
            raise node.unsupported("everything is masked")
        steps, more = softmax_steps(mask, x, keep)
        constants |= more
    steps.append(("ReduceSum", [".exp", ".axes"], ".sum", {"keepdims": 1}))
    if node.operator == "Softmax":
        steps += [
            ("Reciprocal", [".sum"], ".part", {}),
            ("Expand", [".part", ".shape"], ".parts", {}),
            ("Mul", [".exp", ".parts"], node.outputs[0], {}),
        ]
    elif mask is None:
        steps += [("Log", [".sum"], ".log", {}), ("Sub", [".below", ".log"], node.outputs[0], {})]
    else:
        raise node.unsupported("the logarithm of a masked element is infinite")
    context.expand(node, steps, constants)


@lowers("assay.MaskedMax")
def masked_max(context: Context, node: Node) -> None:
    """The greatest element that is not masked; only in expansions."""
    places, masked = context.places(node, 0), context.constants[node.inputs[1]]
    axes = [int(axis) for axis in node.ints("axes", ())]
    kept = [axis for axis in range(places.ndim) if axis not in axes]
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(places.shape))
    groups, hidden = (np.transpose(a, (*kept, *axes)).reshape(prod(shape), -1) for a in (places, masked))
    # a member that is not masked stands in for those that are
    first = np.take_along_axis(groups, hidden.argmin(axis=1)[:, None], axis=1)
    index = np.ascontiguousarray(np.where(hidden, first, groups))
    context.emit(node, FloatReduceMax(context.variable(node, 0), node.outputs[0], shape, index, node.name))


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


@lowers("Hardmax")
def hardmax(context: Context, node: Node) -> None:
    """1 at the first of the greatest, else 0."""
    x, shape = node.inputs[0], context.shape(node.inputs[0])
    axis = node.int("axis", -1 if node.opset >= 13 else 1) % len(shape)
    if node.opset < 13 and prod(shape[axis + 1 :]) != 1:
        raise node.unsupported("several axes at once")
    order = [*range(axis), len(shape) - 1, *range(axis, len(shape) - 1)]
    steps: list[Step] = [
        ("ArgMax", [x], ".first", {"axis": axis, "keepdims": 0}),
        ("assay.OneHot", [".first"], ".bits", {"lo": 0, "size": shape[axis]}),
        ("Transpose", [".bits"], node.outputs[0], {"perm": order}),
    ]
    context.expand(node, steps)


@lowers("TopK")
def top_k(context: Context, node: Node) -> None:
    """The greatest (or least) k and their positions, in order; of equal ones the first comes first."""
    k = (context.integers(node, 1, "k") or (1,))[0]
    shape = context.shape(node.inputs[0])
    axis = node.int("axis", -1) % len(shape)
    if not 1 <= k <= shape[axis]:
        raise node.unsupported(f"k is {k}, of {shape[axis]} elements")
    largest = bool(node.int("largest", 1))
    values, positions = (name if name and context.is_used(name) else "" for name in (*node.outputs, "")[:2])
    if k > 1:
        _sort(context, node, k, axis, "GreaterOrEqual" if largest else "LessOrEqual", values, positions)
        return
    if values:
        operator = "ReduceMax" if largest else "ReduceMin"
        attributes = {"axes": [axis], "keepdims": 1}
        context.expand(node.writing(values), [(operator, [node.inputs[0]], values, attributes)])
    if positions:
        operator = "ArgMax" if largest else "ArgMin"
        attributes = {"axis": axis, "keepdims": 1}
        context.expand(node.writing(positions), [(operator, [node.inputs[0]], positions, attributes)])


def _sort(context: Context, node: Node, k: int, axis: int, before: str, values: str, positions: str) -> None:
    """Every two elements are compared; how many come before an element is its place."""
    shape = context.shape(node.inputs[0])
    count, groups = shape[axis], prod(shape) // shape[axis]
    first, second = np.triu_indices(count, 1)
    if groups * first.size > LARGEST_SORT:
        raise node.unsupported(
            f"{k} of {count} elements take {groups * first.size} comparisons; {LARGEST_SORT} is the limit"
        )
    turned = [*(a for a in range(len(shape)) if a != axis), axis]
    added = np.zeros((first.size, count))
    added[np.arange(first.size), second] = 1.0
    added[np.arange(first.size), first] = -1.0
    constants: dict[str, Array] = {
        ".rows": np.array([groups, count], dtype=np.int64),
        ".first": first.astype(np.int64),
        ".second": second.astype(np.int64),
        ".added": added,
        ".after": np.arange(count - 1, -1, -1, dtype=np.float64),
        ".k": np.arange(k, dtype=np.int64),
        ".row": np.array([groups, 1, count], dtype=np.int64),
        ".numbers": np.arange(count, dtype=np.float64).reshape(1, count),
        ".shape": np.array([*(shape[a] for a in turned[:-1]), k], dtype=np.int64),
    }
    steps: list[Step] = [
        ("Transpose", [node.inputs[0]], ".turned", {"perm": turned}),
        ("Reshape", [".turned", ".rows"], ".x", {}),
        ("Gather", [".x", ".first"], ".a", {"axis": 1}),
        ("Gather", [".x", ".second"], ".b", {"axis": 1}),
        (before, [".a", ".b"], ".ordered", {}),
        ("MatMul", [".ordered", ".added"], ".more", {}),
        ("Add", [".more", ".after"], ".place", {}),
        ("assay.OneHot", [".place"], ".places", {"lo": 0, "size": count}),
        ("Gather", [".places", ".k"], ".taken", {"axis": 2}),
        ("Reshape", [".x", ".row"], ".line", {}),
    ]
    back = {"perm": [turned.index(a) for a in range(len(shape))]}
    for output, source, tag in ((values, ".line", ".v"), (positions, ".numbers", ".p")):
        if output:
            steps += [
                ("MatMul", [source, ".taken"], tag, {}),
                ("Reshape", [tag, ".shape"], f"{tag}.shaped", {}),
                ("Transpose", [f"{tag}.shaped"], output, back),
            ]
    context.expand(node, steps, constants)
