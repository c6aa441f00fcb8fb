"""Passes from the float graph to the integer graph, one a file: fuse, calibrate, quantise, search."""

from assay_prover.passes.calibrate import Calibration, calibrate, declare_range, synthetic_samples
from assay_prover.passes.fuse import fuse
from assay_prover.passes.precision import InputEncoding, Precision
from assay_prover.passes.quantise import QuantisedModel, quantise

__all__ = [
    "Calibration",
    "InputEncoding",
    "Precision",
    "QuantisedModel",
    "calibrate",
    "declare_range",
    "fuse",
    "quantise",
    "synthetic_samples",
]
