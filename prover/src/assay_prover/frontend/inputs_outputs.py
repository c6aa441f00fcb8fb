"""A model's ends: of several outputs one, of several inputs one vector, and shapes without unknowns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from assay_prover.errors import ModelError

REAL_TYPES = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16})

WHOLE_TYPES = frozenset(
    {
        TensorProto.BOOL,
        TensorProto.INT8,
        TensorProto.INT16,
        TensorProto.INT32,
        TensorProto.INT64,
        TensorProto.UINT8,
        TensorProto.UINT16,
        TensorProto.UINT32,
        TensorProto.UINT64,
    }
)

Part = tuple[str, tuple[int, ...]]
"""Name and shape of an input of the file."""


def captured(node: onnx.NodeProto) -> set[str]:
    """Names that a node's own graphs (If, Loop) take from outside."""
    found: set[str] = set()
    for part in node.attribute:
        for body in (*([part.g] if part.HasField("g") else []), *part.graphs):
            made = {tensor.name for tensor in body.initializer} | {value.name for value in body.input}
            made |= {name for inner in body.node for name in inner.output}
            read = {name for inner in body.node for name in (*inner.input, *captured(inner)) if name}
            found |= (read | {value.name for value in body.output}) - made
    return found


def choose_output(model: onnx.ModelProto, wanted: str | None) -> list[str]:
    """Leave one output: the one wanted, any tensor that is computed, or of a classifier's two the label.

    Returns notes. Raises ModelError if there is no such tensor, or several outputs and none is wanted.
    """
    outputs = list(model.graph.output)
    if wanted is not None or len(outputs) == 1:
        return keep_output(model, outputs[0].name if wanted is None else wanted)
    kinds = [o.type.tensor_type.elem_type if o.type.HasField("tensor_type") else None for o in outputs]
    scores = {TensorProto.FLOAT, TensorProto.DOUBLE, None}
    if len(outputs) != 2 or kinds[0] not in WHOLE_TYPES | {TensorProto.STRING} or kinds[1] not in scores:
        names = ", ".join(value.name for value in outputs)
        raise ModelError(
            f"the model must have one output, it has {len(outputs)} ({names}); say which one to prove "
            "(--take NAME, from Python take=NAME), or join them with Concat"
        )
    label, others = (value.name for value in outputs)
    return [
        *keep_output(model, label),
        f"of the outputs {label!r} (the label) and {others!r} (the scores) the label is proven; "
        "take the other one to prove the scores",
    ]


def keep_output(model: onnx.ModelProto, name: str) -> list[str]:
    """Make a tensor the only output and drop what it does not depend on, inputs too; returns notes."""
    graph = model.graph
    found = [value for value in graph.output if value.name == name]
    if not found:
        if not any(name in node.output for node in graph.node):
            listed = ", ".join(value.name for value in graph.output)
            raise ModelError(f"the model computes no tensor {name!r}; its outputs are {listed}")
        found = [helper.make_empty_tensor_value_info(name)]
        found += [value for value in graph.value_info if value.name == name]
    del graph.output[:]
    graph.output.append(found[-1])
    needed = {name}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            needed.update(captured(node))
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    read = [value for value in graph.input if value.name in needed]
    idle = [value.name for value in graph.input if value.name not in needed]
    if not read or not idle:
        return []
    del graph.input[:]
    graph.input.extend(read)
    return [f"{name!r} does not depend on the input {other!r}, which is left out" for other in idle]


def fix_shapes(model: onnx.ModelProto, sizes: Mapping[str, Sequence[int]]) -> list[str]:
    """Settle the inputs' dynamic axes by the samples' shapes `sizes`, with or without the batch axis.

    Without samples a dynamic first axis becomes 1 and any other is refused. Stale shapes of other tensors are
    dropped, to be inferred anew. Returns notes.
    """
    notes = []
    for value in model.graph.input:
        kind = value.type.tensor_type
        if kind.elem_type not in REAL_TYPES | WHOLE_TYPES:
            raise ModelError(
                f"input {value.name!r} must be a tensor of real or whole numbers or truth values"
            )
        if not kind.HasField("shape"):
            raise ModelError(f"input {value.name!r} declares no shape; export the model with a fixed one")
        dims = kind.shape.dim
        size = sizes.get(value.name) or (sizes.get("") if len(model.graph.input) == 1 else None)
        given = dict(enumerate(size or (), len(dims) - len(size or ())))
        settled = []
        for axis, dim in enumerate(dims):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                continue
            if axis and given.get(axis, 0) < 1:
                raise ModelError(
                    f"axis {axis} of input {value.name!r} is dynamic ({dim.dim_param or '?'}); "
                    "give samples, whose size it then takes, or export the model with a fixed shape"
                )
            dim.dim_value = given.get(axis, 1)
            if axis or dim.dim_value != 1:
                settled.append(axis)
        if settled:
            shape = [dim.dim_value for dim in dims]
            notes.append(f"input {value.name!r} has dynamic axes; it is {shape}, as the samples are")
    del model.graph.value_info[:]
    for output in model.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.ClearField("shape")
    return notes


def join_inputs(model: onnx.ModelProto) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """Several inputs become one row of numbers, of which nodes cut the file's own.

    Returns what they were, and of inputs of both kinds the names of those that hold whole numbers.
    """
    graph = model.graph
    inputs = list(graph.input)
    if len(inputs) == 1:
        return (), ()
    kinds = [value.type.tensor_type.elem_type for value in inputs]
    whole = [kind in WHOLE_TYPES for kind in kinds]
    parts = tuple((v.name, tuple(d.dim_value for d in v.type.tensor_type.shape.dim)) for v in inputs)
    kind = TensorProto.INT64 if all(whole) else TensorProto.FLOAT
    total = sum(prod(shape) for _, shape in parts)
    fresh = _fresh_names(model)
    row, nodes, start = next(fresh), [], 0
    for (name, shape), own in zip(parts, kinds, strict=True):
        places, view, cut, shaped = (next(fresh) for _ in range(4))
        stop = start + prod(shape)
        graph.initializer.append(numpy_helper.from_array(np.arange(start, stop, dtype=np.int64), places))
        graph.initializer.append(numpy_helper.from_array(np.array(shape, dtype=np.int64), view))
        nodes.append(helper.make_node("Gather", [row, places], [cut], axis=1))
        nodes.append(helper.make_node("Reshape", [cut, view], [shaped if own != kind else name]))
        if own != kind:
            nodes.append(helper.make_node("Cast", [shaped], [name], to=own))
        start = stop
    kept = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *kept])
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(row, kind, (1, total)))
    mixed = any(whole) and not all(whole)
    names = tuple(name for (name, _), is_whole in zip(parts, whole, strict=True) if is_whole and mixed)
    return parts, names


def _fresh_names(model: onnx.ModelProto) -> Iterator[str]:
    taken = _names(model.graph)
    number = 0
    while True:
        name = "inputs" if not number else f"inputs/{number}"
        number += 1
        if name not in taken:
            yield name


def _names(graph: onnx.GraphProto) -> set[str]:
    found = {value.name for value in (*graph.input, *graph.initializer, *graph.output)}
    for node in graph.node:
        found.update((*node.input, *node.output))
        for part in node.attribute:
            for body in (part.g, *part.graphs):
                found |= _names(body)
    return found
