"""Resize and Upsample: any interpolation with constant sizes is a constant matrix on each axis."""

from __future__ import annotations

from math import prod

import numpy as np
import scipy.sparse as sp
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from assay_prover.frontend.context import Context
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers
from assay_prover.graph.maps import Float64Array, FloatSparse


@lowers("Resize", "Upsample")
def resize(context: Context, node: Node) -> None:
    """Separable, so an axis at a time: the nearest element, or what ONNX's own implementation gives on unit
    vectors.
    """
    shape = context.shape(node.inputs[0])
    attributes = dict(node.attributes)
    if node.operator == "Upsample":
        attributes = {
            "mode": node.text("mode", "nearest"),
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
        scales = context.reals(node, 1, "scales")
        sizes = None
    else:
        old = node.opset < 11
        if old:
            attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        position = 1 if old else 2
        scales = context.reals(node, position, "scales") if context.has(node, position) else None
        sizes = context.integers(node, 3, "sizes") if context.has(node, 3) else None
    scales = scales if scales else None
    mode = attributes.get("coordinate_transformation_mode", b"half_pixel")
    if mode in (b"tf_crop_and_resize", "tf_crop_and_resize"):
        raise node.unsupported("crop and resize")
    if attributes.pop("keep_aspect_ratio_policy", b"stretch") != b"stretch":
        raise node.unsupported("keep_aspect_ratio_policy; give scales")
    axes = tuple(int(a) % len(shape) for a in attributes.pop("axes", range(len(shape))))
    matrix = sp.csr_array(sp.eye_array(1))
    out = []
    for axis, length in enumerate(shape):
        weights: Float64Array = np.eye(length)
        if axis in axes:
            k = axes.index(axis)
            scale = None if scales is None else float(scales[k])
            size = None if sizes is None else int(sizes[k])
            whole = scale is None or float(np.float32(scale) * np.float32(length)).is_integer()
            if not whole and mode in (b"align_corners", "align_corners"):
                raise node.unsupported(
                    "align_corners with a scale that leaves a part of an element: ONNX's own implementation "
                    "and onnxruntime differ about it; give sizes"
                )
            if (size is not None and size != length) or (scale is not None and scale != 1.0):
                weights = _axis(attributes, length, scale, size)
        out.append(int(weights.shape[0]))
        matrix = sp.csr_array(sp.kron(matrix, sp.csr_array(weights), format="csr"))
    if not prod(out):
        raise node.unsupported("an empty tensor")
    context.affine(node, tuple(out), [(context.variable(node, 0), FloatSparse(matrix, structural=True))])


def _text(attributes: dict[str, object], name: str, default: str) -> str:
    value = attributes.get(name, default)
    return value.decode() if isinstance(value, bytes) else str(value)


def _nearest(attributes: dict[str, object], length: int, scale: float, out: int) -> Float64Array:
    """One 1 a row. In float32, as everywhere else: a scale of 0.6 is not 3/5, and 3 / 0.6 must still be 5."""
    x, one, half = np.arange(out, dtype=np.float32), np.float32(1), np.float32(0.5)
    factor = np.float32(scale)
    match _text(attributes, "coordinate_transformation_mode", "half_pixel"):
        case "asymmetric":
            place = x / factor
        case "align_corners":
            place = x * np.float32(length - 1) / np.float32(max(out - 1, 1))
        case "pytorch_half_pixel" if out == 1:
            place = x
        case "half_pixel" | "pytorch_half_pixel":
            place = (x + half) / factor - half
        case "half_pixel_symmetric":
            offset = np.float32(length) / 2 * (one - np.float32(out) / (factor * np.float32(length)))
            place = offset + (x + half) / factor - half
        case mode:
            raise ValueError(f"coordinate_transformation_mode {mode!r}")
    exact = place.astype(np.float64)
    match _text(attributes, "nearest_mode", "round_prefer_floor"):
        case "round_prefer_floor":
            index = np.ceil(exact - 0.5)
        case "round_prefer_ceil":
            index = np.floor(exact + 0.5)
        case "floor":
            index = np.floor(exact)
        case "ceil":
            index = np.ceil(exact)
        case mode:
            raise ValueError(f"nearest_mode {mode!r}")
    return np.eye(length)[np.clip(index, 0, length - 1).astype(np.int64)]


def _axis(attributes: dict[str, object], length: int, scale: float | None, size: int | None) -> Float64Array:
    """Weights `[out, length]` of one axis."""
    out = size if size is not None else int(length * np.float32(scale or 1))
    if _text(attributes, "mode", "nearest") == "nearest":
        return _nearest(attributes, length, out / length if scale is None else scale, out)
    mode = _text(attributes, "coordinate_transformation_mode", "half_pixel")
    # the one element of the result is the first of the input, which ONNX's implementation takes half of
    if mode == "pytorch_half_pixel" and out == 1 and not attributes.get("antialias"):
        return np.eye(length)[:1]
    unit = np.eye(length, dtype=np.float32)
    constants = {"x": unit}
    if scale is not None:
        constants["scales"] = np.array([1.0, scale], dtype=np.float32)
    else:
        constants["sizes"] = np.array([length, size], dtype=np.int64)
    inputs = ["x", "", "scales"] if scale is not None else ["x", "", "", "sizes"]
    node = helper.make_node("Resize", inputs, ["y"], **attributes)
    # the rows are unit vectors: row i of the answer is column i of the weights
    graph = helper.make_graph(
        [node],
        "axis",
        [],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    (answer,) = ReferenceEvaluator(model).run(None, {})
    return np.asarray(answer, dtype=np.float64).T
