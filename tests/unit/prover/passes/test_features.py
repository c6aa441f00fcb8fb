"""A scale, a range and a kind for each feature of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from assay_prover import Bundle, InputError, compile_model
from assay_prover.passes.features import features_of
from unit.prover.onnx_models import Nodes, build, run

RNG = np.random.default_rng(5)
SPANS = np.array([1.0, 1e2, 1e4, 1e6])


def _scaled_mlp() -> bytes:
    """A StandardScaler and a small network behind it."""
    nodes: Nodes = [
        ("Mul", ["input", "k"], "n", {}),
        ("Gemm", ["n", "w"], "h", {}),
        ("Tanh", ["h"], "t", {}),
        ("Gemm", ["t", "v"], "output", {}),
    ]
    rng = np.random.default_rng(6)
    constants = {"k": 1 / SPANS, "w": rng.normal(size=(4, 8)), "v": rng.normal(size=(8, 1))}
    return build(nodes, constants, (1, 4))


def test_features_of_very_different_spans_keep_their_accuracy(tmp_path: Path) -> None:
    samples = (RNG.normal(size=(300, 4)) * SPANS).astype(np.float32)
    report = compile_model(_scaled_mlp(), samples, tmp_path / "b", input="public", output="public")
    assert report.accuracy.agreement > 0.99
    bundle = Bundle.open(tmp_path / "b")
    assert len(bundle.manifest.input.features) == 4
    for x in samples[:20]:
        proven = bundle.infer(bundle.encode_input(x, saturate=True)) * bundle.manifest.output.scale
        assert proven.ravel()[0] == pytest.approx(run(_scaled_mlp(), x[None]).ravel()[0], abs=0.1)


def test_features_cost_no_constraint(tmp_path: Path) -> None:
    """Behind equal bits of input, the circuit is as large as with one scale."""
    samples = RNG.normal(size=(300, 4)).astype(np.float32)
    one = compile_model(_scaled_mlp(), samples, tmp_path / "a", input_range=(-4, 4))
    assert not Bundle.open(tmp_path / "a").manifest.input.features
    many = compile_model(_scaled_mlp(), samples * SPANS, tmp_path / "b", ranges=np.outer(SPANS, [-4.0, 4.0]))
    assert many.costs.constraints < 2 * one.costs.constraints


def test_whole_numbers_in_a_float_input_are_taken_as_they_are(tmp_path: Path) -> None:
    table = RNG.normal(size=(178, 4))
    nodes: Nodes = [
        ("Cast", ["input"], "i", {"to": TensorProto.INT64}),
        ("Gather", ["e", "i"], "v", {}),
        ("ReduceMean", ["v"], "output", {"axes": [1], "keepdims": 0}),
    ]
    model = build(nodes, {"e": table}, (1, 6))
    samples = RNG.integers(0, 178, (200, 6)).astype(np.float32)
    compile_model(model, samples, tmp_path / "b")
    bundle = Bundle.open(tmp_path / "b")
    for x in RNG.integers(0, 178, (20, 6)):
        proven = bundle.infer(bundle.encode_input(x)).ravel() * bundle.manifest.output.scale
        np.testing.assert_allclose(proven, table.astype(np.float32)[x].mean(axis=0), atol=0.02)


def _mixed() -> bytes:
    """A real vector and a whole category that picks an embedding."""
    nodes = [
        helper.make_node("Gather", ["e", "c"], ["v"]),
        helper.make_node("Reshape", ["v", "sh"], ["u"]),
        helper.make_node("Concat", ["u", "x"], ["z"], axis=1),
        helper.make_node("Gemm", ["z", "w"], ["y"]),
    ]
    constants = {
        "e": RNG.normal(size=(5, 2)).astype(np.float32),
        "sh": np.array([1, 2]),
        "w": RNG.normal(size=(5, 2)).astype(np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "mixed",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3]),
            helper.make_tensor_value_info("c", TensorProto.INT64, [1, 1]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )


def test_real_and_whole_inputs_are_one_statement(tmp_path: Path) -> None:
    samples = {"x": RNG.normal(size=(64, 1, 3)), "c": RNG.integers(0, 5, (64, 1, 1))}
    report = compile_model(_mixed(), samples, tmp_path / "b")
    assert report.target_met
    bundle = Bundle.open(tmp_path / "b")
    scales = [feature.scale for feature in bundle.manifest.input.features]
    assert scales[3] == 1.0
    assert min(scales[:3]) < 0.01
    model = onnx.ModelProto.FromString(_mixed())
    assert [value.name for value in model.graph.input] == ["x", "c"]


def test_real_and_whole_inputs_without_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="need samples, or a range for each"):
        compile_model(_mixed(), None, tmp_path / "b", input_range=(0, 4))


@pytest.mark.parametrize(
    "ranges",
    [np.zeros((4, 2)), np.ones((3, 2)), np.array([[0.0, np.inf]] * 4)],
    ids=["empty", "few", "infinite"],
)
def test_ranges_that_fit_no_feature_are_refused(ranges: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the ranges of the features"):
        compile_model(_scaled_mlp(), RNG.normal(size=(64, 4)), tmp_path / "b", ranges=ranges)


def test_value_outside_its_own_range_is_refused_and_named(tmp_path: Path) -> None:
    samples = (RNG.uniform(-1, 1, size=(100, 4)) * SPANS).astype(np.float32)
    compile_model(_scaled_mlp(), samples, tmp_path / "b")
    bundle = Bundle.open(tmp_path / "b")
    x = np.array([0.0, 0.0, 0.0, 5e6])
    with pytest.raises(InputError, match=r"outside the declared range .* first 5e\+06 at \[3\]"):
        bundle.encode_input(x)
    clipped = bundle.encode_input(x, saturate=True)
    assert clipped.max() <= bundle.manifest.input.hi


@pytest.mark.parametrize("step", [1.0, 0.5, 0.0625])
def test_a_grid_of_a_power_of_two_is_found(step: float) -> None:
    samples = np.asarray(RNG.integers(-40, 90, (200, 3)) * step, dtype=np.float64)[:, None]
    found = features_of(samples, (1, 3))
    assert found is not None
    np.testing.assert_array_equal(found.scale, step)
    np.testing.assert_array_equal(found.steps(samples), np.rint(found.steps(samples)))


def test_features_alike_share_one_scale() -> None:
    assert features_of(RNG.normal(size=(200, 1, 9)), (1, 9)) is None
    assert features_of(RNG.uniform(size=(200, 1, 3, 9)), (1, 3, 9)) is None


def test_ranges_without_samples_give_each_feature_noise_of_its_own(tmp_path: Path) -> None:
    report = compile_model(_scaled_mlp(), None, tmp_path / "b", ranges=np.outer(SPANS, [-3.0, 3.0]))
    assert report.accuracy.synthetic
    assert report.accuracy.agreement > 0.9
    assert [feature.hi for feature in Bundle.open(tmp_path / "b").manifest.input.features] == list(3 * SPANS)
