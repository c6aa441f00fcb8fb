"""The quantiser: every input in range stays within the bounds, and answers stay close to the float
network's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_prover.errors import QuantisationError
from assay_prover.frontend import import_model
from assay_prover.passes import Precision, calibrate, fuse, quantise
from assay_prover.reference import Affine, Requantise
from unit.prover.onnx_models import build, mlp
from unit.prover.operator_cases import Nodes
from unit.prover.passes.quantised import quantised

KINDS = ["mlp", "conv", "residual", "attention", "functions", "softmax"]


def _network(rng: np.random.Generator, kind: str) -> bytes:
    """A random network of one of a few families, weights of random size, some far from normalised."""
    scale = float(10 ** rng.uniform(-1, 1))
    if kind == "mlp":
        return mlp(rng, [6, *rng.integers(2, 9, size=int(rng.integers(1, 5))).tolist(), 3], scale)
    if kind == "conv":
        constants = {
            "k": rng.normal(size=(3, 2, 3, 3)) * scale,
            "b": rng.normal(size=3),
            "w": rng.normal(size=(12, 4)),
        }
        pool = str(rng.choice(["MaxPool", "AveragePool"]))
        nodes: list[tuple[str, list[str], str, Mapping[str, Any]]] = [
            ("Conv", ["input", "k", "b"], "c", {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
            ("Relu", ["c"], "r", {}),
            (pool, ["r"], "p", {"kernel_shape": [2, 2], "strides": [1, 1]}),
            ("Flatten", ["p"], "f", {}),
            ("MatMul", ["f", "w"], "output", {}),
        ]
        return build(nodes, constants, (1, 2, 6, 5))
    if kind == "residual":
        constants = {"w": rng.normal(size=(5, 5)) * scale, "v": rng.normal(size=(5, 5)), "lo": np.array(-1.0)}
        constants["hi"] = np.array(6.0)
        nodes = [
            ("MatMul", ["input", "w"], "m", {}),
            ("Relu", ["m"], "r", {}),
            ("Add", ["r", "input"], "a", {}),
            ("Clip", ["a", "lo", "hi"], "c", {}),
            ("MatMul", ["c", "v"], "x", {}),
            ("Sub", ["x", "r"], "output", {}),
        ]
        return build(nodes, constants, (1, 5))
    constants = {"w": rng.normal(size=(4, 4)) * scale, "v": rng.normal(size=(4, 4))}
    if kind == "functions":
        chosen = [str(name) for name in rng.choice(["Sigmoid", "Tanh", "Softplus", "Elu", "Erf", "Exp"], 2)]
        constants["w"] /= scale
        nodes = [
            ("MatMul", ["input", "w"], "m", {}),
            (chosen[0], ["m"], "f", {}),
            ("MatMul", ["f", "v"], "n", {}),
            ("LeakyRelu", ["n"], "l", {"alpha": 0.2}),
            (chosen[1] if chosen[1] != "Exp" else "Tanh", ["l"], "output", {}),
        ]
        return build(nodes, constants, (1, 4))
    if kind == "softmax":
        constants["w"] /= scale
        nodes = [
            ("MatMul", ["input", "w"], "m", {}),
            ("Softmax", ["m"], "p", {"axis": -1}),
            ("MatMul", ["p", "v"], "o", {}),
            ("Add", ["o", "input"], "output", {}),
        ]
        return build(nodes, constants, (1, 3, 4))
    nodes = [
        ("MatMul", ["input", "w"], "q", {}),
        ("MatMul", ["input", "v"], "k", {}),
        ("Transpose", ["k"], "t", {"perm": [0, 2, 1]}),
        ("Relu", ["t"], "tr", {}),
        ("MatMul", ["q", "tr"], "s", {}),
        ("Mul", ["s", "s"], "u", {}),
        ("ReduceMax", ["u"], "output", {"axes": [2], "keepdims": 0}),
    ]
    return build(nodes, constants, (1, 3, 4))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(KINDS),
    limb=st.sampled_from([1, 3, 8, 12]),
    activation=st.integers(4, 10),
    headroom=st.sampled_from([1, 3, 8]),
)
def test_no_input_in_range_leaves_the_worst_case(
    seed: int, kind: str, limb: int, activation: int, headroom: int
) -> None:
    """Totality: corners and random points of the input box, not only calibration samples."""
    rng = np.random.default_rng(seed)
    precision = Precision(limb_bits=limb, activation_bits=activation, headroom_bits=headroom)
    model, _, _ = quantised(_network(rng, kind), rng, precision)
    lo, hi = model.input.lo, model.input.hi
    assert hi - lo + 1 == 1 << model.input.bits
    shape = (48, *model.graph.input.shape)
    points = np.where(rng.random(shape) < 0.5, lo, hi)
    points[24:] = rng.integers(lo, hi + 1, size=(24, *shape[1:]))
    for name, values in model.graph.run(points).items():
        tensor = model.graph.tensors[name]
        assert ((values >= tensor.lo) & (values <= tensor.hi)).all(), name


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(KINDS))
def test_fine_integers_answer_as_the_float_network(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    precision = Precision(
        limb_bits=1, input_bits=14, activation_bits=14, output_bits=14, weight_noise=0.1, table_bits=14
    )
    model, x, expected = quantised(_network(rng, kind), rng, precision)
    integers = model.graph.run(model.encode(x))[model.graph.output]
    span = max(float(np.ptp(expected)), float(np.abs(expected).max()), 1e-9)
    assert np.abs(integers * model.output_scale - expected).max() / span < 0.01


@pytest.mark.parametrize("limb", [1, 4, 8])
def test_shifts_are_multiples_of_the_limb(limb: int) -> None:
    rng = np.random.default_rng(0)
    model, _, _ = quantised(mlp(rng, [16, 32, 8, 4]), rng, Precision(limb_bits=limb))
    shifts = [op.shift for op in model.graph.ops if isinstance(op, Requantise)]
    assert len(shifts) == 3
    assert all(shift % limb == 0 for shift in shifts)


def test_a_bottleneck_is_held_to_what_was_seen_and_spares_the_layer_behind() -> None:
    """16 results between wide layers: their clamps cost little, and 400 range checks are narrower."""
    rng = np.random.default_rng(1)
    model, _, _ = quantised(mlp(rng, [64, 300, 16, 400, 4]), rng, Precision(limb_bits=8, activation_bits=7))
    relus = [op for op in model.graph.ops if isinstance(op, Requantise) and op.lo == 0]
    assert [op.hi is not None for op in relus] == [False, True, False]


def test_a_cap_of_the_network_takes_one_range_check() -> None:
    nodes: Nodes = [("Gemm", ["input", "w"], "h", {}), ("Clip", ["h", "zero", "six"], "c", {})]
    nodes.append(("Gemm", ["c", "v"], "output", {}))
    rng = np.random.default_rng(2)
    constants = {"w": rng.normal(size=(12, 9)) * 3, "v": rng.normal(size=(9, 3))}
    constants |= {"zero": np.array(0.0), "six": np.array(6.0)}
    model, _, _ = quantised(build(nodes, constants, (1, 12)), rng, Precision(limb_bits=8, activation_bits=7))
    (capped,) = (op for op in model.graph.ops if isinstance(op, Requantise) and op.hi is not None)
    assert capped.lo == 0
    assert capped.hi == 2**7 - 1


def test_average_pooling_is_exact() -> None:
    nodes = [("AveragePool", ["input"], "output", {"kernel_shape": [2, 2], "strides": [2, 2]})]
    rng = np.random.default_rng(0)
    model, _, _ = quantised(build(nodes, {}, (1, 1, 4, 4)), rng, Precision())
    (op,) = model.graph.ops
    assert isinstance(op, Affine)
    assert set(op.maps[0].csr().data) == {1}
    assert model.output_scale == pytest.approx(model.input.scale / 4)


def test_worst_case_that_would_explode_is_clamped() -> None:
    rng = np.random.default_rng(0)
    weights = [np.abs(rng.normal(size=(40, 40))) / 4 for _ in range(8)]
    nodes: Nodes = []
    constants, name = {}, "input"
    for k, weight in enumerate(weights):
        signs = np.where(np.arange(40) % 2, 1.0, -1.0)
        constants[f"w{k}"] = weight * signs[:, None]
        nodes += [("MatMul", [name, f"w{k}"], f"m{k}", {}), ("Relu", [f"m{k}"], f"r{k}", {})]
        name = f"r{k}"
    data = build(nodes, constants, (1, 40), output=name)
    model, _, _ = quantised(data, rng, Precision(limb_bits=1, headroom_bits=6))
    assert any(op.hi is not None for op in model.graph.ops if isinstance(op, Requantise))
    assert max(max(abs(t.min), t.max) for t in model.graph.tensors.values()) < 2**40


def _worst(
    nodes: list[tuple[str, list[str], str, Mapping[str, Any]]], constants: dict[str, np.ndarray]
) -> float:
    """The largest error of integers on inputs of [-1, 1]."""
    x = np.random.default_rng(6).uniform(-1, 1, size=(64, 1, 4))
    graph = fuse(import_model(build(nodes, constants, (1, 4))))
    model = quantise(graph, calibrate(graph, x, (-1.0, 1.0)), Precision(input_bits=12, activation_bits=12))
    answers = model.graph.run(model.encode(x))[model.graph.output] * model.output_scale
    return float(np.abs(answers - graph.run(x)[graph.output]).max())


def test_layer_over_a_constant_keeps_what_the_constant_adds() -> None:
    """All inputs lie below the first bound; a weight of a sixth must not round to none."""
    bounds = {"lo": np.array(13.5), "hi": np.array(32.5)}
    assert (
        _worst([("Clip", ["input", "lo", "hi"], "c", {}), ("HardSwish", ["c"], "output", {})], bounds) < 0.01
    )


@pytest.mark.parametrize("limb", [1, 7, 8, 9, 10])
def test_clamp_leaves_room_for_what_samples_did_not_show(limb: int) -> None:
    """A worst case far beyond the samples is clamped, but not where the next sample may be."""
    rng = np.random.default_rng(4)
    weight = np.vstack([rng.normal(size=(1, 4)), 1e3 * rng.normal(size=(1, 4))])
    data = build([("MatMul", ["input", "w"], "output", {})], {"w": weight}, (1, 2))
    graph = fuse(import_model(data))
    x = rng.uniform(-1, 1, size=(64, 1, 2)) * [1, 0]
    model = quantise(graph, calibrate(graph, x, (-1.0, 1.0)), Precision(limb, 14, 8, 8, headroom_bits=1))
    assert any(isinstance(op, Requantise) and op.hi is not None for op in model.graph.ops)
    further = 1.2 * x / np.abs(x).max()
    answers = model.graph.run(np.clip(model.encode(further), model.input.lo, model.input.hi))
    found = answers[model.graph.output] * model.output_scale
    expected = graph.run(np.clip(further, -1, 1))[graph.output]
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_tensors_named_as_the_quantiser_names_its_own_are_kept_apart() -> None:
    names = ("m/requantised", "m/a", "m/b", "m/argument", "m/margin", "output/shaped", "m/max")
    nodes: list[tuple[str, list[str], str, Mapping[str, Any]]] = [("MatMul", ["input", "w"], "m", {})]
    last = "m"
    for name in names:
        nodes.append(("Mul" if name == "m/b" else "Add", [last, "m"], name, {}))
        last = name
    nodes += [("Tanh", [last], "m/argument'", {}), ("Mul", ["m/argument'", "m"], "output", {})]
    rng = np.random.default_rng(2)
    data = build(nodes, {"w": rng.normal(size=(4, 4)) / 4}, (1, 4))
    for limb in (1, 8):
        model, x, expected = quantised(data, rng, Precision(limb_bits=limb, activation_bits=12))
        answers = model.graph.run(model.encode(x))[model.graph.output] * model.output_scale
        assert np.abs(answers - expected).max() < 0.02 * np.abs(expected).max()
        assert {"m/b", "m/argument'"} <= set(model.names)


@pytest.mark.parametrize(("lo", "hi"), [(-0.001, 0.001), (0.5, 0.5004), (-0.3, -0.2999)])
@pytest.mark.parametrize("source", ["input", "weighted", "table"])
def test_clip_between_ends_closer_than_a_step_keeps_them(lo: float, hi: float, source: str) -> None:
    """What follows magnifies the difference: answers are relative to the distance of the ends."""
    first: dict[str, tuple[str, list[str], str, Mapping[str, Any]]] = {
        "input": ("Identity", ["input"], "x", {}),
        "weighted": ("MatMul", ["input", "w"], "x", {}),
        "table": ("Sin", ["input"], "x", {}),
    }
    nodes = [
        first[source],
        ("Clip", ["x", "lo", "hi"], "c", {}),
        ("Sub", ["c", "lo"], "s", {}),
        ("Mul", ["s", "k"], "output", {}),
    ]
    ends = {"lo": np.array(lo), "hi": np.array(hi)}
    constants = {"w": np.eye(4) * 0.9, **ends, "k": np.array(1 / (np.float32(hi) - np.float32(lo)))}
    rng = np.random.default_rng(6)
    data = build(nodes, {name: constants[name] for _, names, _, _ in nodes for name in names[1:]}, (1, 4))
    model, _, _ = quantised(data, rng, Precision(activation_bits=8))
    x = np.where(rng.random((64, 1, 4)) < 0.5, -0.9, 0.9)
    answers = model.graph.run(model.encode(x))[model.graph.output] * model.output_scale
    np.testing.assert_allclose(answers, x > 0, atol=0.03)


@pytest.mark.parametrize("activation_bits", [3, 4, 5])
@pytest.mark.parametrize("beyond", [2.05, 2.5, 3.3])
def test_clip_in_finer_steps_clamps_no_earlier(activation_bits: int, beyond: float) -> None:
    """Samples stay far below the end and the worst case, in few steps: a clamp and finer steps meet."""
    rng = np.random.default_rng(12)
    constants = {"w": rng.normal(size=(8, 2)), "v": rng.normal(size=(2, 300)), "zero": np.array(0.0)}
    x = rng.uniform(-1, 1, size=(64, 1, 8))
    reach = float((x @ constants["w"]).max())
    constants["end"] = np.array(beyond * reach)
    nodes: Nodes = [
        ("Gemm", ["input", "w"], "h", {}),
        ("Clip", ["h", "zero", "end"], "c", {}),
        ("Gemm", ["c", "v"], "output", {}),
    ]
    graph = fuse(import_model(build(nodes, constants, (1, 8))))
    precision = Precision(limb_bits=1, activation_bits=activation_bits, headroom_bits=1)
    model = quantise(graph, calibrate(graph, x, (-16.0, 16.0)), precision)
    (clip,) = (op for op in model.graph.ops if isinstance(op, Requantise) and op.output == model.names["c"])
    assert clip.hi is not None
    assert clip.hi * model.scales[clip.output] >= reach


@pytest.mark.parametrize(("operator", "far"), [("Max", -1e6), ("Min", 1e6), ("Max", -1e30), ("Min", 1e30)])
def test_far_bound_costs_no_precision(operator: str, far: float) -> None:
    assert _worst([(operator, ["input", "far"], "output", {})], {"far": np.array(far)}) < 0.001


def test_waves_that_a_table_cannot_follow_are_refused() -> None:
    nodes: list[tuple[str, list[str], str, Mapping[str, Any]]] = [
        ("Mul", ["input", "k"], "m", {}),
        ("Sin", ["m"], "output", {}),
    ]
    assert _worst(nodes, {"k": np.array(10.0)}) < 0.03
    with pytest.raises(QuantisationError, match="periods"):
        _worst(nodes, {"k": np.array(1000.0)})


@pytest.mark.filterwarnings("ignore:overflow")
def test_network_that_overflows_is_refused() -> None:
    nodes: list[tuple[str, list[str], str, Mapping[str, Any]]] = [
        ("Mul", ["input", "k"], "m", {}),
        ("Exp", ["m"], "e", {}),
        ("Mul", ["e", "e"], "output", {}),
    ]
    with pytest.raises(QuantisationError):
        _worst(nodes, {"k": np.array(600.0)})


def test_answer_beyond_all_integers_is_refused() -> None:
    nodes: list[tuple[str, list[str], str, Mapping[str, Any]]] = [("Max", ["input", "far"], "output", {})]
    with pytest.raises(QuantisationError):
        _worst(nodes, {"far": np.array(1e30)})


@pytest.mark.parametrize("output_bits", range(4, 17))
def test_product_is_never_clamped_below_what_samples_showed(output_bits: int) -> None:
    """Its scale is a power of 2^limb above the factors', up to a limb finer than was asked."""
    x = np.random.default_rng(6).uniform(-1, 1, size=(64, 1, 4))
    graph = import_model(build([("Mul", ["input", "input"], "output", {})], {}, (1, 4)))
    precision = Precision(input_bits=16, output_bits=output_bits, headroom_bits=1)
    model = quantise(graph, calibrate(graph, x, (-64.0, 64.0)), precision)
    answers = model.graph.run(model.encode(x))[model.graph.output] * model.output_scale
    assert float(np.abs(answers - x**2).max()) <= 2.0**-output_bits + 2 * model.input.scale
