"""Selection by computed indices: Gather, GatherElements, OneHot, through indicator bits of the index.

The circuit defines what ONNX does not: an index out of range takes the nearest that is in range. A negative
index counts from the end, as in ONNX.
"""

from __future__ import annotations

from math import prod

import numpy as np

from assay_prover.frontend.context import Array, Context, Step
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers
from assay_prover.graph.exact_ops import FloatOneHot

LARGEST_CODE = 1 << 17
"""Places of one index; each costs a constraint."""


@lowers("assay.OneHot")
def code(context: Context, node: Node) -> None:
    """Bits of x - lo, x clipped to the code's places; only in expansions."""
    x, lo, size = node.inputs[0], node.int("lo", 0), node.int("size", 1)
    if size > LARGEST_CODE:
        raise node.unsupported(f"a computed index of {size} places")
    context.expand(
        node,
        [("Clip", [x, ".least", ".most"], ".clipped", {})],
        {".least": np.array(float(lo)), ".most": np.array(float(lo + size - 1))},
    )
    clipped = context.part(node, ".clipped")
    shape = (*context.shape(clipped), size)
    context.emit(node, FloatOneHot(context.tensor(clipped), node.outputs[0], shape, lo, node.name))


def gather_computed(context: Context, node: Node, axis: int) -> None:
    """Rows of the data, constant or computed, by a product with the index's bits."""
    data, index = node.inputs[:2]
    shape, picked = context.shape(data), context.shape(index)
    axis %= len(shape)
    length, rest = shape[axis], shape[:axis] + shape[axis + 1 :]
    front = [axis, *range(axis), *range(axis + 1, len(shape))]
    back = list(range(len(picked), len(picked) + axis))
    order = [*back, *range(len(picked)), *range(len(picked) + axis, len(picked) + len(rest))]
    steps: list[Step] = [
        # the first half of the code is for indices that count from the end
        ("assay.OneHot", [index], ".rows.code", {"lo": -length, "size": 2 * length}),
        ("Reshape", [".rows.code", ".rows.flat"], ".rows.bits", {}),
        ("Gather", [".rows.bits", ".rows.negative"], ".rows.a", {"axis": 1}),
        ("Gather", [".rows.bits", ".rows.positive"], ".rows.b", {"axis": 1}),
        ("Add", [".rows.a", ".rows.b"], ".rows.one", {}),
        ("Transpose", [data], ".rows.front", {"perm": front}),
        ("Reshape", [".rows.front", ".rows.rows"], ".rows.table", {}),
        ("MatMul", [".rows.one", ".rows.table"], ".rows.found", {}),
        ("Reshape", [".rows.found", ".rows.shape"], ".rows.moved", {}),
        ("Transpose", [".rows.moved"], node.outputs[0], {"perm": order}),
    ]
    constants: dict[str, Array] = {
        ".rows.flat": np.array([prod(picked), 2 * length], dtype=np.int64),
        ".rows.negative": np.arange(length, dtype=np.int64),
        ".rows.positive": np.arange(length, 2 * length, dtype=np.int64),
        ".rows.rows": np.array([length, prod(rest)], dtype=np.int64),
        ".rows.shape": np.array([*picked, *rest], dtype=np.int64),
    }
    context.expand(node, steps, constants)


@lowers("OneHotEncoder")
def one_hot_encoder(context: Context, node: Node) -> None:
    """A bit for each category, [x = c]; a value that is none of them leaves all 0."""
    known = node.attributes.get("cats_int64s") or node.attributes.get("cats_floats")
    if not known:
        raise node.unsupported("categories that are text; number them before the model")
    if node.int("zeros", 1) == 0:
        context.notes.append(
            f"{node.name}: a value that is no category is refused by onnxruntime; here all its bits are 0"
        )
    rank = len(context.shape(node.inputs[0]))
    steps: list[Step] = [
        ("Cast", [node.inputs[0]], ".real", {"to": 1}),
        ("Unsqueeze", [".real", ".axis"], ".x", {}),
        ("Equal", [".x", ".categories"], ".same", {}),
        ("Cast", [".same"], node.outputs[0], {"to": 1}),
    ]
    constants = {".axis": np.array([rank]), ".categories": np.array(known, dtype=np.float64)}
    context.expand(node, steps, constants)


@lowers("OneHot")
def one_hot(context: Context, node: Node) -> None:
    """off + (on - off) bits; an index out of range leaves all off."""
    depth = int(np.ravel(context.constant(node, 1, "the depth"))[0])
    off, on = (float(v) for v in np.ravel(context.weights(node, 2, "the values")))
    x, rank = node.inputs[0], len(context.shape(node.inputs[0]))
    axis = node.int("axis", -1) % (rank + 1)
    wrap = np.zeros((2 * depth + 2, depth))
    wrap[1 : depth + 1] = wrap[depth + 1 : -1] = np.eye(depth) * (on - off)
    order = [*range(axis), rank, *range(axis, rank)]
    steps: list[Step] = [
        ("assay.OneHot", [x], ".code", {"lo": -depth - 1, "size": 2 * depth + 2}),
        ("MatMul", [".code", ".wrap"], ".bits", {}),
        ("Add", [".bits", ".off"], ".y", {}),
        ("Transpose", [".y"], node.outputs[0], {"perm": order}),
    ]
    context.expand(node, steps, {".wrap": wrap, ".off": np.array(off)})
