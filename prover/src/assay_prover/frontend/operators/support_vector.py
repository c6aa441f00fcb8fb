"""Support vector machines, as scikit-learn's converter writes them (ai.onnx.ml)."""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Array, Context, Step
from assay_prover.frontend.node import Node
from assay_prover.frontend.operators.labels import classes_of, emit_label, feature_count, vector
from assay_prover.frontend.registry import lowers


@lowers("SVMRegressor")
def svm_regressor(context: Context, node: Node) -> None:
    """sum_i coefficient_i K(s_i, x) + rho."""
    features = feature_count(context, node)
    coefficients, rho = vector(node, "coefficients"), vector(node, "rho")
    if node.int("one_class", 0):
        raise node.unsupported("one_class")
    count = node.int("n_supports", 0)
    if not count:
        _machine(context, node, np.zeros((0, features)), coefficients.reshape(1, -1), rho, node.outputs[0])
        return
    vectors = vector(node, "support_vectors").reshape(count, features)
    _machine(context, node, vectors, coefficients.reshape(1, count), rho, node.outputs[0])


def _machine(
    context: Context, node: Node, vectors: np.ndarray, weights: np.ndarray, rho: np.ndarray, y: str
) -> None:
    """weights K(vectors, x) + rho; a linear kernel collapses into one affine layer."""
    x = node.inputs[0]
    kernel = node.text("kernel_type", "LINEAR")
    gamma, origin, degree = (*vector(node, "kernel_params"), 0.0, 0.0, 3.0)[:3]
    if kernel == "LINEAR":
        matrix = weights @ vectors if vectors.size else weights
        steps: list[Step] = [("MatMul", [x, ".w"], ".k", {}), ("Add", [".k", ".r"], y, {})]
        context.expand(node, steps, {".w": matrix.T.copy(), ".r": rho})
        return
    constants: dict[str, Array] = {".v": vectors.T.copy(), ".w": weights.T.copy(), ".r": rho}
    if kernel == "RBF":
        # -gamma |x - s|^2, each product of x with itself once
        steps = [
            ("Mul", [x, x], ".xx", {}),
            ("ReduceSum", [".xx", ".axes"], ".n", {"keepdims": 1}),
            ("MatMul", [x, ".v2"], ".xs", {}),
            ("Sub", [".n", ".xs"], ".a", {}),
            ("Add", [".a", ".ss"], ".d", {}),
            ("Mul", [".d", ".g"], ".e", {}),
            ("Exp", [".e"], ".k", {}),
        ]
        constants |= {
            ".axes": np.array([len(context.shape(x)) - 1], dtype=np.int64),
            ".v2": 2 * vectors.T,
            ".ss": (vectors**2).sum(axis=1),
            ".g": np.array(-gamma),
        }
    else:
        steps = [("MatMul", [x, ".gv"], ".p", {}), ("Add", [".p", ".o"], ".q", {})]
        constants |= {".gv": gamma * vectors.T, ".o": np.array(origin), ".n": np.array(degree)}
        steps.append(("Tanh", [".q"], ".k", {}) if kernel == "SIGMOID" else ("Pow", [".q", ".n"], ".k", {}))
    steps += [("MatMul", [".k", ".w"], ".s", {}), ("Add", [".s", ".r"], y, {})]
    context.expand(node, steps, constants)


@lowers("SVMClassifier")
def svm_classifier(context: Context, node: Node) -> None:
    """One machine for each pair of classes, which casts a vote; of equal counts the first class wins."""
    label, scores = (*node.outputs, "")[:2]
    if scores and context.is_used(scores):
        raise node.unsupported("the scores of pairs; prove the label")
    features = feature_count(context, node)
    per_class = node.ints("vectors_per_class", ())
    count = len(classes_of(node))
    if len(per_class) != count:
        raise node.unsupported("support vectors for each class are needed")
    vectors = vector(node, "support_vectors").reshape(sum(per_class), features)
    coefficients = vector(node, "coefficients").reshape(count - 1, sum(per_class))
    ends = np.cumsum([0, *per_class])
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    weights = np.zeros((len(pairs), sum(per_class)))
    votes, bias = np.zeros((len(pairs), count)), np.zeros(count)
    for k, (i, j) in enumerate(pairs):
        for own, row in ((i, j - 1), (j, i)):
            weights[k, ends[own] : ends[own + 1]] = coefficients[row, ends[own] : ends[own + 1]]
        votes[k, i], votes[k, j] = 1.0, -1.0
        bias[j] += 1.0
    work = node.writing(label)
    _machine(context, work, vectors, weights, vector(node, "rho"), context.part(work, ".decisions"))
    steps: list[Step] = [
        ("Greater", [".decisions", ".zero"], ".won", {}),
        ("MatMul", [".won", ".votes"], ".counts", {}),
        ("Add", [".counts", ".lost"], ".scores", {}),
    ]
    context.expand(work, steps, {".zero": np.array(0.0), ".votes": votes, ".lost": bias})
    emit_label(context, work, context.part(work, ".scores"))
