"""Networks that onnxruntime's own quantiser has made integers of: the circuit's integers are theirs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_prover.compiler.onnxruntime_check import run_onnx
from assay_prover.frontend import import_model
from assay_prover.passes import Precision, calibrate, fuse, quantise
from unit.prover.onnx_models import MODELS

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
