"""Passes from the float graph to the integer graph: fuse, calibrate, quantise, select."""

from assay_prover.passes.calibrate import Calibration, calibrate, declare_range, synthetic_samples
from assay_prover.passes.fuse import fuse
from assay_prover.passes.quantise import QuantisedModel, quantise
from assay_prover.passes.quantise.precision import InputEncoding, Precision

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
