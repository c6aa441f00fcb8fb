"""An ONNX node with its attributes as Python values."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import onnx
from onnx import helper

from assay_prover.errors import UnsupportedModel


class Node:
    """An ONNX node with its attributes as Python values."""

    def __init__(self, proto: onnx.NodeProto, opset: int) -> None:
        self.proto = proto
        self.operator: str = proto.op_type
        self.opset = opset
        self.inputs: tuple[str, ...] = tuple(proto.input)
        self.outputs: tuple[str, ...] = tuple(proto.output)
        self.name: str = proto.name or (self.outputs[0] if self.outputs else proto.op_type)
        self.attributes: dict[str, Any] = {
            a.name: helper.get_attribute_value(a)
            for a in proto.attribute
            if a.type != onnx.AttributeProto.GRAPH
        }

    def writing(self, output: str) -> Node:
        """The same node as if `output` were its only output."""
        proto = onnx.NodeProto()
        proto.CopyFrom(self.proto)
        del proto.output[:]
        proto.output.append(output)
        return Node(proto, self.opset)

    def reading(self, name: str) -> Node:
        """The same node as if `name` were its only input."""
        proto = onnx.NodeProto()
        proto.CopyFrom(self.proto)
        del proto.input[:]
        proto.input.append(name)
        return Node(proto, self.opset)

    def unsupported(self, reason: str) -> UnsupportedModel:
        """The error that refuses this node."""
        return UnsupportedModel(self.name, self.operator, reason)

    def ints(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        """An attribute that lists integers."""
        return tuple(int(v) for v in self.attributes.get(name, default))

    def int(self, name: str, default: int) -> int:
        """An integer attribute."""
        return int(self.attributes.get(name, default))

    def float(self, name: str, default: float) -> float:
        """A real attribute, finite."""
        value = float(self.attributes.get(name, default))
        if not isfinite(value):
            raise self.unsupported(f"attribute {name!r} is {value}")
        return value

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)
