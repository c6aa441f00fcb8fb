"""Models as people bring them: each of these once answered wrongly, or was refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from assay_prover import Bundle, ModelError, compile_model
from unit.prover.onnx_models import MODELS, build

BROUGHT = MODELS / "brought"

LEAST_AGREEMENT = {"xgb_reg": 0.99, "credit_gb": 0.995, "lgb_cat": 0.995}
"""XGBoost: thresholds that are data values. Credit: features from 1 to 100,000. LightGBM: categories."""


@pytest.mark.parametrize("name", LEAST_AGREEMENT)
def test_trees_of_every_library_decide_as_floats_do(name: str, tmp_path: Path) -> None:
    with np.load(BROUGHT / f"{name}.npz") as data:
        x = data["x"]
    report = compile_model(BROUGHT / f"{name}.onnx", x, tmp_path / "b", input="public", output="public")
    assert report.target_met
    assert report.accuracy.agreement >= LEAST_AGREEMENT[name]
    bundle = Bundle.open(tmp_path / "b")
    session = ort.InferenceSession(str(BROUGHT / f"{name}.onnx"), providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0].name
    theirs = np.array([np.ravel(session.run(None, {feed: row[None]})[0])[0] for row in x], dtype=np.float64)
    scale = 1.0 if bundle.manifest.output.kind == "label" else bundle.manifest.output.scale
    ours = np.array([bundle.infer(bundle.encode_input(row, saturate=True)).ravel()[0] for row in x]) * scale
    near = np.abs(ours - theirs) <= 1e-3 * max(float(np.ptp(theirs)), 1.0)
    assert near.mean() >= LEAST_AGREEMENT[name]


def test_model_without_inputs_is_refused_in_its_own_words(tmp_path: Path) -> None:
    constants = [numpy_helper.from_array(np.ones(2, dtype=np.float32), name) for name in "ab"]
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["y"])],
        "g",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        constants,
    )
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    with pytest.raises(ModelError, match="the model has no input: its answer is a constant"):
        compile_model(model.SerializeToString(), None, tmp_path / "b", input_range=(0, 1))


def test_network_that_is_one_softmax_is_refused_in_its_own_words(tmp_path: Path) -> None:
    model = build([("Softmax", ["input"], "output", {})], {}, (1, 4))
    with pytest.raises(ModelError, match="a network that is one Softmax has nothing else"):
        compile_model(model, None, tmp_path / "b", input_range=(0, 1))
