"""The same training in floating point: what the integers are compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay_prover.reference.tensor import Int64Array
from assay_prover.reference.training import Recipe, gradient_shift

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FloatRun:
    """Weights of each layer, the last row the bias, and the mean loss of each epoch."""

    weights: tuple[Floats, ...]
    losses: tuple[float, ...]


def train_float(recipe: Recipe, features: Int64Array, labels: Int64Array) -> FloatRun:
    """The recipe's steps without rounding and without clamps.

    Args:
        recipe: the program; its learning shifts say the learning rate.
        features: `int64[rows, features]`, the integers of the table.
        labels: `int64[rows]`.
    """
    x = _with_bias(features / (1 << recipe.data_fraction))
    if recipe.outputs == 1:
        hot = labels[:, None].astype(np.float64)
    else:
        hot = (labels[:, None] == np.arange(recipe.classes)).astype(np.float64)
    weights = [layer / (1 << recipe.weight_fraction) for layer in recipe.first_weights()]
    losses = []
    for epoch in range(recipe.epochs):
        total = 0.0
        for step in range(recipe.steps):
            part = slice(step * recipe.step_rows, (step + 1) * recipe.step_rows)
            total += _step(recipe, weights, x[part], hot[part], recipe.shift(epoch))
        losses.append(total / recipe.rows)
    return FloatRun(tuple(weights), tuple(losses))


def predict_float(recipe: Recipe, weights: tuple[Floats, ...], features: Int64Array) -> Int64Array:
    """The class of each row."""
    _, logits = _forward(list(weights), _with_bias(features / (1 << recipe.data_fraction)))
    if recipe.outputs == 1:
        return np.asarray(logits[:, 0] > 0, dtype=np.int64)
    return np.asarray(logits.argmax(axis=1), dtype=np.int64)


def learning_rate(recipe: Recipe, layer: int, shift: int) -> float:
    """What a gradient, summed over the rows of a step, is multiplied by."""
    layers = len(recipe.shapes)
    inputs = recipe.data_fraction if layer == 0 else recipe.activation_fraction
    errors = recipe.probability_fraction if layer == layers - 1 else recipe.signal_fraction
    return float(
        2.0 ** (inputs + errors - recipe.weight_fraction - shift - gradient_shift(recipe, layer, layers))
    )


def _step(recipe: Recipe, weights: list[Floats], x: Floats, hot: Floats, shift: int) -> float:
    inputs, logits = _forward(weights, x)
    if recipe.hidden:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances = powers / powers.sum(axis=1, keepdims=True)
        loss = float(-np.log(np.maximum(chances[hot == 1], 1e-300)).sum())
    else:
        chances = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
        loss = float(-np.log(np.maximum(np.where(hot == 1, chances, 1 - chances), 1e-300)).sum())
    error = chances - hot
    for layer in range(len(weights) - 1, -1, -1):
        gradient = inputs[layer].T @ error
        if layer:
            error = (error @ weights[layer][:-1].T) * (inputs[layer][:, :-1] > 0)
        weights[layer] = weights[layer] - learning_rate(recipe, layer, shift) * gradient
    return loss


def _forward(weights: list[Floats], x: Floats) -> tuple[list[Floats], Floats]:
    inputs = [x]
    for layer in weights[:-1]:
        inputs.append(_with_bias(np.maximum(inputs[-1] @ layer, 0)))
    return inputs, inputs[-1] @ weights[-1]


def _with_bias(values: Floats) -> Floats:
    return np.concatenate([values, np.ones((len(values), 1))], axis=1)
