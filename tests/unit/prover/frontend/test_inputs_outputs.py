"""A model's ends: several outputs, several inputs, dynamic axes, weights beside the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from assay_prover import compile_model
from assay_prover.compiler.onnxruntime_check import check_import
from assay_prover.compiler.preparation import prepare, shape_samples
from assay_prover.errors import InputError, ModelError
from assay_prover.frontend import Wanted, import_model, read_model
from unit.prover.onnx_models import Nodes, build, mlp

RNG = np.random.default_rng(8)


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[tuple[str, int, list[int | str]]],
    outputs: list[tuple[str, int]],
    constants: dict[str, np.ndarray],
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, kind, ["a", "b"]) for name, kind in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def two_towers(first: int = TensorProto.FLOAT, second: int = TensorProto.FLOAT) -> bytes:
    w = {"u": RNG.normal(size=(3, 4)).astype(np.float32), "v": RNG.normal(size=(2, 4)).astype(np.float32)}
    nodes = [
        helper.make_node("Cast", ["item"], ["i"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["user"], ["j"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["i", "u"], ["a"]),
        helper.make_node("MatMul", ["j", "v"], ["b"]),
        helper.make_node("Mul", ["a", "b"], ["y"]),
    ]
    inputs: list[tuple[str, int, list[int | str]]] = [("item", first, ["n", 3]), ("user", second, ["n", 2])]
    return _model(nodes, inputs, [("y", TensorProto.FLOAT)], w)


def two_heads() -> bytes:
    w = {name: RNG.normal(size=(4, 2)).astype(np.float32) for name in ("p", "q")}
    nodes = [
        helper.make_node("Relu", ["x"], ["h"]),
        helper.make_node("MatMul", ["h", "p"], ["mean"]),
        helper.make_node("MatMul", ["h", "q"], ["spread"]),
    ]
    outputs = [("mean", TensorProto.FLOAT), ("spread", TensorProto.FLOAT)]
    return _model(nodes, [("x", TensorProto.FLOAT, ["n", 4])], outputs, w)


# -- outputs


def test_of_several_outputs_the_wanted_one_is_proven() -> None:
    data = two_heads()
    x = RNG.normal(size=(8, 1, 4))
    with pytest.raises(ModelError, match=r"it has 2 \(mean, spread\); say which one"):
        import_model(data)
    for name, operations in (("mean", 2), ("spread", 2), ("h", 1)):
        graph = import_model(data, Wanted(output=name))
        assert graph.onnx_output == name
        assert len(graph.ops) == operations
        check_import(data, graph, x, False)


def test_a_tensor_that_the_model_lacks_is_refused_with_its_outputs() -> None:
    with pytest.raises(ModelError, match="no tensor 'variance'; its outputs are mean, spread"):
        import_model(two_heads(), Wanted(output="variance"))


# -- inputs


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32])
def test_several_inputs_are_one_vector(kind: int) -> None:
    data = two_towers(kind, TensorProto.INT64 if kind != TensorProto.FLOAT else kind)
    item, user = RNG.integers(-3, 4, size=(40, 3)), RNG.integers(-3, 4, size=(40, 2))
    named = {"user": user, "item": item[:, None], "notes": np.zeros(1)}
    prepared = prepare(data, named, None, None, lambda *_: None)
    assert prepared.graph.parts == (("item", (1, 3)), ("user", (1, 2)))
    assert prepared.graph.whole_input, "whole numbers are taken as they are, whatever their type"
    assert (prepared.features is not None) == (kind == TensorProto.FLOAT)
    assert prepared.difference < 1e-5
    assert any("'item' [1, 3], 'user' [1, 2] are one vector of 5 numbers" in note for note in prepared.notes)
    side_by_side = np.hstack([item, user])
    np.testing.assert_array_equal(
        shape_samples(named, prepared.graph), shape_samples(side_by_side, prepared.graph)
    )


def test_named_samples_must_fit_the_inputs() -> None:
    graph = import_model(two_towers())
    with pytest.raises(InputError, match="given for item; the model's inputs are item, user"):
        shape_samples({"item": np.zeros((4, 3))}, graph)
    with pytest.raises(InputError, match="different numbers of samples"):
        shape_samples({"item": np.zeros((4, 3)), "user": np.zeros((5, 2))}, graph)
    with pytest.raises(InputError, match=r"samples of 'user' must be \[n, 2\]"):
        shape_samples({"item": np.zeros((4, 3)), "user": np.zeros((4, 3))}, graph)


def test_inputs_of_real_and_whole_numbers_are_one_vector() -> None:
    graph = import_model(two_towers(TensorProto.FLOAT, TensorProto.INT64))
    assert graph.whole_parts == ("user",)
    assert not graph.whole_input
    np.testing.assert_array_equal(graph.whole_elements, [False, False, False, True, True])


def test_an_input_that_the_output_does_not_depend_on_is_left_out() -> None:
    data = two_towers()
    graph = import_model(data, Wanted(output="a"))
    assert (graph.input, graph.parts) == ("item", ())
    check_import(data, graph, RNG.normal(size=(4, 1, 3)), False)


# -- dynamic axes


def _pooled(*shape: int | str) -> bytes:
    nodes: Nodes = [("MatMul", ["input", "w"], "m", {}), ("ReduceMean", ["m"], "output", {"axes": [1]})]
    return build(nodes, {"w": RNG.normal(size=(3, 2))}, shape)


def test_a_dynamic_axis_takes_the_samples_size() -> None:
    data = _pooled("batch", "time", 3)
    for x in (RNG.normal(size=(10, 6, 3)), RNG.normal(size=(10, 1, 6, 3))):
        prepared = prepare(data, x, None, None, lambda *_: None)
        assert prepared.graph.input_shape == (1, 6, 3)
        assert prepared.notes == ("input 'input' has dynamic axes; it is [1, 6, 3], as the samples are",)


def test_a_dynamic_axis_without_samples_is_refused_with_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"axis 1 of input 'input' is dynamic \(time\); give samples"):
        import_model(_pooled("batch", "time", 3))


def test_samples_do_not_change_fixed_axes() -> None:
    with pytest.raises(InputError, match=r"samples must be \[n, 4, 3\]"):
        prepare(_pooled("batch", 4, 3), RNG.normal(size=(10, 6, 3)), None, None, lambda *_: None)


# -- weights beside the file


def _saved(path: Path, location: str) -> bytes:
    whole = mlp(RNG, [4, 8, 3])
    onnx.save_model(
        onnx.ModelProto.FromString(whole),
        path,
        save_as_external_data=True,
        location=location,
        size_threshold=0,
    )
    return whole


def test_weights_that_the_exporter_put_beside_the_model_are_read(tmp_path: Path) -> None:
    whole = _saved(tmp_path / "net.onnx", "net.onnx.data")
    x = RNG.normal(size=(5, 1, 4))
    read = import_model(read_model(tmp_path / "net.onnx"))
    np.testing.assert_array_equal(read.run(x)["output"], import_model(whole).run(x)["output"])


def test_other_files_are_not_read(tmp_path: Path) -> None:
    """A stranger's model must not bring a secret of this machine into a circuit."""
    _saved(tmp_path / "net.onnx", "secret")
    with pytest.raises(ModelError, match="lies in 'secret'"):
        read_model(tmp_path / "net.onnx")
    (tmp_path / "below").mkdir()
    _saved(tmp_path / "below" / "net.onnx", "net.onnx.data")
    data = (tmp_path / "below" / "net.onnx").read_bytes()
    for name in ("../below/net.onnx.data", str(tmp_path / "below" / "net.onnx.data")):
        model = onnx.ModelProto.FromString(data)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                entry.value = name if entry.key == "location" else entry.value
        (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match="the only other files that are read stand beside"):
            read_model(tmp_path / "net.onnx")
    with pytest.raises(ModelError, match="lies in another file"):
        import_model(data)


def test_a_link_to_another_file_is_not_followed(tmp_path: Path) -> None:
    _saved(tmp_path / "net.onnx", "net.onnx.data")
    (tmp_path / "net.onnx.data").rename(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="is not beside the model"):
        read_model(tmp_path / "net.onnx")
    (tmp_path / "net.onnx.data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="named after it"):
        read_model(tmp_path / "net.onnx")


# -- what the samples say


def test_features_that_a_shared_scale_loses_are_pointed_out_and_scales_of_their_own_keep_them(
    tmp_path: Path,
) -> None:
    """A column of thousands and one of thousandths, brought to a like size within the network."""
    sizes = np.array([[1e4, 1e-3]])
    nodes: Nodes = [("Div", ["input", "sizes"], "s", {}), ("MatMul", ["s", "w"], "output", {})]
    data = build(nodes, {"sizes": sizes, "w": RNG.normal(size=(2, 2))}, (1, 2))
    x = RNG.uniform(0, 1, size=(80, 2))
    report = compile_model(data, x * sizes, tmp_path / "raw", target="speed", input_range=(0, 1e4))
    assert any(warning.startswith("1 of 2 features vary by less than a step") for warning in report.warnings)
    report = compile_model(data, x * sizes, tmp_path / "own", target="speed")
    assert report.accuracy.agreement > 0.97
    assert not any("less than a step" in warning for warning in report.warnings)


def test_samples_that_are_all_answered_alike_are_pointed_out(tmp_path: Path) -> None:
    report = compile_model(mlp(RNG, [4, 3]), np.zeros((40, 4)), tmp_path / "zeros", target="speed")
    assert any("answers all samples alike" in warning for warning in report.warnings)


def test_labels_beside_an_input_named_as_they_are_in_files_are_labels() -> None:
    nodes = [helper.make_node("Mul", ["x", "y"], ["out"])]
    inputs: list[tuple[str, int, list[int | str]]] = [(name, TensorProto.FLOAT, ["n", 3]) for name in "xy"]
    data = _model(nodes, inputs, [("out", TensorProto.FLOAT)], {})
    samples = {name: RNG.uniform(-1, 1, size=(40, 3)) for name in "xy"}
    labels = (samples["x"] * samples["y"]).argmax(axis=1)
    given = prepare(data, samples, labels, None, lambda *_: None)
    assert given.labels is not None
    # a file's arrays, of which "y" is the second input
    assert prepare(data, samples, samples["y"], None, lambda *_: None).labels is None
