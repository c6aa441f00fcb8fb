"""Resize against onnxruntime: every coordinate mode, scales that are no whole numbers, a single element."""

from __future__ import annotations

import numpy as np
import pytest

from assay_prover.errors import UnsupportedModel
from assay_prover.frontend import import_model
from unit.prover.onnx_models import build, run

COORDINATES = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
SCALES = [(0.5, 0.6), (2.0, 1.7), (0.2, 3.0)]
WHOLE = [(0.2, 3.0), (2.0, 2.0)]
"""Of five and seven elements they leave no part of one."""
ROUNDED = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


def _compare(attributes: dict[str, str], **given: np.ndarray) -> None:
    ((name, values),) = given.items()
    inputs = ["input", "", name] if name == "scales" else ["input", "", "", name]
    data = build([("Resize", inputs, "output", attributes)], {name: values}, (1, 1, 5, 7), 19)
    x = np.random.default_rng(2).normal(size=(2, 1, 1, 5, 7))
    graph = import_model(data)
    expected = np.stack([run(data, sample) for sample in x])
    np.testing.assert_allclose(graph.run(x)[graph.output], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rounded", ROUNDED)
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_nearest(coordinates: str, rounded: str) -> None:
    attributes = {"coordinate_transformation_mode": coordinates, "nearest_mode": rounded}
    for scales in WHOLE if coordinates == "align_corners" else SCALES:
        _compare(attributes, scales=np.array([1, 1, *scales]))
    for sizes in ((9, 9), (1, 3)):
        _compare(attributes, sizes=np.array([1, 1, *sizes], dtype=np.int64))


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("coordinates", [*COORDINATES, "half_pixel_symmetric"])
def test_interpolated(coordinates: str, mode: str) -> None:
    attributes = {"coordinate_transformation_mode": coordinates, "mode": mode}
    for scales in WHOLE if coordinates == "align_corners" else SCALES:
        _compare(attributes, scales=np.array([1, 1, *scales]))
    for sizes in ((9, 9), (1, 3)):
        _compare(attributes, sizes=np.array([1, 1, *sizes], dtype=np.int64))


def test_corners_aligned_over_a_part_of_an_element_are_refused() -> None:
    """ONNX's node tests divide by the part, onnxruntime and PyTorch by the whole length."""
    with pytest.raises(UnsupportedModel, match="give sizes"):
        _compare({"coordinate_transformation_mode": "align_corners"}, scales=np.array([1, 1, 2.0, 1.7]))
