"""ONNX to the float graph. Importing the package registers every operator family."""

from assay_prover.frontend.importer import import_model
from assay_prover.frontend.load import Wanted, load_model, read_model
from assay_prover.frontend.operators import FAMILIES
from assay_prover.frontend.registry import supported_operators

__all__ = [
    "FAMILIES",
    "Wanted",
    "import_model",
    "load_model",
    "read_model",
    "supported_operators",
]
