"""ONNX to the float graph. Importing the package registers every operator family."""

from assay_prover.frontend import (
    activation,
    arithmetic,
    composite,
    convolution,
    elementwise,
    head,
    linear,
    normalization,
    pooling,
    reduction,
    reshaping,
    selection,
)
from assay_prover.frontend.graph import FloatGraph
from assay_prover.frontend.importer import import_model
from assay_prover.frontend.load import load_model, read_model
from assay_prover.frontend.registry import supported_operators

FAMILIES = (
    activation,
    arithmetic,
    composite,
    convolution,
    elementwise,
    head,
    linear,
    normalization,
    pooling,
    reduction,
    reshaping,
    selection,
)

__all__ = ["FAMILIES", "FloatGraph", "import_model", "load_model", "read_model", "supported_operators"]
