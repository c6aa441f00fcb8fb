"""Quantised models as they are: QuantizeLinear, DequantizeLinear and the operators between, over the reals.

The rounding and the saturation are part of the network's meaning, so they are computed, not skipped.
"""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Array, Context, Step
from assay_prover.frontend.node import Node
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
        context.part(node, ".y"),
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


def _restored(context: Context, node: Node, position: int, name: str) -> tuple[list[Step], dict[str, Array]]:
    """Steps that dequantise the three inputs at `position` (integers, scale, zero point) as `name`."""
    scale = np.asarray(context.constant(node, position + 1, "a scale"), dtype=np.float64)
    zero = np.asarray(_zero(context, node, position + 2), dtype=np.float64)
    constants: dict[str, Array] = {f"{name}.s": scale.reshape(()), f"{name}.z": zero.reshape(())}
    if scale.size != 1 or zero.size != 1:
        raise node.unsupported("scales for each channel of activations")
    source = node.inputs[position]
    steps: list[Step] = [
        ("Sub", [source, f"{name}.z"], f"{name}.d", {}),
        ("Mul", [f"{name}.d", f"{name}.s"], name, {}),
    ]
    return steps, constants


def _round_off(context: Context, node: Node, y: str, position: int) -> None:
    """Quantise `y` by the scale at `position` and the zero point after it, as the node's output."""
    scale = np.asarray(context.constant(node, position, "a scale"), dtype=np.float64).reshape(())
    zero = _zero(context, node, position + 1)
    point = np.asarray(zero, dtype=np.float64).reshape(())
    _quantise(context, node, context.part(node, y), scale, point, zero.dtype.name, node.outputs[0])


@lowers("QLinearAdd", "QLinearMul")
def quantised_pair(context: Context, node: Node) -> None:
    """Dequantise both, compute, quantise."""
    left, constants = _restored(context, node, 0, ".a")
    right, others = _restored(context, node, 3, ".b")
    last: Step = (node.operator.removeprefix("QLinear"), [".a", ".b"], ".y", {})
    context.expand(node, [*left, *right, last], constants | others)
    _round_off(context, node, ".y", 6)


@lowers(
    "QLinearSigmoid", "QLinearLeakyRelu", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearSoftmax"
)
def quantised_one(context: Context, node: Node) -> None:
    """Dequantise, compute, quantise."""
    steps, constants = _restored(context, node, 0, ".x")
    attributes = {k: v for k, v in node.attributes.items() if k not in ("channels_last", "opset")}
    if node.int("channels_last", 0):
        raise node.unsupported("channels_last")
    operator = node.operator.removeprefix("QLinear")
    context.expand(node, [*steps, (operator, [".x"], ".y", attributes)], constants)
    _round_off(context, node, ".y", 3)


@lowers("QLinearConcat")
def quantised_concat(context: Context, node: Node) -> None:
    """The output's scale and zero point come first, then three inputs a part."""
    steps: list[Step] = []
    constants: dict[str, Array] = {}
    names = []
    for position in range(2, len(node.inputs), 3):
        part, more = _restored(context, node, position, f".x{position}")
        steps, constants = [*steps, *part], constants | more
        names.append(f".x{position}")
    context.expand(node, [*steps, ("Concat", names, ".y", {"axis": node.int("axis", 1)})], constants)
    _round_off(context, node, ".y", 0)


@lowers("QGemm")
def quantised_gemm(context: Context, node: Node) -> None:
    """alpha A' B' + C with C in the products' scale; without an output scale the answer stays real."""
    steps, constants = _restored(context, node, 0, ".a")
    weights = context.weights(node, 3, "the weights")
    scale = np.asarray(context.constant(node, 4, "a scale"), dtype=np.float64)
    zero = np.asarray(context.constant(node, 5, "a zero point"), dtype=np.float64)
    if node.int("transB", 0):
        weights = weights.T
    alpha = node.float("alpha", 1.0)
    constants[".w"] = (weights - zero) * scale * alpha
    factors = {"transA": node.int("transA", 0)}
    inputs = [".a", ".w"]
    if context.has(node, 6):
        constants[".c"] = context.weights(node, 6, "the bias") * constants[".a.s"] * scale * alpha
        inputs.append(".c")
    if not context.has(node, 7):
        context.expand(node, [*steps, ("Gemm", inputs, node.outputs[0], factors)], constants)
        return
    context.expand(node, [*steps, ("Gemm", inputs, ".y", factors)], constants)
    _round_off(context, node, ".y", 7)
