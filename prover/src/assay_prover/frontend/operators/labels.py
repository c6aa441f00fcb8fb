"""Labels and scores of ai.onnx.ml's classifiers, and dictionaries from numbers to labels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from assay_prover.frontend.context import Context, Step
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers


def vector(node: Node, name: str) -> np.ndarray:
    """A list of numbers given as an attribute, or as a tensor in double precision."""
    value = node.attributes.get(f"{name}_as_tensor", node.attributes.get(name, ()))
    if isinstance(value, TensorProto):
        value = numpy_helper.to_array(value)
    return np.asarray(value, dtype=np.float64).ravel()


def feature_count(context: Context, node: Node, position: int = 0) -> int:
    """Features of the one sample.

    Raises:
        UnsupportedModel: several samples.
    """
    shape = context.shape(node.inputs[position])
    if prod(shape[:-1]) != 1:
        raise node.unsupported("more than one sample")
    return shape[-1]


def classes_of(node: Node) -> list[int] | tuple[str, ...]:
    """Numbers or names of the classes."""
    for name in ("classlabels_int64s", "classlabels_ints"):
        if node.attributes.get(name):
            return list(node.ints(name, ()))
    names = node.attributes.get("classlabels_strings")
    if not names:
        raise node.unsupported("the class labels are missing")
    return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)


def emit_scores(context: Context, node: Node, transform: str, y: str) -> None:
    """The post-transform of `.scores`."""
    name = context.part(node, ".scores")
    steps: dict[str, list[Step]] = {
        "NONE": [("Identity", [name], y, {})],
        "LOGISTIC": [("Sigmoid", [name], y, {})],
        "SOFTMAX": [("Softmax", [name], y, {"axis": -1})],
    }
    if transform not in steps:
        raise node.unsupported(f"post_transform {transform}")
    context.expand(node.writing(y), steps[transform])


def emit_classifier(context: Context, node: Node, transform: str) -> None:
    """Scores (after the transform) and the label, the class of the greatest score."""
    label, scores = (*node.outputs, "")[:2]
    if label and context.is_used(label):
        emit_label(context, node.writing(label), context.part(node, ".scores"))
    if scores and context.is_used(scores):
        emit_scores(context, node, transform, scores)


def emit_label(context: Context, node: Node, scores: str) -> None:
    """The class at the greatest score; of equal ones the first."""
    argmax: Step = ("ArgMax", [scores], ".position", {"axis": -1, "keepdims": 0})
    context.expand(node, [argmax])
    name_classes(context, node, context.part(node, ".position"), classes_of(node))


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
        index = context.part(node, ".index")
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
    index = context.part(node, ".i")
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
        values, missing = vector(node, "values_tensor"), vector(node, "default_tensor")
        return values.tolist(), float(missing[0])
    raise node.unsupported("values of this kind")


@lowers("ZipMap")
def zip_map(context: Context, node: Node) -> None:
    """The values of the map, in the classes' order."""
    context.note(f"ZipMap {node.name!r}: the output is the map's values, in the order of its classes")
    context.drop(node)
