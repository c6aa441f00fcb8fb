"""Operators that are exact combinations of simpler ones, mostly of Relu and sums."""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Array, Context, Step
from assay_prover.frontend.node import Node
from assay_prover.frontend.operators.reduction import groups_of
from assay_prover.frontend.registry import lowers


def _slope(context: Context, node: Node, slope: np.ndarray) -> None:
    """slope x + (1 - slope) relu(x)."""
    x, y = node.inputs[0], node.outputs[0]
    steps: list[Step] = [
        ("Relu", [x], ".relu", {}),
        ("Mul", [".relu", ".above"], ".a", {}),
        ("Mul", [x, ".slope"], ".b", {}),
        ("Add", [".a", ".b"], y, {}),
    ]
    context.expand(node, steps, {".slope": slope, ".above": 1.0 - slope})


@lowers("LeakyRelu")
def leaky_relu(context: Context, node: Node) -> None:
    """x, or alpha x below zero."""
    _slope(context, node, np.array(node.float("alpha", 0.01)))


@lowers("PRelu")
def prelu(context: Context, node: Node) -> None:
    """x, or slope x below zero, the slope a constant."""
    _slope(context, node, context.weights(node, 1, "the slope"))


@lowers("Abs")
def absolute(context: Context, node: Node) -> None:
    """2 relu(x) - x."""
    _slope(context, node, np.array(-1.0))


def _pair(operator: str, a: str, b: str, output: str, tag: str) -> list[Step]:
    """max(a, b) = b + relu(a - b); min(a, b) = a - relu(a - b)."""
    steps: list[Step] = [("Sub", [a, b], f".d{tag}", {}), ("Relu", [f".d{tag}"], f".r{tag}", {})]
    last: Step = ("Add", [b, f".r{tag}"], output, {})
    return [*steps, last if operator == "Max" else ("Sub", [a, f".r{tag}"], output, {})]


def _is_bound(constant: Array, shape: tuple[int, ...]) -> bool:
    same = bool(constant.size) and bool((constant == constant.ravel()[0]).all())
    return same and np.broadcast_shapes(constant.shape, shape) == shape


@lowers("Max", "Min")
def extremum(context: Context, node: Node) -> None:
    """Of two and more tensors, with broadcasting; constants are joined first. One number is a bound."""
    names = [name for name in node.inputs if name in context.constants]
    join = np.maximum if node.operator == "Max" else np.minimum
    variables = [name for name in node.inputs if name not in context.constants]
    constants = {}
    if names:
        joined = context.constants[names[0]]
        for name in names[1:]:
            joined = join(joined, context.constants[name])
        if len(variables) == 1 and _is_bound(joined, context.shape(variables[0])):
            places = [".bound"] if node.operator == "Max" else ["", ".bound"]
            clip: Step = ("Clip", [variables[0], *places], node.outputs[0], {})
            context.expand(node, [clip], {".bound": joined.ravel()[0]})
            return
        constants[".constant"] = joined
        variables.append(".constant")
    steps: list[Step] = []
    if len(variables) == 1:
        steps.append(("Identity", variables, node.outputs[0], {}))
    current = variables[0]
    for k, name in enumerate(variables[1:]):
        output = node.outputs[0] if k == len(variables) - 2 else f".m{k}"
        steps += _pair(node.operator, current, name, output, str(k))
        current = output
    context.expand(node, steps, constants)


@lowers("Mean")
def mean(context: Context, node: Node) -> None:
    """Sum over count."""
    steps: list[Step] = [
        ("Sum", node.inputs, ".sum", {}),
        ("Mul", [".sum", ".part"], node.outputs[0], {}),
    ]
    context.expand(node, steps, {".part": np.array(1.0 / len(node.inputs))})


@lowers("ReduceMin")
def reduce_min(context: Context, node: Node) -> None:
    """-max(-x)."""
    _reduce(context, node, [("Neg", [node.inputs[0]], ".x", {})], "ReduceMax", negate=True)


@lowers("ReduceL1")
def reduce_l1(context: Context, node: Node) -> None:
    """Sum of |x|."""
    _reduce(context, node, [("Abs", [node.inputs[0]], ".x", {})], "ReduceSum")


@lowers("ReduceSumSquare")
def reduce_sum_square(context: Context, node: Node) -> None:
    """Sum of x^2, one constraint an element."""
    _reduce(context, node, [("Mul", [node.inputs[0]] * 2, ".x", {})], "ReduceSum")


@lowers("ReduceProd")
def reduce_product(context: Context, node: Node) -> None:
    """Pairs, then pairs of products; one constraint a product."""
    groups, shape = groups_of(context, node)
    members = groups.shape[1]
    flat = {".flat": np.array([-1], dtype=np.int64), ".shape": np.array(shape, dtype=np.int64)}
    steps: list[Step] = [("Reshape", [node.inputs[0], ".flat"], ".x", {})]
    names = [f".m{k}" for k in range(members)]
    for k, name in enumerate(names):
        flat[f".i{k}"] = groups[:, k].copy()
        steps.append(("Gather", [".x", f".i{k}"], name, {}))
    while len(names) > 1:
        pairs = list(zip(names[::2], names[1::2], strict=False))
        products = [f"{a}*" for a, _ in pairs]
        steps += [("Mul", [a, b], y, {}) for (a, b), y in zip(pairs, products, strict=True)]
        names = products + names[2 * len(pairs) :]
    context.expand(node, [*steps, ("Reshape", [names[0], ".shape"], node.outputs[0], {})], flat)


def _reduce(context: Context, node: Node, first: list[Step], operator: str, *, negate: bool = False) -> None:
    output = ".y" if negate else node.outputs[0]
    steps = [*first, (operator, [".x", *node.inputs[1:]], output, node.attributes)]
    if negate:
        steps.append(("Neg", [".y"], node.outputs[0], {}))
    context.expand(node, steps)


@lowers("HardSigmoid")
def hard_sigmoid(context: Context, node: Node) -> None:
    """min(max(alpha x + beta, 0), 1)."""
    _hard_sigmoid(context, node, node.float("alpha", 0.2), node.float("beta", 0.5), node.outputs[0])


@lowers("HardSwish")
def hard_swish(context: Context, node: Node) -> None:
    """x times hard sigmoid with alpha 1/6, beta 1/2."""
    _hard_sigmoid(context, node, 1 / 6, 0.5, ".gate")
    context.expand(node, [("Mul", [node.inputs[0], ".gate"], node.outputs[0], {})])


def _hard_sigmoid(context: Context, node: Node, alpha: float, beta: float, output: str) -> None:
    steps: list[Step] = [
        ("Mul", [node.inputs[0], ".alpha"], ".scaled", {}),
        ("Add", [".scaled", ".beta"], ".shifted", {}),
        ("Clip", [".shifted", ".zero", ".one"], output, {}),
    ]
    constants = {
        ".alpha": np.array(alpha),
        ".beta": np.array(beta),
        ".zero": np.array(0.0),
        ".one": np.array(1.0),
    }
    context.expand(node, steps, constants)


@lowers("Pow")
def power(context: Context, node: Node) -> None:
    """Constant exponents: whole ones by products, others of positive numbers by table.

    A computed one is exp(y log x): of a positive constant x for every y, else of positive x alone.
    """
    if not context.is_constant(node, 1):
        _computed_exponent(context, node)
        return
    exponents = context.weights(node, 1, "the exponent")
    if context.is_integer(node.outputs[0]) and ((exponents < 0) | (exponents != np.rint(exponents))).any():
        raise node.unsupported("a root or a reciprocal of whole numbers; cast them to real ones first")
    shape = np.broadcast_shapes(*(context.shape(name) for name in node.inputs))
    steps: list[Step] = [("Expand", [node.inputs[0], ".shape"], ".x", {})]
    constants: dict[str, Array] = {".shape": np.array(shape, dtype=np.int64)}
    found = np.unique(exponents)
    if found.size == 1:
        context.expand(node, [*steps, *_power(".x", float(found[0]), node.outputs[0], "")], constants)
        return
    # the elements of each exponent apart, then all in their places
    steps.append(("Reshape", [".x", ".flat"], ".all", {}))
    constants[".flat"] = np.array([-1], dtype=np.int64)
    flat = np.broadcast_to(exponents, shape).ravel()
    order = []
    for k, exponent in enumerate(found):
        constants[f".i{k}"] = np.flatnonzero(flat == exponent)
        order.append(constants[f".i{k}"])
        steps.append(("Gather", [".all", f".i{k}"], f".x{k}", {}))
        steps += _power(f".x{k}", float(exponent), f".y{k}", f"{k}.")
    constants[".order"] = np.argsort(np.concatenate(order))
    steps += [
        ("Concat", [f".y{k}" for k in range(found.size)], ".joined", {"axis": 0}),
        ("Gather", [".joined", ".order"], ".y", {}),
        ("Reshape", [".y", ".shape"], node.outputs[0], {}),
    ]
    context.expand(node, steps, constants)


def _computed_exponent(context: Context, node: Node) -> None:
    x, exponent = node.inputs
    if not context.is_constant(node, 0):
        steps: list[Step] = [
            ("Log", [x], ".log", {}),
            ("Mul", [exponent, ".log"], ".power", {}),
            ("Exp", [".power"], node.outputs[0], {}),
        ]
        context.expand(node, steps)
        return
    base = context.weights(node, 0, "the base")
    if (base <= 0).any():
        raise node.unsupported("a base of zero or less under a computed exponent")
    steps = [("Mul", [exponent, ".log"], ".power", {}), ("Exp", [".power"], node.outputs[0], {})]
    context.expand(node, steps, {".log": np.log(base)})


MOST_PRODUCTS = 16
"""Whole exponents up to this are products, of at most six factors."""


def _power(x: str, exponent: float, y: str, tag: str) -> list[Step]:
    special = {-1.0: "Reciprocal", 0.5: "Sqrt", 1.0: "Identity"}
    if exponent in special:
        return [(special[exponent], [x], y, {})]
    if exponent != int(exponent) or not 1 < exponent <= MOST_PRODUCTS:
        return [("assay.Power", [x], y, {"exponent": exponent})]
    whole, square, steps = int(exponent), x, list[Step]()
    factors = []
    for bit in range(whole.bit_length()):
        if whole >> bit & 1:
            factors.append(square)
        if whole >> (bit + 1):
            steps.append(("Mul", [square, square], f".{tag}s{bit}", {}))
            square = f".{tag}s{bit}"
    for k, factor in enumerate(factors[1:]):
        steps.append(("Mul", [factors[0] if k == 0 else f".{tag}p{k - 1}", factor], f".{tag}p{k}", {}))
    operator, inputs, _, attributes = steps[-1]
    return [*steps[:-1], (operator, inputs, y, attributes)]


@lowers("ThresholdedRelu")
def thresholded_relu(context: Context, node: Node) -> None:
    """x where it is greater than alpha, else 0."""
    x = node.inputs[0]
    steps: list[Step] = [("Greater", [x, ".alpha"], ".c", {}), ("Mul", [".c", x], node.outputs[0], {})]
    context.expand(node, steps, {".alpha": np.array(node.float("alpha", 1.0))})


@lowers("Shrink")
def shrink(context: Context, node: Node) -> None:
    """x + bias below -lambd, x - bias above lambd, else 0."""
    x = node.inputs[0]
    steps: list[Step] = [
        ("Greater", [x, ".hi"], ".a", {}),
        ("Less", [x, ".lo"], ".b", {}),
        ("Sub", [x, ".bias"], ".x", {}),
        ("Add", [x, ".bias"], ".y", {}),
        ("Mul", [".a", ".x"], ".p", {}),
        ("Mul", [".b", ".y"], ".q", {}),
        ("Add", [".p", ".q"], node.outputs[0], {}),
    ]
    limit = node.float("lambd", 0.5)
    constants = {".hi": np.array(limit), ".lo": np.array(-limit), ".bias": np.array(node.float("bias", 0.0))}
    context.expand(node, steps, constants)


@lowers("ReduceLogSum", "ReduceLogSumExp")
def reduce_log(context: Context, node: Node) -> None:
    """Logarithm of a sum, of exponentials below the greatest element."""
    x, y = node.inputs[0], node.outputs[0]
    if node.operator == "ReduceLogSum":
        context.expand(
            node, [("ReduceSum", list(node.inputs), ".s", node.attributes), ("Log", [".s"], y, {})]
        )
        return
    kept = {**node.attributes, "keepdims": 1}
    steps: list[Step] = [
        ("ReduceMax", list(node.inputs), ".top", kept),
        ("Sub", [x, ".top"], ".below", {}),
        ("Exp", [".below"], ".e", {}),
        ("ReduceSum", [".e", *node.inputs[1:]], ".sum", node.attributes),
        ("Log", [".sum"], ".log", {}),
        ("ReduceMax", list(node.inputs), ".most", node.attributes),
        ("Add", [".log", ".most"], y, {}),
    ]
    context.expand(node, steps)
