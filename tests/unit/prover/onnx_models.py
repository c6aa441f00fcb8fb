"""Small ONNX models for the compiler's tests."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

MODELS = Path(__file__).parents[2] / "vectors" / "models"

Nodes = Sequence[tuple[str, Sequence[str], str, Mapping[str, Any]]]


def build(
    nodes: Nodes,
    constants: Mapping[str, np.ndarray],
    shape: Sequence[int | str],
    opset: int = 17,
    output: str = "output",
    output_type: int = TensorProto.FLOAT,
    input_type: int = TensorProto.FLOAT,
) -> bytes:
    """A model with the input `input`; nodes are (operator, inputs, outputs, attributes).

    Outputs are separated by blanks; an attribute `domain` is the node's.
    """
    graph = helper.make_graph(
        [
            helper.make_node(op, list(ins), out.split(), name=f"n_{out.split()[0]}", **attrs)
            for op, ins, out, attrs in nodes
        ],
        "test",
        [helper.make_tensor_value_info("input", input_type, shape)],
        [helper.make_tensor_value_info(output, output_type, None)],
        [
            numpy_helper.from_array(v.astype(np.float32) if v.dtype.kind == "f" else v, k)
            for k, v in constants.items()
        ],
    )
    for value in graph.output:
        value.type.tensor_type.shape.SetInParent()
    opsets = [helper.make_opsetid("", opset)]
    if any(attrs.get("domain") == "ai.onnx.ml" for _, _, _, attrs in nodes):
        newest = any(op == "TreeEnsemble" for op, _, _, _ in nodes)
        opsets.append(helper.make_opsetid("ai.onnx.ml", 5 if newest else 3))
    if any(attrs.get("domain") == "com.microsoft" for _, _, _, attrs in nodes):
        opsets.append(helper.make_opsetid("com.microsoft", 1))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8 if opset < 21 else 10)
    del model.graph.output[:]
    inferred = helper.make_tensor_value_info(output, output_type, ["?"] * _rank(model, nodes, output))
    model.graph.output.append(inferred)
    return bytes(model.SerializeToString())


def _rank(model: onnx.ModelProto, nodes: Nodes, output: str) -> int:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.append(helper.make_empty_tensor_value_info(output))
    for value in copy.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            if not dim.HasField("dim_value"):
                dim.dim_value = 1
    for value in onnx.shape_inference.infer_shapes(copy, data_prop=True).graph.output:
        if value.type.tensor_type.HasField("shape"):
            return len(value.type.tensor_type.shape.dim)
    return 2


def run(model: bytes, x: np.ndarray, output: str = "output") -> np.ndarray:
    """onnxruntime's answer for one sample."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
    kind = kinds[session.get_inputs()[0].type]
    return np.asarray(session.run([output], {"input": x.astype(kind)})[0])


def mlp(rng: np.random.Generator, widths: Sequence[int], scale: float = 1.0) -> bytes:
    """Gemm and Relu layers of the given widths, the input's first."""
    nodes: list[tuple[str, Sequence[str], str, Mapping[str, Any]]] = []
    constants: dict[str, np.ndarray] = {}
    name = "input"
    for layer, (rows, columns) in enumerate(itertools.pairwise(widths)):
        last = layer == len(widths) - 2
        constants[f"w{layer}"] = rng.normal(size=(rows, columns)) * scale / np.sqrt(rows)
        constants[f"b{layer}"] = rng.normal(size=columns) * 0.1
        out = "output" if last else f"h{layer}"
        nodes.append(("Gemm", [name, f"w{layer}", f"b{layer}"], out, {}))
        name = out
        if not last:
            nodes.append(("Relu", [name], f"r{layer}", {}))
            name = f"r{layer}"
    return build(nodes, constants, (1, widths[0]))
