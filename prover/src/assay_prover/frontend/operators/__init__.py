"""One file for each family of ONNX operators. Importing the package registers every family."""

from assay_prover.frontend.operators import (
    activation,
    arithmetic,
    batch_normalization,
    comparison,
    convolution,
    decompositions,
    elementwise,
    indexing,
    labels,
    linear,
    linear_models,
    normalization,
    pooling,
    quantised,
    recurrent,
    reduction,
    reshaping,
    resizing,
    selection,
    softmax_argmax,
    support_vector,
    tree_ensembles,
)

FAMILIES = (
    activation,
    arithmetic,
    comparison,
    decompositions,
    convolution,
    elementwise,
    tree_ensembles,
    softmax_argmax,
    indexing,
    labels,
    linear,
    support_vector,
    batch_normalization,
    normalization,
    pooling,
    quantised,
    reduction,
    recurrent,
    reshaping,
    resizing,
    selection,
    linear_models,
)
"""In the order in which docs/operators.md lists them."""

__all__ = ["FAMILIES"]
