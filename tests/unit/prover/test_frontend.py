"""The importer: each operator computes what onnxruntime computes, and what cannot be compiled is refused by
name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from assay_prover.errors import ModelError, UnsupportedModel
from assay_prover.frontend import import_model, read_model, supported_operators
from assay_prover.passes import fuse
from unit.prover.onnx_models import MODELS, build, mlp, run

RNG = np.random.default_rng(7)
W45 = RNG.normal(size=(4, 5))
KERNEL = RNG.normal(size=(4, 1, 3, 3))


def _ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


CASES: dict[str, tuple[list[tuple[str, list[str], str, dict[str, Any]]], Mapping[str, np.ndarray], tuple]] = {
    "gemm": (
        [("Gemm", ["input", "w", "b"], "output", {"alpha": 0.5, "beta": 2.0})],
        {"w": W45, "b": W45[0]},
        (1, 4),
    ),
    "gemm_transposed": ([("Gemm", ["input", "w"], "output", {"transB": 1})], {"w": W45.T.copy()}, (1, 4)),
    "gemm_constant_left": ([("Gemm", ["w", "input"], "output", {"transA": 1})], {"w": W45}, (4, 3)),
    "matmul": ([("MatMul", ["input", "w"], "output", {})], {"w": W45}, (1, 4)),
    "matmul_rows": ([("MatMul", ["input", "w"], "output", {})], {"w": W45}, (1, 3, 4)),
    "matmul_left": ([("MatMul", ["w", "input"], "output", {})], {"w": W45}, (2, 5, 3)),
    "matmul_wires": (
        [("Transpose", ["input"], "t", {}), ("MatMul", ["input", "t"], "output", {})],
        {},
        (3, 4),
    ),
    "add_broadcast": ([("Add", ["input", "c"], "output", {})], {"c": W45[:1]}, (3, 4, 1)),
    "sub_from_constant": ([("Sub", ["c", "input"], "output", {})], {"c": W45}, (4, 5)),
    "sub_of_computed": (
        [("Relu", ["input"], "r", {}), ("Sub", ["r", "input"], "output", {})],
        {},
        (2, 3),
    ),
    "sum": ([("Sum", ["input", "c", "input"], "output", {})], {"c": W45}, (4, 5)),
    "mul": ([("Mul", ["input", "c"], "output", {})], {"c": W45}, (4, 1)),
    "mul_wires": ([("Relu", ["input"], "r", {}), ("Mul", ["r", "input"], "output", {})], {}, (2, 3)),
    "div": ([("Div", ["input", "c"], "output", {})], {"c": W45}, (4, 5)),
    "neg": ([("Neg", ["input"], "output", {})], {}, (4, 5)),
    "relu": ([("Relu", ["input"], "output", {})], {}, (4, 5)),
    "clip": (
        [("Clip", ["input", "lo", "hi"], "output", {})],
        {"lo": np.array(-0.5), "hi": np.array(0.25)},
        (4, 5),
    ),
    "clip_above": ([("Clip", ["input", "", "hi"], "output", {})], {"hi": np.array(0.25)}, (4, 5)),
    "flatten": ([("Flatten", ["input"], "output", {"axis": 2})], {}, (1, 2, 3, 4)),
    "reshape": ([("Reshape", ["input", "s"], "output", {})], {"s": _ints(0, -1, 2)}, (2, 3, 4)),
    "squeeze": ([("Squeeze", ["input", "a"], "output", {})], {"a": _ints(1)}, (2, 1, 3)),
    "unsqueeze": ([("Unsqueeze", ["input", "a"], "output", {})], {"a": _ints(0, -1)}, (2, 3)),
    "transpose": ([("Transpose", ["input"], "output", {"perm": [2, 0, 1]})], {}, (2, 3, 4)),
    "identity_dropout": (
        [("Identity", ["input"], "i", {}), ("Dropout", ["i"], "output", {})],
        {},
        (2, 3),
    ),
    "slice_steps": (
        [("Slice", ["input", "s", "e", "a", "t"], "output", {})],
        {"s": _ints(-1, 0), "e": _ints(-100, 5), "a": _ints(0, 1), "t": _ints(-2, 2)},
        (4, 6),
    ),
    "pad_constant": (
        [("Pad", ["input", "p", "v"], "output", {})],
        {"p": _ints(1, 0, 0, 2), "v": np.array(1.5)},
        (2, 3),
    ),
    "pad_reflect": (
        [("Pad", ["input", "p"], "output", {"mode": "reflect"})],
        {"p": _ints(0, 2, 0, 1)},
        (2, 4),
    ),
    "gather": ([("Gather", ["input", "i"], "output", {"axis": 1})], {"i": _ints(2, -1, 0, 2)}, (2, 3)),
    "expand": ([("Expand", ["input", "s"], "output", {})], {"s": _ints(2, 3, 4)}, (3, 1)),
    "concat": (
        [("Relu", ["input"], "r", {}), ("Concat", ["r", "c", "input"], "output", {"axis": 1})],
        {"c": W45},
        (4, 2),
    ),
    "conv": (
        [("Conv", ["input", "k", "b"], "output", {"pads": [1, 0, 2, 1], "strides": [2, 1]})],
        {"k": KERNEL, "b": W45[:, 0]},
        (1, 1, 7, 6),
    ),
    "conv_depthwise": (
        [("Conv", ["input", "k"], "output", {"group": 4, "dilations": [2, 1]})],
        {"k": KERNEL},
        (1, 4, 7, 6),
    ),
    "conv_same": (
        [("Conv", ["input", "k"], "output", {"auto_pad": "SAME_UPPER", "strides": [2, 2]})],
        {"k": KERNEL},
        (1, 1, 7, 6),
    ),
    "conv_1d": (
        [("Conv", ["input", "k"], "output", {"pads": [2, 2]})],
        {"k": RNG.normal(size=(3, 2, 3))},
        (1, 2, 9),
    ),
    "max_pool": (
        [("MaxPool", ["input"], "output", {"kernel_shape": [3, 2], "pads": [1, 0, 1, 0], "strides": [2, 1]})],
        {},
        (1, 2, 7, 6),
    ),
    "max_pool_ceil": (
        [("MaxPool", ["input"], "output", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1})],
        {},
        (1, 2, 5, 5),
    ),
    "average_pool": (
        [("AveragePool", ["input"], "output", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]})],
        {},
        (1, 2, 5, 4),
    ),
    "average_pool_with_pads": (
        [
            (
                "AveragePool",
                ["input"],
                "output",
                {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
            )
        ],
        {},
        (1, 2, 5, 4),
    ),
    "global_average_pool": ([("GlobalAveragePool", ["input"], "output", {})], {}, (1, 3, 5, 4)),
    "global_max_pool": ([("GlobalMaxPool", ["input"], "output", {})], {}, (1, 3, 5, 4)),
    "batch_normalization": (
        [("BatchNormalization", ["input", "g", "b", "m", "v"], "output", {"epsilon": 1e-3})],
        {"g": W45[0], "b": W45[1], "m": W45[2], "v": W45[3] ** 2},
        (1, 5, 2, 2),
    ),
    "reduce_mean": (
        [("ReduceMean", ["input"], "output", {"axes": [2, -1], "keepdims": 0})],
        {},
        (1, 3, 4, 2),
    ),
    "reduce_sum": ([("ReduceSum", ["input", "a"], "output", {})], {"a": _ints(1)}, (2, 3, 4)),
    "reduce_max": ([("ReduceMax", ["input"], "output", {"axes": [1]})], {}, (2, 3, 4)),
    "folded_shape": (
        [
            ("Shape", ["input"], "s", {}),
            ("Gather", ["s", "i"], "n", {}),
            ("Concat", ["n", "m"], "t", {"axis": 0}),
            ("Reshape", ["input", "t"], "output", {}),
        ],
        {"i": _ints(0), "m": _ints(-1)},
        (2, 3, 4),
    ),
    "folded_constants": (
        [("Exp", ["w"], "e", {}), ("MatMul", ["input", "e"], "output", {})],
        {"w": W45},
        (1, 4),
    ),
    "leaky_relu": ([("LeakyRelu", ["input"], "output", {"alpha": 0.3})], {}, (4, 5)),
    "prelu": ([("PRelu", ["input", "s"], "output", {})], {"s": W45[:1]}, (4, 5)),
    "abs": ([("Abs", ["input"], "output", {})], {}, (4, 5)),
    "max": (
        [("Neg", ["input"], "n", {}), ("Max", ["input", "c", "n"], "output", {})],
        {"c": W45[:1]},
        (4, 5),
    ),
    "min": (
        [("Neg", ["input"], "n", {}), ("Min", ["input", "n", "c"], "output", {})],
        {"c": W45[:1]},
        (4, 5),
    ),
    "max_of_one": ([("Max", ["input"], "output", {})], {}, (4, 5)),
    "mean": ([("Mean", ["input", "c"], "output", {})], {"c": W45}, (4, 5)),
    "reduce_min": ([("ReduceMin", ["input"], "output", {"axes": [0]})], {}, (4, 5)),
    "reduce_l1": ([("ReduceL1", ["input"], "output", {"axes": [1], "keepdims": 0})], {}, (4, 5)),
    "reduce_sum_square": ([("ReduceSumSquare", ["input"], "output", {"axes": [1]})], {}, (4, 5)),
    "hard_sigmoid": ([("HardSigmoid", ["input"], "output", {"alpha": 0.4})], {}, (4, 5)),
    "hard_swish": ([("HardSwish", ["input"], "output", {})], {}, (4, 5)),
    "pow": ([("Pow", ["input", "e"], "output", {})], {"e": np.array(3.0)}, (4, 5)),
    "sigmoid": ([("Sigmoid", ["input"], "output", {})], {}, (4, 5)),
    "tanh": ([("Tanh", ["input"], "output", {})], {}, (4, 5)),
    "softplus": ([("Softplus", ["input"], "output", {})], {}, (4, 5)),
    "softsign": ([("Softsign", ["input"], "output", {})], {}, (4, 5)),
    "erf": ([("Erf", ["input"], "output", {})], {}, (4, 5)),
    "exp": ([("Exp", ["input"], "output", {})], {}, (4, 5)),
    "elu": ([("Elu", ["input"], "output", {"alpha": 0.7})], {}, (4, 5)),
    "selu": ([("Selu", ["input"], "output", {})], {}, (4, 5)),
    "mul_broadcast": (
        [("Slice", ["input", "s", "e"], "r", {}), ("Mul", ["r", "input"], "output", {})],
        {"s": _ints(0), "e": _ints(1)},
        (4, 5),
    ),
    "softmax_within": (
        [("Softmax", ["input"], "s", {"axis": 1}), ("Neg", ["s"], "output", {})],
        {},
        (2, 3, 4),
    ),
    "log_softmax_within": ([("LogSoftmax", ["input"], "s", {}), ("Neg", ["s"], "output", {})], {}, (2, 4)),
    "gather_elements": (
        [("GatherElements", ["input", "i"], "output", {"axis": 1})],
        {"i": np.array([[0, -1], [2, 2]])},
        (2, 3),
    ),
    "tile": ([("Tile", ["input", "r"], "output", {})], {"r": _ints(2, 3)}, (2, 3)),
    "depth_to_space": (
        [("DepthToSpace", ["input"], "output", {"blocksize": 2, "mode": "CRD"})],
        {},
        (1, 8, 2, 3),
    ),
    "space_to_depth": ([("SpaceToDepth", ["input"], "output", {"blocksize": 2})], {}, (1, 2, 4, 6)),
    "split": (
        [("Split", ["input", "p"], "a", {"axis": 1}), ("Neg", ["a"], "output", {})],
        {"p": _ints(5)},
        (2, 5),
    ),
    "conv_transpose": (
        [
            (
                "ConvTranspose",
                ["input", "k", "b"],
                "output",
                {"strides": [2, 2], "pads": [1, 0, 1, 1], "output_padding": [1, 0], "group": 2},
            )
        ],
        {"k": RNG.normal(size=(4, 1, 3, 3)), "b": RNG.normal(size=2)},
        (1, 4, 4, 3),
    ),
    "residual": (
        [
            ("Gemm", ["input", "w"], "g", {}),
            ("Relu", ["g"], "r", {}),
            ("Add", ["r", "input"], "output", {}),
        ],
        {"w": RNG.normal(size=(4, 4))},
        (1, 4),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operator_computes_what_onnxruntime_computes(name: str) -> None:
    nodes, constants, shape = CASES[name]
    model = build(nodes, constants, shape)
    x = np.random.default_rng(1).normal(size=(3, *shape))
    expected = np.stack([run(model, sample) for sample in x])
    graph = import_model(model)
    assert graph.output_shape == expected.shape[1:]
    for candidate in (graph, fuse(graph)):
        np.testing.assert_allclose(candidate.run(x)[candidate.output], expected, rtol=1e-4, atol=1e-5)


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
    with pytest.raises(UnsupportedModel, match=r"n_output.*\(Det\).*supported operators:.*Gemm") as caught:
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
    nodes = [("Exp", ["w"], "e", {}), ("MatMul", ["input", "e"], "output", {})]
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


def test_two_inputs_are_refused() -> None:
    model = onnx.ModelProto.FromString(mlp(RNG, [3, 2]))
    model.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1]))
    with pytest.raises(ModelError, match="one input"):
        import_model(model.SerializeToString())


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
    nodes = [("Relu", ["input"], "r", {}), ("Exp", ["w"], "output", {})]
    with pytest.raises(ModelError, match="does not depend"):
        import_model(build(nodes, {"w": W45}, (4, 5)))
