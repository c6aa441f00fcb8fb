"""A convolution whose channels are innermost: the same numbers in another order, in every reading."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from assay_prover.graph.maps import FloatConv, row_wise
from assay_prover.reference import Conv


def _order(channels: int, places: int) -> np.ndarray:
    """Where each element of the channels-first order stands in the other."""
    return np.arange(channels * places).reshape(places, channels).T.ravel()


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("in_shape", [(4, 5), (4, 3, 5)])
def test_channels_last_is_channels_first_in_another_order(in_shape: tuple[int, ...], groups: int) -> None:
    rng = np.random.default_rng(1)
    rank = len(in_shape) - 1
    weight = rng.integers(-5, 6, (6, 4 // groups, *[2] * rank))
    first = Conv(weight, (2,) * rank, (1,) * 2 * rank, (1,) * rank, groups, in_shape)
    last = replace(first, channels_last=True)
    source = _order(in_shape[0], int(np.prod(in_shape[1:])))
    target = _order(6, first.n_out // 6)
    x = rng.integers(-9, 10, (3, first.n_in))
    moved = np.empty_like(x)
    moved[:, source] = x
    np.testing.assert_array_equal(last.apply(moved)[:, target], first.apply(x))
    np.testing.assert_array_equal(moved @ last.csr().toarray().T, last.apply(moved))
    np.testing.assert_array_equal(last.absolute().csr().toarray(), np.abs(last.csr().toarray()))
    real = FloatConv(
        weight.astype(np.float64) / 2, first.strides, first.pads, first.dilations, groups, in_shape, True
    )
    floats = moved.astype(np.float64)
    np.testing.assert_allclose(real.apply(floats), last.apply(moved) * 0.5)
    np.testing.assert_allclose(real.csr().toarray(), last.csr().toarray() * 0.5)
    bound = np.ones(first.n_in)
    np.testing.assert_allclose(real.worst_case(-bound, bound)[1], np.abs(real.csr().toarray()).sum(axis=1))
    assert (real.terms >= np.count_nonzero(real.csr().toarray(), axis=1)).all()
    factor = rng.normal(size=6)
    scaled = real.scale_rows(np.tile(factor, first.n_out // 6))
    assert isinstance(scaled, FloatConv)
    np.testing.assert_allclose(
        scaled.apply(floats), real.apply(floats) * np.tile(factor, first.n_out // 6), atol=1e-9
    )


def test_a_matrix_over_rows_is_its_product_with_each() -> None:
    rng = np.random.default_rng(2)
    weight, x = rng.normal(size=(3, 4)), rng.normal(size=(2, 5, 4))
    linear = row_wise(weight, 5)
    np.testing.assert_allclose(linear.apply(x.reshape(2, -1)).reshape(2, 5, 3), x @ weight.T)
