"""Softmax, dropped at the end (it changes no order), computed within; ArgMax and the first of TopK."""

from __future__ import annotations

from math import prod

import numpy as np

from assay_prover.frontend.context import Array, Context, Node, Step
from assay_prover.frontend.graph import FloatArgMax, FloatReduceMax
from assay_prover.frontend.registry import lowers


@lowers("Softmax", "LogSoftmax")
def softmax(context: Context, node: Node) -> None:
    """At the end the proven output is the logits, whose order is the same; elsewhere exp and reciprocal
    tables.

    softmax(x) = e / sum(e) with e = exp(x - max x), the maximum being one of the x.
    """
    _, masked = context.unmasked(node.inputs[0])
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
    x, masked = context.unmasked(node.inputs[0])
    keep = {"axes": over, "keepdims": 1}
    constants: dict[str, Array] = {
        ".axes": np.array(over, dtype=np.int64),
        ".shape": np.array(shape, dtype=np.int64),
    }
    if masked is None:
        steps: list[Step] = [("ReduceMax", [x], ".max", keep), ("Sub", [x, ".max"], ".below", {})]
        steps.append(("Exp", [".below"], ".exp", {}))
    else:
        if masked.all(axis=tuple(over)).any():
            raise node.unsupported("everything is masked")
        constants |= {".masked": masked, ".kept": 1.0 - masked}
        steps = [
            ("assay.MaskedMax", [x, ".masked"], ".max", keep),
            ("Sub", [x, ".max"], ".d", {}),
            ("Mul", [".d", ".kept"], ".below", {}),
            ("Exp", [".below"], ".every", {}),
            ("Mul", [".every", ".kept"], ".exp", {}),
        ]
    steps.append(("ReduceSum", [".exp", ".axes"], ".sum", {"keepdims": 1}))
    if node.operator == "Softmax":
        steps += [
            ("Reciprocal", [".sum"], ".part", {}),
            ("Expand", [".part", ".shape"], ".parts", {}),
            ("Mul", [".exp", ".parts"], node.outputs[0], {}),
        ]
    elif masked is None:
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
