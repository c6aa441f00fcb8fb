"""Where a step less or more would be another answer: ties, zeros, halves, thresholds, the ends of a table."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from assay_prover.frontend import import_model
from assay_prover.passes import Precision, QuantisedModel, calibrate, fuse, quantise
from unit.prover.onnx_models import build, run
from unit.prover.operator_cases import CASES, Nodes

COARSE = Precision(limb_bits=1, input_bits=6, activation_bits=6, output_bits=6, table_bits=6)


def _quantised(
    nodes: Nodes,
    constants: dict[str, np.ndarray],
    x: np.ndarray,
    precision: Precision = COARSE,
    kind: int = TensorProto.FLOAT,
) -> tuple[QuantisedModel, np.ndarray, bytes]:
    """The model, its integers' real values on x `[n, *shape]`, and the file."""
    data = build(nodes, constants, x.shape[1:], input_type=kind)
    graph = fuse(import_model(data))
    model = quantise(graph, calibrate(graph, x, (float(x.min()), float(x.max()))), precision)
    return model, model.graph.run(model.encode(x))[model.graph.output] * model.output_scale, data


def _one(operator: str, **attributes: object) -> Nodes:
    return [(operator, ["input"], "output", dict(attributes))]


@pytest.mark.parametrize("operator", ["Round", "Floor", "Ceil", "Sign"])
def test_whole_numbers_and_halves_are_exact_where_the_scale_holds_them(operator: str) -> None:
    """255 steps of 1/32: every half and whole number is an integer of the input."""
    x = (np.arange(256) - 128).reshape(-1, 1, 1) / 32
    _, answers, data = _quantised(_one(operator), {}, x, Precision(input_bits=8))
    expected = np.stack([run(data, sample) for sample in x])
    np.testing.assert_array_equal(answers, expected)


def test_halves_round_to_even_after_a_layer_too() -> None:
    x = np.arange(-8.0, 8.0).reshape(-1, 1, 1)
    nodes: Nodes = [
        ("Cast", ["input"], "x", {"to": TensorProto.FLOAT}),
        ("Mul", ["x", "half"], "h", {}),
        ("Round", ["h"], "output", {}),
    ]
    _, answers, _ = _quantised(nodes, {"half": np.array(0.5)}, x, kind=TensorProto.INT64)
    np.testing.assert_array_equal(answers, np.rint(x / 2))


@pytest.mark.parametrize("operator", ["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"])
def test_comparison_of_equal_numbers(operator: str) -> None:
    x = np.arange(-3.0, 4.0).reshape(-1, 1, 1)
    nodes: Nodes = [
        (operator, ["input", "one"], "b", {}),
        ("Cast", ["b"], "output", {"to": TensorProto.FLOAT}),
    ]
    one = {"one": np.array(1, dtype=np.int64)}
    _, answers, data = _quantised(nodes, one, x, kind=TensorProto.INT64)
    np.testing.assert_array_equal(answers, np.stack([run(data, sample) for sample in x]))


def test_there_is_one_zero_without_a_sign() -> None:
    """-0.0 and 0.0 are the same integer, and neither is negative."""
    x = np.array([-0.0, 0.0, -1.0, 1.0]).reshape(4, 1, 1)
    model, answers, _ = _quantised(_one("Sign"), {}, x)
    encoded = model.encode(x).ravel()
    assert encoded[0] == encoded[1]
    np.testing.assert_array_equal(answers.ravel(), [0, 0, -1, 1])


@pytest.mark.parametrize("last", [0, 1])
def test_of_equal_maxima_the_first_wins_or_the_last(last: int) -> None:
    x = np.array([[3.0, 1, 3], [2, 2, 2], [0, 5, 5], [4, 0, 1]]).reshape(4, 1, 3)
    data = build(
        _one("ArgMax", axis=1, select_last_index=last, keepdims=0),
        {},
        (1, 3),
        output_type=TensorProto.INT64,
    )
    graph = fuse(import_model(data))
    model = quantise(graph, calibrate(graph, x, (0.0, 5.0)), COARSE)
    answers = model.graph.run(model.encode(x))[model.graph.output].ravel()
    np.testing.assert_array_equal(answers, [2, 2, 2, 0] if last else [0, 0, 1, 0])


def test_softmax_keeps_the_order_of_its_logits() -> None:
    """Of two logits the greater never gets less, and equal ones get the same, at the coarsest precision."""
    rng = np.random.default_rng(0)
    x = np.rint(rng.uniform(-8, 8, size=(200, 1, 5)) * 2) / 2
    x[0] = 0.0
    nodes: Nodes = [("Softmax", ["input"], "p", {"axis": -1}), ("Mul", ["p", "two"], "output", {})]
    model, answers, _ = _quantised(nodes, {"two": np.array(2.0)}, x)
    logits, found = model.encode(x)[:, 0], answers[:, 0]
    for i in range(5):
        for j in range(5):
            assert (found[:, i] >= found[:, j])[logits[:, i] >= logits[:, j]].all()


@pytest.mark.parametrize(
    "name",
    [
        "layer_normalization",
        "rms_normalization",
        "instance_normalization",
        "lp_normalization",
        "normalizer",
        "normalizer_l1",
        "mean_variance_normalization",
    ],
)
def test_a_vector_of_zeros_is_normalised_to_its_offset(name: str) -> None:
    case = CASES[name]
    graph = fuse(import_model(case.model))
    x = np.concatenate([case.samples(8), np.zeros((1, *case.shape))])
    model = quantise(graph, calibrate(graph, x, (-2.0, 2.0)), Precision())
    zero = np.zeros((1, *case.shape), dtype=np.int64)
    answers = model.graph.run(zero)[model.graph.output] * model.output_scale
    expected = graph.run(np.zeros((1, *case.shape)))[graph.output]
    np.testing.assert_allclose(answers, expected, atol=0.01)


@pytest.mark.parametrize("operator", ["Sigmoid", "Tanh", "Exp", "Gelu"])
def test_beyond_its_table_a_function_keeps_its_last_value(operator: str) -> None:
    nodes: Nodes = [("Mul", ["input", "ten"], "t", {}), (operator, ["t"], "output", {})]
    data = build(nodes, {"ten": np.array(10.0)}, (1, 1), opset=20)
    graph = fuse(import_model(data))
    seen = np.linspace(-0.1, 0.1, 41).reshape(-1, 1, 1)
    model = quantise(graph, calibrate(graph, seen, (-1.0, 1.0)), COARSE)
    ends = np.arange(model.input.lo, model.input.hi + 1).reshape(-1, 1, 1)
    answers = model.graph.run(ends)[model.graph.output].ravel()
    assert len(set(answers[:10])) == 1
    assert len(set(answers[-10:])) == 1


def test_an_index_out_of_range_takes_the_nearest_and_negative_ones_count_from_the_end() -> None:
    table = np.array([[10.0], [20.0], [30.0]])
    x = np.array([-9, -4, -3, -1, 0, 2, 3, 7], dtype=np.float64).reshape(-1, 1, 1)
    nodes: Nodes = [("Gather", ["t", "input"], "output", {})]
    _, answers, _ = _quantised(nodes, {"t": table}, x, kind=TensorProto.INT64)
    np.testing.assert_array_equal(answers.ravel(), [10, 10, 10, 30, 10, 30, 30, 30])


def test_a_divisor_nearer_to_zero_than_any_seen_is_clamped() -> None:
    nodes: Nodes = [
        ("Add", ["input", "two"], "d", {}),
        ("Div", ["input", "d"], "output", {}),
    ]
    data = build(nodes, {"two": np.array(2.0)}, (1, 1))
    graph = fuse(import_model(data))
    seen = np.linspace(-0.5, 1.0, 21).reshape(-1, 1, 1)
    model = quantise(graph, calibrate(graph, seen, (-2.0, 1.0)), Precision(input_bits=10))
    every = np.arange(model.input.lo, model.input.hi + 1).reshape(-1, 1, 1)
    answers = model.graph.run(every)[model.graph.output].ravel() * model.output_scale
    x = every.ravel() * model.input.scale
    expected = x / np.maximum(x + 2, 0.25 * 1.5)
    inside = x > -1.6
    np.testing.assert_allclose(answers[inside], expected[inside], atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("operator", ["Div", "Mod"])
@pytest.mark.parametrize(
    ("divisor", "reach"), [(3, 10**6), (7, 100), (-10, 10**5), (65_537, 10**6), (999_983, 10**7)]
)
def test_quotients_of_whole_numbers_are_exact_however_few_samples_showed(
    operator: str, divisor: int, reach: int
) -> None:
    nodes: Nodes = [(operator, ["input", "divisor"], "output", {})]
    kinds = {"input_type": TensorProto.INT64, "output_type": TensorProto.INT64}
    data = build(nodes, {"divisor": np.array(divisor)}, (1, 6), **kinds)
    graph = fuse(import_model(data))
    seen = np.random.default_rng(3).integers(-8, 9, size=(16, 1, 6)).astype(np.float64)
    model = quantise(graph, calibrate(graph, seen, (-float(reach), float(reach))), COARSE)
    # around multiples, the greatest among them
    multiples = divisor * np.array([0, 1, -1, reach // divisor, -(reach // divisor), reach // divisor // 2])
    x = np.clip(multiples + np.arange(-2, 3)[:, None, None], -reach, reach)
    quotient = np.sign(divisor) * np.sign(x) * (np.abs(x) // abs(divisor))
    answers = model.graph.run(model.encode(x))[model.graph.output] * model.output_scale
    np.testing.assert_array_equal(answers, quotient if operator == "Div" else x % divisor)
