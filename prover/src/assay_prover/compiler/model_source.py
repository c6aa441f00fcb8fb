"""The network to compile, from whatever a caller holds: a path, bytes, an ONNX model, a fitted estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay_prover.errors import ModelError
from assay_prover.frontend import read_model
from assay_prover.real_numbers import real_numbers

SCORES = "probabilities"
"""What a classifier of scikit-learn is proven by: a number for each class."""


@dataclass(frozen=True)
class Source:
    """A network as bytes, and what its holder knows of it.

    Attributes:
        title: a name for the bundle.
        take: the output to prove, unless the caller says another.
        class_names: in the network's order; empty if unknown.
    """

    data: bytes
    title: str
    take: str | None = None
    class_names: tuple[str, ...] = ()


def read_source(model: Any, samples: Any) -> Source:
    """The network's bytes.

    Args:
        model: path of an ONNX file, its bytes, an `onnx.ModelProto`, or a fitted scikit-learn estimator or
            pipeline (converted by the package skl2onnx).
        samples: the inputs that will be compiled with, whose width an estimator's network takes.

    Raises:
        ModelError: anything else, an estimator that is not fitted or cannot be converted, or no skl2onnx.
    """
    if isinstance(model, str | Path):
        path = Path(model)
        return Source(read_model(path), path.stem)
    if isinstance(model, bytes | bytearray | memoryview):
        return Source(read_model(bytes(model)), "model")
    if hasattr(model, "SerializeToString"):
        return Source(bytes(model.SerializeToString()), str(model.graph.name) or "model")
    if hasattr(model, "predict") and hasattr(model, "get_params"):
        return _estimator(model, samples)
    raise ModelError(
        f"a {type(model).__name__} is no model: give the path of an ONNX file, its bytes, an onnx.ModelProto "
        "or a fitted scikit-learn estimator (others export to ONNX by torch.onnx.export, tf2onnx, ..)"
    )


def _estimator(model: Any, samples: Any) -> Source:
    try:
        import skl2onnx
    except ImportError as error:
        raise ModelError("scikit-learn's models are converted by skl2onnx: pip install skl2onnx") from error
    name = type(model).__name__
    width = getattr(model, "n_features_in_", None)
    if width is None and samples is not None and not isinstance(samples, Mapping):
        width = real_numbers("samples", samples).reshape(len(samples), -1).shape[1]
    if width is None:
        raise ModelError(f"this {name} is not fitted: call fit() first")
    options = {"zipmap": False} if hasattr(model, "classes_") else None
    try:
        proto = skl2onnx.to_onnx(model, np.zeros((1, int(width)), np.float32), options=options)
    except Exception as error:
        # skl2onnx raises whatever its converters and scikit-learn raise.
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"skl2onnx cannot convert this {name}: {first}") from error
    names = tuple(str(each) for each in getattr(model, "classes_", ()))
    outputs = [value.name for value in proto.graph.output]
    take = SCORES if SCORES in outputs else None
    return Source(bytes(proto.SerializeToString()), name, take, names)
