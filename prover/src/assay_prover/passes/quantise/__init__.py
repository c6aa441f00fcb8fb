"""Quantise: the float graph as an `IntegerGraph` with exact semantics.

Every tensor is integers times one scale, without zero points. A linear layer's weights absorb all scales:
with input scale s_x and accumulator scale s_a a weight w becomes round(w s_x / s_a), of as many bits as
accuracy asks for, since constants cost nothing in a circuit. An accumulator is brought back to activation
width by one rounding shift, s_y = s_a 2^shift, which also applies Relu. Maps whose coefficients are all
equal (reshapes, pooling, sums of one tensor) are exact and only change the scale.

`quantiser` keeps the books; each family of operations has its rules in a file of its own, registered by the
operation's class (`registry`).
"""

from __future__ import annotations

import sys

import numpy as np

from assay_prover.errors import QuantisationError
from assay_prover.graph import FloatGraph
from assay_prover.passes.calibrate import Calibration
from assay_prover.passes.quantise.precision import Precision
from assay_prover.passes.quantise.quantiser import QuantisedModel, Quantiser
from assay_prover.registration import load_modules

load_modules(sys.modules[__name__])
__all__ = ["QuantisedModel", "quantise"]


def quantise(
    graph: FloatGraph, calibration: Calibration, precision: Precision, *, private: bool = False
) -> QuantisedModel:
    """Round the network to integers; with `private` its trained numbers become those of `PrivateAffine`s.

    Raises:
        QuantisationError: an accumulator's worst case cannot be held in 61 bits even with clamps, or the
            network itself overflows on the samples.
    """
    try:
        model = Quantiser(graph, calibration, precision, private).run()
    except OverflowError as error:
        raise QuantisationError(f"the network's numbers exceed all integers: {error}") from error
    for name, seen in calibration.tensors.items():
        if not np.isfinite([seen.lo, seen.hi]).all():
            raise QuantisationError(f"tensor {name!r} is not finite on the samples")
    return model
