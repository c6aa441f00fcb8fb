"""scikit-learn's models as skl2onnx writes them: the same labels and values, from integers that prove."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from assay_prover.circuit import StatementSpec
from assay_prover.circuit.checker import check
from assay_prover.compiler.onnxruntime_check import check_import
from assay_prover.errors import UnsupportedModel
from assay_prover.frontend import import_model
from assay_prover.lowering import compile_graph
from assay_prover.passes import Precision, QuantisedModel, calibrate, fuse, quantise
from unit.prover.onnx_models import build

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from skl2onnx import to_onnx

FINE = Precision(
    limb_bits=1, input_bits=20, activation_bits=12, output_bits=14, weight_noise=0.1, table_bits=12
)

CLASSIFIERS: dict[str, Any] = {
    "logistic regression": LogisticRegression(max_iter=500),
    "ridge": RidgeClassifier(),
    "scaled logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
    "projected": make_pipeline(RobustScaler(), PCA(3, random_state=0), LogisticRegression()),
    "unit vectors": make_pipeline(Normalizer(), LogisticRegression()),
    "tree": DecisionTreeClassifier(max_depth=4, random_state=0),
    "forest": RandomForestClassifier(6, max_depth=4, random_state=0),
    "extra trees": ExtraTreesClassifier(6, max_depth=4, random_state=0),
    "gradient boosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "boosted stumps": AdaBoostClassifier(n_estimators=3, random_state=0),
    "linear machine": LinearSVC(random_state=0),
    "machine, rbf": make_pipeline(MinMaxScaler(), SVC()),
    "machine, linear": SVC(kernel="linear"),
    "machine, cubic": make_pipeline(StandardScaler(), SVC(kernel="poly")),
    "perceptron": make_pipeline(StandardScaler(), MLPClassifier((6,), max_iter=60, random_state=0)),
    "naive bayes": make_pipeline(StandardScaler(), GaussianNB()),
}

REGRESSORS: dict[str, Any] = {
    "least squares": LinearRegression(),
    "polynomial": make_pipeline(PolynomialFeatures(2), Ridge()),
    "tree": DecisionTreeRegressor(max_depth=4, random_state=0),
    "forest": RandomForestRegressor(5, max_depth=3, random_state=0),
    "gradient boosting": GradientBoostingRegressor(n_estimators=5, random_state=0),
    "machine, rbf": SVR(),
    "machine, linear": SVR(kernel="linear"),
}


@cache
def _data(name: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = {"iris": load_iris, "cancer": load_breast_cancer, "diabetes": load_diabetes}[name](return_X_y=True)
    if name == "cancer":  # its first ten features, which are of like size without the area
        x = x[:, [0, 1, 4, 5, 6, 7, 8, 9]]
    return x.astype(np.float32), y


def _compile(model: Any, x: np.ndarray) -> tuple[QuantisedModel, np.ndarray]:
    """The quantised model, held against onnxruntime before, and its answers on x, checked by the circuit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = to_onnx(model, x[:1]).SerializeToString()
    imported = import_model(data)
    samples = x.astype(np.float64).reshape(-1, *imported.input_shape)
    check_import(data, imported, samples, imported.is_label)
    graph = fuse(imported)
    ends = (float(x.min()), float(x.max()))
    quantised = quantise(graph, calibrate(graph, samples, ends), FINE)
    integers = quantised.encode(samples)
    answers = quantised.graph.run(integers)[quantised.graph.output].reshape(len(x), -1)
    result = quantised.graph.result
    spec = StatementSpec(
        "public",
        "public",
        quantised.input.lo,
        quantised.input.bits,
        output_lo=result.min,
        output_hi=result.max,
    )
    circuit = compile_graph(quantised.graph, spec, limb_bits=(7,))
    for k in (0, len(x) - 1):
        witness = circuit.witness(integers[k])
        np.testing.assert_array_equal(witness.outputs.ravel(), answers[k])
        assert check(circuit, witness, 12345 << 99 if circuit.layout.committed else None) is None
    return quantised, answers * quantised.output_scale


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("data", ["iris", "cancer"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_gives_scikit_learns_labels(name: str, data: str) -> None:
    x, y = _data(data)
    model = clone(CLASSIFIERS[name]).fit(x, y)
    quantised, answers = _compile(model, x[::4])
    assert quantised.is_label
    # a sample within an integer of a threshold may fall either way
    assert (answers[:, 0] == model.predict(x[::4])).mean() >= 0.98


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressor_gives_scikit_learns_values(name: str) -> None:
    x, y = _data("diabetes")
    model = clone(REGRESSORS[name]).fit(x, y)
    _, answers = _compile(model, x[::9])
    expected = model.predict(x[::9])
    # a sample within an integer's width of a tree's threshold may take the other branch
    assert np.quantile(np.abs(answers[:, 0] - expected), 0.95) < 1e-2 * np.ptp(expected)


@pytest.mark.parametrize(
    "model", [LogisticRegression(max_iter=500), SVC(), DecisionTreeClassifier(max_depth=3)]
)
def test_numbers_of_classes_are_the_labels(model: Any) -> None:
    x, y = _data("iris")
    numbers = np.array([7, -2, 40])[y]
    model = clone(model).fit(x, numbers)
    _, answers = _compile(model, x[::5])
    np.testing.assert_array_equal(answers[:, 0], model.predict(x[::5]))


@pytest.mark.parametrize("model", [LogisticRegression(max_iter=500), DecisionTreeClassifier(max_depth=3)])
def test_a_named_class_is_proven_by_its_position(model: Any) -> None:
    x, y = _data("iris")
    names = np.array(["setosa", "versicolor", "virginica"])
    model = clone(model).fit(x, names[y])
    _, answers = _compile(model, x[::5])
    np.testing.assert_array_equal(names[answers[:, 0].astype(int)], model.predict(x[::5]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = import_model(to_onnx(model, x[:1]).SerializeToString())
    assert graph.classes == tuple(names)
    assert any("setosa, versicolor, virginica" in note for note in graph.notes)
    assert any("label is proven" in note for note in graph.notes)


def test_a_tree_asks_exactly_at_its_threshold() -> None:
    """x <= 2 of whole numbers: 2 goes one way, 3 the other, in every mode and nowhere a step off."""
    for mode, expected in (
        ("BRANCH_LEQ", [1, 1, 1, 0]),
        ("BRANCH_LT", [1, 1, 0, 0]),
        ("BRANCH_GTE", [0, 0, 1, 1]),
        ("BRANCH_GT", [0, 0, 0, 1]),
    ):
        attributes = {
            "domain": "ai.onnx.ml",
            "n_targets": 1,
            "nodes_treeids": [0, 0, 0],
            "nodes_nodeids": [0, 1, 2],
            "nodes_featureids": [0, 0, 0],
            "nodes_modes": [mode, "LEAF", "LEAF"],
            "nodes_values": [2.0, 0.0, 0.0],
            "nodes_truenodeids": [1, 0, 0],
            "nodes_falsenodeids": [2, 0, 0],
            "target_treeids": [0, 0],
            "target_nodeids": [1, 2],
            "target_ids": [0, 0],
            "target_weights": [1.0, 0.0],
        }
        nodes = [
            ("Cast", ["input"], "x", {"to": TensorProto.FLOAT}),
            ("TreeEnsembleRegressor", ["x"], "output", attributes),
        ]
        graph = fuse(import_model(build(nodes, {}, (1, 1), input_type=TensorProto.INT64)))
        x = np.arange(4.0).reshape(4, 1, 1)
        model = quantise(graph, calibrate(graph, x, (0.0, 3.0)), Precision())
        answers = model.graph.run(model.encode(x))[model.graph.output].ravel() * model.output_scale
        np.testing.assert_allclose(answers, expected, atol=0.01)


def test_a_map_is_proven_as_its_values_in_the_classes_order() -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Sigmoid", ["x"], ["p"]),
            helper.make_node("ZipMap", ["p"], ["m"], domain="ai.onnx.ml", classlabels_int64s=[4, 2]),
        ],
        "map",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [
            helper.make_value_info(
                "m",
                helper.make_sequence_type_proto(
                    helper.make_map_type_proto(
                        TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
                    )
                ),
            )
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    imported = import_model(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    assert imported.onnx_output == "p"
    x = np.array([[[0.5, -1.0]]])
    np.testing.assert_allclose(imported.run(x)[imported.output], 1 / (1 + np.exp(-x)))


def test_an_imputer_of_what_operators_make_undefined_is_refused() -> None:
    """As PowerTransformer writes it: logarithms of both signs, NaN replaced, one of them chosen."""
    nodes = [
        ("Log", ["input"], "l", {}),
        ("Imputer", ["l"], "output", {"domain": "ai.onnx.ml", "imputed_value_floats": [0.0]}),
    ]
    with pytest.raises(UnsupportedModel, match="NaN that 'n_l' may make is replaced"):
        import_model(build(nodes, {}, (1, 3)))


def test_several_outputs_are_refused_with_what_to_do() -> None:
    model = onnx.ModelProto.FromString(build([("Relu", ["input"], "output", {})], {}, (1, 3)))
    model.graph.node.append(helper.make_node("Neg", ["input"], ["other"]))
    model.graph.output.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1, 3]))
    with pytest.raises(Exception, match=r"2 \(output, other\); say which one to prove .--take NAME"):
        import_model(model.SerializeToString())
