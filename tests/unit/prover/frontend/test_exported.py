"""Models as PyTorch's exporters write them: opsets 7 to 22, dynamic batch, shape arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from assay_prover.compiler.onnxruntime_check import check_import
from assay_prover.errors import UnsupportedModel
from assay_prover.frontend import import_model
from assay_prover.passes import Precision, calibrate, fuse, quantise

FINE = Precision(
    limb_bits=1, input_bits=12, activation_bits=12, output_bits=12, weight_noise=0.1, table_bits=12
)


class Export:
    """A graph under construction, numbered as exporters number it."""

    def __init__(self, opset: int, shape: tuple[int | str, ...], kind: int = TensorProto.FLOAT) -> None:
        self.opset = opset
        self.rng = np.random.default_rng(opset)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.input = helper.make_tensor_value_info("x", kind, shape)

    def __call__(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        first = f"/{operator}_{len(self.nodes)}_output_0"
        names = [first, *(f"{first[:-1]}{k}" for k in range(1, outputs))]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=first[:-9], **attributes))
        return first

    def weight(self, *shape: int) -> str:
        """A trained tensor, an initialiser."""
        scale = 1 / np.sqrt(np.prod(shape[1:]) or 1)
        return self.initial(self.rng.normal(size=shape) * scale)

    def initial(self, values: np.ndarray) -> str:
        name = f"onnx::{len(self.initializers)}"
        array = values.astype(np.float32) if values.dtype.kind == "f" else values
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def constant(self, values: Any) -> str:
        """A Constant node, as exporters write numbers of the source."""
        array = np.asarray(values)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        if self.opset < 9 and array.dtype.kind == "i":  # Constant held real numbers only
            return self.initial(array)
        return self("Constant", value=numpy_helper.from_array(array))

    def bytes(self, output: str, rank: int, *, old_inputs: bool = False) -> bytes:
        inputs = [self.input]
        if old_inputs:  # before version 4 of the format initialisers were inputs too
            inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in self.initializers]
        dims = ["batch", *(f"d{k}" for k in range(1, rank))]
        graph = helper.make_graph(
            self.nodes,
            "main_graph",
            inputs,
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, dims)],
            self.initializers,
        )
        version = 3 if old_inputs else 8 if self.opset < 21 else 10
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=version)
        return bytes(model.SerializeToString())


def flattened_convnet(opset: int) -> bytes:
    """x.view(x.size(0), -1) as Shape, Gather, Unsqueeze, Concat, Reshape; a BatchNormalization, Dropout."""
    g = Export(opset, ("batch", 1, 8, 8))
    c = g("Conv", "x", g.weight(4, 1, 3, 3), g.weight(4), kernel_shape=[3, 3], pads=[1] * 4)
    parts = [g.initial(v) for v in (np.ones(4), np.zeros(4), np.zeros(4), np.ones(4))]
    shared = g("Identity", parts[1])
    b = g("BatchNormalization", c, parts[0], shared, parts[2], parts[3], epsilon=1e-5)
    p = g("MaxPool", g("Relu", b), kernel_shape=[2, 2], strides=[2, 2])
    size = g("Gather", g("Shape", p), g.constant(np.array(0)), axis=0)
    if opset < 13:
        sizes = [g("Unsqueeze", size, axes=[0]), g.constant(np.array([-1]))]
    else:
        axes = g.constant(np.array([0]))
        sizes = [g("Unsqueeze", size, axes), g.constant(np.array([-1]))]
    f = g("Reshape", p, g("Concat", *sizes, axis=0))
    d = g("Dropout", f, ratio=0.5) if opset < 12 else g("Dropout", f)
    h = g("Gemm", d, g.weight(6, 64), g.weight(6), transB=1)
    clip = (
        g("Clip", h, min=0.0, max=6.0)
        if opset < 11
        else g("Clip", h, g.constant(np.array(0.0)), g.constant(np.array(6.0)))
    )
    return g.bytes(g("Gemm", clip, g.weight(3, 6), g.weight(3), transB=1), 2, old_inputs=opset < 9)


def language_model(opset: int) -> bytes:
    """Token numbers, an embedding, positions, a head of attention, decomposed LayerNorm and GELU, a mean."""
    g = Export(opset, ("batch", 5), TensorProto.INT64)
    width = 8
    e = g("Add", g("Gather", g.weight(11, width), "x"), g.weight(1, 5, width))

    def norm(x: str) -> str:
        def mean(v: str) -> str:
            if opset < 18:
                return g("ReduceMean", v, axes=[-1])
            return g("ReduceMean", v, g.constant(np.array([-1])))

        c = g("Sub", x, mean(x))
        v = mean(g("Pow", c, g.constant(np.array(2.0))))
        s = g("Sqrt", g("Add", v, g.constant(np.array(1e-5))))
        return g("Add", g("Mul", g("Div", c, s), g.initial(np.ones(width))), g.initial(np.zeros(width)))

    q, k, v = (g("Add", g("MatMul", e, g.weight(width, width)), g.weight(width)) for _ in range(3))
    scores = g("Div", g("MatMul", q, g("Transpose", k, perm=[0, 2, 1])), g.constant(np.array(np.sqrt(8.0))))
    a = norm(g("Add", e, g("MatMul", g("Softmax", scores, axis=-1), v)))
    h = g("MatMul", a, g.weight(width, 16))
    erf = g("Erf", g("Div", h, g.constant(np.array(np.sqrt(2.0)))))
    gelu = g("Mul", g("Mul", h, g("Add", erf, g.constant(np.array(1.0)))), g.constant(np.array(0.5)))
    y = norm(g("Add", a, g("MatMul", gelu, g.weight(16, width))))
    pooled = (
        g("ReduceMean", y, axes=[1], keepdims=0)
        if opset < 18
        else g("ReduceMean", y, g.constant(np.array([1])), keepdims=0)
    )
    return g.bytes(g("Gemm", pooled, g.weight(3, width), g.weight(3), transB=1), 2)


def recurrent_model(opset: int) -> bytes:
    """An LSTM over a batch-first sequence, its last hidden state through Slice and Squeeze."""
    g = Export(opset, (1, 4, 3))
    t = g("Transpose", "x", perm=[1, 0, 2])
    zero = g.initial(np.zeros((1, 1, 5)))
    y = g(
        "LSTM",
        t,
        g.weight(1, 20, 3),
        g.weight(1, 20, 5),
        g.weight(1, 40),
        "",
        zero,
        zero,
        hidden_size=5,
        outputs=3,
    )
    s = g("Squeeze", y, axes=[1]) if opset < 13 else g("Squeeze", y, g.constant(np.array([1])))
    b = g("Transpose", s, perm=[1, 0, 2])
    last = g("Gather", b, g.constant(np.array(-1)), axis=1)
    return g.bytes(g("Gemm", last, g.weight(2, 5), g.weight(2), transB=1), 2)


def upsampler(opset: int) -> bytes:
    """Strided and transposed convolutions, nearest upsampling, a skip by Concat, Sigmoid."""
    g = Export(opset, ("batch", 2, 8, 8))
    down = g("LeakyRelu", g("Conv", "x", g.weight(4, 2, 3, 3), pads=[1] * 4, strides=[2, 2]), alpha=0.1)
    up = g("ConvTranspose", down, g.weight(4, 2, 2, 2), strides=[2, 2])
    scales = g.constant(np.array([1.0, 1.0, 2.0, 2.0]))
    region = g.constant(np.zeros(0)) if opset < 13 else ""
    wide = g(
        "Resize",
        down,
        region,
        scales,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    joined = g("Concat", up, wide, "x", axis=1)
    return g.bytes(g("Sigmoid", g("Conv", joined, g.weight(1, 8, 1, 1))), 4)


MODELS: list[tuple[Callable[[int], bytes], int]] = [
    *((flattened_convnet, opset) for opset in (7, 9, 11, 13, 17, 22)),
    *((language_model, opset) for opset in (13, 17, 18, 22)),
    *((recurrent_model, opset) for opset in (11, 14, 22)),
    *((upsampler, opset) for opset in (11, 13, 19, 22)),
]


@pytest.mark.parametrize(
    ("build", "opset"), MODELS, ids=[f"{build.__name__}-{opset}" for build, opset in MODELS]
)
def test_exported_model_answers_as_onnxruntime(build: Callable[[int], bytes], opset: int) -> None:
    data = build(opset)
    imported = import_model(data)
    rng = np.random.default_rng(1)
    shape = (40, *imported.input_shape)
    ends = (0.0, 10.0) if imported.whole_input else (-1.0, 1.0)
    x = rng.integers(0, 11, shape).astype(np.float64) if imported.whole_input else rng.uniform(-1, 1, shape)
    check_import(data, imported, x, imported.is_label)
    graph = fuse(imported)
    calibration = calibrate(graph, x, ends)
    model = quantise(graph, calibration, FINE)
    integers = model.encode(x)
    answers = model.graph.run(integers)[model.graph.output] * model.output_scale
    error = np.abs(answers - calibration.outputs).max() / np.abs(calibration.outputs).max()
    assert error < 0.01
    # whatever the input, tokens beyond the vocabulary included, nothing leaves its worst case
    lo, hi = model.input.lo, model.input.hi
    for values in (np.full_like(integers[:1], lo), np.full_like(integers[:1], hi)):
        for name, found in model.graph.run(values).items():
            tensor = model.graph.tensors[name]
            assert ((found >= tensor.lo) & (found <= tensor.hi)).all(), name


def test_cumsum_of_a_constant_takes_its_axis_in_a_list() -> None:
    g = Export(17, ("batch", 3))
    places = g("CumSum", g.constant(np.ones(3)), g.constant(np.array([0])))
    graph = import_model(g.bytes(g("Mul", "x", places), 2))
    np.testing.assert_allclose(graph.run(np.ones((1, 1, 3)))[graph.output], [[[1, 2, 3]]])


def test_numbers_made_finite_are_themselves() -> None:
    """torch.nan_to_num: NaN and infinities are replaced, of which a circuit has none."""
    g = Export(17, ("batch", 3))
    high, low = (g.constant(np.array(side * np.finfo(np.float32).max)) for side in (1, -1))
    zero = g.constant(np.array(0.0))
    some = g("Where", g("IsNaN", "x"), zero, "x")
    infinite = g("IsInf", "x")
    capped = g("Where", g("And", infinite, g("Greater", "x", zero)), high, some)
    output = g("Where", g("And", infinite, g("Less", "x", zero)), low, capped)
    graph = fuse(import_model(g.bytes(output, 2)))
    x = np.array([[[1.0, -2.0, 3.0]]])
    np.testing.assert_allclose(graph.run(x)[graph.output], x)


def test_a_random_operator_is_refused_for_what_it_is() -> None:
    g = Export(17, ("batch", 3))
    with pytest.raises(UnsupportedModel, match="no fixed meaning"):
        import_model(g.bytes(g("Add", "x", g("RandomNormalLike", "x")), 2))


def test_double_precision_is_judged_where_onnxruntime_lacks_an_operator() -> None:
    g = Export(20, ("batch", 3), TensorProto.DOUBLE)
    model = onnx.ModelProto.FromString(g.bytes(g("Gelu", "x"), 2))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    graph = import_model(model.SerializeToString())
    x = np.random.default_rng(0).normal(size=(8, 1, 3))
    assert check_import(model.SerializeToString(), graph, x, False) < 1e-6


def test_nodes_that_nothing_reads_are_no_obstacle() -> None:
    g = Export(17, ("batch", 3))
    output = g("Relu", "x")
    g("Det", g("Reshape", "x", g.constant(np.array([1, 1, 3]))))
    assert [type(op).__name__ for op in import_model(g.bytes(output, 2)).ops] == ["FloatClip"]


def test_a_files_own_functions_are_inlined() -> None:
    """As torch.onnx.export writes modules: a function of another domain, called by a node."""
    body = [
        helper.make_node("Mul", ["v", "v"], ["square"]),
        helper.make_node("Sub", ["square", "v"], ["result"]),
    ]
    function = helper.make_function(
        "pkg.module", "Block", ["v"], ["result"], body, [helper.make_opsetid("", 17)]
    )
    g = Export(17, ("batch", 3))
    output = g("Block", "x", domain="pkg.module")
    model = onnx.ModelProto.FromString(g.bytes(g("Relu", output), 2))
    model.opset_import.append(helper.make_opsetid("pkg.module", 1))
    model.functions.append(function)
    graph = import_model(model.SerializeToString())
    x = np.array([[[2.0, -1.0, 0.5]]])
    np.testing.assert_allclose(graph.run(x)[graph.output], np.maximum(x * x - x, 0))
