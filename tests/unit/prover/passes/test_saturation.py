"""Tables and clamps where samples did not go: bounded functions are whole, the others say where they end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay_prover import Bundle, compile_model
from unit.prover.onnx_models import Nodes, build, run

RNG = np.random.default_rng(3)


def _detector(function: str, bias: float = -6.0) -> tuple[bytes, np.ndarray]:
    """One sum and a function of it; the samples are negatives alone."""
    nodes: Nodes = [("Gemm", ["input", "w", "b"], "h", {}), (function, ["h"], "output", {})]
    model = build(nodes, {"w": np.ones((4, 1)), "b": np.full(1, bias)}, (1, 4), opset=20)
    samples = RNG.uniform(-1, 1, (200, 4)).astype(np.float32)
    return model, samples[samples.sum(axis=1) < 2]


@pytest.mark.parametrize("function", ["Sigmoid", "Tanh", "Erf"])
def test_bounded_function_is_right_far_beyond_the_samples(function: str, tmp_path: Path) -> None:
    model, samples = _detector(function)
    report = compile_model(model, samples, tmp_path / "b", input_range=(-4, 4))
    bundle = Bundle.open(tmp_path / "b")
    assert report.limits == ()
    for value in (-4.0, 0.0, 1.0, 1.5, 2.0, 4.0):
        x = np.full((1, 4), value)
        proven = bundle.infer(bundle.encode_input(x)) * bundle.manifest.output.scale
        assert proven.ravel()[0] == pytest.approx(run(model, x).ravel()[0], abs=0.07)


def test_declared_range_widens_a_table_that_samples_do_not_fill(tmp_path: Path) -> None:
    model, samples = _detector("Gelu", -1.0)
    wide = compile_model(model, samples, tmp_path / "wide", input_range=(-4, 4))
    assert wide.limits == ()
    bundle = Bundle.open(tmp_path / "wide")
    x = np.full((1, 4), 4.0)
    proven = bundle.infer(bundle.encode_input(x)) * bundle.manifest.output.scale
    assert proven.ravel()[0] == pytest.approx(15.0, abs=0.1)


def test_table_that_ends_early_is_reported_and_an_answer_there_says_so(tmp_path: Path) -> None:
    model, samples = _detector("Gelu", -1.0)
    samples = np.concatenate([samples * 0.3, np.eye(4) * 3, -np.eye(4) * 3])
    report = compile_model(model, samples, tmp_path / "b")
    bundle = Bundle.open(tmp_path / "b")
    ends = [limit for limit in report.limits if limit.hi is not None]
    assert ends == list(bundle.manifest.limits) != []
    (limit,) = ends
    assert limit.kind == "Gelu"
    assert limit.lo is None, "below, Gelu is zero: nothing is lost"
    assert limit.hi is not None
    assert limit.worst[1] > limit.hi * limit.step
    assert "the table of Gelu takes every value above" in limit.sentence()
    hi = bundle.manifest.input.declared_range[1]
    assert bundle.limits_touched(bundle.encode_input(np.full((1, 4), hi))) == (limit,)
    assert bundle.limits_touched(bundle.encode_input(np.zeros((1, 4)))) == ()
