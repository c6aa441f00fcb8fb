"""ai.onnx.ml's linear models, scalers and normalisers, as scikit-learn's converter writes them."""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Array, Context, Step
from assay_prover.frontend.node import Node
from assay_prover.frontend.operators.labels import (
    classes_of,
    emit_classifier,
    emit_scores,
    feature_count,
    vector,
)
from assay_prover.frontend.registry import lowers


@lowers("LinearRegressor", "LinearClassifier")
def linear(context: Context, node: Node) -> None:
    """Coefficients and intercepts: affine."""
    features = feature_count(context, node)
    weight = vector(node, "coefficients").reshape(-1, features)
    bias = vector(node, "intercepts")
    bias = bias if bias.size else np.zeros(weight.shape[0])
    transform = node.text("post_transform", "NONE")
    constants: dict[str, Array] = {".w": weight.T.copy(), ".b": bias}
    steps: list[Step] = [("MatMul", [node.inputs[0], ".w"], ".wx", {}), ("Add", [".wx", ".b"], ".scores", {})]
    context.expand(node, steps, constants)
    if node.operator == "LinearRegressor":
        emit_scores(context, node, transform, node.outputs[0])
        return
    if weight.shape[0] != len(classes_of(node)):
        raise node.unsupported("coefficients for each class are needed")
    emit_classifier(context, node, transform)


@lowers("Scaler")
def scaler(context: Context, node: Node) -> None:
    """(x - offset) scale."""
    size = context.shape(node.inputs[0])[-1]
    offset, scale = (
        np.resize(part, size) if part.size else np.full(size, default)
        for part, default in ((vector(node, "offset"), 0.0), (vector(node, "scale"), 1.0))
    )
    steps: list[Step] = [
        ("Sub", [node.inputs[0], ".o"], ".x", {}),
        ("Mul", [".x", ".s"], node.outputs[0], {}),
    ]
    context.expand(node, steps, {".o": offset, ".s": scale})


@lowers("Normalizer")
def normalizer(context: Context, node: Node) -> None:
    """MAX, L1 or L2 over the last axis."""
    x, y = node.inputs[0], node.outputs[0]
    axis = len(context.shape(x)) - 1
    axes: dict[str, Array] = {".axes": np.array([axis], dtype=np.int64)}
    match node.text("norm", "MAX"):
        case "L2":
            context.expand(node, [("LpNormalization", [x], y, {"p": 2, "axis": axis})])
        case "L1":
            context.expand(node, [("LpNormalization", [x], y, {"p": 1, "axis": axis})])
        case _:
            steps: list[Step] = [("ReduceMax", [x], ".m", {"axes": [axis]}), ("Div", [x, ".m"], y, {})]
            context.expand(node, steps, axes)


@lowers("Binarizer")
def binarizer(context: Context, node: Node) -> None:
    """[x > threshold]."""
    threshold = np.array(node.float("threshold", 0.0))
    context.expand(node, [("Greater", [node.inputs[0], ".t"], node.outputs[0], {})], {".t": threshold})


@lowers("Imputer")
def imputer(context: Context, node: Node) -> None:
    """Nothing to impute where inputs are finite numbers, unless a number stands for missing."""
    missing = node.attributes.get("replaced_value_float", np.nan)
    if np.isfinite(missing) or "imputed_value_int64s" in node.attributes:
        raise node.unsupported("a number that stands for a missing value")
    if undefined := context.makes_undefined(node.inputs[0]):
        raise node.unsupported(f"NaN that {undefined!r} may make is replaced; only inputs may be missing")
    context.alias(node, 0, context.shape(node.inputs[0]))


@lowers("FeatureVectorizer")
def feature_vectorizer(context: Context, node: Node) -> None:
    """Side by side."""
    context.expand(node, [("Concat", list(node.inputs), node.outputs[0], {"axis": -1})])
