"""Trainings of one network: the same nodes with other weights."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from unit.prover.onnx_models import MODELS, build


def retrained(model: bytes, seed: int, *, change: float = 0.1, scale: float = 1.0) -> bytes:
    """Every weight moved by a random part of itself, then scaled."""
    rng = np.random.default_rng(seed)
    proto = onnx.load_from_string(model)
    for tensor in proto.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind == "f":
            moved = values * (1 + change * rng.uniform(-1, 1, values.shape)) * scale
            tensor.CopyFrom(numpy_helper.from_array(moved.astype(values.dtype), tensor.name))
    return bytes(proto.SerializeToString())


def bc_mlp() -> bytes:
    """The breast cancer network's file."""
    return (MODELS / "bc_mlp.onnx").read_bytes()


def small_cnn(seed: int = 0, *, channels: int = 4) -> bytes:
    """Digits of 8x8: a convolution, a strided one beside a shortcut, and a matrix."""
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        values: np.ndarray = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        return values

    constants = {
        "k0": drawn(channels, 1, 3, 3),
        "b0": 0.1 * rng.normal(size=channels),
        "k1": drawn(channels, channels, 3, 3),
        "b1": 0.1 * rng.normal(size=channels),
        "s1": drawn(channels, channels, 1, 1),
        "w2": drawn(10, channels * 16).T.copy(),
        "b2": 0.1 * rng.normal(size=10),
    }
    strided = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [
        ("Conv", ["input", "k0", "b0"], "c0", {"pads": [1, 1, 1, 1]}),
        ("Relu", ["c0"], "r0", {}),
        ("Conv", ["r0", "k1", "b1"], "c1", strided),
        ("Conv", ["r0", "s1"], "c2", {"strides": [2, 2]}),
        ("Add", ["c1", "c2"], "sum", {}),
        ("Relu", ["sum"], "r1", {}),
        ("Flatten", ["r1"], "flat", {}),
        ("Gemm", ["flat", "w2", "b2"], "output", {}),
    ]
    return build(nodes, constants, (1, 1, 8, 8))
