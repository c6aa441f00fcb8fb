"""Networks that onnxruntime's own quantiser has made integers of: the circuit's integers are theirs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_prover import Bundle, compile_model
from assay_prover.compiler.onnxruntime_check import run_onnx
from assay_prover.frontend import import_model
from assay_prover.passes import Precision, calibrate, fuse, quantise
from unit.prover.onnx_models import MODELS, Nodes, build

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static


class Samples(CalibrationDataReader):  # type: ignore[misc]  # the package has no types
    """The quantiser's calibration data."""

    def __init__(self, x: np.ndarray) -> None:
        self.remaining: Iterator[np.ndarray] = iter(x)

    def get_next(self) -> dict[str, Any] | None:
        sample = next(self.remaining, None)
        return None if sample is None else {"input": sample}


@pytest.mark.parametrize("per_channel", [False, True], ids=["one scale", "a scale each channel"])
@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator], ids=["QDQ", "QOperator"])
def test_quantised_lenet_gives_onnxruntimes_integers(
    form: QuantFormat, per_channel: bool, tmp_path: Path
) -> None:
    x = np.load(MODELS / "lenet.npz")["x"].astype(np.float32).reshape(-1, 1, 1, 28, 28)
    quantize_static(
        str(MODELS / "lenet.onnx"),
        str(tmp_path / "quantised.onnx"),
        Samples(x[:32]),
        quant_format=form,
        per_channel=per_channel,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    data = (tmp_path / "quantised.onnx").read_bytes()
    graph = import_model(data)
    samples = x[32:132].astype(np.float64)
    theirs = run_onnx(data, graph, samples)
    step = float(np.diff(np.unique(theirs.round(6))).min())
    real = graph.run(samples, [graph.output])[graph.output].reshape(theirs.shape)
    np.testing.assert_allclose(real, theirs, atol=step / 100)
    fused = fuse(graph)
    model = quantise(fused, calibrate(fused, samples, (0.0, 1.0)), Precision())
    integers = model.graph.run(model.encode(samples))[model.graph.output].reshape(theirs.shape)
    difference = np.abs(integers * model.output_scale - theirs) / step
    # their own products are rounded to float32: within 2^-20 of a half they fall either way
    assert (difference < 0.5).mean() > 0.99
    assert difference.max() < 1.5


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator], ids=["QDQ", "QOperator"])
def test_quantised_average_pools_and_residuals_are_taken_within_a_step(
    form: QuantFormat, tmp_path: Path
) -> None:
    """Runtimes round these apart from each other; judged by onnxruntime without graph optimisation."""
    rng = np.random.default_rng(4)
    nodes: Nodes = [
        ("Conv", ["input", "c"], "a", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
        ("Add", ["a", "input"], "s", {}),
        ("Relu", ["s"], "r", {}),
        ("AveragePool", ["r"], "p", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Flatten", ["p"], "f", {}),
        ("Gemm", ["f", "w"], "output", {}),
    ]
    constants = {"c": rng.normal(size=(3, 3, 3, 3)) * 0.3, "w": rng.normal(size=(48, 5)) * 0.2}
    (tmp_path / "float.onnx").write_bytes(build(nodes, constants, (1, 3, 8, 8), opset=13))
    x = rng.normal(size=(48, 1, 3, 8, 8)).astype(np.float32)
    target = tmp_path / "quantised.onnx"
    quantize_static(str(tmp_path / "float.onnx"), str(target), Samples(x), quant_format=form)
    report = compile_model(target, x, tmp_path / "b", target="accuracy")
    assert report.import_difference <= 1.5 / 255
    bundle = Bundle.open(tmp_path / "b")
    theirs = run_onnx(target.read_bytes(), import_model(target.read_bytes()), x[:8].astype(np.float64))
    proven = np.array([bundle.infer(bundle.encode_input(s[0], saturate=True)).ravel() for s in x[:8]])
    assert np.abs(proven * bundle.manifest.output.scale - theirs).max() <= 2.5 / 255 * np.ptp(theirs)
