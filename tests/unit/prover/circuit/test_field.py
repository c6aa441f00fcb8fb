"""Vectorised field arithmetic against Python integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_prover import _native
from assay_prover.groth16 import FIELD_ORDER as R
from assay_prover.groth16 import InvalidInput, InvalidWitness
from assay_prover.groth16.arrays import Limbs
from unit.prover.toy_circuit import integers, limbs

EDGES = [0, 1, 2, R - 1, R - 2, (R - 1) // 2, 1 << 64, (1 << 253) - 1]
elements = st.integers(0, R - 1) | st.sampled_from(EDGES)
smalls = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)])
pairs = st.lists(st.tuples(elements, elements), max_size=20)


@given(pairs=pairs)
def test_binary_operations_agree_with_integers(pairs: list[tuple[int, int]]) -> None:
    left = limbs(*[a for a, _ in pairs]).reshape(-1, 4)
    right = limbs(*[b for _, b in pairs]).reshape(-1, 4)
    operations: list[tuple[Callable[[Limbs, Limbs], Limbs], Callable[[int, int], int]]] = [
        (_native.field_add, lambda a, b: a + b),
        (_native.field_sub, lambda a, b: a - b),
        (_native.field_mul, lambda a, b: a * b),
    ]
    for ours, theirs in operations:
        assert integers(ours(left, right)) == [theirs(a, b) % R for a, b in pairs]
    assert _native.field_sum(left) == sum(a for a, _ in pairs) % R


@given(c=elements, values=st.lists(smalls, max_size=20))
def test_differences_agree_with_integers(c: int, values: list[int]) -> None:
    array = np.array(values, dtype=np.int64)
    assert integers(_native.field_sub_from(c, array)) == [(c - v) % R for v in values]
    assert integers(_native.field_from_small(array)) == [v % R for v in values]
    if any((c - v) % R == 0 for v in values):
        with pytest.raises(InvalidWitness):
            _native.field_inverse_differences(c, array)
    else:
        assert integers(_native.field_inverse_differences(c, array)) == [pow(c - v, -1, R) for v in values]


@given(c=elements, items=st.lists(st.tuples(elements, smalls), max_size=20))
def test_scalings_agree_with_integers(c: int, items: list[tuple[int, int]]) -> None:
    field = limbs(*[f for f, _ in items]).reshape(-1, 4)
    small = np.array([v for _, v in items], dtype=np.int64)
    assert integers(_native.field_mul_small(field, small)) == [f * v % R for f, v in items]
    assert integers(_native.field_scale(c, field)) == [c * f % R for f, _ in items]


def test_inverses_across_chunk_boundaries() -> None:
    values = np.arange(1, 9000, dtype=np.int64)
    inverses = _native.field_inverse_differences(0, -values)
    assert integers(_native.field_mul_small(inverses, values)) == [1] * len(values)
    assert (_native.field_inverse(inverses) == _native.field_from_small(values)).all()


def test_values_above_r_are_refused() -> None:
    bad = limbs(R)
    for call in (_native.field_sum, _native.field_inverse, lambda v: _native.field_scale(1, v)):
        with pytest.raises(InvalidWitness):
            call(bad)
    with pytest.raises(InvalidWitness):
        _native.field_add(limbs(1), bad)
    with pytest.raises(InvalidInput):
        _native.field_sub_from(R, np.array([1], dtype=np.int64))
    with pytest.raises(InvalidInput, match="2 values against 1"):
        _native.field_add(limbs(1, 2), limbs(1))
    with pytest.raises(InvalidWitness, match="zero"):
        _native.field_inverse(limbs(1, 0))
