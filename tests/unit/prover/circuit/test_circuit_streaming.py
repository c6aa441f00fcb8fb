"""Constraints in parts: the same rows as whole, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from assay_prover.circuit import linear, rows
from assay_prover.circuit.rows import Block, Segment
from assay_prover.lowering import compile_graph
from assay_prover.reference import Conv
from soundness.networks import OPEN, examples, rng


def _joined(blocks: Iterator[Block]) -> list[tuple[np.ndarray, np.ndarray, list[int]]]:
    """Row lengths, columns and coefficients of A, B and C over all blocks."""
    sides: list[tuple[list[np.ndarray], list[np.ndarray], list[int]]] = [([], [], []) for _ in range(3)]
    for block in blocks:
        for (lengths, columns, coefficients), (ptr, col, data) in zip(sides, block, strict=True):
            lengths.append(np.diff(ptr))
            columns.append(col)
            coefficients += _integers(data)
    return [(np.concatenate(a), np.concatenate(b), c) for a, b, c in sides]


def _integers(data: Segment) -> list[int]:
    if data.ndim == 1:
        return [int(v) for v in data]
    return [sum(int(limb) << (64 * place) for place, limb in enumerate(row)) for row in data]


@pytest.mark.parametrize("name", examples())
def test_parts_are_the_same_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = compile_graph(examples()[name].graph(), OPEN, limb_bits=(4,))
    whole = _joined(circuit.blocks())
    n_whole = sum(1 for _ in circuit.blocks())
    for module in (linear, rows):
        monkeypatch.setattr(module, "MOST_ENTRIES", 1)
    parts = _joined(circuit.blocks())
    assert sum(1 for _ in circuit.blocks()) > n_whole
    for before, after in zip(whole, parts, strict=True):
        for left, right in zip(before, after, strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("groups", "stride", "dilation"), [(1, 1, 1), (2, 2, 1), (4, 1, 2)])
def test_some_rows_of_a_convolution_are_those_of_all(
    groups: int, stride: int, dilation: int, last: bool
) -> None:
    random = rng(groups)
    weight = random.integers(-2, 3, (8, 4 // groups, 3, 2))
    conv = Conv(weight, (stride, 1), (1, 0, 2, 1), (dilation, 1), groups, (4, 6, 5), last)
    index = random.permutation(conv.n_out)[: conv.n_out // 2]
    picked, whole = conv.csr_rows(index), conv.csr()[index]
    assert (picked != whole).nnz == 0
    assert (picked.data != 0).all()
    assert conv.entries >= conv.csr().nnz
