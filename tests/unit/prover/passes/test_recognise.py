"""Functions and norms that older operator sets write out in simple operators."""

from __future__ import annotations

import numpy as np
import pytest

from assay_prover.compiler.preparation import prepare
from assay_prover.errors import ModelError
from assay_prover.frontend import import_model
from assay_prover.passes import Precision, calibrate, fuse, quantise
from assay_prover.passes import recognise as recognise_module
from unit.prover.onnx_models import Nodes, build

RNG = np.random.default_rng(11)
NUMBERS = {
    "half": 0.5,
    "one": 1.0,
    "two": 2.0,
    "three": 3.0,
    "root_half": 0.5**0.5,
    "root_two": 2.0**0.5,
    "cubic": 0.044715,
    "outer": (2 / np.pi) ** 0.5,
    "quick": 1.702,
    "sixth": 1 / 6,
    "zero": 0.0,
    "epsilon": 1e-5,
    "tiny": 1e-12,
    "odd": 1.5,
}

FUNCTIONS: dict[str, tuple[str, Nodes]] = {
    "gelu, halved last": (
        "Gelu",
        [
            ("Div", ["input", "root_two"], "d", {}),
            ("Erf", ["d"], "e", {}),
            ("Add", ["e", "one"], "g", {}),
            ("Mul", ["input", "g"], "m", {}),
            ("Mul", ["m", "half"], "output", {}),
        ],
    ),
    "gelu, halved first": (
        "Gelu",
        [
            ("Mul", ["input", "half"], "h", {}),
            ("Mul", ["input", "root_half"], "d", {}),
            ("Erf", ["d"], "e", {}),
            ("Add", ["one", "e"], "g", {}),
            ("Mul", ["g", "h"], "output", {}),
        ],
    ),
    "gelu by tanh": (
        "GeluTanh",
        [
            ("Pow", ["input", "three"], "c", {}),
            ("Mul", ["c", "cubic"], "k", {}),
            ("Add", ["input", "k"], "a", {}),
            ("Mul", ["a", "outer"], "o", {}),
            ("Tanh", ["o"], "t", {}),
            ("Add", ["t", "one"], "g", {}),
            ("Mul", ["input", "g"], "m", {}),
            ("Mul", ["half", "m"], "output", {}),
        ],
    ),
    "silu": ("Swish", [("Sigmoid", ["input"], "s", {}), ("Mul", ["input", "s"], "output", {})]),
    "quick gelu": (
        "Swish",
        [
            ("Mul", ["input", "quick"], "q", {}),
            ("Sigmoid", ["q"], "s", {}),
            ("Mul", ["s", "input"], "output", {}),
        ],
    ),
    "sigmoid": (
        "Sigmoid",
        [
            ("Neg", ["input"], "n", {}),
            ("Exp", ["n"], "e", {}),
            ("Add", ["one", "e"], "d", {}),
            ("Div", ["one", "d"], "output", {}),
        ],
    ),
    "softplus": (
        "Softplus",
        [("Exp", ["input"], "e", {}), ("Add", ["one", "e"], "d", {}), ("Log", ["d"], "output", {})],
    ),
    "mish": (
        "Mish",
        [
            ("Softplus", ["input"], "p", {}),
            ("Tanh", ["p"], "t", {}),
            ("Mul", ["input", "t"], "output", {}),
        ],
    ),
    "hard swish": (
        "HardSwish",
        [("HardSigmoid", ["input"], "s", {"alpha": 1 / 6}), ("Mul", ["input", "s"], "output", {})],
    ),
}

NORMS: dict[str, Nodes] = {
    "layer norm": [
        ("ReduceMean", ["input"], "mean", {"axes": [-1]}),
        ("Sub", ["input", "mean"], "c", {}),
        ("Pow", ["c", "two"], "p", {}),
        ("ReduceMean", ["p"], "v", {"axes": [-1]}),
        ("Add", ["v", "epsilon"], "e", {}),
        ("Sqrt", ["e"], "s", {}),
        ("Div", ["c", "s"], "output", {}),
    ],
    "root mean square": [
        ("Mul", ["input", "input"], "p", {}),
        ("ReduceMean", ["p"], "v", {"axes": [-1]}),
        ("Add", ["epsilon", "v"], "e", {}),
        ("Sqrt", ["e"], "s", {}),
        ("Reciprocal", ["s"], "r", {}),
        ("Mul", ["r", "input"], "output", {}),
    ],
    "over channels": [
        ("Mul", ["input", "input"], "p", {}),
        ("ReduceSum", ["p", "axes"], "v", {"keepdims": 1}),
        ("Add", ["v", "epsilon"], "e", {}),
        ("Pow", ["e", "half"], "s", {}),
        ("Div", ["input", "s"], "output", {}),
    ],
    "unit length": [
        ("ReduceL2", ["input"], "n", {"axes": [-1], "keepdims": 1}),
        ("Clip", ["n", "tiny"], "c", {}),
        ("Expand", ["c", "shape"], "s", {}),
        ("Div", ["input", "s"], "output", {}),
    ],
}


def _build(nodes: Nodes, shape: tuple[int, ...] = (1, 3, 4)) -> bytes:
    used = {name for _, inputs, _, _ in nodes for name in inputs}
    constants = {name: np.array(value) for name, value in NUMBERS.items() if name in used}
    whole = {"axes": np.array([1]), "shape": np.array(shape)}
    return build(nodes, constants | {name: value for name, value in whole.items() if name in used}, shape)


def _kinds(nodes: Nodes) -> list[str]:
    return [
        getattr(op, "kind", type(op).__name__.removeprefix("Float"))
        for op in fuse(import_model(_build(nodes))).ops
    ]


@pytest.mark.parametrize("style", FUNCTIONS)
def test_written_out_function_is_one_table(style: str) -> None:
    kind, nodes = FUNCTIONS[style]
    assert _kinds(nodes) == [kind]
    imported = import_model(_build(nodes))
    x = RNG.normal(0, 3, size=(20, 1, 3, 4))
    np.testing.assert_allclose(
        fuse(imported).run(x)["output"], imported.run(x)["output"], atol=1e-6, rtol=1e-6
    )


def test_falling_sigmoid_is_that_of_the_negative() -> None:
    nodes: Nodes = [
        ("Exp", ["input"], "e", {}),
        ("Add", ["e", "one"], "d", {}),
        ("Reciprocal", ["d"], "output", {}),
    ]
    assert _kinds(nodes) == ["Affine", "Sigmoid"]
    x = np.linspace(-30, 30, 12).reshape(1, 1, 3, 4)
    np.testing.assert_allclose(fuse(import_model(_build(nodes))).run(x)["output"], 1 / (1 + np.exp(x)))


def test_multiple_of_a_function_is_a_table_and_a_factor() -> None:
    nodes = [*FUNCTIONS["gelu, halved last"][1][:-1], ("Mul", ["m", "odd"], "output", {})]
    assert _kinds(nodes) == ["Gelu", "Affine"]


@pytest.mark.parametrize("change", [("Div", "odd"), ("Add", "half"), ("Mul", "e")])
def test_what_differs_from_a_function_is_none(change: tuple[str, str]) -> None:
    """Another width, another offset, another factor than the argument itself."""
    operator, other = change
    nodes: Nodes = [
        (name, [inputs[0], other] if name == operator and output != "output" else list(inputs), output, {})
        for name, inputs, output, _ in FUNCTIONS["gelu, halved last"][1]
    ]
    assert "Gelu" not in _kinds(nodes)


@pytest.mark.parametrize("ends", [(-1e3, 1e2), (-1e2, None), (None, 61.0)])
def test_clip_beyond_where_functions_are_compared_is_kept(ends: tuple[float | None, float | None]) -> None:
    limits = {name: np.array(end) for name, end in zip(("lo", "hi"), ends, strict=True) if end is not None}
    nodes: Nodes = [
        ("Sigmoid", ["input"], "s", {}),
        ("Mul", ["input", "s"], "y", {}),
        ("Clip", ["y", "lo" if "lo" in limits else "", "hi" if "hi" in limits else ""], "c", {}),
        ("Identity", ["c"], "output", {}),
    ]
    imported = import_model(build(nodes, limits, (1, 3, 4)))
    fused = fuse(imported)
    assert any(getattr(op, "kind", "") == "Swish" for op in fused.ops)
    x = np.linspace(-2000, 2000, 24).reshape(2, 1, 3, 4)
    np.testing.assert_allclose(fused.run(x)[fused.output], imported.run(x)[imported.output], atol=1e-6)


def test_file_is_compared_with_what_was_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function taken for another is refused, not compiled."""
    monkeypatch.setattr(recognise_module, "_name", lambda _: ("Softplus", ()))
    _, nodes = FUNCTIONS["silu"]
    with pytest.raises(ModelError, match="differs from onnxruntime"):
        prepare(
            _build(nodes), np.random.default_rng(1).normal(size=(8, 1, 3, 4)), None, None, lambda *_: None
        )


def test_function_whose_parts_something_else_reads_keeps_them() -> None:
    nodes = [*FUNCTIONS["silu"][1][:1], ("Mul", ["input", "s"], "y", {}), ("Add", ["y", "s"], "output", {})]
    assert sorted(_kinds(nodes)) == ["Affine", "Sigmoid", "Swish"]


@pytest.mark.parametrize("style", NORMS)
def test_written_out_norm_is_exact(style: str) -> None:
    assert set(_kinds(NORMS[style])) <= {"Affine", "Normalise"}
    assert "Normalise" in _kinds(NORMS[style])
    imported = import_model(_build(NORMS[style]))
    graph = fuse(imported)
    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, size=(50, 1, 3, 4)) * rng.choice([0.02, 1.0], size=(50, 1, 3, 1))
    np.testing.assert_allclose(graph.run(x)["output"], imported.run(x)["output"], rtol=1e-6, atol=1e-9)
    # rows fifty times smaller than others are brought to the same length: no table of roots resolves both
    model = quantise(
        graph, calibrate(graph, x, (-1.0, 1.0)), Precision(input_bits=16, activation_bits=10, output_bits=12)
    )
    found = model.graph.run(model.encode(x))[model.graph.output] * model.output_scale
    # of the input as it was rounded: a row of almost equal numbers magnifies that
    expected = imported.run(model.encode(x) * model.input.scale)["output"]
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()


def test_norm_of_another_tensor_is_a_division() -> None:
    nodes = [
        ("Relu", ["input"], "x", {}),
        *(
            (op, ["x"] if inputs == ["input"] else list(inputs), y, a)
            for op, inputs, y, a in NORMS["layer norm"]
        ),
    ]
    nodes[-1] = ("Div", ["input", "s"], "output", {})
    assert "Divide" in _kinds(nodes)
