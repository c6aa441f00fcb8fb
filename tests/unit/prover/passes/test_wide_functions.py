"""Roots, logarithms and powers over many orders of magnitude, as audio front ends need them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay_prover import Bundle, compile_model
from unit.prover.onnx_models import Nodes, build, run

RNG = np.random.default_rng(8)
MANTISSA = 2.0**-10


def _close(model: bytes, samples: np.ndarray, folder: Path) -> float:
    """Largest error, as a part of the outputs' span, on inputs within what was seen."""
    compile_model(model, samples, folder)
    bundle = Bundle.open(folder)
    proven = (
        np.array([bundle.infer(bundle.encode_input(x, saturate=True)).ravel() for x in samples[:60]])
        * bundle.manifest.output.scale
    )
    exact = np.array([run(model, x.reshape(1, *bundle.manifest.input.shape)).ravel() for x in samples[:60]])
    return float(np.abs(proven - exact).max() / np.ptp(exact))


def _positive(orders: float) -> np.ndarray:
    return np.asarray(np.exp(RNG.uniform(-orders, 0, size=(200, 8)) * np.log(10)), dtype=np.float32)


@pytest.mark.parametrize("orders", [2.0, 4.0, 6.0])
def test_logarithm_over_orders_of_magnitude_errs_by_a_hundredth_of_the_span(
    orders: float, tmp_path: Path
) -> None:
    nodes: Nodes = [("Add", ["input", "e"], "a", {}), ("Log", ["a"], "output", {})]
    model = build(nodes, {"e": np.array(1e-6)}, (1, 8))
    assert _close(model, _positive(orders), tmp_path / "b") < 0.01


@pytest.mark.parametrize(
    ("operator", "exponent"),
    [("Sqrt", None), ("Pow", 0.3), ("Reciprocal", None)],
    ids=["sqrt", "pow", "reciprocal"],
)
def test_root_power_and_reciprocal_over_orders_of_magnitude(
    operator: str, exponent: float | None, tmp_path: Path
) -> None:
    constants = {} if exponent is None else {"e": np.array(exponent)}
    model = build([(operator, ["input", *constants], "output", {})], constants, (1, 8))
    assert _close(model, _positive(2.5), tmp_path / "b") < 0.01


def test_magnitude_of_complex_numbers_is_exact_to_a_step(tmp_path: Path) -> None:
    """A spectrogram: squares are summed unrounded, and the root of the exact sum is exact."""
    nodes: Nodes = [
        ("Mul", ["input", "input"], "q", {}),
        ("ReduceSum", ["q", "ax"], "s", {"keepdims": 0}),
        ("Sqrt", ["s"], "output", {}),
    ]
    model = build(nodes, {"ax": np.array([2])}, (1, 16, 2))
    size = np.exp(RNG.normal(size=(200, 16, 1)) * 1.5 - 3)
    samples = (RNG.normal(size=(200, 16, 2)) * size).astype(np.float32)
    assert _close(model, samples, tmp_path / "b") < 0.005
