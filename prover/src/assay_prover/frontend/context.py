"""State of one import: tensors known so far, the operations emitted, and what lowerings need to ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from assay_prover.errors import ModelError, UnsupportedModel
from assay_prover.frontend.folding import RANDOM, fold
from assay_prover.frontend.masks import Mask, moved, threshold
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowering, supported_operators
from assay_prover.graph.exact_ops import FloatCompare, FloatDivide, FloatOneHot, FloatRound
from assay_prover.graph.graph import (
    FloatAffine,
    FloatArgMax,
    FloatFunction,
    FloatMatMul,
    FloatMultiply,
    FloatOp,
    FloatReduceMax,
)
from assay_prover.graph.maps import Float64Array, FloatGather, FloatMap, Int64Array

Array = NDArray[Any]
Step = tuple[str, Sequence[str], str, Mapping[str, Any]]

INTEGER_TYPES = frozenset({2, 3, 4, 5, 6, 7, 12, 13, 21, 22})
"""onnx.TensorProto's integers of any width."""

EXPANSION_OPSET = 17
"""The operator set in which expansions are written."""


class Context:
    """Names map either to a constant array or to a tensor that depends on the input.

    A variable's `alias` is the tensor of the graph that holds its values; reshapes make a new shape over the
    same alias.
    """

    def __init__(self, input_name: str, input_shape: tuple[int, ...], graph: onnx.GraphProto) -> None:
        self.constants: dict[str, Array] = {}
        self.ops: list[FloatOp] = []
        self.notes: list[str] = []
        self.classes: dict[str, tuple[str, ...]] = {}
        """Names of classes, by the tensor that holds a class's position instead."""
        self.nodes: Sequence[onnx.NodeProto] = list(graph.node)
        self.scores: set[str] | None = None
        """Tensors that end in a Softmax alone, once somebody asked (`masks`)."""
        self._consumers: dict[str, list[onnx.NodeProto]] = {}
        for proto in graph.node:
            for name in proto.input:
                self._consumers.setdefault(name, []).append(proto)
        self._outputs = {value.name for value in graph.output}
        self._given = {value.name for value in (*graph.input, *graph.initializer)}
        self._given.update(_written(graph.node))
        self._types = {
            value.name: value.type.tensor_type.elem_type
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
        self._shapes: dict[str, tuple[int, ...]] = {input_name: input_shape}
        self._alias: dict[str, str] = {input_name: input_name}
        self._dropped: dict[str, str] = {}
        self.masks: dict[str, Mask] = {}
        """Tensors with elements that stand for minus infinity."""
        self._whole = {input_name} if self.is_integer(input_name) or self.is_boolean(input_name) else set()

    def note(self, text: str) -> None:
        """Record something the user should know about the import."""
        self.notes.append(text)

    def claim(self, node: Node, name: str) -> None:
        """A tensor's name, before the node writes it: branches beside each other may use one twice.

        Raises:
            UnsupportedModel: the name is taken.
        """
        if name and (name in self.constants or name in self._alias):
            raise node.unsupported(f"another tensor is named {name!r}; rename one")

    def has(self, node: Node, position: int) -> bool:
        """Whether an optional input is given."""
        return position < len(node.inputs) and node.inputs[position] != ""

    def is_constant(self, node: Node, position: int) -> bool:
        """Whether an input is known at compile time."""
        return self.has(node, position) and node.inputs[position] in self.constants

    def constant(self, node: Node, position: int, what: str) -> Array:
        """An input that must be known at compile time.

        Raises:
            UnsupportedModel: it is computed from the model's input, or absent.
        """
        if not self.has(node, position):
            raise node.unsupported(f"{what} is missing")
        if node.inputs[position] not in self.constants:
            raise node.unsupported(f"{what} must be a constant, it is computed from the input")
        return self.constants[node.inputs[position]]

    def type_of(self, name: str) -> int:
        """onnx.TensorProto's number of a tensor's type; 0 of an expansion's own computed tensor."""
        if name in self.constants:
            return int(helper.np_dtype_to_tensor_dtype(self.constants[name].dtype))
        return int(self._types.get(name, 0))

    def is_integer(self, name: str) -> bool:
        """Whether the file declares whole numbers; an expansion's own tensors count as real."""
        return self._types.get(name) in INTEGER_TYPES

    def is_boolean(self, name: str) -> bool:
        """Whether the file declares truth values."""
        return bool(self._types.get(name) == onnx.TensorProto.BOOL)

    def is_whole(self, name: str) -> bool:
        """Whether the file declares whole numbers or truth values, or an operation makes them."""
        return self.is_integer(name) or self.is_boolean(name) or self._alias.get(name) in self._whole

    def _makes_whole(self, op: FloatOp) -> bool:
        match op:
            case FloatArgMax() | FloatRound() | FloatCompare() | FloatOneHot():
                return True
            case FloatAffine():
                if not self._whole.issuperset(op.inputs):
                    return False
                parts = [op.bias, *(linear.coefficients for linear in op.maps)]
                return all(bool((part == np.rint(part)).all()) for part in parts)
            case FloatMultiply() | FloatMatMul() | FloatReduceMax():
                return self._whole.issuperset(op.inputs)
            case _:
                return False

    def weights(self, node: Node, position: int, what: str) -> Float64Array:
        """A finite constant as float64."""
        values = np.asarray(self.constant(node, position, what), dtype=np.float64)
        if not np.isfinite(values).all():
            raise node.unsupported(f"{what} holds NaN or infinity")
        return values

    def terms_to_add(self, node: Node, position: int, shape: tuple[int, ...]) -> tuple[Float64Array, Array]:
        """A constant to add to a tensor of that shape, and where it is so far below zero that it masks."""
        values = np.broadcast_to(
            np.asarray(self.constant(node, position, "the operand"), dtype=np.float64), shape
        )
        masked = values <= threshold(self, node)
        return np.where(masked, 0.0, values), masked

    def unmasked(self, name: str) -> str:
        """A name for the tensor's values, whatever they are where it is masked."""
        if name not in self.masks:
            return name
        plain = self._apart(f"{name}/values")
        self._shapes[plain], self._alias[plain] = self._shapes[name], self._alias[name]
        return plain

    def blank(self, name: str, shape: tuple[int, ...], masked: str) -> None:
        """A tensor that only masks, where `masked` says; it has no values that something could read."""
        self._shapes[name], self._alias[name] = shape, self._alias[masked]

    def integers(self, node: Node, position: int, attribute: str) -> tuple[int, ...] | None:
        """A list given as an attribute (older opsets) or as a constant input (newer); None when absent."""
        if attribute in node.attributes:
            return node.ints(attribute, ())
        if self.has(node, position):
            return tuple(int(v) for v in np.ravel(self.constant(node, position, attribute)))
        return None

    def reals(self, node: Node, position: int, attribute: str) -> tuple[float, ...] | None:
        """The same for real numbers."""
        if attribute in node.attributes:
            return tuple(float(v) for v in node.attributes[attribute])
        if self.has(node, position):
            return tuple(float(v) for v in np.ravel(self.constant(node, position, attribute)))
        return None

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a constant or a variable."""
        return self.constants[name].shape if name in self.constants else self._shapes[name]

    def variable(self, node: Node, position: int) -> str:
        """The graph tensor behind an input that depends on the model's input."""
        if not self.has(node, position):
            raise node.unsupported(f"input {position} is missing")
        name = node.inputs[position]
        if name not in self._alias:
            raise node.unsupported(f"input {name!r} must depend on the model's input")
        if name in self.masks:
            raise node.unsupported("infinity, which is supported as a mask right before a Softmax only")
        return self._alias[name]

    def emit(self, node: Node, op: FloatOp) -> None:
        """Append an operation whose output is the node's first output."""
        if not prod(op.shape):
            raise node.unsupported("an empty tensor")
        self.ops.append(op)
        if self._makes_whole(op):
            self._whole.add(op.output)
        self._shapes[op.output] = op.shape
        self._alias[op.output] = op.output
        if op.output != node.outputs[0]:
            raise ValueError(f"{node.name}: an operation must write the node's output")

    def alias(self, node: Node, position: int, shape: tuple[int, ...]) -> None:
        """The node's output is an input's values under another shape: nothing is computed."""
        source = node.inputs[position]
        if not prod(shape):
            raise node.unsupported("an empty tensor")
        if source in self.constants:
            self.constants[node.outputs[0]] = self.constants[source].reshape(shape)
            return
        if prod(shape) != prod(self._shapes[source]):
            raise node.unsupported(f"cannot view {self._shapes[source]} as {shape}")
        self._shapes[node.outputs[0]] = shape
        self._alias[node.outputs[0]] = self._alias[source]
        if source in self.masks:
            mask = self.masks[source]
            computed = mask.computed
            if computed is not None:
                computed = self.part(node, ".masked.view")
                self._shapes[computed], self._alias[computed] = shape, self._alias[str(mask.computed)]
            self.masks[node.outputs[0]] = replace(mask, known=mask.known.reshape(shape), computed=computed)
        if source in self.classes:
            self.classes[node.outputs[0]] = self.classes[source]

    def _apart(self, name: str) -> str:
        """The name itself, or one like it, such that no tensor of the file has it."""
        while name in self._given:
            name += "'"
        return name

    def part(self, node: Node, name: str) -> str:
        """The tensor that expansions of the node call `name`, which starts with "."."""
        return self._apart(f"{next(output for output in node.outputs if output)}/{name[1:]}")

    def view(self, name: str) -> str:
        """A name for the same values under another shape."""
        return self._apart(f"{name}/view")

    def expand(self, node: Node, steps: Sequence[Step], constants: Mapping[str, Array] | None = None) -> None:
        """Lower a node as simpler ones. A step is (operator, inputs, output, attributes).

        Names that start with "." are the expansion's own; `constants` are its own too.
        """

        def local(name: str) -> str:
            return self.part(node, name) if name.startswith(".") else name

        for name, value in (constants or {}).items():
            if local(name) in self._alias:
                raise ValueError(f"{node.operator}: two of its expansions write {name!r}")
            self.constants[local(name)] = np.asarray(value)
        for operator, inputs, output, attributes in steps:
            names = [local(name) for name in inputs]
            if local(output) in self.constants or local(output) in self._alias:
                raise ValueError(f"{node.operator}: two of its expansions write {output!r}")
            proto = helper.make_node(operator, names, [local(output)], name=node.name, **attributes)
            step = Node(proto, EXPANSION_OPSET)
            if not operator.startswith("assay.") and all(n in self.constants for n in names if n):
                known = {n: _real64(self.constants[n]) for n in names if n}
                self.constants |= fold(step, known, [helper.make_opsetid("", EXPANSION_OPSET)])
                continue
            lower = lowering(operator)
            if lower is None:
                raise ValueError(f"{node.operator} expands to {operator}, which nothing lowers")
            lower(self, step)

    def drop(self, node: Node) -> None:
        """The node's output is replaced by its input, which has other values."""
        self.alias(node, 0, self.shape(node.inputs[0]))
        self._dropped[node.outputs[0]] = node.inputs[0]

    def stands_for(self, name: str) -> str:
        """The ONNX tensor whose values a name has here."""
        while name in self._dropped:
            name = self._dropped[name]
        return name

    def affine(
        self,
        node: Node,
        shape: tuple[int, ...],
        terms: Sequence[tuple[str, FloatMap]],
        bias: Float64Array | None = None,
    ) -> None:
        """Emit y = sum map(x) + bias as the node's output; `bias` broadcasts to `shape`."""
        full = np.zeros(shape) if bias is None else np.broadcast_to(np.asarray(bias, dtype=np.float64), shape)
        names, maps = zip(*terms, strict=True)
        self.emit(node, FloatAffine(names, node.outputs[0], shape, maps, full.ravel().copy(), node.name))

    def gather(self, node: Node, position: int, index: Int64Array) -> None:
        """Emit a selection of an input's elements; `index` has the output's shape, -1 gives zero."""
        size = prod(self.shape(node.inputs[position]))
        shape = tuple(int(d) for d in index.shape)
        if size == index.size and bool((index.ravel() == np.arange(size)).all()):
            self.alias(node, position, shape)
            return
        if (mask := self.masks.get(node.inputs[position])) is not None:
            moved_mask = moved(self, node, mask, index)
            if mask.blank:
                self.blank(node.outputs[0], shape, str(moved_mask.computed))
            else:
                self.gather(node.reading(self.unmasked(node.inputs[position])), 0, index)
            self.masks[node.outputs[0]] = moved_mask
            return
        self.affine(node, shape, [(self.variable(node, position), FloatGather(index.ravel().copy(), size))])

    def places(self, node: Node, position: int) -> Int64Array:
        """Flat element numbers of an input in its own shape: index arithmetic by numpy's own functions."""
        shape = self.shape(node.inputs[position])
        return np.arange(prod(shape), dtype=np.int64).reshape(shape)

    def output(self, name: str) -> tuple[str, tuple[int, ...]]:
        """Tensor and shape behind the model's output.

        Raises:
            ModelError: the output does not depend on the input.
        """
        if name not in self._alias:
            raise ModelError(f"output {name!r} does not depend on the input")
        if name in self.masks:
            raise ModelError(f"output {name!r} holds infinities")
        return self._alias[name], self._shapes[name]

    def makes_undefined(self, name: str) -> str | None:
        """An operation behind a computed tensor whose result is not defined for every argument, if any."""
        producers = {op.output: op for op in self.ops}
        waiting, seen = [self._alias[name]], {self._alias[name]}
        while waiting:
            op = producers.get(waiting.pop())
            if op is None:
                continue
            if isinstance(op, FloatDivide) or (isinstance(op, FloatFunction) and not op.is_total):
                return op.label
            waiting += [before for before in op.inputs if before not in seen]
            seen.update(op.inputs)
        return None

    def is_used(self, name: str) -> bool:
        """Whether something reads it, or the network ends in it."""
        return name in self._outputs or name in self._consumers

    def readers(self, name: str) -> Sequence[onnx.NodeProto]:
        """The file's nodes that read a tensor."""
        return self._consumers.get(name, [])

    def is_output(self, name: str) -> bool:
        """Whether the network ends in it."""
        return name in self._outputs

    def tensor(self, name: str) -> str:
        """The graph tensor behind a computed name."""
        return self._alias[name]

    def followers(self, node: Node) -> list[Node]:
        """Nodes that read the node's outputs; none means that it ends the network."""
        return [Node(proto, node.opset) for name in node.outputs for proto in self._consumers.get(name, [])]


def _written(nodes: Iterable[onnx.NodeProto]) -> Iterator[str]:
    """Names that nodes and their own graphs define."""
    for node in nodes:
        yield from node.output
        for part in node.attribute:
            for body in (part.g, *part.graphs):
                yield from (tensor.name for tensor in body.initializer)
                yield from _written(body.node)


def refuse(node: Node) -> UnsupportedModel:
    """The error for an operator that no lowering knows."""
    if node.operator in RANDOM:
        return node.unsupported("a random operator has no fixed meaning in a proof")
    return UnsupportedModel(node.name, node.operator, "operator is not supported", supported_operators())


def _real64(array: Array) -> Array:
    """Expansions compute in float64, whatever the file's precision."""
    return array.astype(np.float64) if array.dtype.kind == "f" else array
