"""Thresholds that equal data: decided as floats decide them, for every value on the grid of the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_prover.frontend import import_model
from assay_prover.passes import Precision, calibrate, fuse, quantise
from unit.prover.onnx_models import Nodes, build

COMPARISONS = {
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
}


def _decided(operator: str, thresholds: np.ndarray, grid: np.ndarray, bits: int) -> np.ndarray:
    """The circuit's answers on a grid of inputs, `[grid, thresholds]`."""
    nodes: Nodes = [(operator, ["input", "t"], "b", {}), ("Cast", ["b"], "output", {"to": 1})]
    model = build(nodes, {"t": thresholds.astype(np.float32)}, (1, thresholds.size))
    graph = fuse(import_model(model))
    samples = np.repeat(grid.astype(np.float32).astype(np.float64)[:, None, None], thresholds.size, axis=2)
    lo, hi = float(samples.min()), float(samples.max())
    margin = 0.1 * (hi - lo)
    integers = quantise(
        graph, calibrate(graph, samples, (lo - margin, hi + margin)), Precision(input_bits=bits)
    )
    return np.asarray(integers.graph.run(integers.encode(samples))[integers.graph.output]).reshape(
        len(grid), -1
    )


@pytest.mark.parametrize("operator", COMPARISONS)
@pytest.mark.parametrize("offset", [-300.0, 0.0, 17.0], ids=["negative", "from zero", "positive"])
@pytest.mark.parametrize("step", [1.0, 0.1, 3.0])
def test_thresholds_equal_to_data_are_decided_as_floats_decide_them(
    operator: str, offset: float, step: float
) -> None:
    grid = offset + step * np.arange(60)
    expected = COMPARISONS[operator](grid[:, None].astype(np.float32), grid[None].astype(np.float32))
    np.testing.assert_array_equal(_decided(operator, grid, grid, 10), expected)


@pytest.mark.parametrize("operator", COMPARISONS)
def test_thresholds_half_way_between_data_are_decided_as_floats_decide_them(operator: str) -> None:
    grid = np.arange(-40.0, 40.0)
    between = (grid[1:] + grid[:-1]) / 2
    expected = COMPARISONS[operator](grid[:, None], between[None])
    np.testing.assert_array_equal(_decided(operator, between, grid, 10), expected)


@settings(max_examples=60, deadline=None)
@given(
    operator=st.sampled_from(sorted(COMPARISONS)),
    start=st.floats(-1e4, 1e4),
    step=st.floats(1e-2, 1e3),
    seed=st.integers(0, 2**32),
)
def test_any_grid_coarser_than_the_encoding_is_told_apart(
    operator: str, start: float, step: float, seed: int
) -> None:
    """Steps of the grid are at least two of the encoding's: then every threshold on it is exact."""
    grid = (start + step * np.arange(100)).astype(np.float32).astype(np.float64)
    if len(set(grid)) < len(grid):
        return
    rng = np.random.default_rng(seed)
    thresholds = rng.choice(grid, 7)
    expected = COMPARISONS[operator](grid[:, None], thresholds[None])
    np.testing.assert_array_equal(_decided(operator, thresholds, grid, 9), expected)
