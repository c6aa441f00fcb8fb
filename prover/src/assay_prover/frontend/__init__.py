"""ONNX to the float graph. Importing the package registers every operator family."""

from typing import TYPE_CHECKING

from assay_prover.frontend.importer import import_model
from assay_prover.frontend.load import Wanted, load_model, read_model
from assay_prover.frontend.operators import FAMILIES
from assay_prover.frontend.registry import supported_operators
from assay_prover.lazy_imports import moved_names

if not TYPE_CHECKING:  # else every name would be one to a type checker
    __getattr__ = moved_names(
        __name__,
        {
            "FloatGraph": "assay_prover.graph:FloatGraph",
        },
    )

__all__ = [
    "FAMILIES",
    "Wanted",
    "import_model",
    "load_model",
    "read_model",
    "supported_operators",
]
