"""Operators of onnxruntime's quantiser."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from .case import Case, Nodes, scalar

RNG = np.random.default_rng(11)

# scales of which no ratio is a fraction of small numbers: a tie that is none in float32 may fall either way
QUANTISED = RNG.integers(-20, 20, size=(3, 4)).astype(np.int8)

SCALES = {
    "s": scalar(0.0213),
    "z": scalar(120, np.uint8),
    "ws": scalar(0.0471),
    "wz": scalar(0, np.int8),
    "w": QUANTISED.T.copy(),
    "c": np.array([100, -70, 20, 5], dtype=np.int32),
    "ys": scalar(0.0617),
    "yz": scalar(110, np.uint8),
}


def _quantised(
    operator: str, first: list[str], second: list[str], *, shape: tuple[int, ...] = (2, 3), **attributes: Any
) -> Case:
    nodes: Nodes = [
        ("QuantizeLinear", ["input", "s", "z"], "q", {}),
        (operator, ["q", *first, *second, "ys", "yz"], "y", {"domain": "com.microsoft", **attributes}),
        ("DequantizeLinear", ["y", "ys", "yz"], "output", {}),
    ]
    return Case(nodes, SCALES, shape)


CASES: dict[str, Case] = {
    "quantize_dequantize": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            ("DequantizeLinear", ["q", "s", "z"], "output", {}),
        ],
        {"s": scalar(0.125), "z": scalar(3, np.uint8)},
        (3, 4),
    ),
    "qlinear_matmul": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            ("QLinearMatMul", ["q", "s", "z", "w", "ws", "wz", "ys", "yz"], "y", {}),
            ("DequantizeLinear", ["y", "ys", "yz"], "output", {}),
        ],
        {
            "s": scalar(0.02),
            "z": scalar(3, np.int8),
            "w": QUANTISED,
            "ws": scalar(0.05),
            "wz": scalar(1, np.int8),
            "ys": scalar(0.0617),
            "yz": scalar(-2, np.int8),
        },
        (2, 3),
    ),
    "qlinear_conv": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            ("QLinearConv", ["q", "s", "z", "w", "ws", "wz", "ys", "yz", "b"], "y", {"pads": [1, 1]}),
            ("DequantizeLinear", ["y", "ys", "yz"], "output", {}),
        ],
        {
            "s": scalar(0.02),
            "z": scalar(130, np.uint8),
            "w": RNG.integers(-20, 20, size=(2, 1, 3)).astype(np.int8),
            "ws": np.array([0.05, 0.03], dtype=np.float32),
            "wz": np.zeros(2, dtype=np.int8),
            "ys": scalar(0.0617),
            "yz": scalar(120, np.uint8),
            "b": np.array([100, -70], dtype=np.int32),
        },
        (1, 1, 4),
    ),
    "matmul_integer": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            ("MatMulInteger", ["q", "w", "z"], "y", {}),
            ("Cast", ["y"], "output", {"to": TensorProto.FLOAT}),
        ],
        {"s": scalar(0.02), "z": scalar(3, np.int8), "w": QUANTISED},
        (2, 3),
    ),
    "conv_integer": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            ("ConvInteger", ["q", "w", "z"], "y", {}),
            ("Cast", ["y"], "output", {"to": TensorProto.FLOAT}),
        ],
        {
            "s": scalar(0.02),
            "z": scalar(130, np.uint8),
            "w": RNG.integers(0, 20, size=(2, 1, 2)).astype(np.uint8),
        },
        (1, 1, 4),
    ),
    "qgemm": _quantised("QGemm", ["s", "z", "w", "ws", "wz", "c"], [], transB=1),
    "qlinear_add": _quantised("QLinearAdd", ["s", "z"], ["q", "s", "z"]),
    "qlinear_mul": _quantised("QLinearMul", ["s", "z"], ["q", "s", "z"]),
    "qlinear_sigmoid": _quantised("QLinearSigmoid", ["s", "z"], []),
    "qlinear_leaky_relu": _quantised("QLinearLeakyRelu", ["s", "z"], [], alpha=0.3),
    "qlinear_softmax": _quantised("QLinearSoftmax", ["s", "z"], [], axis=1, opset=13),
    "qlinear_average_pool": _quantised(
        "QLinearAveragePool", ["s", "z"], [], shape=(1, 1, 2, 4), kernel_shape=[2, 2]
    ),
    "qlinear_global_average_pool": _quantised("QLinearGlobalAveragePool", ["s", "z"], [], shape=(1, 1, 2, 3)),
    "qlinear_concat": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            (
                "QLinearConcat",
                ["ys", "yz", "q", "s", "z", "q", "ws", "z"],
                "y",
                {"axis": 1, "domain": "com.microsoft"},
            ),
            ("DequantizeLinear", ["y", "ys", "yz"], "output", {}),
        ],
        SCALES,
    ),
}
