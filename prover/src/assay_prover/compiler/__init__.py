"""From an ONNX file and samples to a bundle: preparation, the choice of precision, the check, the report."""

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from assay_prover.compiler.compiler import CompileReport, compile_model
    from assay_prover.compiler.retrain import with_weights
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            ".compiler": "CompileReport compile_model",
            ".retrain": "with_weights",
        },
    )

__all__ = ["CompileReport", "compile_model", "with_weights"]
