"""T1: training in integers, step by step as `docs/rounding.md` writes it down, with nothing but numpy.

A `Recipe` fixes everything about a run but the data: shapes, scales, order of the rows, learning shifts,
first weights. `train` then gives the one result that it has for a table of integers; the circuit of a
training program proves that result, and this module is what it is held against.

Numbers are integers with a binary point of their own: features have `data_fraction` bits behind it, weights
`weight_fraction`, activations `activation_fraction`, logits `logit_fraction`, probabilities
`probability_fraction`, signals on the way back `signal_fraction`. `req(x, s) = floor((x + 2^(s-1)) / 2^s)` is
what `Requantise` does; clamps make every step total.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from assay_prover.reference.division import divide_rounded
from assay_prover.reference.tensor import Int64Array

EXP_FRACTION = 10
"""Bits behind the point of an exponential: exp(0) is 2^10."""
MOST_HIDDEN = 2


@dataclass(frozen=True)
class Recipe:
    """A training program without its data.

    Attributes:
        rows: of the table, all of them used in the order in which they are committed.
        features: of a row; a constant feature for the bias is added.
        classes: labels are 0 .. classes - 1. Two classes without hidden layers are one logistic function,
            more are one for each class against the others; with hidden layers the output is a softmax.
        epochs: passes over the table.
        batch: rows of a step, a divisor of `rows`; None takes all of them.
        hidden: units of the hidden layers, at most two; ReLU between them.
        shifts: of the learning rate, 2^-shift in the units of weight and gradient, one for each epoch, or one
            for all.
        seed: of the first weights of a network with hidden layers; without, they are zero.
        data_bits, data_fraction: features are integers in [-2^(data_bits-1), 2^(data_bits-1)).
        weight_fraction, weight_bits: weights are in [-2^(weight_bits-1), 2^(weight_bits-1)).
        activation_fraction, activation_bits: hidden units are in [0, 2^activation_bits).
        logit_fraction, logit_bits: logits are clamped to so many bits, sign included.
        probability_fraction: of probabilities and errors.
        signal_fraction, signal_bits: of what is propagated back through hidden layers.

    Raises:
        ValueError: numbers that make no program.
    """

    rows: int
    features: int
    classes: int = 2
    epochs: int = 100
    batch: int | None = None
    hidden: tuple[int, ...] = ()
    shifts: tuple[int, ...] = (7,)
    seed: int = 1
    data_bits: int = 8
    data_fraction: int = 4
    weight_fraction: int = 14
    weight_bits: int = 20
    activation_fraction: int = 6
    activation_bits: int = 12
    logit_fraction: int = 5
    logit_bits: int = 10
    probability_fraction: int = 8
    signal_fraction: int = 10
    signal_bits: int = 12

    def __post_init__(self) -> None:
        """Check the numbers against each other."""
        step = self.rows if self.batch is None else self.batch
        if min(self.rows, self.features, self.epochs, step) < 1 or self.classes < 2:
            raise ValueError("rows, features, epochs and batch are at least 1, classes at least 2")
        if self.rows % step:
            raise ValueError(f"a batch of {step} does not divide {self.rows} rows")
        if len(self.hidden) > MOST_HIDDEN or any(units < 1 for units in self.hidden):
            raise ValueError(f"at most {MOST_HIDDEN} hidden layers of at least one unit")
        if len(self.shifts) not in (1, self.epochs) or any(not 0 <= shift < 40 for shift in self.shifts):
            raise ValueError("one learning shift, or one for each epoch, each in 0..39")
        if not 2 <= self.logit_bits <= 14 or not 2 <= self.data_bits <= 24 or not 4 <= self.weight_bits <= 30:
            raise ValueError("logits of 2..14 bits, data of 2..24, weights of 4..30")
        if min(*self._forward_shifts, *self._backward_shifts) < 0:
            raise ValueError("a fraction is finer than what it is computed from")

    @property
    def _forward_shifts(self) -> tuple[int, ...]:
        first = self.data_fraction + self.weight_fraction
        if not self.hidden:
            return (first - self.logit_fraction,)
        inner = self.activation_fraction + self.weight_fraction
        return (
            first - self.activation_fraction,
            inner - self.activation_fraction,
            inner - self.logit_fraction,
        )

    @property
    def _backward_shifts(self) -> tuple[int, ...]:
        if not self.hidden:
            return (0,)
        first = self.probability_fraction + self.weight_fraction - self.signal_fraction
        return (first, self.weight_fraction)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return 1 if self.batch is None else self.rows // self.batch

    @property
    def step_rows(self) -> int:
        """Rows of a step."""
        return self.rows if self.batch is None else self.batch

    @property
    def outputs(self) -> int:
        """Columns of the last layer: one logistic function for two classes, else one for each class."""
        return 1 if self.classes == 2 and not self.hidden else self.classes

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each layer's weights; the last row is the bias."""
        sizes = (self.features, *self.hidden, self.outputs)
        return tuple((a + 1, b) for a, b in pairwise(sizes))

    @property
    def weights(self) -> int:
        """Weights in all."""
        return sum(a * b for a, b in self.shapes)

    @property
    def weight_limit(self) -> int:
        """Weights are at least minus this, and less than it."""
        return 1 << (self.weight_bits - 1)

    @property
    def logit_limit(self) -> int:
        """Logits are at least minus this, and less than it."""
        return 1 << (self.logit_bits - 1)

    def shift(self, epoch: int) -> int:
        """The learning shift of an epoch, from 0."""
        return self.shifts[0] if len(self.shifts) == 1 else self.shifts[epoch]

    def first_weights(self) -> list[Int64Array]:
        """The weights before the first step: zero, or of hidden layers uniform from a seeded linear
        congruence, which any language can write: x <- (6364136223846793005 x + 1442695040888963407) mod
        2^64, its upper 31 bits as a part of 2^31.
        """
        if not self.hidden:
            return [np.zeros(shape, dtype=np.int64) for shape in self.shapes]
        state, found = self.seed & _MASK, []
        for rows, columns in self.shapes:
            reach = int((1 << self.weight_fraction) / max(1.0, (rows - 1) ** 0.5))
            values = np.zeros((rows, columns), dtype=np.int64)
            for row in range(rows - 1):  # biases begin at zero
                for column in range(columns):
                    state = (6364136223846793005 * state + 1442695040888963407) & _MASK
                    values[row, column] = (((state >> 33) * (2 * reach + 1)) >> 31) - reach
            found.append(values)
        return found

    def sigmoid(self) -> Int64Array:
        """Probabilities of the logits -logit_limit .. logit_limit - 1."""
        logits = np.arange(-self.logit_limit, self.logit_limit) / (1 << self.logit_fraction)
        found: Int64Array = np.rint((1 << self.probability_fraction) / (1 + np.exp(-logits))).astype(np.int64)
        return found

    def exponential(self) -> Int64Array:
        """exp of the differences -(2 logit_limit - 1) .. 0, at least one step: no sum of them is zero."""
        differences = np.arange(-(2 * self.logit_limit - 1), 1) / (1 << self.logit_fraction)
        found: Int64Array = np.rint((1 << EXP_FRACTION) * np.exp(differences)).astype(np.int64)
        return np.maximum(found, 1)


_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Trained:
    """What a run came to.

    Attributes:
        weights: of each layer, `int64[inputs + 1, outputs]`, the last row the bias.
        losses: mean cross entropy over the rows of each epoch, before its steps' updates; natural logarithm.
    """

    weights: tuple[Int64Array, ...]
    losses: tuple[float, ...] = field(default=())

    @property
    def flat(self) -> Int64Array:
        """All weights, layer by layer, row-major: the program's output."""
        return np.concatenate([layer.ravel() for layer in self.weights])


def requantised(x: Int64Array, shift: int) -> Int64Array:
    """floor((x + 2^(shift-1)) / 2^shift); shift 0 changes nothing."""
    return (x + (1 << (shift - 1))) >> shift if shift else x


def train(
    recipe: Recipe,
    features: Int64Array,
    labels: Int64Array,
    *,
    progress: Callable[[int, float], None] | None = None,
) -> Trained:
    """The result of a recipe on a table.

    Args:
        recipe: the program.
        features: `int64[rows, features]`, within the recipe's data bits.
        labels: `int64[rows]`, each in [0, classes).
        progress: told epoch, from 1, and loss.

    Raises:
        ValueError: a table of another shape or range.
    """
    _check(recipe, features, labels)
    weights = recipe.first_weights()
    x = _with_bias(np.asarray(features, dtype=np.int64), recipe.data_fraction)
    hot = _targets(recipe, labels)
    losses = []
    for epoch in range(recipe.epochs):
        loss = 0.0
        for step in range(recipe.steps):
            part = slice(step * recipe.step_rows, (step + 1) * recipe.step_rows)
            probabilities = _step(recipe, weights, x[part], hot[part], recipe.shift(epoch))
            loss += _loss(recipe, probabilities, hot[part])
        losses.append(loss / recipe.rows)
        if progress is not None:
            progress(epoch + 1, losses[-1])
    return Trained(tuple(weights), tuple(losses))


def _step(
    recipe: Recipe, weights: list[Int64Array], x: Int64Array, hot: Int64Array, shift: int
) -> Int64Array:
    """One update of the weights, in place; gives the probabilities before it."""
    inputs, logits = forward(recipe, weights, x)
    probabilities = _probabilities(recipe, logits)
    error = probabilities - (hot << recipe.probability_fraction)
    gradients: list[Int64Array] = []
    for layer in range(len(weights) - 1, -1, -1):
        gradients.insert(0, inputs[layer].T @ error)
        if layer:
            back = error @ weights[layer][:-1].T
            first = layer == len(weights) - 1
            scale = recipe.probability_fraction + recipe.weight_fraction - recipe.signal_fraction
            signal = requantised(back, scale if first else recipe.weight_fraction)
            limit = 1 << (recipe.signal_bits - 1)
            alive = (inputs[layer][:, :-1] >= 1).astype(np.int64)
            error = alive * np.clip(signal, -limit, limit - 1)
    for layer, gradient in enumerate(gradients):
        scale = shift + gradient_shift(recipe, layer, len(weights))
        moved = requantised((weights[layer] << scale) - gradient, scale)
        weights[layer] = np.clip(moved, -recipe.weight_limit, recipe.weight_limit - 1)
    return probabilities


def gradient_shift(recipe: Recipe, layer: int, layers: int) -> int:
    """Bits by which a gradient is finer than the weights, beside the learning shift; 0 without hidden layers,
    where the learning shift says it all.
    """
    if layers == 1:
        return 0
    inputs = recipe.data_fraction if layer == 0 else recipe.activation_fraction
    errors = recipe.probability_fraction if layer == layers - 1 else recipe.signal_fraction
    return max(inputs + errors - recipe.weight_fraction, 0)


def forward(
    recipe: Recipe, weights: Sequence[Int64Array], x: Int64Array
) -> tuple[list[Int64Array], Int64Array]:
    """What each layer reads, with its constant for the bias, and the clamped logits.

    Args:
        recipe: the program.
        weights: of each layer.
        x: `int64[n, features + 1]`, the last column 2^data_fraction.
    """
    inputs, fraction = [x], recipe.data_fraction
    for layer in weights[:-1]:
        shift = fraction + recipe.weight_fraction - recipe.activation_fraction
        units = np.clip(requantised(inputs[-1] @ layer, shift), 0, (1 << recipe.activation_bits) - 1)
        fraction = recipe.activation_fraction
        inputs.append(_with_bias(units, fraction))
    shift = fraction + recipe.weight_fraction - recipe.logit_fraction
    logits = requantised(inputs[-1] @ weights[-1], shift)
    return inputs, np.clip(logits, -recipe.logit_limit, recipe.logit_limit - 1)


def predict(recipe: Recipe, weights: Sequence[Int64Array], features: Int64Array) -> Int64Array:
    """The class of each row, `int64[n]`; ties go to the lowest."""
    x = _with_bias(np.asarray(features, dtype=np.int64), recipe.data_fraction)
    logits = forward(recipe, weights, x)[1]
    if recipe.outputs == 1:
        return np.asarray(logits[:, 0] >= 1, dtype=np.int64)
    return np.asarray(logits.argmax(axis=1), dtype=np.int64)


def _probabilities(recipe: Recipe, logits: Int64Array) -> Int64Array:
    if not recipe.hidden:
        return recipe.sigmoid()[logits + recipe.logit_limit]
    differences = logits - logits.max(axis=1, keepdims=True)
    powers = recipe.exponential()[differences + 2 * recipe.logit_limit - 1]
    total = np.broadcast_to(powers.sum(axis=1, keepdims=True), powers.shape)
    return divide_rounded(powers << recipe.probability_fraction, total)


def _loss(recipe: Recipe, probabilities: Int64Array, hot: Int64Array) -> float:
    """Cross entropy of a step's rows, summed."""
    one = 1 << recipe.probability_fraction
    right = np.maximum(np.where(hot == 1, probabilities, one - probabilities), 0.5) / one
    if recipe.hidden:
        right = right[hot == 1]
    return float(-np.log(right).sum())


def _targets(recipe: Recipe, labels: Int64Array) -> Int64Array:
    """What the outputs ought to be, `int64[rows, outputs]`, 0 or 1."""
    if recipe.outputs == 1:
        return np.asarray(labels, dtype=np.int64)[:, None]
    return np.asarray(labels[:, None] == np.arange(recipe.classes), dtype=np.int64)


def _with_bias(values: Int64Array, fraction: int) -> Int64Array:
    return np.concatenate([values, np.full((len(values), 1), 1 << fraction, dtype=np.int64)], axis=1)


def _check(recipe: Recipe, features: Int64Array, labels: Int64Array) -> None:
    if features.shape != (recipe.rows, recipe.features) or labels.shape != (recipe.rows,):
        raise ValueError(
            f"the program takes {recipe.rows} rows of {recipe.features} features and a label each, got "
            f"{features.shape} and {labels.shape}"
        )
    limit = 1 << (recipe.data_bits - 1)
    if features.min() < -limit or features.max() >= limit:
        raise ValueError(f"a feature is outside [{-limit}, {limit - 1}]")
    if labels.min() < 0 or labels.max() >= recipe.classes:
        raise ValueError(f"a label is outside 0..{recipe.classes - 1}")
