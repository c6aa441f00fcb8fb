"""What a case is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto

from unit.prover.onnx_models import build

Nodes = list[tuple[str, list[str], str, dict[str, Any]]]


@dataclass(frozen=True)
class Case:
    """A model; inputs are drawn from [lo, hi]."""

    nodes: Nodes
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    shape: tuple[int, ...] = (2, 3)
    lo: float = -2.0
    hi: float = 2.0
    opset: int = 17
    input_type: int = TensorProto.FLOAT
    output_type: int = TensorProto.FLOAT

    @property
    def model(self) -> bytes:
        """The ONNX file."""
        return build(
            self.nodes,
            self.constants,
            self.shape,
            self.opset,
            output_type=self.output_type,
            input_type=self.input_type,
        )

    @property
    def whole(self) -> bool:
        """Whether inputs are whole numbers."""
        return bool(self.input_type != TensorProto.FLOAT)

    def samples(self, count: int, seed: int = 1) -> np.ndarray:
        """`[count, *shape]` in float64."""
        x = np.random.default_rng(seed).uniform(self.lo, self.hi, size=(count, *self.shape))
        return np.rint(x) if self.whole else x.astype(np.float32).astype(np.float64)


RNG = np.random.default_rng(7)
W45 = RNG.normal(size=(4, 5))
KERNEL = RNG.normal(size=(4, 1, 3, 3))


def ints(*values: int) -> np.ndarray:
    """A constant of whole numbers."""
    return np.array(values, dtype=np.int64)


def scalar(value: float, kind: type = np.float32) -> np.ndarray:
    """A constant without axes."""
    return np.array(value, dtype=kind)


def one(operator: str, **attributes: Any) -> Nodes:
    """The operator alone."""
    return [(operator, ["input"], "output", attributes)]


def then_cast(operator: str, inputs: list[str], **attributes: Any) -> Nodes:
    """An operator that gives truth values, made numbers."""
    return [(operator, inputs, "b", attributes), ("Cast", ["b"], "output", {"to": TensorProto.FLOAT})]
