"""A small circuit in every mode, with its witness, in numpy.

For each value v_i: with a challenge ``inv_i * (c - v_i) = 1``; always ``v_i * v_i = s_i``; with private
weights ``m_i * v_i = p_i``. At last ``x_1 = sum s_i + sum p_i`` and ``x_2 * x_2 = q``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay_prover import _native, groth16
from assay_prover.groth16 import FIELD_ORDER, Layout
from assay_prover.groth16.arrays import Limbs, Matrix, Segment

Term = tuple[int, int]


def limbs(*values: int) -> Limbs:
    """Integers as canonical limbs, shape (n, 4)."""
    return np.array([[v >> 64 * i & (1 << 64) - 1 for i in range(4)] for v in values], dtype=np.uint64)


def integers(array: Limbs) -> list[int]:
    """Limbs as integers."""
    return [sum(int(limb) << 64 * i for i, limb in enumerate(row)) for row in array]


@dataclass
class Rows:
    """Rows of one matrix as they are written."""

    rows: list[list[Term]] = field(default_factory=list)

    def matrix(self) -> Matrix:
        """Compressed rows."""
        ptr = np.cumsum([0, *map(len, self.rows)]).astype(np.int64)
        col = np.array([wire for row in self.rows for wire, _ in row], dtype=np.uint32)
        coef = np.array([c for row in self.rows for _, c in row], dtype=np.int64)
        return ptr, col, coef


class ToyCircuit:
    """Constraints and witness for given values and weights."""

    def __init__(self, values: list[int], weights: list[int] | None = None, *, committed: bool) -> None:
        size = len(values)
        self.values: NDArray[np.int64] = np.array(values, dtype=np.int64)
        self.weights: NDArray[np.int64] = np.array(weights or [], dtype=np.int64)
        n_model = len(self.weights)
        inverses, own = (size, 0) if committed else (0, size)
        self.layout = Layout(
            2, committed, n_model, size if committed else 0, inverses + own + size + n_model + 1
        )
        inverse = self.layout.w2.start
        value = self.layout.w1.start if committed else inverse + inverses
        square = inverse + inverses + own
        product = square + size
        last = product + n_model
        a, b, c = Rows(), Rows(), Rows()

        def row(left: list[Term], right: list[Term], out: list[Term]) -> None:
            a.rows.append(left)
            b.rows.append(right)
            c.rows.append(out)

        for i in range(size):
            if self.layout.challenge is not None:
                row([(inverse + i, 1)], [(self.layout.challenge, 1), (value + i, -1)], [(0, 1)])
            row([(value + i, 1)], [(value + i, 1)], [(square + i, 1)])
            if n_model:
                row([(self.layout.model.start + i, 1)], [(value + i, 1)], [(product + i, 1)])
        row([(wire, 1) for wire in range(square, last)], [(0, 1)], [(1, 1)])
        row([(2, 1)], [(2, 1)], [(last, 1)])
        self.block: tuple[Matrix, Matrix, Matrix] = (a.matrix(), b.matrix(), c.matrix())
        self.n_constraints = len(a.rows)
        total = sum(v * v for v in values) + sum(
            v * m for v, m in zip(values, self.weights.tolist(), strict=False)
        )
        self.public = [total % FIELD_ORDER, 0xABCDEF]

    @property
    def w1(self) -> list[Segment]:
        """Committed wires."""
        return [self.values] if self.layout.committed else []

    def w2(self, challenge: int | None) -> list[Segment]:
        """The other wires."""
        if challenge is None:
            head: list[Segment] = [self.values]
        else:
            head = [_native.field_inverse_differences(challenge, self.values)]
        products = self.values[: len(self.weights)] * self.weights
        return [*head, self.values * self.values, products, limbs(self.public[1] ** 2 % FIELD_ORDER)]

    def z(self, challenge: int | None, w2: list[Segment]) -> list[Segment]:
        """All wires."""
        inputs = [*self.public, *([] if challenge is None else [challenge])]
        return [np.array([1], dtype=np.int64), limbs(*inputs), self.weights, *self.w1, *w2]

    def setup(self, folder: Path) -> groth16.ProvingKey:
        """A fresh key in a folder."""
        builder = groth16.SetupBuilder(self.layout, self.n_constraints)
        builder.push(*self.block)
        vk = builder.finish(folder / "key.pk")
        key = groth16.ProvingKey.open(folder / "key.pk")
        assert key.vk == vk
        return key

    def model(self, key: groth16.ProvingKey) -> groth16.ModelCommitment | None:
        """A commitment to the weights, where there are any."""
        return key.commit_model(self.weights) if len(self.weights) else None

    def prove(self, key: groth16.ProvingKey, model: groth16.ModelCommitment | None = None) -> bytes:
        """A proof of this witness."""
        opened = None if model is None else (self.weights, model.M, model.mu)
        if not self.layout.committed:
            w2 = self.w2(None)
            a, b = groth16.eval_rows(self.layout, [self.block], self.z(None, w2))
            return key.prove(self.public, w2, a, b, model=opened)
        session = key.commit(self.public, self.w1, model=opened)
        w2 = self.w2(session.challenge)
        a, b = groth16.eval_rows(self.layout, [self.block], self.z(session.challenge, w2))
        return session.finish(w2, a, b)
