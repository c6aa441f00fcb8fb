"""Two independent checks of a witness against the constraints: native, and plain Python.

Both read the blocks that setup reads; proving needs neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from assay_prover._native import Layout, check_r1cs
from assay_prover.circuit.circuit import Circuit
from assay_prover.circuit.field import from_limbs, to_limbs
from assay_prover.circuit.layout import FIELD_ORDER
from assay_prover.circuit.rows import Block, Matrix, Segment
from assay_prover.circuit.witness import Witness

Sparse = list[list[tuple[int, int]]]
"""Rows as (wire, coefficient) pairs."""


def flatten(segments: Iterable[Segment]) -> list[int]:
    """Segments as integers in [0, r)."""
    values: list[int] = []
    for segment in segments:
        if segment.dtype == np.uint64:
            values.extend(from_limbs(segment.astype(np.uint64, copy=False)))
        else:
            values.extend(v % FIELD_ORDER for v in segment.tolist())
    return values


def assignment(witness: Witness, challenge: int | None = None) -> list[int]:
    """z = (1, x, c | m | w1 | w2)."""
    z = [1, *witness.public]
    if challenge is not None:
        z.append(challenge)
    return z + flatten(witness.model) + flatten(witness.w1) + flatten(witness.w2(challenge))


def sparse_rows(matrix: Matrix) -> Sparse:
    """A block's matrix with coefficients modulo r."""
    ptr, col, coefficient = matrix
    columns = col.tolist()
    values = flatten([coefficient])
    starts = ptr.tolist()
    return [list(zip(columns[i:j], values[i:j], strict=True)) for i, j in pairwise(starts)]


def constraints(blocks: Iterable[Block]) -> list[tuple[Sparse, Sparse, Sparse]]:
    """Every block as plain lists."""
    return [(sparse_rows(a), sparse_rows(b), sparse_rows(c)) for a, b, c in blocks]


def dot(row: Sequence[tuple[int, int]], z: Sequence[int]) -> int:
    """<row, z> modulo r."""
    return sum(coefficient * z[wire] for wire, coefficient in row) % FIELD_ORDER


def first_failure(system: list[tuple[Sparse, Sparse, Sparse]], z: Sequence[int]) -> int | None:
    """Index of the first unsatisfied constraint, or None."""
    index = 0
    for a, b, c in system:
        for left, right, product in zip(a, b, c, strict=True):
            if dot(left, z) * dot(right, z) % FIELD_ORDER != dot(product, z):
                return index
            index += 1
    return None


def check(circuit: Circuit, witness: Witness, challenge: int | None = None) -> int | None:
    """Index of the first unsatisfied constraint, or None; native, so for circuits of any size."""
    wires = circuit.layout
    layout = Layout(wires.n_public, wires.committed, wires.n_model, wires.n_w1, wires.n_w2)
    leading = [1, *witness.public] + ([challenge] if challenge is not None else [])
    z = [to_limbs(leading), *witness.model, *witness.w1, *witness.w2(challenge)]
    return check_r1cs(layout, list(circuit.blocks()), z)


def check_with_integers(circuit: Circuit, witness: Witness, challenge: int | None = None) -> int | None:
    """The same with big integers; about a microsecond a non-zero."""
    return first_failure(constraints(circuit.blocks()), assignment(witness, challenge))
