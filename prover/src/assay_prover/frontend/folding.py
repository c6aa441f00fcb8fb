"""Nodes whose inputs are all constant, computed by onnx's own reference implementation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from assay_prover.frontend.inputs_outputs import captured

if TYPE_CHECKING:
    from assay_prover.frontend.node import Node

    Array = NDArray[Any]

IR_VERSION = 10

NEWER_OPSET = 21

RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
)


def fold(
    node: Node, constants: Mapping[str, Array], opsets: Iterable[onnx.OperatorSetIdProto]
) -> dict[str, Array]:
    """The node's outputs by name.

    Raises:
        UnsupportedModel: a random operator, one that onnx cannot compute, or a result that is not finite.
    """
    if node.operator in RANDOM:
        raise node.unsupported("a random operator has no fixed meaning in a proof")
    outputs = [name for name in node.outputs if name]
    known = {
        name: np.asarray(constants[name])
        for name in {name for name in node.inputs if name} | captured(node.proto)
    }
    if node.operator == "CumSum":
        # runtimes take an axis in a list of one, too
        known[node.inputs[1]] = known[node.inputs[1]].reshape(())
    graph = helper.make_graph(
        [node.proto],
        "constant",
        [],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in sorted(known.items())],
    )
    try:
        results = _evaluate(graph, list(opsets))
    except (RuntimeError, ValueError, TypeError, NotImplementedError, IndexError, KeyError) as error:
        raise node.unsupported(f"cannot be folded: {error}") from error
    return {name: _finite(node, np.asarray(value)) for name, value in zip(outputs, results, strict=True)}


def _evaluate(graph: onnx.GraphProto, opsets: list[onnx.OperatorSetIdProto]) -> list[Any]:
    """By the graph's own operator sets, or a newer one where onnx no longer implements an old operator."""
    newer = [helper.make_opsetid("", NEWER_OPSET), *(entry for entry in opsets if entry.domain)]
    with np.errstate(all="ignore"):  # what is not finite is refused afterwards
        try:
            model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
            return list(ReferenceEvaluator(model).run(None, {}))
        except RuntimeError as error:
            if "No implementation for operator" not in str(error):
                raise
            model = helper.make_model(graph, opset_imports=newer, ir_version=IR_VERSION)
            return list(ReferenceEvaluator(model).run(None, {}))


def _finite(node: Node, array: Array) -> Array:
    """Minus infinity is let through: it may become a mask, and `Context.weights` refuses it elsewhere."""
    if array.dtype.kind == "f" and (np.isnan(array) | np.isposinf(array)).any():
        raise node.unsupported("folds to NaN or infinity")
    return array
