"""Functions by table: Sigmoid, Tanh, Gelu, Exp and their kin, and what is made of them (Softmax, Swish)."""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Context, Step
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers
from assay_prover.graph.functions import FUNCTIONS
from assay_prover.graph.graph import FloatFunction


def emit(context: Context, node: Node, kind: str, *parameters: float) -> None:
    """One table lookup an element."""
    shape = context.shape(node.inputs[0])
    source = context.variable(node, 0)
    context.emit(node, FloatFunction(source, node.outputs[0], shape, kind, parameters, node.name))


@lowers(*(name for name, definition in FUNCTIONS.items() if definition.operator))
def plain(context: Context, node: Node) -> None:
    """Functions without parameters."""
    emit(context, node, node.operator)


@lowers("assay.Power")
def power(context: Context, node: Node) -> None:
    """x to a constant exponent; only in expansions."""
    emit(context, node, "Power", node.float("exponent", 1.0))


@lowers("Elu")
def elu(context: Context, node: Node) -> None:
    """alpha (exp(x) - 1) below zero."""
    emit(context, node, "Elu", node.float("alpha", 1.0))


@lowers("Celu")
def celu(context: Context, node: Node) -> None:
    """alpha (exp(x / alpha) - 1) below zero."""
    emit(context, node, "Celu", node.float("alpha", 1.0))


@lowers("Selu")
def selu(context: Context, node: Node) -> None:
    """gamma times Elu."""
    emit(
        context,
        node,
        "Selu",
        node.float("alpha", 1.67326319217681884765625),
        node.float("gamma", 1.05070102214813232421875),
    )


@lowers("Gelu")
def gelu(context: Context, node: Node) -> None:
    """Exact or by tanh, as the attribute says."""
    emit(context, node, "GeluTanh" if node.text("approximate", "none") == "tanh" else "Gelu")


@lowers("Swish")
def swish(context: Context, node: Node) -> None:
    """x sigmoid(alpha x)."""
    x, y = node.inputs[0], node.outputs[0]
    steps: list[Step] = [
        ("Mul", [x, ".alpha"], ".scaled", {}),
        ("Sigmoid", [".scaled"], ".gate", {}),
        ("Mul", [x, ".gate"], y, {}),
    ]
    context.expand(node, steps, {".alpha": np.array(node.float("alpha", 1.0))})
