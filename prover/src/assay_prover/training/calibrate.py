"""Chooses a program's learning shift and bits: what trains in integers as floating point does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from assay_prover.reference.tensor import Int64Array
from assay_prover.reference.training import Recipe, Trained, predict, train
from assay_prover.training.float_run import FloatRun, predict_float, train_float

HELD_OUT = 5
"""One row in so many judges the choice."""
CLOSE = 0.005
"""Accuracy that a smaller circuit may cost."""


@dataclass(frozen=True)
class Trial:
    """A recipe tried on data.

    Attributes:
        recipe: what was tried, for as many rows as it was tried on.
        integers, floats: both runs.
        accuracy, accuracy_float: on rows that were held out.
    """

    recipe: Recipe
    integers: Trained
    floats: FloatRun
    accuracy: float
    accuracy_float: float


def calibrate(recipe: Recipe, features: Int64Array, labels: Int64Array) -> tuple[Recipe, list[Trial]]:
    """The recipe with the learning shift and logit bits that do best on held-out rows.

    Args:
        recipe: what is given: its learning shift and logit bits are replaced.
        features: `int64[rows, features]`.
        labels: `int64[rows]`.

    Returns:
        The recipe, for all rows, and every trial, the chosen first. Of those within `CLOSE` of the best the
        one with fewest logit bits and lowest loss.
    """
    seen, unseen = _parted(recipe, len(labels))
    trials = []
    for tried in _candidates(recipe, len(seen)):
        integers = train(tried, features[seen], labels[seen])
        floats = train_float(tried, features[seen], labels[seen])
        ours = predict(tried, integers.weights, features[unseen])
        theirs = predict_float(tried, floats.weights, features[unseen])
        trials.append(
            Trial(
                tried,
                integers,
                floats,
                float((ours == labels[unseen]).mean()),
                float((theirs == labels[unseen]).mean()),
            )
        )
    best = max(trial.accuracy for trial in trials)
    good = [trial for trial in trials if trial.accuracy >= best - CLOSE]
    chosen = min(good, key=lambda trial: (trial.recipe.logit_bits, trial.integers.losses[-1]))
    found = replace(recipe, shifts=chosen.recipe.shifts, logit_bits=chosen.recipe.logit_bits)
    return found, [chosen, *(trial for trial in trials if trial is not chosen)]


def _parted(recipe: Recipe, rows: int) -> tuple[Int64Array, Int64Array]:
    """Rows to train on, a whole number of batches, and rows to judge by."""
    order = np.random.default_rng(0).permutation(rows)
    kept = rows - max(1, rows // HELD_OUT)
    if recipe.batch is not None:
        kept = max(recipe.batch, kept // recipe.batch * recipe.batch)
    if kept >= rows:
        return order, order
    return order[:kept], order[kept:]


def _candidates(recipe: Recipe, rows: int) -> Iterator[Recipe]:
    steps = rows if recipe.batch is None else recipe.batch
    middle = round(np.log2(max(steps, 2)))
    for bits in (10, 12) if recipe.hidden else (10,):
        for shift in range(max(0, middle - 3), middle + 4):
            yield replace(recipe, rows=rows, shifts=(shift,), logit_bits=bits)
