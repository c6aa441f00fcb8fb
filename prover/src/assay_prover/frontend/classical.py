"""ai.onnx.ml's models as scikit-learn's converter writes them: linear, trees, support vectors, scalers."""

from __future__ import annotations

from math import prod

import numpy as np

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
    tensor = node.attributes.get(f"{name}_as_tensor")
    if tensor is not None:
        from onnx import numpy_helper

        return np.asarray(numpy_helper.to_array(tensor), dtype=np.float64).ravel()
    return np.asarray(node.attributes.get(name, ()), dtype=np.float64)


def _samples(context: Context, node: Node, position: int = 0) -> int:
    shape = context.shape(node.inputs[position])
    if prod(shape[:-1]) != 1:
        raise node.unsupported("more than one sample")
    return shape[-1]


def _classes(node: Node) -> int:
    for name in ("classlabels_int64s", "classlabels_ints", "classlabels_int64s", "classlabels_strings"):
        if node.attributes.get(name):
            return len(node.attributes[name])
    raise node.unsupported("the class labels are missing")


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
        name = f"{label}/scores"
        ids = node.attributes.get("classlabels_int64s") or node.attributes.get("classlabels_ints")
        steps: list[Step] = [("ArgMax", [name], label, {"axis": -1, "keepdims": 0})]
        if ids and list(ids) != list(range(len(ids))):
            context.note(f"{node.operator} {node.name!r}: the label is the class's position, not its number")
        context.expand(node.writing(label), steps)
    if scores and context.is_used(scores):
        _scores(context, node, transform, scores)


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
    if weight.shape[0] != _classes(node):
        raise node.unsupported("coefficients for each class are needed")
    _classifier(context, node, transform)


@lowers("TreeEnsembleRegressor", "TreeEnsembleClassifier")
def tree_ensemble(context: Context, node: Node) -> None:
    """Every distinct question once, as a bit; the reached leaves' values summed."""
    classifier = node.operator == "TreeEnsembleClassifier"
    outputs = _classes(node) if classifier else node.int("n_targets", 1)
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
    _emit_trees(context, node, places, roots, values, bias)
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
    values: np.ndarray,
    bias: np.ndarray,
) -> None:
    number = {key: k for k, key in enumerate(inner)}
    _, _, leaves = _shape_trees(node)
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
    """Constant positions of the last axis."""
    index = np.ravel(context.constant(node, 1, "the positions")).astype(np.int64)
    context.expand(node, [("Gather", [node.inputs[0], ".i"], node.outputs[0], {"axis": -1})], {".i": index})


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
