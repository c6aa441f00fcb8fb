"""Small integer networks for tests: one of each operation, and random ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assay_prover.circuit import StatementSpec
from assay_prover.reference import (
    Affine,
    ArgMax,
    Conv,
    Dense,
    IntegerGraph,
    LinearMap,
    MatMul,
    Multiply,
    Op,
    ReduceMax,
    Requantise,
    Scale,
    Table,
    Tensor,
)

PRIVATE = StatementSpec("private", "encrypted", input_lo=-8, input_bits=4)
PUBLIC = StatementSpec("public", "public", input_lo=-8, input_bits=4)
OPEN = StatementSpec("private", "public", input_lo=-8, input_bits=4)
SEALED = StatementSpec("private", "committed", input_lo=-8, input_bits=4)
OWN_SALT = StatementSpec("public", "committed", input_lo=-8, input_bits=4)


class Network:
    """Adds operations after one another to a network whose input integers are in [-8, 7]."""

    def __init__(self, rng: np.random.Generator, *shape: int, lo: int = -8, hi: int = 7) -> None:
        self.rng = rng
        self.inputs = [Tensor("x", shape, np.full(shape, lo), np.full(shape, hi))]
        self.ops: list[Op] = []
        self.last = "x"

    def graph(self) -> IntegerGraph:
        """What was built so far."""
        return IntegerGraph(self.inputs, self.ops, self.last)

    @property
    def tensor(self) -> Tensor:
        """The last tensor."""
        return self.graph().result

    def _add(self, make: Callable[[str], Op]) -> Network:
        name = f"t{len(self.ops)}"
        self.ops.append(make(name))
        self.last = name
        return self

    def affine(self, linear: LinearMap, shape: tuple[int, ...], source: str | None = None) -> Network:
        bias = self.rng.integers(-9, 10, linear.n_out)
        read = source or self.last
        return self._add(lambda name: Affine((read,), name, shape, (linear,), bias))

    def dense(self, out: int) -> Network:
        weight = self.rng.integers(-7, 8, (out, self.tensor.size))
        return self.affine(Dense(weight), (out,))

    def conv(self, channels: int, kernel: int) -> Network:
        shape = self.tensor.shape
        weight = self.rng.integers(-5, 6, (channels, shape[0], kernel, kernel))
        linear = Conv(weight, (1, 1), (0, 0, 0, 0), (1, 1), 1, shape)
        return self.affine(linear, linear.out_shape)

    def requantise(self, shift: int, lo: int | None, hi: int | None) -> Network:
        read = self.last
        return self._add(lambda name: Requantise(read, name, shift, lo, hi))

    def relu(self, shift: int) -> Network:
        return self.requantise(shift, 0, None)

    def pool(self, size: int) -> Network:
        channels, height, width = self.tensor.shape
        index = np.arange(self.tensor.size).reshape(channels, height, width)
        windows = np.lib.stride_tricks.sliding_window_view(index, (size, size), axis=(1, 2))
        picked = windows[:, ::size, ::size]
        shape = (channels, picked.shape[1], picked.shape[2])
        read = self.last
        return self._add(lambda name: ReduceMax(read, name, shape, picked.reshape(-1, size * size).copy()))

    def argmax(self) -> Network:
        read, size = self.last, self.tensor.size
        return self._add(
            lambda name: ArgMax(read, name, (1,), np.arange(size, dtype=np.int64).reshape(1, size))
        )

    def square(self) -> Network:
        read = self.last
        return self._add(lambda name: Multiply(read, read, name))

    def table(self, function: Callable[[np.ndarray], np.ndarray]) -> Network:
        read, tensor = self.last, self.tensor
        values = function(np.arange(tensor.min, tensor.max + 1, dtype=np.int64)).astype(np.int64)
        return self._add(lambda name: Table(read, name, tensor.min, values))

    def self_attention(self) -> Network:
        rows, columns = self.tensor.shape
        read = self.last
        index = np.arange(rows * columns).reshape(rows, columns).T.ravel()
        permutation = np.zeros((rows * columns, rows * columns), dtype=np.int64)
        permutation[np.arange(index.size), index] = 1
        self.affine(Dense(permutation), (columns, rows))
        transposed = self.last
        return self._add(lambda name: MatMul(read, transposed, name))

    def residual(self, source: str) -> Network:
        read, tensor = self.last, self.tensor
        one = Scale.uniform(1, tensor.size)
        zero = np.zeros(tensor.size, dtype=np.int64)
        return self._add(lambda name: Affine((read, source), name, tensor.shape, (one, one), zero))

    def sample(self) -> np.ndarray:
        """A random input."""
        tensor = self.inputs[0]
        return np.asarray(self.rng.integers(tensor.min, tensor.max + 1, tensor.shape), dtype=np.int64)


def rng(seed: int) -> np.random.Generator:
    """Reproducible randomness."""
    return np.random.default_rng(seed)


def examples() -> dict[str, Network]:
    """A small network around each operation."""
    return {
        "affine only": Network(rng(1), 3).dense(2),
        "mlp": Network(rng(2), 4).dense(3).relu(3).dense(2),
        "clamped": Network(rng(3), 4).dense(3).requantise(2, -8, 7).dense(2).requantise(3, -3, 5),
        "rounded": Network(rng(4), 4).dense(3).requantise(4, None, None).dense(2),
        "capped": Network(rng(5), 4).dense(3).requantise(2, None, 9).dense(2),
        "conv and pool": Network(rng(6), 1, 5, 5).conv(2, 2).relu(3).pool(2).dense(2),
        "argmax": Network(rng(7), 4).dense(3).relu(2).dense(4).argmax(),
        "square": Network(rng(8), 3).dense(2).square().requantise(5, None, None),
        "table": Network(rng(9), 3).dense(2).requantise(4, None, None).table(lambda v: v**2 - 3),
        "attention": Network(rng(10), 2, 3).self_attention().requantise(3, None, None),
        "residual": (n := Network(rng(11), 3)).dense(3).relu(3).residual("x").relu(1) and n,
    }
