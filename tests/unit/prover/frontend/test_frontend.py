"""The importer: each operator computes what onnxruntime computes, and what cannot be compiled is refused by
name.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from assay_prover.errors import ModelError, UnsupportedModel
from assay_prover.frontend import import_model, read_model, supported_operators
from unit.prover.onnx_models import MODELS, build, mlp, run
from unit.prover.operator_cases import RNG, W45, Nodes


def test_argmax_at_the_end_is_a_label() -> None:
    nodes = [("ArgMax", ["input"], "output", {"axis": 1, "keepdims": 0})]
    model = build(nodes, {}, (1, 6), output_type=TensorProto.INT64)
    x = np.random.default_rng(1).normal(size=(1, 1, 6))
    assert import_model(model).run(x)["output"] == run(model, x[0])


def test_softmax_at_the_end_is_dropped_with_a_note() -> None:
    model = build([("Relu", ["input"], "r", {}), ("Softmax", ["r"], "output", {})], {}, (1, 6))
    graph = import_model(model)
    assert graph.onnx_output == "r"
    assert "dropped" in graph.notes[0]
    x = np.random.default_rng(1).normal(size=(1, 1, 6))
    np.testing.assert_allclose(graph.run(x)[graph.output], np.maximum(x, 0))


def test_softmax_before_an_argmax_across_its_rows_is_computed() -> None:
    """It keeps the order within a row, not between rows."""
    nodes = [("Softmax", ["input"], "s", {"axis": 1}), ("ArgMax", ["s"], "output", {"axis": 0})]
    data = build(nodes, {}, (3, 4), output_type=TensorProto.INT64)
    graph = import_model(data)
    x = np.random.default_rng(3).normal(size=(40, 3, 4)) * 3
    np.testing.assert_array_equal(graph.run(x)[graph.output], np.stack([run(data, sample) for sample in x]))


def test_softmax_before_argmax_is_dropped() -> None:
    nodes = [("Softmax", ["input"], "s", {}), ("ArgMax", ["s"], "output", {"axis": 1})]
    graph = import_model(build(nodes, {}, (1, 6), output_type=TensorProto.INT64))
    assert [type(op).__name__ for op in graph.ops] == ["FloatArgMax"]


def test_symbolic_batch_axis_becomes_one() -> None:
    graph = import_model(build([("Relu", ["input"], "output", {})], {}, ("N", 3)))
    assert graph.input_shape == (1, 3)


@pytest.mark.parametrize("name", ["bc_mlp", "digits_mlp", "lenet", "mlp_1m", "cnn_264k"])
def test_shipped_model_imports_as_onnxruntime_runs_it(name: str) -> None:
    data = read_model(MODELS / f"{name}.onnx")
    graph = import_model(data)
    x = np.random.default_rng(2).uniform(size=(2, *graph.input_shape))
    expected = np.stack([run(data, sample) for sample in x])
    np.testing.assert_allclose(graph.run(x)[graph.output], expected, rtol=1e-3, atol=1e-4)


# -- refusals


def test_unknown_operator_is_refused_by_node_operator_and_what_is_supported() -> None:
    model = build([("Relu", ["input"], "r", {}), ("Det", ["r"], "output", {})], {}, (3, 3))
    with pytest.raises(
        UnsupportedModel, match=r"n_output.*\(Det\).*docs/operators.md lists the \d+"
    ) as caught:
        import_model(model)
    assert (caught.value.node, caught.value.operator) == ("n_output", "Det")
    assert caught.value.supported == supported_operators()


def test_argmax_within_a_network_is_a_number_like_any_other() -> None:
    nodes = [
        ("ArgMax", ["input"], "a", {"axis": 1}),
        ("Cast", ["a"], "c", {"to": 1}),
        ("Mul", ["c", "k"], "output", {}),
    ]
    model = build(nodes, {"k": np.array(0.5)}, (1, 6))
    graph = import_model(model)
    assert not graph.is_label
    x = np.random.default_rng(1).normal(size=(1, 1, 6))
    np.testing.assert_allclose(graph.run(x)["output"][0], run(model, x[0]))


def test_foreign_domain_is_refused() -> None:
    model = onnx.ModelProto.FromString(mlp(RNG, [3, 2]))
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(ModelError):
        import_model(model.SerializeToString())


def test_random_operator_is_refused() -> None:
    nodes = [("RandomNormal", [], "r", {"shape": [1, 3]}), ("Add", ["input", "r"], "output", {})]
    with pytest.raises(UnsupportedModel, match="no fixed meaning"):
        import_model(build(nodes, {}, (1, 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weight_that_is_not_finite_is_refused_by_name(bad: float) -> None:
    weight = W45.copy()
    weight[1, 2] = bad
    with pytest.raises(ModelError, match=r"weight 'w' holds NaN or infinity"):
        import_model(build([("MatMul", ["input", "w"], "output", {})], {"w": weight}, (1, 4)))


def test_constant_that_folds_to_infinity_is_refused() -> None:
    nodes: Nodes = [("Exp", ["w"], "e", {}), ("MatMul", ["input", "e"], "output", {})]
    with pytest.raises(UnsupportedModel, match="NaN or infinity"):
        import_model(build(nodes, {"w": W45 + 1000}, (1, 4)))


@pytest.mark.parametrize("cut", [0, 1, 100, 1500])
def test_truncated_file_is_refused(cut: int) -> None:
    data = (MODELS / "bc_mlp.onnx").read_bytes()
    with pytest.raises(ModelError):
        import_model(data[:cut])


def test_file_that_is_no_model_is_refused() -> None:
    with pytest.raises(ModelError, match="not an ONNX model"):
        import_model(b"\x89PNG\r\n\x1a\n" * 50)


def test_missing_file_is_refused() -> None:
    with pytest.raises(ModelError, match="No such file"):
        read_model(Path("nowhere.onnx"))


def test_dynamic_axis_beyond_the_batch_is_refused() -> None:
    with pytest.raises(ModelError, match="axis 1 of input 'input' is dynamic"):
        import_model(build([("Relu", ["input"], "output", {})], {}, (1, "length")))


def test_an_input_that_nothing_reads_is_left_out_with_a_note() -> None:
    model = onnx.ModelProto.FromString(mlp(RNG, [3, 2]))
    model.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1]))
    graph = import_model(model.SerializeToString())
    assert graph.input == "input"
    assert graph.notes == ("'output' does not depend on the input 'other', which is left out",)


def test_external_weights_are_refused() -> None:
    model = onnx.ModelProto.FromString(mlp(RNG, [3, 2]))
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="elsewhere.bin")
    with pytest.raises(ModelError, match="another file"):
        import_model(model.SerializeToString())


def test_shapes_that_do_not_fit_are_refused() -> None:
    model = onnx.ModelProto.FromString(mlp(RNG, [3, 2]))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((4, 2), np.float32), "w0"))
    with pytest.raises(ModelError):
        import_model(model.SerializeToString())


def test_output_that_ignores_the_input_is_refused() -> None:
    nodes: Nodes = [("Relu", ["input"], "r", {}), ("Exp", ["w"], "output", {})]
    with pytest.raises(ModelError, match="does not depend"):
        import_model(build(nodes, {"w": W45}, (4, 5)))


def test_a_mean_of_whole_numbers_is_truncated() -> None:
    kinds = {"input_type": TensorProto.INT32, "output_type": TensorProto.INT32}
    data = build([("ReduceMean", ["input"], "output", {"axes": [1]})], {}, (3, 4), **kinds)
    x = np.random.default_rng(4).integers(-9, 10, size=(20, 3, 4))
    expected = np.stack([run(data, sample) for sample in x])
    graph = import_model(data)
    np.testing.assert_array_equal(graph.run(x.astype(np.float64))[graph.output], expected)


def test_a_root_of_whole_numbers_is_refused() -> None:
    kinds = {"input_type": TensorProto.INT32, "output_type": TensorProto.INT32}
    with pytest.raises(UnsupportedModel, match="root"):
        import_model(
            build([("Pow", ["input", "half"], "output", {})], {"half": np.array(0.5)}, (1, 4), **kinds)
        )


@pytest.mark.parametrize(("kind", "noted"), [(TensorProto.UINT8, True), (TensorProto.INT64, False)])
def test_a_type_that_would_wrap_around_is_noted(kind: int, noted: bool) -> None:
    nodes = [("Add", ["input", "input"], "a", {}), ("Cast", ["a"], "output", {"to": TensorProto.FLOAT})]
    graph = import_model(build(nodes, {}, (1, 4), input_type=kind))
    assert any("wrap around" in note for note in graph.notes) == noted
