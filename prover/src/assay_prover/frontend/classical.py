"""ai.onnx.ml's models as scikit-learn's converter writes them: linear, trees, support vectors, scalers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from assay_prover.frontend.context import Array, Context, Node, Step
from assay_prover.frontend.discrete import FloatCompare, FloatTrees
from assay_prover.frontend.registry import lowers

MODES = {
    "BRANCH_LEQ": (True, False),
    "BRANCH_LT": (False, False),
    "BRANCH_GTE": (False, True),
    "BRANCH_GT": (True, True),
}
"""mode: whether the bit is [x > t] rather than [x >= t], and whether a bit of 1 takes the true branch."""


def _vector(node: Node, name: str) -> np.ndarray:
    """A list of numbers given as an attribute, or as a tensor in double precision."""
    value = node.attributes.get(f"{name}_as_tensor", node.attributes.get(name, ()))
    if isinstance(value, TensorProto):
        value = numpy_helper.to_array(value)
    return np.asarray(value, dtype=np.float64).ravel()


def _samples(context: Context, node: Node, position: int = 0) -> int:
    shape = context.shape(node.inputs[position])
    if prod(shape[:-1]) != 1:
        raise node.unsupported("more than one sample")
    return shape[-1]


def _classes(node: Node) -> list[int] | tuple[str, ...]:
    """Numbers or names of the classes."""
    for name in ("classlabels_int64s", "classlabels_ints"):
        if node.attributes.get(name):
            return list(node.ints(name, ()))
    names = node.attributes.get("classlabels_strings")
    if not names:
        raise node.unsupported("the class labels are missing")
    return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)


def _scores(context: Context, node: Node, transform: str, y: str) -> None:
    """The post-transform of `.scores`."""
    name = f"{next(n for n in node.outputs if n)}/scores"
    steps: dict[str, list[Step]] = {
        "NONE": [("Identity", [name], y, {})],
        "LOGISTIC": [("Sigmoid", [name], y, {})],
        "SOFTMAX": [("Softmax", [name], y, {"axis": -1})],
    }
    if transform not in steps:
        raise node.unsupported(f"post_transform {transform}")
    context.expand(node.writing(y), steps[transform])


def _classifier(context: Context, node: Node, transform: str) -> None:
    """Scores (after the transform) and the label, the class of the greatest score."""
    label, scores = (*node.outputs, "")[:2]
    if label and context.is_used(label):
        _label(context, node.writing(label), f"{label}/scores")
    if scores and context.is_used(scores):
        _scores(context, node, transform, scores)


def _label(context: Context, node: Node, scores: str) -> None:
    """The class at the greatest score; of equal ones the first."""
    argmax: Step = ("ArgMax", [scores], ".position", {"axis": -1, "keepdims": 0})
    context.expand(node, [argmax])
    name_classes(context, node, f"{node.outputs[0]}/position", _classes(node))


def name_classes(context: Context, node: Node, position: str, classes: Sequence[int] | Sequence[str]) -> None:
    """A class's number from its position; its name stays outside the circuit."""
    y = node.outputs[0]
    if isinstance(classes[0], str):
        context.expand(node, [("Identity", [position], y, {})])
        context.classes[y] = tuple(str(name) for name in classes)
        context.note(f"the label is a class's position: {', '.join(map(str, classes))}")
    elif list(classes) == list(range(len(classes))):
        context.expand(node, [("Identity", [position], y, {})])
    else:
        numbers = np.array(classes, dtype=np.int64)
        context.expand(node, [("Gather", [".numbers", position], y, {"axis": 0})], {".numbers": numbers})


@lowers("LinearRegressor", "LinearClassifier")
def linear(context: Context, node: Node) -> None:
    """Coefficients and intercepts: affine."""
    features = _samples(context, node)
    weight = _vector(node, "coefficients").reshape(-1, features)
    bias = _vector(node, "intercepts")
    bias = bias if bias.size else np.zeros(weight.shape[0])
    transform = node.text("post_transform", "NONE")
    constants: dict[str, Array] = {".w": weight.T.copy(), ".b": bias}
    steps: list[Step] = [("MatMul", [node.inputs[0], ".w"], ".wx", {}), ("Add", [".wx", ".b"], ".scores", {})]
    context.expand(node, steps, constants)
    if node.operator == "LinearRegressor":
        _scores(context, node, transform, node.outputs[0])
        return
    if weight.shape[0] != len(_classes(node)):
        raise node.unsupported("coefficients for each class are needed")
    _classifier(context, node, transform)


@lowers("TreeEnsembleRegressor", "TreeEnsembleClassifier")
def tree_ensemble(context: Context, node: Node) -> None:
    """Every distinct question once, as a bit; the reached leaves' values summed."""
    classifier = node.operator == "TreeEnsembleClassifier"
    outputs = len(_classes(node)) if classifier else node.int("n_targets", 1)
    if node.text("aggregate_function", "SUM") not in ("SUM", "AVERAGE"):
        raise node.unsupported("aggregate_function other than SUM and AVERAGE")
    places, roots, leaves = _shape_trees(node)
    prefix = "class" if classifier else "target"
    values = np.zeros((len(leaves), outputs))
    leaf = {key: k for k, key in enumerate(leaves)}
    owners = zip(node.ints(f"{prefix}_treeids", ()), node.ints(f"{prefix}_nodeids", ()), strict=True)
    weights = _vector(node, f"{prefix}_weights")
    classes = node.ints(f"{prefix}_ids", ())
    for owner, target, weight in zip(owners, classes, weights, strict=True):
        if owner not in leaf:
            raise node.unsupported("a weight on an inner node")
        values[leaf[owner], target] += weight
    bias = np.zeros(outputs)
    base = _vector(node, "base_values")
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
        _classifier(context, node, transform)
    else:
        _scores(context, node, transform, node.outputs[0])


Key = tuple[int, int]


def _shape_trees(node: Node) -> tuple[dict[Key, tuple[int, float, str, Key, Key]], list[Key], list[Key]]:
    """Inner nodes as (feature, threshold, mode, true branch, false branch), roots, leaves."""
    trees, numbers = node.ints("nodes_treeids", ()), node.ints("nodes_nodeids", ())
    modes = [m.decode() if isinstance(m, bytes) else str(m) for m in node.attributes.get("nodes_modes", ())]
    features, thresholds = node.ints("nodes_featureids", ()), _vector(node, "nodes_values")
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
    if features.max() >= _samples(context, node):
        raise node.unsupported("a feature that the input lacks")
    context.expand(
        work, [("Gather", [node.inputs[0], ".features"], ".asked", {"axis": -1})], {".features": features}
    )
    shape = context.shape(f"{first}/asked")
    asked = context.tensor(f"{first}/asked")
    thresholds = np.array([threshold for _, threshold, _ in questions])
    stricts = np.array([strict for _, _, strict in questions])
    bits = FloatCompare(asked, f"{first}/bits", shape, thresholds, stricts, node.name)
    context.emit(node.writing(bits.output), bits)
    bit_, zero_, one_, roots_ = (
        np.array(part, dtype=np.int64) for part in (bit, zero, one, [number[key] for key in roots])
    )
    output = f"{first}/scores"
    summed = FloatTrees(
        bits.output, output, (1, bias.size), bit_, zero_, one_, roots_, values, bias, node.name
    )
    context.emit(node.writing(output), summed)


@lowers("Scaler")
def scaler(context: Context, node: Node) -> None:
    """(x - offset) scale."""
    size = context.shape(node.inputs[0])[-1]
    offset, scale = (
        np.resize(part, size) if part.size else np.full(size, default)
        for part, default in ((_vector(node, "offset"), 0.0), (_vector(node, "scale"), 1.0))
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
    if (
        np.isfinite(node.float("replaced_value_float", float("nan")))
        and "replaced_value_float" in node.attributes
    ):
        raise node.unsupported("a number that stands for a missing value")
    context.alias(node, 0, context.shape(node.inputs[0]))


@lowers("ArrayFeatureExtractor")
def array_feature_extractor(context: Context, node: Node) -> None:
    """Constant positions of the last axis, or a computed position in a list of classes."""
    if not context.is_constant(node, 1):
        listed = context.constant(node, 0, "the list")
        if listed.size != listed.shape[-1]:
            raise node.unsupported("computed positions in a table")
        size = prod(context.shape(node.inputs[1]))
        steps: list[Step] = [("Reshape", [node.inputs[1], ".flat"], ".index", {})]
        context.expand(node, steps, {".flat": np.array([1, size], dtype=np.int64)})
        index = f"{node.outputs[0]}/index"
        if listed.dtype.kind in "OUS":
            name_classes(context, node, index, tuple(str(name) for name in listed.ravel()))
        elif (listed == np.rint(listed)).all():
            name_classes(context, node, index, [int(number) for number in listed.ravel()])
        else:
            picked: Step = ("Gather", [".list", index], node.outputs[0], {})
            context.expand(node, [picked], {".list": listed.ravel()})
        return
    places = np.ravel(context.constant(node, 1, "the positions")).astype(np.int64)
    context.expand(node, [("Gather", [node.inputs[0], ".i"], node.outputs[0], {"axis": -1})], {".i": places})


@lowers("FeatureVectorizer")
def feature_vectorizer(context: Context, node: Node) -> None:
    """Side by side."""
    context.expand(node, [("Concat", list(node.inputs), node.outputs[0], {"axis": -1})])


@lowers("SVMRegressor")
def svm_regressor(context: Context, node: Node) -> None:
    """sum_i coefficient_i K(s_i, x) + rho."""
    features = _samples(context, node)
    coefficients, rho = _vector(node, "coefficients"), _vector(node, "rho")
    if node.int("one_class", 0):
        raise node.unsupported("one_class")
    count = node.int("n_supports", 0)
    if not count:
        _machine(context, node, np.zeros((0, features)), coefficients.reshape(1, -1), rho, node.outputs[0])
        return
    vectors = _vector(node, "support_vectors").reshape(count, features)
    _machine(context, node, vectors, coefficients.reshape(1, count), rho, node.outputs[0])


def _machine(
    context: Context, node: Node, vectors: np.ndarray, weights: np.ndarray, rho: np.ndarray, y: str
) -> None:
    """weights K(vectors, x) + rho; a linear kernel collapses into one affine layer."""
    x = node.inputs[0]
    kernel = node.text("kernel_type", "LINEAR")
    gamma, origin, degree = (*_vector(node, "kernel_params"), 0.0, 0.0, 3.0)[:3]
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
    features = _samples(context, node)
    per_class = node.ints("vectors_per_class", ())
    count = len(_classes(node))
    if len(per_class) != count:
        raise node.unsupported("support vectors for each class are needed")
    vectors = _vector(node, "support_vectors").reshape(sum(per_class), features)
    coefficients = _vector(node, "coefficients").reshape(count - 1, sum(per_class))
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
    _machine(context, work, vectors, weights, _vector(node, "rho"), f"{label}/decisions")
    steps: list[Step] = [
        ("Greater", [".decisions", ".zero"], ".won", {}),
        ("MatMul", [".won", ".votes"], ".counts", {}),
        ("Add", [".counts", ".lost"], ".scores", {}),
    ]
    context.expand(work, steps, {".zero": np.array(0.0), ".votes": votes, ".lost": bias})
    _label(context, work, f"{label}/scores")


@lowers("LabelEncoder")
def label_encoder(context: Context, node: Node) -> None:
    """A dictionary from whole numbers to numbers or names; other numbers get the default."""
    keys = node.attributes.get("keys_int64s")
    if keys is None and "keys_tensor" in node.attributes:
        tensor = numpy_helper.to_array(node.attributes["keys_tensor"])
        keys = tensor.tolist() if tensor.dtype.kind in "iu" else None
    if not keys:
        raise node.unsupported("keys that are not whole numbers")
    values, default = _dictionary(node)
    first, last = int(min(keys)) - 1, int(max(keys)) + 1
    table = [default] * (last - first + 1)
    for key, value in zip(keys, values, strict=True):
        table[int(key) - first] = value
    steps: list[Step] = [("Clip", [node.inputs[0], ".lo", ".hi"], ".c", {}), ("Sub", [".c", ".lo"], ".i", {})]
    context.expand(node, steps, {".lo": np.array(float(first)), ".hi": np.array(float(last))})
    index = f"{node.outputs[0]}/i"
    if isinstance(default, str):
        name_classes(context, node, index, tuple(str(name) for name in table))
    else:
        context.expand(node, [("Gather", [".t", index], node.outputs[0], {})], {".t": np.array(table)})


def _dictionary(node: Node) -> tuple[list[Any], float | str]:
    """Values, numbers or names, and the default."""
    names = node.attributes.get("values_strings")
    if names is not None:
        return [name.decode() for name in names], node.text("default_string", "_Unused")
    for kind, default in (("int64", -1), ("float", 0.0)):
        if node.attributes.get(f"values_{kind}s"):
            return list(node.attributes[f"values_{kind}s"]), node.attributes.get(f"default_{kind}", default)
    if "values_tensor" in node.attributes and "default_tensor" in node.attributes:
        values, missing = _vector(node, "values_tensor"), _vector(node, "default_tensor")
        return values.tolist(), float(missing[0])
    raise node.unsupported("values of this kind")


BRANCHES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")
"""TreeEnsemble's modes by number."""


@lowers("TreeEnsemble")
def tree_ensemble_5(context: Context, node: Node) -> None:
    """The newer form: one list of inner nodes for all trees, leaves apart."""
    modes = _vector(node, "nodes_modes").astype(int)
    if node.int("aggregate_function", 1) not in (0, 1):
        raise node.unsupported("aggregate_function other than SUM and AVERAGE")
    if modes.max(initial=0) >= len(BRANCHES):
        raise node.unsupported("node modes other than comparisons")
    splits, features = _vector(node, "nodes_splits"), node.ints("nodes_featureids", ())
    sides = []
    for side in ("true", "false"):
        places, leafs = node.ints(f"nodes_{side}nodeids", ()), node.ints(f"nodes_{side}leafs", ())
        sides.append([(1, p) if leaf else (0, p) for p, leaf in zip(places, leafs, strict=True)])
    inner: dict[Key, tuple[int, float, str, Key, Key]] = {
        (0, k): (features[k], float(splits[k]), BRANCHES[modes[k]], sides[0][k], sides[1][k])
        for k in range(len(modes))
        # a tree of one leaf is written as a node whose branches are the same leaf
    }
    targets, weights = node.ints("leaf_targetids", ()), _vector(node, "leaf_weights")
    leaves = [(1, k) for k in range(len(targets))]
    values = np.zeros((len(leaves), node.int("n_targets", 1)))
    values[np.arange(len(leaves)), list(targets)] = weights
    roots = [(0, k) for k in node.ints("tree_roots", ())]
    if node.int("aggregate_function", 1) == 0:
        values /= len(roots)
    _emit_trees(context, node, inner, roots, leaves, values, np.zeros(values.shape[1]))
    transform = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")[node.int("post_transform", 0)]
    _scores(context, node, transform, node.outputs[0])


@lowers("ZipMap")
def zip_map(context: Context, node: Node) -> None:
    """The values of the map, in the classes' order."""
    context.note(f"ZipMap {node.name!r}: the output is the map's values, in the order of its classes")
    context.drop(node)
