"""Ensembles of decision trees, as scikit-learn's converter writes them (ai.onnx.ml, both forms)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

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
from assay_prover.graph.graph import FloatAffine
from assay_prover.graph.maps import FloatSparse

MODES = {
    "BRANCH_LEQ": (True, False),
    "BRANCH_LT": (False, False),
    "BRANCH_GTE": (False, True),
    "BRANCH_GT": (True, True),
    "BRANCH_EQ": (None, True),
    "BRANCH_NEQ": (None, False),
}
"""mode: whether the bit is [x > t], [x >= t] or (None) [x = t], and whether 1 takes the true branch."""


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
    inner, values_of = _joined(inner, roots)
    number = {key: k for k, key in enumerate(inner)} | {key: -1 - k for k, key in enumerate(leaves)}
    questions: dict[tuple[int, tuple[float, ...], bool | None], int] = {}
    bit, zero, one = [], [], []
    for key, (feature, _, mode, yes, no) in inner.items():
        strict, direct = MODES[mode]
        bit.append(questions.setdefault((feature, values_of[key], strict), len(questions)))
        zero.append(number[no if direct else yes])
        one.append(number[yes if direct else no])
    first = next(name for name in node.outputs if name)
    work = node.writing(first)
    if not questions:
        raise node.unsupported("trees without a question")
    features = np.array([feature for feature, _, _ in questions], dtype=np.int64)
    if features.max() >= feature_count(context, node):
        raise node.unsupported("a feature that the input lacks")
    # x = t where x >= t and not x > t: both are asked, and their difference is the bit
    asks = [(f, t[0], s) for f, t, s in questions if s is not None]
    equal = {key: k for k, key in enumerate(questions) if key[2] is None}
    place = {key: k for k, key in enumerate(dict.fromkeys(asks))}
    for feature, thresholds_, _ in equal:
        for threshold in thresholds_:
            for strict in (False, True):
                place.setdefault((feature, threshold, strict), len(place))
    features = np.array([feature for feature, _, _ in place], dtype=np.int64)
    context.expand(
        work, [("Gather", [node.inputs[0], ".features"], ".asked", {"axis": -1})], {".features": features}
    )
    asked = context.part(work, ".asked")
    thresholds = np.array([threshold for _, threshold, _ in place])
    stricts = np.array([strict for _, _, strict in place])
    bits = FloatCompare(
        context.tensor(asked),
        context.part(work, ".bits"),
        context.shape(asked),
        thresholds,
        stricts,
        node.name,
    )
    context.emit(node.writing(bits.output), bits)
    answers = bits.output
    if equal:
        rows = []
        for k, (feature, asked_, strict) in enumerate(questions):
            signs = ((False, 1.0), (True, -1.0)) if strict is None else ((strict, 1.0),)
            rows += [(k, place[feature, t, kind], sign) for t in asked_ for kind, sign in signs]
        row, column, sign = (np.array(part) for part in zip(*rows, strict=True))
        matrix = sp.csr_array(sp.coo_array((sign, (row, column)), shape=(len(questions), len(place))))
        sums, answers = context.part(work, ".sums"), context.part(work, ".answers")
        equals = FloatAffine(
            (bits.output,),
            sums,
            (1, len(questions)),
            (FloatSparse(matrix, structural=True),),
            np.zeros(len(questions)),
            node.name,
        )
        context.emit(node.writing(sums), equals)
        # the sums are 0 or 1, which the comparison makes known to the circuit
        half, loose = np.full(len(questions), 0.5), np.zeros(len(questions), dtype=bool)
        certain = FloatCompare(sums, answers, (1, len(questions)), half, loose, node.name)
        context.emit(node.writing(answers), certain)
    bit_, zero_, one_, roots_ = (
        np.array(part, dtype=np.int64) for part in (bit, zero, one, [number[key] for key in roots])
    )
    output = context.part(work, ".scores")
    summed = FloatTrees(answers, output, (1, bias.size), bit_, zero_, one_, roots_, values, bias, node.name)
    context.emit(node.writing(output), summed)


def _joined(
    inner: dict[Key, tuple[int, float, str, Key, Key]], roots: list[Key]
) -> tuple[dict[Key, tuple[int, float, str, Key, Key]], dict[Key, tuple[float, ...]]]:
    """One node for a chain that asks whether a feature is one of several values; the values of each node.

    LightGBM's converter writes "x in {a, b}" as x = a, else x = b, with the same true branch for all.
    """
    values: dict[Key, tuple[float, ...]] = {
        key: (threshold,) for key, (_, threshold, _, _, _) in inner.items()
    }
    joined = dict(inner)
    reached = set(roots)
    waiting = list(roots)
    while waiting:
        key = waiting.pop()
        if key not in joined:
            continue
        feature, threshold, mode, yes, no = joined[key]
        while mode == "BRANCH_EQ" and no in joined:
            other, value, next_mode, next_yes, next_no = joined[no]
            if (other, next_mode, next_yes) != (feature, "BRANCH_EQ", yes):
                break
            values[key] = (*values[key], *([] if value in values[key] else [value]))
            no = next_no
        joined[key] = feature, threshold, mode, yes, no
        for child in (yes, no):
            if child not in reached:
                reached.add(child)
                waiting.append(child)
    kept = {key: node for key, node in joined.items() if key in reached}
    return kept, values


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
