"""Products of wires: elementwise and matrix products of two computed tensors (attention, gates, squares).

Statement. y_i = a_i b_i; for matrices y_ij = sum_k a_ik b_kj.

Constraints. a b = y, one for each product of two wires; the sums of a matrix product are linear combinations.

Cost. One constraint and one small wire a product: I K J for an (I, K) by (K, J) matrix product.

Soundness. Each product wire is determined by its two factors; |y| < 2^62 in the worst case, so it is the
integer product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from assay_prover.circuit.linear import LinearTensor, Mapped
from assay_prover.gadgets.product_check import Matrices, ProductBatches, ProductCheck
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.reference import MatMul, Multiply, Sparse

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.linear import Wires


def multiply(b: Builder, x: LinearTensor, y: LinearTensor) -> Wires:
    """Elementwise product."""
    product = b.integers(x.size, lambda frame: frame.value(x) * frame.value(y))
    b.constrain(x, y, product)
    return product


def matmul(
    b: Builder,
    x: LinearTensor,
    x_shape: tuple[int, ...],
    y: LinearTensor,
    y_shape: tuple[int, ...],
) -> LinearTensor:
    """Product over the last two axes, leading axes broadcast; flattened row-major."""
    leading = np.broadcast_shapes(x_shape[:-2], y_shape[:-2])
    rows, inner, columns = x_shape[-2], x_shape[-1], y_shape[-1]
    x_index = np.arange(x.size).reshape(x_shape)
    y_index = np.arange(y.size).reshape(y_shape)
    full = (*leading, rows, columns, inner)
    left = np.broadcast_to(x_index[..., :, None, :], full)
    right = np.broadcast_to(np.swapaxes(y_index, -1, -2)[..., None, :, :], full)
    products = multiply(b, x[left.ravel()], y[right.ravel()])
    n_out = products.size // inner
    total = sp.csr_array(
        (
            np.ones(products.size, dtype=np.int64),
            np.arange(products.size),
            np.arange(n_out + 1, dtype=np.int64) * inner,
        ),
        shape=(n_out, products.size),
    )
    return Mapped(
        [(Sparse(total), products)],
        np.zeros(n_out, dtype=np.int64),
        lambda frame: frame.value(products).reshape(n_out, inner).sum(axis=1),
    )


@constrains(Multiply)
def _lower_multiply(b: Builder, op: Multiply, given: Operands) -> LinearTensor:
    del op
    return multiply(b, given.first, given.wires[1])


@constrains(MatMul)
def _lower_matmul(b: Builder, op: MatMul, given: Operands) -> LinearTensor:
    """Checked under the challenge or product by product, whichever is cheaper."""
    del op
    (x, y), (left, right) = given.wires, given.facts
    if b.product_checks:
        where, product = Matrices.of(left.shape, right.shape), (given.result.min, given.result.max)
        check = ProductCheck.plan(b, x, y, where, product, given.held)
        if check is not None:
            given.rely()
            if given.batched:
                return ProductBatches.of(b).multiply(b, check, x, y)
            return check.emit(b, x, y)
    return matmul(b, x, left.shape, y, right.shape)
