"""T1: the graph is the reference to the last bit, and both train as floating point does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from assay_prover.circuit import StatementSpec
from assay_prover.lowering import compile_graph
from assay_prover.reference.training import Recipe, forward, predict, train
from assay_prover.training.compile import flat_table, generated
from assay_prover.training.float_run import predict_float, train_float
from assay_prover.training.graph import table_parts, training_graph
from assay_prover.training.trained import layers_of, trained_graph

RECIPES = {
    "logistic": Recipe(rows=40, features=5, epochs=6, shifts=(4,)),
    "one for each class": Recipe(rows=30, features=4, classes=3, epochs=4, shifts=(3,)),
    "minibatches": Recipe(rows=40, features=5, epochs=3, batch=8, shifts=(4, 5, 6)),
    "one hidden layer": Recipe(rows=24, features=4, classes=2, epochs=2, batch=8, hidden=(5,), shifts=(6,)),
    "two hidden layers": Recipe(rows=16, features=3, classes=3, epochs=2, hidden=(4, 3), shifts=(5,)),
    "narrow numbers": Recipe(rows=20, features=3, epochs=8, shifts=(0,), weight_bits=12, logit_bits=6),
}


def run(recipe: Recipe, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.asarray(training_graph(recipe).answers(flat_table(features, labels)[None])[0])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", RECIPES)
def test_the_graph_is_the_reference(name: str, seed: int) -> None:
    recipe = RECIPES[name]
    features, labels = generated(recipe, seed)
    trained = train(recipe, features, labels)
    assert np.array_equal(run(recipe, features, labels), trained.flat)
    first = np.concatenate([layer.ravel() for layer in recipe.first_weights()])
    assert not np.array_equal(trained.flat, first)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("value", [-128, 127])
def test_a_table_at_its_ends_trains_all_the_same(name: str, value: int) -> None:
    """Clamps make every step total: no table makes a proof impossible."""
    recipe = RECIPES[name]
    features = np.full((recipe.rows, recipe.features), value, dtype=np.int64)
    features[::2] *= -1
    features = features.clip(-128, 127)
    labels = np.arange(recipe.rows) % recipe.classes
    assert np.array_equal(run(recipe, features, labels), train(recipe, features, labels).flat)


def test_a_label_that_no_class_has_is_nobodys_in_the_circuit_and_refused_outside() -> None:
    recipe = RECIPES["one for each class"]
    features, labels = generated(recipe)
    labels[3] = 3  # two bits hold it
    assert run(recipe, features, labels).size == recipe.weights
    with pytest.raises(ValueError, match=r"label is outside 0..2"):
        train(recipe, features, labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 7}, "does not divide"),
        ({"classes": 1}, "classes at least 2"),
        ({"hidden": (3, 3, 3)}, "at most 2 hidden layers"),
        ({"shifts": (1, 2)}, "one learning shift"),
        ({"epochs": 0}, "at least 1"),
        ({"logit_fraction": 30}, "finer than"),
        ({"logit_bits": 20}, "logits of 2..14 bits"),
    ],
)
def test_numbers_that_make_no_program_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RECIPES["logistic"], **change)  # type: ignore[arg-type]


def test_a_table_of_another_shape_or_range_is_refused() -> None:
    recipe = RECIPES["logistic"]
    features, labels = generated(recipe)
    with pytest.raises(ValueError, match="takes 40 rows of 5 features"):
        train(recipe, features[:-1], labels[:-1])
    with pytest.raises(ValueError, match=r"outside \[-128, 127\]"):
        train(recipe, features + 200, labels)


@pytest.mark.parametrize("name", RECIPES)
def test_the_trained_network_answers_as_training_predicts(name: str) -> None:
    recipe = RECIPES[name]
    features, labels = generated(recipe)
    trained = train(recipe, features, labels)
    graph = trained_graph(recipe, layers_of(recipe, trained.flat))
    scores = graph.answers(features)
    classes = scores.argmax(axis=1)
    # Scores are exact; the training's own logits are rounded and clamped, and may tie where scores do not.
    x = np.concatenate([features, np.full((recipe.rows, 1), 1 << recipe.data_fraction)], axis=1)
    logits = forward(recipe, trained.weights, x)[1]
    clear = np.abs(logits[:, 0]) > 1 if recipe.outputs == 1 else _clear(logits)
    assert clear.sum() > 2
    assert np.array_equal(classes[clear], predict(recipe, trained.weights, features)[clear])


def _clear(logits: np.ndarray) -> np.ndarray:
    ordered = np.sort(logits, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2] > 1)


def test_weights_of_another_number_or_beyond_their_bits_are_refused() -> None:
    recipe = RECIPES["logistic"]
    flat = train(recipe, *generated(recipe)).flat
    with pytest.raises(ValueError, match="has 6 weights, not 5"):
        layers_of(recipe, flat[:-1])
    with pytest.raises(ValueError, match="outside the program's bits"):
        layers_of(recipe, flat + (1 << 19))


CASES = {
    "breast cancer, logistic": (load_breast_cancer, 455, Recipe(455, 30, epochs=100, shifts=(7,))),
    "breast cancer, hidden": (
        load_breast_cancer,
        448,
        Recipe(448, 30, epochs=10, batch=64, hidden=(16,), shifts=(6,)),
    ),
    "digits, hidden": (
        load_digits,
        1408,
        Recipe(1408, 64, classes=10, epochs=10, batch=64, hidden=(32,), shifts=(8,)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_integers_train_within_a_point_of_floating_point(name: str) -> None:
    load, rows, recipe = CASES[name]
    x, y = load(return_X_y=True)
    for split in range(4):
        order = np.random.default_rng(split).permutation(len(y))
        seen, unseen = order[:rows], order[rows:]
        mean, deviation = x[seen].mean(axis=0), x[seen].std(axis=0)
        steps = (
            np.rint((x - mean) / np.where(deviation > 0, deviation, 1) * 16).clip(-128, 127).astype(np.int64)
        )
        integers = train(recipe, steps[seen], y[seen])
        floats = train_float(recipe, steps[seen], y[seen])
        ours = (predict(recipe, integers.weights, steps[unseen]) == y[unseen]).mean()
        theirs = (predict_float(recipe, floats.weights, steps[unseen]) == y[unseen]).mean()
        assert ours >= theirs - 0.01, f"split {split}: {ours:.4f} against {theirs:.4f}"
        assert ours > 0.93
        assert integers.losses[-1] < integers.losses[0] / 3


@pytest.mark.parametrize(
    ("recipe", "most"),
    [
        (Recipe(455, 30, epochs=100, shifts=(7,)), 480_000),
        (Recipe(60, 4, classes=3, epochs=30, shifts=(3,)), 75_000),
    ],
)
def test_a_run_takes_no_more_constraints_than_it_did(recipe: Recipe, most: int) -> None:
    graph = training_graph(recipe)
    spec = StatementSpec(
        "private", "public", 0, 1, graph.result.min, graph.result.max, input_parts=table_parts(recipe)
    )
    assert compile_graph(graph, spec).n_constraints <= most
