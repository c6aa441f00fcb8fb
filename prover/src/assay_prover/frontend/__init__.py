"""ONNX to the float graph. Importing the package registers every operator family."""

from assay_prover.frontend import (
    activation,
    arithmetic,
    classical,
    comparison,
    composite,
    convolution,
    elementwise,
    ensembles,
    head,
    indexing,
    labels,
    linear,
    machines,
    normalization,
    norms,
    pooling,
    quantisation,
    recurrent,
    reduction,
    reshaping,
    resizing,
    selection,
)
from assay_prover.frontend.graph import FloatGraph
from assay_prover.frontend.importer import import_model
from assay_prover.frontend.load import Wanted, load_model, read_model
from assay_prover.frontend.registry import supported_operators

FAMILIES = (
    activation,
    arithmetic,
    comparison,
    composite,
    convolution,
    elementwise,
    ensembles,
    head,
    indexing,
    labels,
    linear,
    machines,
    normalization,
    norms,
    pooling,
    quantisation,
    reduction,
    recurrent,
    reshaping,
    resizing,
    selection,
    classical,
)

__all__ = [
    "FAMILIES",
    "FloatGraph",
    "Wanted",
    "import_model",
    "load_model",
    "read_model",
    "supported_operators",
]
