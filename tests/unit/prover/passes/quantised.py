"""Networks quantised for the tests of the quantiser and of its search."""

from __future__ import annotations

import numpy as np

from assay_prover.frontend import import_model
from assay_prover.passes import Precision, QuantisedModel, calibrate, fuse, quantise


def quantised(
    data: bytes, rng: np.random.Generator, precision: Precision
) -> tuple[QuantisedModel, np.ndarray, np.ndarray]:
    graph = fuse(import_model(data))
    x = rng.uniform(-1, 1, size=(64, *graph.input_shape))
    calibration = calibrate(graph, x, (-1.0, 1.0))
    return quantise(graph, calibration, precision), x, calibration.outputs
