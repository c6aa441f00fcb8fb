"""What people hold: fitted estimators, ONNX models in memory, labels as names, and values to regress on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay_prover import AssayProverError, Bundle, InputError, ModelError, compile_model

MODELS = Path(__file__).parents[3] / "vectors" / "models"


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 4))
    return x, x @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.1 * rng.normal(size=200)


@pytest.fixture(scope="module")
def species(table: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return np.asarray(np.array(["setosa", "versicolor", "virginica"])[np.digitize(table[1], [-1, 1])])


def answer(folder: Path, x: np.ndarray) -> Any:
    bundle = Bundle.open(folder)
    return bundle.read_output(bundle.infer(bundle.encode_input(x)))


def test_a_classifier_of_scikit_learn_answers_with_names(
    tmp_path: Path, table: tuple[np.ndarray, np.ndarray], species: np.ndarray
) -> None:
    x, _ = table
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, species)
    report = compile_model(model, x, tmp_path / "b", labels=species)
    assert report.accuracy.accuracy_quantised == pytest.approx(model.score(x, species), abs=0.05)
    bundle = Bundle.open(tmp_path / "b")
    assert bundle.manifest.output.labels == ("setosa", "versicolor", "virginica")
    found = [answer(tmp_path / "b", row).name for row in x[:20]]
    assert sum(a == b for a, b in zip(found, model.predict(x[:20]), strict=True)) >= 19
    assert "versicolor" in bundle._repr_html_()


def test_classes_that_are_numbers_but_no_positions(
    tmp_path: Path, table: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = table
    digits = np.array([3, 5, 9])[np.digitize(y, [-1, 1])]
    model = GradientBoostingClassifier(n_estimators=3, max_depth=2).fit(x, digits)
    report = compile_model(model, x, tmp_path / "b", labels=digits)
    assert report.accuracy.accuracy_quantised == pytest.approx(model.score(x, digits), abs=0.1)
    assert answer(tmp_path / "b", x[0]).name == str(model.predict(x[:1])[0])


@pytest.mark.parametrize(
    "estimator",
    [
        LinearRegression(),
        RandomForestRegressor(5, max_depth=3, random_state=0),
        MLPRegressor(hidden_layer_sizes=(8,), max_iter=50, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_regression_is_judged_as_one(
    tmp_path: Path, table: tuple[np.ndarray, np.ndarray], estimator: Any
) -> None:
    x, y = table
    estimator.fit(x, y)
    report = compile_model(estimator, x, tmp_path / "b", labels=y).accuracy
    assert not report.classes
    assert report.accuracy_quantised is None
    assert report.r2_quantised == pytest.approx(report.r2_float, abs=0.02)
    assert report.mae_quantised == pytest.approx(report.mae_float, rel=0.2)
    assert report.error_percentiles
    found = answer(tmp_path / "b", x[0])
    assert found.label is None
    assert found.values.ravel()[0] == pytest.approx(estimator.predict(x[:1])[0], abs=0.05 * np.ptp(y))
    picture = (tmp_path / "b" / "report.svg").read_text()
    assert "R²" in picture
    assert "top-1" not in picture


def test_a_regression_of_several_values_has_no_class(
    tmp_path: Path, table: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = table
    targets = np.column_stack([y, -y, 2 * y])
    model = LinearRegression().fit(x, targets)
    report = compile_model(model, x, tmp_path / "b", labels=targets)
    assert not report.accuracy.classes
    assert answer(tmp_path / "b", x[0]).label is None
    assert Bundle.open(tmp_path / "b").manifest.output.kind == "values"
    assert "R²" in report._repr_html_()


def test_whole_numbers_are_values_where_there_are_no_classes(
    tmp_path: Path, table: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = table
    whole = np.rint(10 * y).astype(np.int64)
    report = compile_model(LinearRegression().fit(x, whole), x, tmp_path / "b", labels=whole)
    assert report.accuracy.r2_quantised is not None


def test_a_model_in_memory_is_the_file(tmp_path: Path) -> None:
    data = np.load(MODELS / "bc_mlp.npz")
    names = ("malignant", "benign")
    for given, folder in ((MODELS / "bc_mlp.onnx", "a"), (onnx.load(MODELS / "bc_mlp.onnx"), "b")):
        compile_model(given, data["x"], tmp_path / folder, labels=data["y"], name="bc_mlp", class_names=names)
    first, second = Bundle.open(tmp_path / "a"), Bundle.open(tmp_path / "b")
    assert first.circuit_hash == second.circuit_hash
    assert first.manifest.output.labels == ("malignant", "benign")


def test_names_are_part_of_what_a_model_means_and_their_absence_changes_nothing(tmp_path: Path) -> None:
    data = np.load(MODELS / "bc_mlp.npz")
    hashes = []
    for folder, names in (("a", ()), ("b", ("yes", "no")), ("c", ("no", "yes"))):
        compile_model(MODELS / "bc_mlp.onnx", data["x"], tmp_path / folder, class_names=names)
        hashes.append(Bundle.open(tmp_path / folder).manifest.hashes.metadata)
    assert len(set(hashes)) == 3


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (5, "a int is no model"),
        ({}, "a dict is no model"),
        (None, "a NoneType is no model"),
        (LinearRegression(), "not fitted"),
    ],
)
def test_what_is_no_model(tmp_path: Path, model: Any, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        compile_model(model, None, tmp_path / "b", input_range=(-1, 1))


@pytest.mark.parametrize("option", ["input", "output", "weights", "target"])
def test_an_unknown_choice_names_the_known_ones(tmp_path: Path, option: str) -> None:
    choice: Any = {option: "best"}
    with pytest.raises(InputError, match=f"{option} is one of .*not 'best'"):
        compile_model(MODELS / "bc_mlp.onnx", None, tmp_path / "b", input_range=(-1, 1), **choice)


@pytest.mark.parametrize(
    "labels",
    [
        np.ones(199),
        np.ones(200, dtype=complex),
        np.full(200, np.nan),
        np.array(["a", "b", "c"] * 66 + ["d", "e"]),
        np.array([{}] * 200, dtype=object),
        np.ones((200, 2, 2)),
        5,
    ],
)
def test_labels_that_fit_nothing(
    tmp_path: Path, table: tuple[np.ndarray, np.ndarray], species: np.ndarray, labels: Any
) -> None:
    x, _ = table
    model = LogisticRegression().fit(x, species)
    with pytest.raises(AssayProverError):
        compile_model(model, x, tmp_path / "b", labels=labels)
