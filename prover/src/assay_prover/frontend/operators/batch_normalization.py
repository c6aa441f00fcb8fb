"""BatchNormalization at inference: a scale and an offset for each channel."""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Context
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers
from assay_prover.graph.maps import FloatScale


@lowers("BatchNormalization")
def batch_normalization(context: Context, node: Node) -> None:
    """Folded into the preceding linear layer by the fuse pass."""
    if node.int("training_mode", 0) or len([name for name in node.outputs if name]) > 1:
        raise node.unsupported("training mode")
    gamma, beta, mean, variance = (
        context.weights(node, position, what)
        for position, what in ((1, "scale"), (2, "B"), (3, "mean"), (4, "var"))
    )
    epsilon = node.float("epsilon", 1e-5)
    if (variance + epsilon <= 0).any():
        raise node.unsupported("a variance is not positive")
    factor = gamma / np.sqrt(variance + epsilon)
    shape = context.shape(node.inputs[0])
    view = (1, -1, *[1] * (len(shape) - 2))
    full = np.broadcast_to(factor.reshape(view), shape).ravel().copy()
    offset = (beta - mean * factor).reshape(view)
    context.affine(node, shape, [(context.variable(node, 0), FloatScale(full))], offset)
