"""From an ONNX file and samples to a bundle: preparation, the choice of precision, the check, the report."""

from assay_prover.compiler.compiler import CompileReport, compile_model
from assay_prover.compiler.retrain import with_weights

__all__ = ["CompileReport", "compile_model", "with_weights"]
