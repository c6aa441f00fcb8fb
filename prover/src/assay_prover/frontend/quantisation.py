"""Quantised models as they are: QuantizeLinear, DequantizeLinear and the operators between, over the reals.

The rounding and the saturation are part of the network's meaning, so they are computed, not skipped.
"""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Array, Context, Node, Step
from assay_prover.frontend.registry import lowers

RANGES = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
    "uint4": (0, 15),
    "int4": (-8, 7),
}


def _per_axis(context: Context, node: Node, values: Array, axis: int, position: int = 0) -> np.ndarray:
    shape = context.shape(node.inputs[position])
    flat = np.asarray(values, dtype=np.float64)
    if flat.size == 1:
        return flat.reshape(())
    if flat.ndim != 1:
        raise node.unsupported("block quantisation")
    view = [1] * len(shape)
    view[axis % len(shape)] = -1
    return flat.reshape(view)


def _zero(context: Context, node: Node, position: int) -> Array:
    return (
        context.constant(node, position, "the zero point")
        if context.has(node, position)
        else np.zeros((), np.uint8)
    )


def _saturate(node: Node, kind: str) -> tuple[int, int]:
    if kind not in RANGES:
        raise node.unsupported(f"the quantised type {kind}")
    return RANGES[kind]


def _quantise(
    context: Context, node: Node, x: str, scale: np.ndarray, zero: np.ndarray, kind: str, y: str
) -> None:
    lo, hi = _saturate(node, kind)
    steps: list[Step] = [
        ("Mul", [x, ".inverse"], ".scaled", {}),
        ("Round", [".scaled"], ".whole", {}),
    ]
    constants: dict[str, Array] = {".inverse": 1.0 / scale, ".zero": zero}
    if zero.size == 1:
        origin = float(zero)
        steps.append(("Clip", [".whole", ".lo", ".hi"], ".kept", {}))
        constants |= {".lo": np.array(lo - origin), ".hi": np.array(hi - origin)}
        steps.append(("Add", [".kept", ".zero"], y, {}))
    else:
        steps += [("Add", [".whole", ".zero"], ".moved", {}), ("Clip", [".moved", ".lo", ".hi"], y, {})]
        constants |= {".lo": np.array(float(lo)), ".hi": np.array(float(hi))}
    context.expand(node, steps, constants)


@lowers("QuantizeLinear")
def quantize(context: Context, node: Node) -> None:
    """saturate(round(x / scale) + zero), halves to even."""
    axis = node.int("axis", 1)
    scale = _per_axis(context, node, context.constant(node, 1, "the scale"), axis)
    zero = _zero(context, node, 2)
    _quantise(
        context,
        node,
        node.inputs[0],
        scale,
        _per_axis(context, node, zero, axis),
        zero.dtype.name,
        node.outputs[0],
    )


@lowers("DequantizeLinear")
def dequantize(context: Context, node: Node) -> None:
    """(x - zero) scale."""
    axis = node.int("axis", 1)
    scale = _per_axis(context, node, context.constant(node, 1, "the scale"), axis)
    zero = _per_axis(context, node, _zero(context, node, 2), axis)
    steps: list[Step] = [
        ("Sub", [node.inputs[0], ".zero"], ".d", {}),
        ("Mul", [".d", ".scale"], node.outputs[0], {}),
    ]
    context.expand(node, steps, {".zero": zero, ".scale": scale})


@lowers("QLinearMatMul", "QLinearConv")
def quantised_linear(context: Context, node: Node) -> None:
    """Dequantise, compute, quantise: the products are exact, so only the final rounding is one."""
    convolution = node.operator == "QLinearConv"
    x, w, y = 0, 3, 6
    shape = context.shape(node.inputs[w])
    real: dict[int, np.ndarray] = {}
    if node.inputs[w] not in context.constants:
        raise node.unsupported("the second factor must be a constant")
    weights = context.weights(node, w, "the weights")
    scale = np.asarray(context.constant(node, w + 1, "a scale"), dtype=np.float64)
    zero = np.asarray(context.constant(node, w + 2, "a zero point"), dtype=np.float64)
    if scale.size > 1:
        view = [1] * len(shape)
        view[0 if convolution else -1] = -1
        scale, zero = scale.reshape(view), zero.reshape(view) if zero.size > 1 else zero
    real[w] = (weights - zero) * scale
    constants: dict[str, Array] = {
        ".w": real[w],
        ".xs": np.asarray(context.constant(node, x + 1, "a scale"), dtype=np.float64).reshape(()),
        ".xz": np.asarray(context.constant(node, x + 2, "a zero point"), dtype=np.float64).reshape(()),
    }
    steps: list[Step] = [("Sub", [node.inputs[x], ".xz"], ".d", {}), ("Mul", [".d", ".xs"], ".x", {})]
    inputs = [".x", ".w"]
    if convolution and context.has(node, 8):
        constants[".b"] = context.weights(node, 8, "the bias") * constants[".xs"] * scale.ravel()
        inputs.append(".b")
    steps.append(("Conv" if convolution else "MatMul", inputs, ".y", node.attributes if convolution else {}))
    context.expand(node, steps, constants)
    out_zero = context.constant(node, y + 1, "a zero point")
    out_scale = np.asarray(context.constant(node, y, "a scale"), dtype=np.float64)
    if out_scale.size != 1:
        raise node.unsupported("an output scale for each channel")
    _quantise(
        context,
        node,
        f"{node.outputs[0]}/y",
        out_scale.reshape(()),
        np.asarray(out_zero, dtype=np.float64).reshape(()),
        out_zero.dtype.name,
        node.outputs[0],
    )


@lowers("MatMulInteger", "ConvInteger")
def integer_linear(context: Context, node: Node) -> None:
    """Without scales: (x - x_zero)(w - w_zero)."""
    weights = context.weights(node, 1, "the weights")
    zeros = [
        np.asarray(context.constant(node, k, "a zero point"), dtype=np.float64)
        if context.has(node, k)
        else np.zeros(())
        for k in (2, 3)
    ]
    if any(zero.size != 1 for zero in zeros):
        raise node.unsupported("a zero point for each row")
    steps: list[Step] = [
        ("Sub", [node.inputs[0], ".zero"], ".x", {}),
        (
            "Conv" if node.operator == "ConvInteger" else "MatMul",
            [".x", ".w"],
            node.outputs[0],
            node.attributes,
        ),
    ]
    context.expand(node, steps, {".zero": zeros[0].reshape(()), ".w": weights - zeros[1].reshape(())})
