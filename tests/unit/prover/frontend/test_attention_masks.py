"""Padding that a model masks by its own input, in every way that exporters write it."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from assay_prover.compiler.onnxruntime_check import check_import
from assay_prover.errors import ModelError
from assay_prover.frontend import import_model
from assay_prover.passes import Precision, calibrate, fuse, quantise
from unit.prover.onnx_models import Nodes, build

FINE = Precision(
    limb_bits=1, input_bits=12, activation_bits=12, output_bits=12, weight_noise=0.1, table_bits=12
)
RNG = np.random.default_rng(3)
WORDS, LENGTH, WIDTH = 12, 5, 8
LEAST = float(np.finfo(np.float32).min)

CONSTANTS = {
    "words": RNG.normal(size=(WORDS, WIDTH)),
    "positions": RNG.normal(size=(1, LENGTH, WIDTH)) * 0.3,
    **{name: RNG.normal(size=(WIDTH, WIDTH)) / np.sqrt(WIDTH) for name in ("wq", "wk", "wv")},
    "pad": np.array(0),
    "one": np.array(1.0),
    "zero": np.array(0.0),
    "root": np.array(np.sqrt(WIDTH)),
    "axis": np.array([1]),
    "axes": np.array([1, 2]),
    "whole": np.array([1, LENGTH, LENGTH]),
    "infinity": np.array(-np.inf),
    "least": np.array(LEAST),
    "billion": np.array(-1e9),
    "bert": np.array(-10000.0),
    "upwards": np.array(10000.0),
    "later": np.triu(np.full((1, LENGTH, LENGTH), -np.inf), 1),
}

ADDED: dict[str, Nodes] = {
    "least_float": [
        ("Unsqueeze", ["real", "axis"], "row", {}),
        ("Sub", ["one", "row"], "hidden", {}),
        ("Mul", ["hidden", "least"], "mask", {}),
    ],
    "ten_thousand": [
        ("Sub", ["one", "real"], "hidden", {}),
        ("Unsqueeze", ["hidden", "axis"], "row", {}),
        ("Mul", ["row", "bert"], "mask", {}),
    ],
    "upwards": [
        ("Sub", ["real", "one"], "hidden", {}),
        ("Mul", ["hidden", "upwards"], "flat", {}),
        ("Unsqueeze", ["flat", "axis"], "mask", {}),
    ],
    "truth": [
        ("Unsqueeze", ["kept", "axis"], "row", {}),
        ("Expand", ["row", "whole"], "full", {}),
        ("Where", ["full", "zero", "infinity"], "mask", {}),
    ],
    "expanded": [
        ("Where", ["kept", "zero", "least"], "flat", {}),
        ("Unsqueeze", ["flat", "axis"], "row", {}),
        ("Expand", ["row", "whole"], "mask", {}),
    ],
    "with_later_ones": [
        ("Unsqueeze", ["kept", "axis"], "row", {}),
        ("Where", ["row", "zero", "least"], "padding", {}),
        ("Add", ["padding", "later"], "mask", {}),
    ],
    "twice": [
        ("Unsqueeze", ["kept", "axis"], "row", {}),
        ("Where", ["row", "zero", "least"], "padding", {}),
        ("Unsqueeze", ["kept", "axis"], "again", {}),
        ("Where", ["again", "zero", "infinity"], "other", {}),
        ("Add", ["padding", "other"], "mask", {}),
    ],
}
CHOSEN: dict[str, Nodes] = {
    "before_scaling": [
        ("Unsqueeze", ["padded", "axis"], "row", {}),
        ("Where", ["row", "infinity", "products"], "hidden", {}),
        ("Div", ["hidden", "root"], "masked", {}),
    ],
    "a_billion": [
        ("Unsqueeze", ["kept", "axis"], "row", {}),
        ("Where", ["row", "products", "billion"], "masked", {}),
    ],
}


def model(style: str) -> bytes:
    """Attention over an embedding, the mean of the results at places that are no padding."""
    nodes: Nodes = [
        ("Equal", ["input", "pad"], "padded", {}),
        ("Not", ["padded"], "kept", {}),
        ("Cast", ["kept"], "real", {"to": TensorProto.FLOAT}),
        ("Gather", ["words", "input"], "taken", {}),
        ("Add", ["taken", "positions"], "e", {}),
        *((("MatMul", ["e", f"w{name}"], name, {})) for name in "qkv"),
        ("Transpose", ["k"], "kt", {"perm": [0, 2, 1]}),
        ("MatMul", ["q", "kt"], "products", {}),
    ]
    if style in ADDED:
        nodes = [
            *nodes,
            *ADDED[style],
            ("Div", ["products", "root"], "scores", {}),
            ("Add", ["scores", "mask"], "masked", {}),
        ]
    else:
        nodes = [*nodes, *CHOSEN[style]]
    nodes = [
        *nodes,
        ("Softmax", ["masked"], "p", {"axis": -1}),
        ("MatMul", ["p", "v"], "a", {}),
        ("Slice", ["a", "starts", "ends", "along"], "first", {}),
        ("Squeeze", ["first", "axis"], "output", {}),
    ]
    cut = {"starts": np.array([0]), "ends": np.array([1]), "along": np.array([1])}
    used = {name for _, inputs, _, _ in nodes for name in inputs}
    constants = {name: value for name, value in (CONSTANTS | cut).items() if name in used}
    return build(nodes, constants, (1, LENGTH), input_type=TensorProto.INT64)


def samples(count: int) -> np.ndarray:
    """Words, the last up to three of them padding."""
    x = RNG.integers(1, WORDS, size=(count, 1, LENGTH)).astype(np.float64)
    for row, padding in zip(x, RNG.integers(0, 4, size=count), strict=True):
        row[0, LENGTH - padding :] = 0
    return x


@pytest.mark.parametrize("style", [*ADDED, *CHOSEN])
def test_padding_takes_no_part(style: str) -> None:
    data = model(style)
    imported = import_model(data)
    x = samples(60)
    assert check_import(data, imported, x, False) < 1e-5
    graph = fuse(imported)
    calibration = calibrate(graph, x, (0.0, WORDS - 1.0))
    quantised = quantise(graph, calibration, FINE)
    answers = quantised.graph.run(quantised.encode(x))[quantised.graph.output] * quantised.output_scale
    error = np.abs(answers - calibration.outputs).max() / np.abs(calibration.outputs).max()
    assert error < 0.01
    # whatever stands where, padding alone included, nothing leaves its worst case
    lo, hi = quantised.input.lo, quantised.input.hi
    points = RNG.integers(lo, hi + 1, size=(40, 1, LENGTH))
    points[0], points[1] = lo, 0
    for name, found in quantised.graph.run(points).items():
        tensor = quantised.graph.tensors[name]
        assert ((found >= tensor.lo) & (found <= tensor.hi)).all(), name


def test_a_mask_that_is_not_before_a_softmax_is_refused() -> None:
    nodes: Nodes = [
        ("Greater", ["input", "zero"], "b", {}),
        ("Where", ["b", "input", "infinity"], "m", {}),
        ("Relu", ["m"], "output", {}),
    ]
    constants = {name: CONSTANTS[name] for name in ("zero", "infinity")}
    with pytest.raises(ModelError, match="infinity, which is supported as a mask"):
        import_model(build(nodes, constants, (1, 4)))


def test_a_large_factor_that_is_no_mask_stays_a_factor() -> None:
    nodes: Nodes = [
        ("Cast", ["input"], "real", {"to": TensorProto.FLOAT}),
        ("Mul", ["real", "bert"], "output", {}),
    ]
    graph = import_model(build(nodes, {"bert": CONSTANTS["bert"]}, (1, 3), input_type=TensorProto.INT64))
    np.testing.assert_allclose(graph.run(np.array([[[1.0, -2.0, 0.0]]]))["output"], [[[-1e4, 2e4, 0.0]]])
