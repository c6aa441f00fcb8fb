"""Operators that move elements: transpose, slice, pad, gather, concatenate, expand.

All linear: none costs a constraint.
"""

from __future__ import annotations

from math import prod

import numpy as np
import scipy.sparse as sp

from assay_prover.frontend.context import Context
from assay_prover.frontend.node import Node
from assay_prover.frontend.operators.indexing import gather_computed
from assay_prover.frontend.registry import lowers
from assay_prover.graph.maps import FloatGather, FloatMap, FloatSparse, Int64Array


@lowers("Transpose")
def transpose(context: Context, node: Node) -> None:
    """Permute axes; reversed by default."""
    places = context.places(node, 0)
    context.gather(node, 0, places.transpose(node.ints("perm", tuple(range(places.ndim))[::-1])))


@lowers("Slice")
def slice_(context: Context, node: Node) -> None:
    """numpy's slicing, with negative steps; attributes before opset 10, inputs since."""
    places = context.places(node, 0)
    starts = context.integers(node, 1, "starts") or ()
    ends = context.integers(node, 2, "ends") or ()
    axes = context.integers(node, 3, "axes") or tuple(range(len(starts)))
    steps = context.integers(node, 4, "steps") or (1,) * len(starts)
    selection = [slice(None)] * places.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # with a negative step ONNX writes "through the first element" as an end below -length
        through = None if step < 0 and end < -places.shape[axis] else end
        selection[axis] = slice(start, through, step)
    picked = places[tuple(selection)]
    if not picked.size:
        raise node.unsupported("the slice is empty")
    context.gather(node, 0, picked)


@lowers("Pad")
def pad(context: Context, node: Node) -> None:
    """constant (any value), edge, reflect and wrap."""
    mode = node.text("mode", "constant")
    places = context.places(node, 0)
    pads = context.integers(node, 1, "pads") or ()
    axes = context.integers(node, 3, "axes") or tuple(range(places.ndim))
    widths = [(0, 0)] * places.ndim
    for k, axis in enumerate(axes):
        widths[axis] = (pads[k], pads[k + len(axes)])
    if any(w < 0 for pair in widths for w in pair):
        raise node.unsupported("negative pads")
    if mode != "constant":
        match mode:
            case "edge" | "reflect" | "wrap":
                context.gather(node, 0, np.pad(places, widths, mode=mode))
            case _:
                raise node.unsupported(f"mode {mode!r}")
        return
    index = np.pad(places, widths, constant_values=-1)
    value = node.float("value", 0.0)
    if context.has(node, 2):
        value = float(np.ravel(context.constant(node, 2, "the padding value"))[0])
    if value == 0.0:
        context.gather(node, 0, index)
    else:
        linear = FloatGather(index.ravel(), places.size)
        bias = np.where(index < 0, value, 0.0)
        context.affine(node, index.shape, [(context.variable(node, 0), linear)], bias)


@lowers("Gather")
def gather(context: Context, node: Node) -> None:
    """Constant indices move elements, computed ones select by bits."""
    axis = node.int("axis", 0)
    if not context.is_constant(node, 1):
        gather_computed(context, node, axis)
        return
    places = context.places(node, 0)
    index = np.asarray(context.constant(node, 1, "the indices"), dtype=np.int64)
    length = places.shape[axis]
    if index.size and not (-length <= int(index.min()) and int(index.max()) < length):
        raise node.unsupported("an index is out of range")
    context.gather(node, 0, np.take(places, index % length, axis=axis))


def _met(index: Int64Array, axis: int) -> tuple[slice, ...]:
    """What indices of fewer rows than the data meet of it: all along the axis, the first rows otherwise."""
    return tuple(slice(None if k == axis else n) for k, n in enumerate(index.shape))


@lowers("GatherElements")
def gather_elements(context: Context, node: Node) -> None:
    """Constant indices."""
    places = context.places(node, 0)
    axis = node.int("axis", 0) % places.ndim
    index = np.asarray(context.constant(node, 1, "the indices"), dtype=np.int64)
    context.gather(node, 0, np.take_along_axis(places[_met(index, axis)], index, axis=axis))


@lowers("GatherND")
def gather_nd(context: Context, node: Node) -> None:
    """Constant indices."""
    places, batch = context.places(node, 0), node.int("batch_dims", 0)
    index = np.asarray(context.constant(node, 1, "the indices"), dtype=np.int64)
    if batch:
        raise node.unsupported("batch_dims")
    context.gather(node, 0, places[tuple(np.moveaxis(index, -1, 0))])


@lowers("ScatterElements", "Scatter", "ScatterND")
def scatter(context: Context, node: Node) -> None:
    """Updates put into data at constant indices, as an assignment to a slice is exported."""
    if node.text("reduction", "none") == "add":
        _scatter_add(context, node)
        return
    if node.text("reduction", "none") != "none":
        raise node.unsupported("a reduction other than add")
    shape, size = context.shape(node.inputs[0]), prod(context.shape(node.inputs[2]))
    index = np.asarray(context.constant(node, 1, "the indices"), dtype=np.int64)
    updates = np.arange(size, dtype=np.int64).reshape(context.shape(node.inputs[2]))
    source = np.full(shape, -1, dtype=np.int64)
    if node.operator == "ScatterND":
        source[tuple(np.moveaxis(index, -1, 0))] = updates
    else:
        axis = node.int("axis", 0) % len(shape)
        np.put_along_axis(source[_met(index, axis)], index, updates, axis=axis)
    kept = np.where(source < 0, np.arange(prod(shape)).reshape(shape), -1)
    bias = np.zeros(shape)
    terms: list[tuple[str, FloatMap]] = []
    for position, picked in ((0, kept), (2, source)):
        length = prod(context.shape(node.inputs[position]))
        if context.is_constant(node, position):
            values = context.weights(node, position, "an operand").ravel()
            bias += np.where(picked < 0, 0.0, values[picked])
        else:
            terms.append((context.variable(node, position), FloatGather(picked.ravel().copy(), length)))
    context.affine(node, shape, terms, bias)


def _scatter_add(context: Context, node: Node) -> None:
    """Updates summed into data: a matrix of ones, as graph networks gather from their neighbours."""
    shape = context.shape(node.inputs[0])
    index = np.asarray(context.constant(node, 1, "the indices"), dtype=np.int64)
    places = np.arange(prod(shape), dtype=np.int64).reshape(shape)
    if node.operator == "ScatterND":
        target = places[tuple(np.moveaxis(index, -1, 0))]
    else:
        axis = node.int("axis", 0) % len(shape)
        target = np.take_along_axis(places[_met(index, axis)], index, axis=axis)
    size = target.size
    entries = (np.ones(size), (target.ravel(), np.arange(size)))
    summed = FloatSparse(sp.csr_array(sp.coo_array(entries, shape=(prod(shape), size))), structural=True)
    kept = FloatGather(places.ravel(), prod(shape))
    bias = np.zeros(shape)
    terms: list[tuple[str, FloatMap]] = []
    for position, linear in ((0, kept), (2, summed)):
        if context.is_constant(node, position):
            values = context.weights(node, position, "an operand").ravel()
            bias += linear.apply(values[None])[0].reshape(shape)
        else:
            terms.append((context.variable(node, position), linear))
    context.affine(node, shape, terms, bias)


@lowers("Trilu")
def triangle(context: Context, node: Node) -> None:
    """Upper or lower triangle, zero elsewhere."""
    places = context.places(node, 0)
    k = int(np.ravel(context.constant(node, 1, "k"))[0]) if context.has(node, 1) else 0
    rows, columns = places.shape[-2:]
    below = np.arange(columns) - np.arange(rows)[:, None]
    kept = below >= k if node.int("upper", 1) else below <= k
    context.gather(node, 0, np.where(kept, places, -1))


@lowers("Tile")
def tile(context: Context, node: Node) -> None:
    """Constant repeats."""
    repeats = context.integers(node, 1, "repeats") or ()
    context.gather(node, 0, np.tile(context.places(node, 0), repeats))


@lowers("Split")
def split(context: Context, node: Node) -> None:
    """Each part is a slice."""
    shape = context.shape(node.inputs[0])
    axis = node.int("axis", 0) % len(shape)
    sizes = context.integers(node, 1, "split")
    if sizes is None:
        count = node.int("num_outputs", len(node.outputs))
        part = -(-shape[axis] // count)
        sizes = (part,) * (count - 1) + (shape[axis] - part * (count - 1),)
    if sum(sizes) != shape[axis] or len(sizes) != len(node.outputs):
        raise node.unsupported(f"parts {sizes} do not fit {shape[axis]}")
    places, start = context.places(node, 0), 0
    for output, size in zip(node.outputs, sizes, strict=True):
        picked = np.take(places, np.arange(start, start + size), axis=axis)
        start += size
        context.gather(node.writing(output), 0, picked)


@lowers("DepthToSpace", "SpaceToDepth")
def depth_to_space(context: Context, node: Node) -> None:
    """Blocks of channels and of pixels, exchanged."""
    places, block = context.places(node, 0), node.int("blocksize", 1)
    n, c, h, w = places.shape
    if node.operator == "SpaceToDepth":
        blocks = places.reshape(n, c, h // block, block, w // block, block)
        deep_first = node.text("mode", "DCR") == "DCR"
        view = blocks.transpose((0, 3, 5, 1, 2, 4) if deep_first else (0, 1, 3, 5, 2, 4))
        context.gather(node, 0, view.reshape(n, c * block * block, h // block, w // block))
        return
    depth = c // (block * block)
    if node.text("mode", "DCR") == "DCR":
        view = places.reshape(n, block, block, depth, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        view = places.reshape(n, depth, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    context.gather(node, 0, view.reshape(n, depth, h * block, w * block))


@lowers("Expand")
def expand(context: Context, node: Node) -> None:
    """Broadcast to a constant shape."""
    places = context.places(node, 0)
    wanted = context.integers(node, 1, "shape") or ()
    context.gather(node, 0, np.broadcast_to(places, np.broadcast_shapes(places.shape, wanted)))


@lowers("Concat")
def concat(context: Context, node: Node) -> None:
    """Variables and constants side by side."""
    parts = [context.shape(name) for name in node.inputs]
    axis = node.int("axis", 0) % len(parts[0])
    shape = tuple(sum(p[axis] for p in parts) if a == axis else n for a, n in enumerate(parts[0]))
    bias = np.zeros(shape)
    terms: list[tuple[str, FloatMap]] = []
    start = 0
    for position, name in enumerate(node.inputs):
        window = [slice(None)] * len(shape)
        window[axis] = slice(start, start + parts[position][axis])
        start += parts[position][axis]
        if context.is_constant(node, position):
            bias[tuple(window)] = context.weights(node, position, "part")
            continue
        index = np.full(shape, -1, dtype=np.int64)
        index[tuple(window)] = context.places(node, position)
        size = prod(context.shape(name))
        terms.append((context.variable(node, position), FloatGather(index.ravel(), size)))
    context.affine(node, shape, terms, bias)
