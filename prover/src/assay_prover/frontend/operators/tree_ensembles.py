"""Ensembles of decision trees, as scikit-learn's converter writes them (ai.onnx.ml, both forms)."""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Context
from assay_prover.frontend.node import Node
from assay_prover.frontend.operators.labels import (
    classes_of,
    emit_classifier,
    emit_scores,
    feature_count,
    vector,
)
from assay_prover.frontend.registry import lowers
from assay_prover.graph.exact_ops import FloatCompare, FloatTrees

MODES = {
    "BRANCH_LEQ": (True, False),
    "BRANCH_LT": (False, False),
    "BRANCH_GTE": (False, True),
    "BRANCH_GT": (True, True),
}
"""mode: whether the bit is [x > t] rather than [x >= t], and whether a bit of 1 takes the true branch."""


@lowers("TreeEnsembleRegressor", "TreeEnsembleClassifier")
def tree_ensemble(context: Context, node: Node) -> None:
    """Every distinct question once, as a bit; the reached leaves' values summed."""
    classifier = node.operator == "TreeEnsembleClassifier"
    outputs = len(classes_of(node)) if classifier else node.int("n_targets", 1)
    if node.text("aggregate_function", "SUM") not in ("SUM", "AVERAGE"):
        raise node.unsupported("aggregate_function other than SUM and AVERAGE")
    places, roots, leaves = _shape_trees(node)
    prefix = "class" if classifier else "target"
    values = np.zeros((len(leaves), outputs))
    leaf = {key: k for k, key in enumerate(leaves)}
    owners = zip(node.ints(f"{prefix}_treeids", ()), node.ints(f"{prefix}_nodeids", ()), strict=True)
    weights = vector(node, f"{prefix}_weights")
    classes = node.ints(f"{prefix}_ids", ())
    for owner, target, weight in zip(owners, classes, weights, strict=True):
        if owner not in leaf:
            raise node.unsupported("a weight on an inner node")
        values[leaf[owner], target] += weight
    bias = np.zeros(outputs)
    base = vector(node, "base_values")
    if node.text("aggregate_function", "SUM") == "AVERAGE":
        values /= len(roots)
    binary = classifier and outputs == 2 and len(set(classes)) == 1
    if base.size and not binary:
        bias += base
    if binary:
        # one score stands for both classes: 1 - s beside s if all weights are positive, else -s beside s
        score = values[:, classes[0]]
        origin = float(base[-1]) if base.size else 0.0
        positive = bool((weights >= 0).all())
        values = np.stack([-score, score], axis=1)
        bias = np.array([(1.0 if positive else 0.0) - origin, origin])
    transform = node.text("post_transform", "NONE")
    if binary and positive and transform != "NONE":
        raise node.unsupported("a post-transform of a single positive score")
    _emit_trees(context, node, places, roots, leaves, values, bias)
    if classifier:
        emit_classifier(context, node, transform)
    else:
        emit_scores(context, node, transform, node.outputs[0])


Key = tuple[int, int]


def _shape_trees(node: Node) -> tuple[dict[Key, tuple[int, float, str, Key, Key]], list[Key], list[Key]]:
    """Inner nodes as (feature, threshold, mode, true branch, false branch), roots, leaves."""
    trees, numbers = node.ints("nodes_treeids", ()), node.ints("nodes_nodeids", ())
    modes = [m.decode() if isinstance(m, bytes) else str(m) for m in node.attributes.get("nodes_modes", ())]
    features, thresholds = node.ints("nodes_featureids", ()), vector(node, "nodes_values")
    true, false = node.ints("nodes_truenodeids", ()), node.ints("nodes_falsenodeids", ())
    inner: dict[Key, tuple[int, float, str, Key, Key]] = {}
    leaves: list[Key] = []
    children: set[Key] = set()
    for k, (tree, number, mode) in enumerate(zip(trees, numbers, modes, strict=True)):
        if mode == "LEAF":
            leaves.append((tree, number))
            continue
        if mode not in MODES:
            raise node.unsupported(f"node mode {mode}")
        yes, no = (tree, true[k]), (tree, false[k])
        inner[tree, number] = (features[k], float(thresholds[k]), mode, yes, no)
        children |= {yes, no}
    roots = [key for key in (*inner, *leaves) if key not in children]
    return inner, roots, leaves


def _emit_trees(
    context: Context,
    node: Node,
    inner: dict[Key, tuple[int, float, str, Key, Key]],
    roots: list[Key],
    leaves: list[Key],
    values: np.ndarray,
    bias: np.ndarray,
) -> None:
    number = {key: k for k, key in enumerate(inner)}
    number |= {key: -1 - k for k, key in enumerate(leaves)}
    questions: dict[tuple[int, float, bool], int] = {}
    bit, zero, one = [], [], []
    for feature, threshold, mode, yes, no in inner.values():
        strict, direct = MODES[mode]
        bit.append(questions.setdefault((feature, threshold, strict), len(questions)))
        zero.append(number[no if direct else yes])
        one.append(number[yes if direct else no])
    first = next(name for name in node.outputs if name)
    work = node.writing(first)
    if not questions:
        raise node.unsupported("trees without a question")
    features = np.array([feature for feature, _, _ in questions], dtype=np.int64)
    if features.max() >= feature_count(context, node):
        raise node.unsupported("a feature that the input lacks")
    context.expand(
        work, [("Gather", [node.inputs[0], ".features"], ".asked", {"axis": -1})], {".features": features}
    )
    asked = context.part(work, ".asked")
    thresholds = np.array([threshold for _, threshold, _ in questions])
    stricts = np.array([strict for _, _, strict in questions])
    bits = FloatCompare(
        context.tensor(asked),
        context.part(work, ".bits"),
        context.shape(asked),
        thresholds,
        stricts,
        node.name,
    )
    context.emit(node.writing(bits.output), bits)
    bit_, zero_, one_, roots_ = (
        np.array(part, dtype=np.int64) for part in (bit, zero, one, [number[key] for key in roots])
    )
    output = context.part(work, ".scores")
    summed = FloatTrees(
        bits.output, output, (1, bias.size), bit_, zero_, one_, roots_, values, bias, node.name
    )
    context.emit(node.writing(output), summed)


BRANCHES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")
"""TreeEnsemble's modes by number."""


@lowers("TreeEnsemble")
def tree_ensemble_5(context: Context, node: Node) -> None:
    """The newer form: one list of inner nodes for all trees, leaves apart."""
    modes = vector(node, "nodes_modes").astype(int)
    if node.int("aggregate_function", 1) not in (0, 1):
        raise node.unsupported("aggregate_function other than SUM and AVERAGE")
    if modes.max(initial=0) >= len(BRANCHES):
        raise node.unsupported("node modes other than comparisons")
    splits, features = vector(node, "nodes_splits"), node.ints("nodes_featureids", ())
    sides = []
    for side in ("true", "false"):
        places, leafs = node.ints(f"nodes_{side}nodeids", ()), node.ints(f"nodes_{side}leafs", ())
        sides.append([(1, p) if leaf else (0, p) for p, leaf in zip(places, leafs, strict=True)])
    inner: dict[Key, tuple[int, float, str, Key, Key]] = {
        (0, k): (features[k], float(splits[k]), BRANCHES[modes[k]], sides[0][k], sides[1][k])
        for k in range(len(modes))
        # a tree of one leaf is written as a node whose branches are the same leaf
    }
    targets, weights = node.ints("leaf_targetids", ()), vector(node, "leaf_weights")
    leaves = [(1, k) for k in range(len(targets))]
    values = np.zeros((len(leaves), node.int("n_targets", 1)))
    values[np.arange(len(leaves)), list(targets)] = weights
    roots = [(0, k) for k in node.ints("tree_roots", ())]
    if node.int("aggregate_function", 1) == 0:
        values /= len(roots)
    _emit_trees(context, node, inner, roots, leaves, values, np.zeros(values.shape[1]))
    transform = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")[node.int("post_transform", 0)]
    emit_scores(context, node, transform, node.outputs[0])
