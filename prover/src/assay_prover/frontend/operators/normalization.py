"""Layer, instance, group and root-mean-square normalisation, and L2 norms, by exact square roots."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from assay_prover.frontend.context import Array, Context, Step
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers
from assay_prover.graph.exact_ops import LARGEST_MATRIX, FloatNormalise


@lowers("assay.Normalise")
def normalise(context: Context, node: Node) -> None:
    """x / sqrt(sum of squares over the axes + epsilon); only in expansions."""
    places = context.places(node, 0)
    axes = node.ints("axes", ())
    kept = [axis for axis in range(places.ndim) if axis not in axes]
    moved = places.transpose(*kept, *axes)
    index = np.ascontiguousarray(moved.reshape(prod(places.shape[a] for a in kept), -1))
    epsilon = float(np.ravel(context.constant(node, 1, "epsilon"))[0])
    source = context.variable(node, 0)
    context.emit(node, FloatNormalise(source, node.outputs[0], places.shape, index, epsilon, node.name))


def _normalised(
    context: Context,
    node: Node,
    axes: Sequence[int],
    epsilon: float,
    gamma: Array | None,
    beta: Array | None,
    *,
    centre: bool = True,
    factor: float | None = None,
) -> None:
    """gamma (x - mean) / sqrt(variance + epsilon) + beta over the axes, all of it affine but the division."""
    shape = context.shape(node.inputs[0])
    axes = [axis % len(shape) for axis in axes]
    members = prod(shape[axis] for axis in axes)
    weight = np.asarray(float(members) ** 0.5 if factor is None else factor)
    constants: dict[str, Array] = {
        ".axes": np.array(axes, dtype=np.int64),
        ".epsilon": np.array(epsilon * members if factor is None else epsilon),
        ".gamma": weight if gamma is None else np.asarray(gamma, dtype=np.float64) * weight,
    }
    steps: list[Step] = []
    x = node.inputs[0]
    if centre and members <= LARGEST_MATRIX:
        steps.append(("assay.Centre", [x, ".axes"], ".c", {}))
    elif centre:
        steps += [
            ("ReduceMean", [x], ".mean", {"axes": axes, "keepdims": 1}),
            ("Sub", [x, ".mean"], ".c", {}),
        ]
    x = ".c" if centre else x
    steps.append(("assay.Normalise", [x, ".epsilon"], ".n", {"axes": axes}))
    y = node.outputs[0]
    steps.append(("Mul", [".n", ".gamma"], y if beta is None else ".m", {}))
    if beta is not None:
        constants[".beta"] = np.asarray(beta, dtype=np.float64)
        steps.append(("Add", [".m", ".beta"], y, {}))
    context.expand(node, steps, constants)


@lowers("assay.Centre")
def centre(context: Context, node: Node) -> None:
    """x - mean over the axes, as one matrix; only in expansions."""
    import scipy.sparse as sp

    from assay_prover.graph.maps import FloatSparse

    places = context.places(node, 0)
    axes = [int(a) for a in context.constant(node, 1, "axes")]
    kept = [axis for axis in range(places.ndim) if axis not in axes]
    groups = places.transpose(*kept, *axes).reshape(prod(places.shape[a] for a in kept), -1)
    members = groups.shape[1]
    rows = np.repeat(groups, members, axis=1).ravel()
    columns = np.tile(groups, (1, members)).ravel()
    values = np.where(rows == columns, 1.0, 0.0) - 1.0 / members
    matrix = sp.csr_array((values, (rows, columns)), shape=(places.size, places.size))
    context.affine(node, places.shape, [(context.variable(node, 0), FloatSparse(matrix, structural=True))])


def _optional(context: Context, node: Node, position: int, what: str) -> Array | None:
    return context.weights(node, position, what) if context.has(node, position) else None


def _moments(context: Context, node: Node, axes: Sequence[int]) -> None:
    """The mean and the inverse of the deviation, where something reads them."""
    mean, inverse = (*node.outputs[1:], "", "")[:2]
    x, keep = node.inputs[0], {"axes": list(axes), "keepdims": 1}
    if mean and context.is_used(mean):
        context.expand(node.writing(mean), [("ReduceMean", [x], mean, keep)])
    if inverse and context.is_used(inverse):
        steps: list[Step] = [
            ("assay.Centre", [x, ".axes"], ".c", {}),
            ("Mul", [".c", ".c"], ".cc", {}),
            ("ReduceMean", [".cc"], ".v", keep),
            ("Add", [".v", ".epsilon"], ".e", {}),
            ("assay.Power", [".e"], inverse, {"exponent": -0.5}),
        ]
        epsilon = np.array(node.float("epsilon", 1e-5))
        constants: dict[str, Array] = {".axes": np.array(list(axes), dtype=np.int64), ".epsilon": epsilon}
        context.expand(node.writing(inverse), steps, constants)


@lowers("LayerNormalization")
def layer_normalization(context: Context, node: Node) -> None:
    """Over the axes from `axis` on."""
    rank = len(context.shape(node.inputs[0]))
    axes = range(node.int("axis", -1) % rank, rank)
    _moments(context, node, axes)
    if not context.is_used(node.outputs[0]) and any(map(context.is_used, node.outputs[1:])):
        return
    gamma, beta = _optional(context, node, 1, "the scale"), _optional(context, node, 2, "B")
    _normalised(context, node, axes, node.float("epsilon", 1e-5), gamma, beta)


@lowers("RMSNormalization")
def rms_normalization(context: Context, node: Node) -> None:
    """Without the mean."""
    rank = len(context.shape(node.inputs[0]))
    axes = range(node.int("axis", -1) % rank, rank)
    gamma = _optional(context, node, 1, "the scale")
    _normalised(context, node, axes, node.float("epsilon", 1e-5), gamma, None, centre=False)


def _channels(values: Array | None, rank: int) -> Array | None:
    return None if values is None else values.reshape(1, -1, *[1] * (rank - 2))


@lowers("InstanceNormalization")
def instance_normalization(context: Context, node: Node) -> None:
    """Each channel of each sample over its spatial axes."""
    rank = len(context.shape(node.inputs[0]))
    gamma, beta = (_channels(context.weights(node, k, what), rank) for k, what in ((1, "scale"), (2, "B")))
    _normalised(context, node, range(2, rank), node.float("epsilon", 1e-5), gamma, beta)


@lowers("GroupNormalization")
def group_normalization(context: Context, node: Node) -> None:
    """Channels in groups; scale and bias for each channel (opset 21) or for each group (opset 18)."""
    shape = context.shape(node.inputs[0])
    groups = node.int("num_groups", 1)
    gamma, beta = context.weights(node, 1, "scale"), context.weights(node, 2, "bias")
    if gamma.size == groups != shape[1]:
        gamma, beta = (np.repeat(part, shape[1] // groups) for part in (gamma, beta))
    split = np.array([shape[0], groups, -1], dtype=np.int64)
    steps: list[Step] = [
        ("Reshape", [node.inputs[0], ".split"], ".g", {}),
        ("LayerNormalization", [".g", ".one"], ".n", {"axis": 2, "epsilon": node.float("epsilon", 1e-5)}),
        ("Reshape", [".n", ".shape"], ".y", {}),
        ("Mul", [".y", ".gamma"], ".m", {}),
        ("Add", [".m", ".beta"], node.outputs[0], {}),
    ]
    constants: dict[str, Array] = {
        ".split": split,
        ".one": np.array(1.0),
        ".shape": np.array(shape, dtype=np.int64),
    }
    view = (1, -1, *[1] * (len(shape) - 2))
    context.expand(node, steps, constants | {".gamma": gamma.reshape(view), ".beta": beta.reshape(view)})


@lowers("MeanVarianceNormalization")
def mean_variance_normalization(context: Context, node: Node) -> None:
    """As ONNX's own definition, with 1e-9 beside the deviation."""
    _normalised(context, node, node.ints("axes", (0, 2, 3)), 1e-9, None, None)


@lowers("LpNormalization")
def lp_normalization(context: Context, node: Node) -> None:
    """p = 2: to unit length; a vector of zeros stays zero."""
    if node.int("p", 2) != 2:
        _l1(context, node)
        return
    _normalised(context, node, [node.int("axis", -1)], 0.0, None, None, centre=False, factor=1.0)


def _l1(context: Context, node: Node) -> None:
    """A vector of zeros stays zero: its norm is raised to the least positive step."""
    shape = context.shape(node.inputs[0])
    steps: list[Step] = [
        ("ReduceL1", [node.inputs[0], ".axes"], ".sum", {"keepdims": 1}),
        ("Clip", [".sum", ".tiny"], ".n", {}),
        ("Div", [node.inputs[0], ".n"], node.outputs[0], {}),
    ]
    axis = node.int("axis", -1) % len(shape)
    context.expand(node, steps, {".axes": np.array([axis], dtype=np.int64), ".tiny": np.array(1e-12)})


@lowers("LRN")
def local_response(context: Context, node: Node) -> None:
    """x / (bias + alpha / size times the sum of squares of the channels around it)^beta, by table."""
    shape = context.shape(node.inputs[0])
    size, channels = node.int("size", 1), shape[1]
    distance = np.arange(channels)[None] - np.arange(channels)[:, None]
    near = (distance >= -((size - 1) // 2)) & (distance <= size // 2)
    steps: list[Step] = [
        ("Mul", [node.inputs[0]] * 2, ".squares", {}),
        ("Reshape", [".squares", ".rows"], ".flat", {}),
        ("MatMul", [".near", ".flat"], ".sums", {}),
        ("Reshape", [".sums", ".shape"], ".power", {}),
        ("Add", [".power", ".bias"], ".base", {}),
        ("assay.Power", [".base"], ".factor", {"exponent": -node.float("beta", 0.75)}),
        ("Mul", [node.inputs[0], ".factor"], node.outputs[0], {}),
    ]
    constants: dict[str, Array] = {
        ".rows": np.array([shape[0], channels, -1], dtype=np.int64),
        ".near": near * (node.float("alpha", 1e-4) / size),
        ".shape": np.array(shape, dtype=np.int64),
        ".bias": np.array(node.float("bias", 1.0)),
    }
    context.expand(node, steps, constants)


@lowers("ReduceL2")
def reduce_l2(context: Context, node: Node) -> None:
    """The root of the sum of squares."""
    steps: list[Step] = [
        ("ReduceSumSquare", list(node.inputs), ".s", node.attributes),
        ("Sqrt", [".s"], node.outputs[0], {}),
    ]
    context.expand(node, steps)
