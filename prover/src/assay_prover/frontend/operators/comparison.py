"""Comparisons, logic on their bits, Where, and rounding to whole numbers: exact in the circuit."""

from __future__ import annotations

from math import prod

import numpy as np

from assay_prover.frontend.context import Context, Step
from assay_prover.frontend.masks import hide, scores_or_mask
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers
from assay_prover.graph.exact_ops import FloatCompare, FloatRound

Constants = dict[str, np.ndarray]

ONE = {".one": np.array(1.0)}


def emit_compare(context: Context, node: Node, threshold: np.ndarray, strict: np.ndarray) -> None:
    """[x > threshold] or [x >= threshold] of the node's first input, flat arrays."""
    shape = context.shape(node.inputs[0])
    source = context.variable(node, 0)
    context.emit(node, FloatCompare(source, node.outputs[0], shape, threshold, strict, node.name))


@lowers("assay.Positive", "assay.NonNegative")
def positive(context: Context, node: Node) -> None:
    """[x > 0] and [x >= 0]; only in expansions."""
    size = prod(context.shape(node.inputs[0]))
    strict = node.operator == "assay.Positive"
    emit_compare(context, node, np.zeros(size), np.full(size, strict))


@lowers("Greater", "Less", "GreaterOrEqual", "LessOrEqual")
def compare(context: Context, node: Node) -> None:
    """The sign of the difference; equal integers are equal, there is one zero."""
    a, b = node.inputs
    if node.operator.startswith("Less"):
        a, b = b, a
    sign = "assay.NonNegative" if node.operator.endswith("OrEqual") else "assay.Positive"
    context.expand(node, [("Sub", [a, b], ".d", {}), (sign, [".d"], node.outputs[0], {})])


@lowers("Equal")
def equal(context: Context, node: Node) -> None:
    """[d >= 0] - [d > 0]: of the integers that stand for both sides."""
    steps: list[Step] = [
        ("Sub", list(node.inputs), ".d", {}),
        ("assay.NonNegative", [".d"], ".a", {}),
        ("assay.Positive", [".d"], ".b", {}),
        ("Sub", [".a", ".b"], node.outputs[0], {}),
    ]
    context.expand(node, steps)


@lowers("Sign")
def sign(context: Context, node: Node) -> None:
    """[x > 0] + [x >= 0] - 1."""
    x = node.inputs[0]
    steps: list[Step] = [
        ("assay.NonNegative", [x], ".a", {}),
        ("assay.Positive", [x], ".b", {}),
        ("Add", [".a", ".b"], ".c", {}),
        ("Sub", [".c", ".one"], node.outputs[0], {}),
    ]
    context.expand(node, steps, ONE)


@lowers("Not")
def negation(context: Context, node: Node) -> None:
    """1 - x."""
    context.expand(node, [("Sub", [".one", node.inputs[0]], node.outputs[0], {})], ONE)


@lowers("And", "Or", "Xor")
def logic(context: Context, node: Node) -> None:
    """a b; a + b - a b; a + b - 2 a b."""
    a, b = node.inputs
    y = node.outputs[0]
    for name in (a, b):
        if node.operator == "And" and name in context.constants and not context.constants[name].any():
            shape = np.broadcast_shapes(context.shape(a), context.shape(b))
            context.constants[y] = np.zeros(shape, dtype=bool)
            return
    steps: list[Step] = [("Mul", [a, b], y if node.operator == "And" else ".ab", {})]
    if node.operator != "And":
        steps += [("Add", [a, b], ".sum", {}), ("Sub", [".sum", ".ab"], ".or", {})]
        steps.append(
            ("Identity", [".or"], y, {}) if node.operator == "Or" else ("Sub", [".or", ".ab"], y, {})
        )
    context.expand(node, steps)


def _masks(context: Context, node: Node, condition: np.ndarray) -> bool:
    """A constant condition between scores and minus infinity: the scores, masked."""
    for scores, filler, hidden in ((1, 2, ~condition), (2, 1, condition)):
        if context.is_constant(node, filler) and not context.is_constant(node, scores):
            shape = np.broadcast_shapes(*(context.shape(name) for name in node.inputs))
            _, infinite = context.terms_to_add(node, filler, shape)
            hidden = np.broadcast_to(hidden, shape)
            if hidden.any() and infinite[hidden].all():
                spread: Step = ("assay.Expand", [node.inputs[scores], ".shape"], node.outputs[0], {})
                context.expand(node, [spread], {".shape": np.array(shape, dtype=np.int64)})
                hide(context, node, hidden)
                return True
    return False


@lowers("Where")
def where(context: Context, node: Node) -> None:
    """b + c (a - b); with a constant condition, both sides masked."""
    condition, a, b = node.inputs
    if condition in context.constants:
        mask = np.asarray(context.constants[condition], dtype=np.float64)
        if mask.size and (mask == mask.ravel()[0]).all():
            shape = np.broadcast_shapes(*(context.shape(name) for name in node.inputs))
            taken: Step = ("Expand", [a if mask.ravel()[0] else b, ".shape"], node.outputs[0], {})
            context.expand(node, [taken], {".shape": np.array(shape, dtype=np.int64)})
            return
        if _masks(context, node, mask > 0):
            return
        masks = {".yes": mask, ".no": 1.0 - mask}
        steps: list[Step] = [("Mul", [a, ".yes"], ".a", {}), ("Mul", [b, ".no"], ".b", {})]
        context.expand(node, [*steps, ("Add", [".a", ".b"], node.outputs[0], {})], masks)
        return
    if scores_or_mask(context, node):
        return
    steps = [("Sub", [a, b], ".d", {}), ("Mul", [condition, ".d"], ".m", {})]
    if a in context.constants and b in context.constants:
        difference = context.constants[a].astype(np.float64) - context.constants[b].astype(np.float64)
        context.expand(node, [("Mul", [condition, ".d"], ".m", {})], {".d": difference})
        context.expand(node, [("Add", [".m", b], node.outputs[0], {})])
        return
    context.expand(node, [*steps, ("Add", [".m", b], node.outputs[0], {})])


@lowers("Round", "Floor")
def rounding(context: Context, node: Node) -> None:
    """Round's halves go to the even integer."""
    shape, even = context.shape(node.inputs[0]), node.operator == "Round"
    margin = node.float("margin", FloatRound.margin)
    context.emit(node, FloatRound(context.variable(node, 0), node.outputs[0], shape, even, node.name, margin))


@lowers("Ceil")
def ceil(context: Context, node: Node) -> None:
    """The negated floor of -x."""
    steps: list[Step] = [
        ("Neg", [node.inputs[0]], ".m", {}),
        ("Floor", [".m"], ".y", {}),
        ("Neg", [".y"], node.outputs[0], {}),
    ]
    context.expand(node, steps)


def whole_quotient(x: str, divisor: np.ndarray, y: str, *, truncate: bool) -> tuple[list[Step], Constants]:
    """Steps for the floor of x / b, or for it truncated, of whole numbers x.

    (x + 1/2) / b has the same floor and is no closer than 1 / (2 b) to a whole number, so that the
    reciprocal of b may be rounded.
    """
    part = 1.0 / np.abs(divisor)
    near = {"margin": min(FloatRound.margin, float(part.min()) / 2)}
    constants = {".part": part, ".half": part / 2, ".sign": np.sign(divisor)}
    steps: list[Step] = [("Mul", [x, ".sign"], ".n", {})]
    sides = [(".n", ".q", y)]
    if truncate:
        steps += [("Relu", [".n"], ".p", {}), ("Neg", [".n"], ".m", {}), ("Relu", [".m"], ".o", {})]
        sides = [(".p", ".q", ".a"), (".o", ".r", ".b")]
    for source, tag, result in sides:
        steps += [
            ("Mul", [source, ".part"], f"{tag}.part", {}),
            ("Add", [f"{tag}.part", ".half"], f"{tag}.more", {}),
            ("Floor", [f"{tag}.more"], result, near),
        ]
    return [*steps, *([("Sub", [".a", ".b"], y, {})] if truncate else [])], constants


@lowers("assay.Truncate")
def truncate(context: Context, node: Node) -> None:
    """Towards zero: floor(relu(x)) - floor(relu(-x))."""
    x = node.inputs[0]
    steps: list[Step] = [
        ("Relu", [x], ".p", {}),
        ("Floor", [".p"], ".a", {}),
        ("Neg", [x], ".m", {}),
        ("Relu", [".m"], ".n", {}),
        ("Floor", [".n"], ".b", {}),
        ("Sub", [".a", ".b"], node.outputs[0], {}),
    ]
    context.expand(node, steps)


@lowers("Mod")
def modulo(context: Context, node: Node) -> None:
    """x - b floor(x / b), the sign of b; with `fmod` truncated, the sign of x. b is a constant."""
    divisor = context.weights(node, 1, "the divisor")
    if (divisor == 0).any():
        raise node.unsupported("the divisor holds a zero")
    truncated = bool(node.int("fmod", 0))
    if context.is_whole(node.inputs[0]) and (divisor == np.rint(divisor)).all():
        steps, constants = whole_quotient(node.inputs[0], divisor, ".whole", truncate=truncated)
    else:
        constants = {".part": 1.0 / divisor}
        steps = [("Mul", [node.inputs[0], ".part"], ".q", {})]
        steps.append(("assay.Truncate" if truncated else "Floor", [".q"], ".whole", {}))
    steps += [
        ("Mul", [".whole", ".divisor"], ".multiple", {}),
        ("Sub", [node.inputs[0], ".multiple"], node.outputs[0], {}),
    ]
    context.expand(node, steps, constants | {".divisor": divisor})


@lowers("IsNaN", "IsInf")
def never(context: Context, node: Node) -> None:
    """A computed tensor is always finite."""
    context.constants[node.outputs[0]] = np.zeros(context.shape(node.inputs[0]), dtype=bool)
