"""A whole training run as an integer graph: from the table to the weights, every integer of T1 a tensor.

The rows and their transpose are tensors of their own, read by the products of all steps: the circuit checks
those products together (`gadgets.product_check`).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from assay_prover.circuit.statement import Part, bounds_of, range_bits
from assay_prover.reference import (
    Affine,
    Divide,
    Gather,
    IntegerGraph,
    MatMul,
    Multiply,
    OneHot,
    Op,
    ReduceMax,
    Requantise,
    Scale,
    Sparse,
    Step,
    Table,
    Tensor,
)
from assay_prover.reference.tensor import Int64Array
from assay_prover.reference.training import Recipe, gradient_shift

TABLE = "table"
"""The input: features row by row, then labels."""


def table_parts(recipe: Recipe) -> tuple[Part, Part]:
    """How the table stands in the statement: features, then labels, each packed by its own range."""
    low = -(1 << (recipe.data_bits - 1))
    return (
        Part(recipe.rows * recipe.features, low, recipe.data_bits),
        Part(recipe.rows, 0, range_bits(0, recipe.classes - 1)),
    )


def training_graph(recipe: Recipe) -> IntegerGraph:
    """The run as a graph. Its input is flat, `table_parts`; its output the weights, layer by layer.

    Raises:
        QuantisationError: a worst case of 62 bits or more: fewer bits, or smaller fractions.
    """
    return _Run(recipe).graph()


class _Run:
    """The graph under construction."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.ops: list[Op] = []
        parts = table_parts(recipe)
        lo, hi = bounds_of(parts)
        self.table = Tensor(TABLE, (lo.size,), lo, hi)

    def graph(self) -> IntegerGraph:
        recipe = self.recipe
        targets = self._targets()
        blocks = [self._rows(step) for step in range(recipe.steps)]
        weights = self._first_weights()
        for epoch in range(recipe.epochs):
            for step, (x, transposed) in enumerate(blocks):
                at, shift = f"{epoch}.{step}", recipe.shift(epoch)
                weights = self._step(at, weights, x, transposed, targets[step], shift)
        sizes = [a * b for a, b in recipe.shapes]
        starts = np.cumsum([0, *sizes])
        maps = [
            Gather(_placed(np.arange(size), int(start), recipe.weights), size)
            for start, size in zip(starts, sizes, strict=False)
        ]
        self._affine(tuple(weights), "weights", (recipe.weights,), tuple(maps))
        return IntegerGraph([self.table], self.ops, "weights")

    # -- the table

    def _rows(self, step: int) -> tuple[str, str]:
        """The rows of a step with their bias, and their transpose."""
        recipe = self.recipe
        first, n = step * recipe.step_rows, recipe.step_rows
        index = np.full((n, recipe.features + 1), -1, dtype=np.int64)
        index[:, :-1] = np.arange(first * recipe.features, (first + n) * recipe.features).reshape(n, -1)
        bias = np.zeros(index.shape, dtype=np.int64)
        bias[:, -1] = 1 << recipe.data_fraction
        names = f"rows {step}", f"columns {step}"
        for name, places, constant in ((names[0], index, bias), (names[1], index.T, bias.T)):
            gather = Gather(np.ascontiguousarray(places).ravel(), self.table.size)
            self._affine((TABLE,), name, places.shape, (gather,), np.ascontiguousarray(constant).ravel())
        return names

    def _targets(self) -> list[str]:
        """What the outputs ought to be, for each step, `[rows, outputs]`, 0 or 1."""
        recipe = self.recipe
        labels = recipe.rows * recipe.features + np.arange(recipe.rows)
        self._affine((TABLE,), "labels", (recipe.rows,), (Gather(labels, self.table.size),))
        source, width = "labels", recipe.outputs
        if width > 1:
            # A table may hold labels that no class has, as far as their bits go: they are nobody's.
            places = 1 << range_bits(0, recipe.classes - 1)
            self.ops.append(OneHot("labels", "every label", 0, places))
            source, width = "every label", places
        found = []
        for step in range(recipe.steps):
            rows = np.arange(step * recipe.step_rows, (step + 1) * recipe.step_rows)
            index = (rows[:, None] * width + np.arange(recipe.outputs)).ravel()
            name = f"targets {step}"
            shape = (recipe.step_rows, recipe.outputs)
            self._affine((source,), name, shape, (Gather(index, recipe.rows * width),))
            found.append(name)
        return found

    def _first_weights(self) -> list[str]:
        found = []
        for layer, values in enumerate(self.recipe.first_weights()):
            nothing = Gather(np.full(values.size, -1, dtype=np.int64), self.table.size)
            name = f"weights {layer} at first"
            self._affine((TABLE,), name, values.shape, (nothing,), values.ravel())
            found.append(name)
        return found

    # -- a step

    def _step(
        self, at: str, weights: list[str], x: str, transposed: str, targets: str, shift: int
    ) -> list[str]:
        recipe, last = self.recipe, len(weights) - 1
        n = recipe.step_rows
        inputs, alive, fraction = [x], [""], recipe.data_fraction
        for layer in range(last):
            z = self._matmul(inputs[-1], weights[layer], f"sums {layer} {at}")
            down = fraction + recipe.weight_fraction - recipe.activation_fraction
            units = self._requantise(z, f"units {layer} {at}", down, 0, (1 << recipe.activation_bits) - 1)
            size = n * recipe.hidden[layer]
            one = np.ones(size, dtype=np.int64)
            less = self._affine((units,), f"less {layer} {at}", self._shape(n, layer), (Scale(one),), -one)
            self.ops.append(Step(less, f"alive {layer} {at}"))
            alive.append(f"alive {layer} {at}")
            fraction = recipe.activation_fraction
            biased = f"inputs {layer + 1} {at}"
            inputs.append(self._with_bias(units, biased, n, recipe.hidden[layer], fraction))
        z = self._matmul(inputs[-1], weights[last], f"sums {last} {at}")
        down = fraction + recipe.weight_fraction - recipe.logit_fraction
        logits = self._requantise(z, f"logits {at}", down, -recipe.logit_limit, recipe.logit_limit - 1)
        error = self._error(at, logits, targets, n)
        gradients = [""] * (last + 1)
        for layer in range(last, -1, -1):
            left = transposed
            if layer:
                left = self._transpose(inputs[layer], f"turned {layer} {at}", layer, n)
            gradients[layer] = self._matmul(left, error, f"gradient {layer} {at}")
            if layer:
                error = self._back(at, layer, layer == last, weights[layer], error, alive[layer])
        return [self._update(at, layer, weights[layer], gradients[layer], shift) for layer in range(last + 1)]

    def _error(self, at: str, logits: str, targets: str, n: int) -> str:
        recipe, size = self.recipe, n * self.recipe.outputs
        shape = (n, recipe.outputs)
        probabilities = f"probabilities {at}"
        if not recipe.hidden:
            self.ops.append(Table(logits, probabilities, -recipe.logit_limit, recipe.sigmoid()))
        else:
            groups = np.arange(size).reshape(shape)
            self.ops.append(ReduceMax(logits, f"largest {at}", (n,), groups))
            owner = np.repeat(np.arange(n), recipe.outputs)
            maps = (Scale.uniform(1, size), _picked(owner, n, -1))
            below = self._affine((logits, f"largest {at}"), f"below {at}", shape, maps)
            # A difference of two clamped logits; above zero it never is, which the intervals do not see.
            low = -(2 * recipe.logit_limit - 1)
            table = recipe.exponential()
            whole = np.concatenate([table, np.full(-low, table[-1], dtype=np.int64)])
            self.ops.append(Table(below, f"powers {at}", low, whole))
            up = 1 << recipe.probability_fraction
            raised = self._affine((f"powers {at}",), f"raised {at}", shape, (Scale.uniform(up, size),))
            index = groups[owner]
            self._affine((f"powers {at}",), f"total {at}", shape, (_sums(index, size),))
            self.ops.append(Divide(raised, f"total {at}", probabilities))
        one = 1 << recipe.probability_fraction
        maps2 = (Scale.uniform(1, size), Scale.uniform(-one, size))
        return self._affine((probabilities, targets), f"error {at}", shape, maps2)

    def _back(self, at: str, layer: int, last: bool, weights: str, error: str, alive: str) -> str:
        """The error of the layer before: through the weights, held to its bits, where the unit is alive."""
        recipe = self.recipe
        rows, columns = recipe.shapes[layer]
        index = np.arange((rows - 1) * columns).reshape(rows - 1, columns).T  # without the bias
        turned = self._affine(
            (weights,),
            f"weights {layer} turned {at}",
            (columns, rows - 1),
            (Gather(np.ascontiguousarray(index).ravel(), rows * columns),),
        )
        back = self._matmul(error, turned, f"back {layer} {at}")
        down = recipe.weight_fraction
        if last:
            down += recipe.probability_fraction - recipe.signal_fraction
        limit = 1 << (recipe.signal_bits - 1)
        signal = self._requantise(back, f"signal {layer} {at}", down, -limit, limit - 1)
        self.ops.append(Multiply(alive, signal, f"error {layer - 1} {at}"))
        return f"error {layer - 1} {at}"

    def _update(self, at: str, layer: int, weights: str, gradient: str, shift: int) -> str:
        recipe = self.recipe
        rows, columns = recipe.shapes[layer]
        down = shift + gradient_shift(recipe, layer, len(recipe.shapes))
        maps = (Scale.uniform(1 << down, rows * columns), Scale.uniform(-1, rows * columns))
        moved = self._affine((weights, gradient), f"moved {layer} {at}", (rows, columns), maps)
        limit = recipe.weight_limit
        return self._requantise(moved, f"weights {layer} {at}", down, -limit, limit - 1)

    # -- operations

    def _shape(self, n: int, layer: int) -> tuple[int, int]:
        return (n, self.recipe.hidden[layer])

    def _with_bias(self, units: str, name: str, n: int, width: int, fraction: int) -> str:
        index = np.full((n, width + 1), -1, dtype=np.int64)
        index[:, :-1] = np.arange(n * width).reshape(n, width)
        bias = np.zeros(index.shape, dtype=np.int64)
        bias[:, -1] = 1 << fraction
        return self._affine((units,), name, index.shape, (Gather(index.ravel(), n * width),), bias.ravel())

    def _transpose(self, source: str, name: str, layer: int, n: int) -> str:
        width = self.recipe.hidden[layer - 1] + 1
        index = np.ascontiguousarray(np.arange(n * width).reshape(n, width).T)
        return self._affine((source,), name, index.shape, (Gather(index.ravel(), n * width),))

    def _affine(
        self,
        inputs: tuple[str, ...],
        name: str,
        shape: tuple[int, ...],
        maps: tuple[object, ...],
        bias: Int64Array | None = None,
    ) -> str:
        constant = np.zeros(int(np.prod(shape)), dtype=np.int64) if bias is None else bias
        self.ops.append(Affine(inputs, name, tuple(shape), maps, constant))  # type: ignore[arg-type]
        return name

    def _matmul(self, a: str, b: str, name: str) -> str:
        self.ops.append(MatMul(a, b, name))
        return name

    def _requantise(self, source: str, name: str, shift: int, lo: int, hi: int) -> str:
        self.ops.append(Requantise(source, name, shift, lo, hi))
        return name


def _placed(index: Int64Array, start: int, size: int) -> Int64Array:
    """A gather of `size` places that has these from `start` on and nothing elsewhere."""
    placed = np.full(size, -1, dtype=np.int64)
    placed[start : start + index.size] = index
    return placed


def _picked(owner: Int64Array, size: int, factor: int) -> Sparse:
    """y_i = factor x[owner_i]."""
    rows = np.arange(owner.size)
    values = np.full(owner.size, factor, dtype=np.int64)
    return Sparse(sp.csr_array((values, (rows, owner)), shape=(owner.size, size)))


def _sums(index: Int64Array, size: int) -> Sparse:
    """y_i = the sum of x at index[i, ..]."""
    rows = np.repeat(np.arange(len(index)), index.shape[1])
    ones = np.ones(index.size, dtype=np.int64)
    return Sparse(sp.csr_array((ones, (rows, index.ravel())), shape=(len(index), size)))
