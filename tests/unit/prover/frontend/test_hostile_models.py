"""Files that no exporter writes: each is refused in one line, reads no other file and takes no memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from assay_prover import Bundle, compile_model
from assay_prover.errors import ModelError
from assay_prover.frontend import import_model
from unit.prover.onnx_models import MODELS, Nodes, build

SHAPES = np.array([1 << 17, 1 << 20], dtype=np.int64)


def _branch(output: str, nodes: Sequence[onnx.NodeProto], *weights: TensorProto) -> onnx.GraphProto:
    value = helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, 4])
    return helper.make_graph(nodes, "branch", [], [value], weights)


def _elsewhere(path: Path) -> TensorProto:
    path.write_bytes(np.zeros(4, dtype=np.float32).tobytes())
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1, 4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=path.name)
    return tensor


@pytest.mark.parametrize("place", ["constant", "branch", "node in a branch"])
def test_no_tensor_is_read_from_another_file(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tensor = _elsewhere(tmp_path / "secret.bin")
    constant = helper.make_node("Constant", [], ["w"], value=tensor)
    read = helper.make_node("Identity", ["w"], ["v"])
    nodes: Nodes = [("Constant", [], "w", {"value": tensor})]
    if place != "constant":
        taken = _branch("v", [read], tensor) if place == "branch" else _branch("v", [constant, read])
        nodes = [("If", ["yes"], "w", {"then_branch": taken, "else_branch": taken})]
    data = build([*nodes, ("Add", ["input", "w"], "output", {})], {"yes": np.array(True)}, (1, 4))
    with pytest.raises(ModelError, match="lies in another file"):
        import_model(data)


@pytest.mark.parametrize(
    "nodes",
    [
        [
            ("ConstantOfShape", ["shape"], "w", {}),
            ("ReduceSum", ["w"], "r", {}),
            ("Add", ["input", "r"], "output", {}),
        ],
        [("Expand", ["input", "shape"], "output", {})],
        [("Tile", ["input", "shape"], "output", {})],
        [("Pad", ["input", "pads"], "output", {})],
        [("Resize", ["input", "", "scales"], "output", {})],
        [("Cast", ["input"], "i", {"to": 7}), ("OneHot", ["i", "depth", "values"], "output", {})],
    ],
    ids=lambda nodes: nodes[0][0],
)
def test_a_shape_is_refused_before_it_takes_memory(nodes: Nodes) -> None:
    constants = {
        "shape": SHAPES,
        "pads": np.concatenate([SHAPES, SHAPES]),
        "scales": np.array([1.0, 1e9]),
        "depth": np.array(1 << 40),
        "values": np.array([0.0, 1.0]),
    }
    with pytest.raises(ModelError, match="elements"):
        import_model(build(nodes, constants, (1, 1)))


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (("Conv", ["input", "kernel"], "output", {"group": 0}), "groups"),
        (("Conv", ["input", "kernel"], "output", {"group": -1}), "groups"),
        (
            ("AveragePool", ["input"], "output", {"kernel_shape": [2, 2], "pads": [3] * 4}),
            "padding altogether",
        ),
        (("Resize", ["input", "", "scales"], "output", {}), "empty"),
        (("GatherElements", ["input", "index"], "output", {}), "out of bounds"),
        (("ScatterElements", ["input", "index", "kernel"], "output", {}), "do not fit"),
        (("Resize", ["input", "", "scales"], "output", {"mode": b"\xff"}), "do not fit"),
        (("Elu", ["input"], "output", {"alpha": float("inf")}), "alpha"),
        (("LeakyRelu", ["input"], "output", {"alpha": float("nan")}), "alpha"),
    ],
)
def test_attributes_without_a_meaning_are_refused(
    node: tuple[str, list[str], str, dict[str, object]], reason: str
) -> None:
    constants = {
        "kernel": np.ones((1, 1, 3, 3)),
        "scales": np.array([1.0, 1.0, -1.0, 1.0]),
        "index": np.full((1, 1, 3, 3), 8),
    }
    with pytest.raises(ModelError, match=reason):
        import_model(build([node], constants, (1, 1, 8, 8)))


def test_a_tensor_of_the_file_does_not_stand_for_a_part_of_a_node() -> None:
    """HardSigmoid is made of parts, two of them named as the tensors are here."""
    nodes: Nodes = [
        ("HardSigmoid", ["input"], "y", {}),
        ("Neg", ["y"], "y/scaled", {}),
        ("Sub", ["y/scaled", "y/alpha"], "y/alpha'", {}),
        ("Abs", ["y/alpha'"], "output", {}),
    ]
    graph = import_model(build(nodes, {"y/alpha": np.full((1, 4), 100.0)}, (1, 4)))
    x = np.array([[[-9.0, 0.0, 1.0, 9.0]]])
    np.testing.assert_allclose(graph.run(x)[graph.output], [[[100.0, 100.5, 100.7, 101.0]]])
    named = {op.output for op in graph.ops}
    assert len(named) == len(graph.ops)
    assert "y/alpha" not in named


def test_branches_that_name_a_tensor_alike_are_not_mixed_up() -> None:
    def branch(operator: str) -> onnx.GraphProto:
        return _branch(
            "o", [helper.make_node(operator, ["input"], ["t"]), helper.make_node("Relu", ["t"], ["o"])]
        )

    nodes: Nodes = [
        ("If", ["yes"], "a", {"then_branch": branch("Neg"), "else_branch": branch("Sin")}),
        ("If", ["yes"], "b", {"then_branch": branch("Sin"), "else_branch": branch("Neg")}),
        ("Sub", ["a", "b"], "output", {}),
    ]
    with pytest.raises(ModelError, match="another tensor is named 't'"):
        import_model(build(nodes, {"yes": np.array(True)}, (1, 4)))


@pytest.mark.parametrize("extra", [1, 3, 4, 400, -1, -4])
def test_raw_bytes_that_are_not_the_tensors_are_refused(extra: int) -> None:
    model = onnx.load_from_string(
        build([("MatMul", ["input", "w"], "output", {})], {"w": np.ones((4, 3))}, (1, 4))
    )
    (weights,) = model.graph.initializer
    tensor = onnx.numpy_helper.from_array(np.ones((4, 3), dtype=np.float32), weights.name)
    tensor.raw_data = tensor.raw_data + bytes(extra) if extra > 0 else tensor.raw_data[:extra]
    weights.CopyFrom(tensor)
    with pytest.raises(ModelError, match="bytes"):
        import_model(model.SerializeToString())


def test_samples_near_nothing_compile_into_a_bundle_that_opens(tmp_path: Path) -> None:
    """A precision that asks for a shift of 67 bits is one that does not fit, and another is taken."""
    hostile = MODELS.parent / "hostile"
    compile_model(hostile / "mini_Elu.onnx", np.load(hostile / "mini_1e-30.npy"), tmp_path / "b")
    Bundle.open(tmp_path / "b")
