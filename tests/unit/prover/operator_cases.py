"""A small model for every operator that compiles, for the tests of each stage of the compiler.

Nodes are (operator, inputs, output, attributes); the input is `input`, the output `output`. An operator
without a case fails `test_every_operator_has_a_case`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto, helper

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
        return self.input_type != TensorProto.FLOAT

    def samples(self, count: int, seed: int = 1) -> np.ndarray:
        """`[count, *shape]` in float64."""
        x = np.random.default_rng(seed).uniform(self.lo, self.hi, size=(count, *self.shape))
        return np.rint(x) if self.whole else x.astype(np.float32).astype(np.float64)


RNG = np.random.default_rng(7)
W45 = RNG.normal(size=(4, 5))
KERNEL = RNG.normal(size=(4, 1, 3, 3))


def _ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


_PLAIN: dict[str, tuple[Nodes, Mapping[str, np.ndarray], tuple[int, ...]]] = {
    "gemm": (
        [("Gemm", ["input", "w", "b"], "output", {"alpha": 0.5, "beta": 2.0})],
        {"w": W45, "b": W45[0]},
        (1, 4),
    ),
    "gemm_transposed": ([("Gemm", ["input", "w"], "output", {"transB": 1})], {"w": W45.T.copy()}, (1, 4)),
    "gemm_constant_left": ([("Gemm", ["w", "input"], "output", {"transA": 1})], {"w": W45}, (4, 3)),
    "matmul": ([("MatMul", ["input", "w"], "output", {})], {"w": W45}, (1, 4)),
    "matmul_rows": ([("MatMul", ["input", "w"], "output", {})], {"w": W45}, (1, 3, 4)),
    "matmul_left": ([("MatMul", ["w", "input"], "output", {})], {"w": W45}, (2, 5, 3)),
    "matmul_wires": (
        [("Transpose", ["input"], "t", {}), ("MatMul", ["input", "t"], "output", {})],
        {},
        (3, 4),
    ),
    "add_broadcast": ([("Add", ["input", "c"], "output", {})], {"c": W45[:1]}, (3, 4, 1)),
    "sub_from_constant": ([("Sub", ["c", "input"], "output", {})], {"c": W45}, (4, 5)),
    "sub_of_computed": (
        [("Relu", ["input"], "r", {}), ("Sub", ["r", "input"], "output", {})],
        {},
        (2, 3),
    ),
    "sum": ([("Sum", ["input", "c", "input"], "output", {})], {"c": W45}, (4, 5)),
    "mul": ([("Mul", ["input", "c"], "output", {})], {"c": W45}, (4, 1)),
    "mul_wires": ([("Relu", ["input"], "r", {}), ("Mul", ["r", "input"], "output", {})], {}, (2, 3)),
    "div": ([("Div", ["input", "c"], "output", {})], {"c": W45}, (4, 5)),
    "neg": ([("Neg", ["input"], "output", {})], {}, (4, 5)),
    "relu": ([("Relu", ["input"], "output", {})], {}, (4, 5)),
    "clip": (
        [("Clip", ["input", "lo", "hi"], "output", {})],
        {"lo": np.array(-0.5), "hi": np.array(0.25)},
        (4, 5),
    ),
    "clip_above": ([("Clip", ["input", "", "hi"], "output", {})], {"hi": np.array(0.25)}, (4, 5)),
    "flatten": ([("Flatten", ["input"], "output", {"axis": 2})], {}, (1, 2, 3, 4)),
    "reshape": ([("Reshape", ["input", "s"], "output", {})], {"s": _ints(0, -1, 2)}, (2, 3, 4)),
    "squeeze": ([("Squeeze", ["input", "a"], "output", {})], {"a": _ints(1)}, (2, 1, 3)),
    "unsqueeze": ([("Unsqueeze", ["input", "a"], "output", {})], {"a": _ints(0, -1)}, (2, 3)),
    "transpose": ([("Transpose", ["input"], "output", {"perm": [2, 0, 1]})], {}, (2, 3, 4)),
    "identity_dropout": (
        [("Identity", ["input"], "i", {}), ("Dropout", ["i"], "output", {})],
        {},
        (2, 3),
    ),
    "slice_steps": (
        [("Slice", ["input", "s", "e", "a", "t"], "output", {})],
        {"s": _ints(-1, 0), "e": _ints(-100, 5), "a": _ints(0, 1), "t": _ints(-2, 2)},
        (4, 6),
    ),
    "pad_constant": (
        [("Pad", ["input", "p", "v"], "output", {})],
        {"p": _ints(1, 0, 0, 2), "v": np.array(1.5)},
        (2, 3),
    ),
    "pad_reflect": (
        [("Pad", ["input", "p"], "output", {"mode": "reflect"})],
        {"p": _ints(0, 2, 0, 1)},
        (2, 4),
    ),
    "gather": ([("Gather", ["input", "i"], "output", {"axis": 1})], {"i": _ints(2, -1, 0, 2)}, (2, 3)),
    "expand": ([("Expand", ["input", "s"], "output", {})], {"s": _ints(2, 3, 4)}, (3, 1)),
    "concat": (
        [("Relu", ["input"], "r", {}), ("Concat", ["r", "c", "input"], "output", {"axis": 1})],
        {"c": W45},
        (4, 2),
    ),
    "conv": (
        [("Conv", ["input", "k", "b"], "output", {"pads": [1, 0, 2, 1], "strides": [2, 1]})],
        {"k": KERNEL, "b": W45[:, 0]},
        (1, 1, 7, 6),
    ),
    "conv_depthwise": (
        [("Conv", ["input", "k"], "output", {"group": 4, "dilations": [2, 1]})],
        {"k": KERNEL},
        (1, 4, 7, 6),
    ),
    "conv_same": (
        [("Conv", ["input", "k"], "output", {"auto_pad": "SAME_UPPER", "strides": [2, 2]})],
        {"k": KERNEL},
        (1, 1, 7, 6),
    ),
    "conv_1d": (
        [("Conv", ["input", "k"], "output", {"pads": [2, 2]})],
        {"k": RNG.normal(size=(3, 2, 3))},
        (1, 2, 9),
    ),
    "max_pool": (
        [("MaxPool", ["input"], "output", {"kernel_shape": [3, 2], "pads": [1, 0, 1, 0], "strides": [2, 1]})],
        {},
        (1, 2, 7, 6),
    ),
    "max_pool_ceil": (
        [("MaxPool", ["input"], "output", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1})],
        {},
        (1, 2, 5, 5),
    ),
    "average_pool": (
        [("AveragePool", ["input"], "output", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]})],
        {},
        (1, 2, 5, 4),
    ),
    "average_pool_with_pads": (
        [
            (
                "AveragePool",
                ["input"],
                "output",
                {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
            )
        ],
        {},
        (1, 2, 5, 4),
    ),
    "global_average_pool": ([("GlobalAveragePool", ["input"], "output", {})], {}, (1, 3, 5, 4)),
    "global_max_pool": ([("GlobalMaxPool", ["input"], "output", {})], {}, (1, 3, 5, 4)),
    "batch_normalization": (
        [("BatchNormalization", ["input", "g", "b", "m", "v"], "output", {"epsilon": 1e-3})],
        {"g": W45[0], "b": W45[1], "m": W45[2], "v": W45[3] ** 2},
        (1, 5, 2, 2),
    ),
    "reduce_mean": (
        [("ReduceMean", ["input"], "output", {"axes": [2, -1], "keepdims": 0})],
        {},
        (1, 3, 4, 2),
    ),
    "reduce_sum": ([("ReduceSum", ["input", "a"], "output", {})], {"a": _ints(1)}, (2, 3, 4)),
    "reduce_max": ([("ReduceMax", ["input"], "output", {"axes": [1]})], {}, (2, 3, 4)),
    "folded_shape": (
        [
            ("Shape", ["input"], "s", {}),
            ("Gather", ["s", "i"], "n", {}),
            ("Concat", ["n", "m"], "t", {"axis": 0}),
            ("Reshape", ["input", "t"], "output", {}),
        ],
        {"i": _ints(0), "m": _ints(-1)},
        (2, 3, 4),
    ),
    "folded_constants": (
        [("Exp", ["w"], "e", {}), ("MatMul", ["input", "e"], "output", {})],
        {"w": W45},
        (1, 4),
    ),
    "leaky_relu": ([("LeakyRelu", ["input"], "output", {"alpha": 0.3})], {}, (4, 5)),
    "prelu": ([("PRelu", ["input", "s"], "output", {})], {"s": W45[:1]}, (4, 5)),
    "abs": ([("Abs", ["input"], "output", {})], {}, (4, 5)),
    "max": (
        [("Neg", ["input"], "n", {}), ("Max", ["input", "c", "n"], "output", {})],
        {"c": W45[:1]},
        (4, 5),
    ),
    "min": (
        [("Neg", ["input"], "n", {}), ("Min", ["input", "n", "c"], "output", {})],
        {"c": W45[:1]},
        (4, 5),
    ),
    "max_of_one": ([("Max", ["input"], "output", {})], {}, (4, 5)),
    "mean": ([("Mean", ["input", "c"], "output", {})], {"c": W45}, (4, 5)),
    "reduce_min": ([("ReduceMin", ["input"], "output", {"axes": [0]})], {}, (4, 5)),
    "reduce_l1": ([("ReduceL1", ["input"], "output", {"axes": [1], "keepdims": 0})], {}, (4, 5)),
    "reduce_sum_square": ([("ReduceSumSquare", ["input"], "output", {"axes": [1]})], {}, (4, 5)),
    "hard_sigmoid": ([("HardSigmoid", ["input"], "output", {"alpha": 0.4})], {}, (4, 5)),
    "hard_swish": ([("HardSwish", ["input"], "output", {})], {}, (4, 5)),
    "pow": ([("Pow", ["input", "e"], "output", {})], {"e": np.array(3.0)}, (4, 5)),
    "sigmoid": ([("Sigmoid", ["input"], "output", {})], {}, (4, 5)),
    "tanh": ([("Tanh", ["input"], "output", {})], {}, (4, 5)),
    "softplus": ([("Softplus", ["input"], "output", {})], {}, (4, 5)),
    "softsign": ([("Softsign", ["input"], "output", {})], {}, (4, 5)),
    "erf": ([("Erf", ["input"], "output", {})], {}, (4, 5)),
    "exp": ([("Exp", ["input"], "output", {})], {}, (4, 5)),
    "elu": ([("Elu", ["input"], "output", {"alpha": 0.7})], {}, (4, 5)),
    "selu": ([("Selu", ["input"], "output", {})], {}, (4, 5)),
    "mul_broadcast": (
        [("Slice", ["input", "s", "e"], "r", {}), ("Mul", ["r", "input"], "output", {})],
        {"s": _ints(0), "e": _ints(1)},
        (4, 5),
    ),
    "softmax_within": (
        [("Softmax", ["input"], "s", {"axis": 1}), ("Neg", ["s"], "output", {})],
        {},
        (2, 3, 4),
    ),
    "log_softmax_within": ([("LogSoftmax", ["input"], "s", {}), ("Neg", ["s"], "output", {})], {}, (2, 4)),
    "gather_elements": (
        [("GatherElements", ["input", "i"], "output", {"axis": 1})],
        {"i": np.array([[0, -1], [2, 2]])},
        (2, 3),
    ),
    "gather_elements_of_fewer_rows": (
        [("GatherElements", ["input", "i"], "output", {"axis": -1})],
        {"i": np.array([[0, -1]])},
        (2, 3),
    ),
    "tile": ([("Tile", ["input", "r"], "output", {})], {"r": _ints(2, 3)}, (2, 3)),
    "depth_to_space": (
        [("DepthToSpace", ["input"], "output", {"blocksize": 2, "mode": "CRD"})],
        {},
        (1, 8, 2, 3),
    ),
    "space_to_depth": ([("SpaceToDepth", ["input"], "output", {"blocksize": 2})], {}, (1, 2, 4, 6)),
    "split": (
        [("Split", ["input", "p"], "a", {"axis": 1}), ("Neg", ["a"], "output", {})],
        {"p": _ints(5)},
        (2, 5),
    ),
    "conv_transpose": (
        [
            (
                "ConvTranspose",
                ["input", "k", "b"],
                "output",
                {"strides": [2, 2], "pads": [1, 0, 1, 1], "output_padding": [1, 0], "group": 2},
            )
        ],
        {"k": RNG.normal(size=(4, 1, 3, 3)), "b": RNG.normal(size=2)},
        (1, 4, 4, 3),
    ),
    "residual": (
        [
            ("Gemm", ["input", "w"], "g", {}),
            ("Relu", ["g"], "r", {}),
            ("Add", ["r", "input"], "output", {}),
        ],
        {"w": RNG.normal(size=(4, 4))},
        (1, 4),
    ),
}


def _one(operator: str, **attributes: Any) -> Nodes:
    return [(operator, ["input"], "output", attributes)]


def _then_cast(operator: str, inputs: list[str], **attributes: Any) -> Nodes:
    return [(operator, inputs, "b", attributes), ("Cast", ["b"], "output", {"to": TensorProto.FLOAT})]


def _logic(operator: str) -> Case:
    nodes: Nodes = [
        ("Greater", ["input", "lo"], "a", {}),
        ("Less", ["input", "hi"], "c", {}),
        (operator, ["a", "c"], "d", {}),
        ("Cast", ["d"], "output", {"to": TensorProto.FLOAT}),
    ]
    return Case(nodes, {"lo": np.array(-0.4), "hi": np.array(0.6)})


def _ml(operator: str, **attributes: Any) -> Nodes:
    return [(operator, ["input"], "output", {"domain": "ai.onnx.ml", **attributes})]


def _label(operator: str, **attributes: Any) -> Nodes:
    # the scores have a name too, as in converted models, though nothing reads them
    return [(operator, ["input"], "output scores", {"domain": "ai.onnx.ml", **attributes})]


TREES: dict[str, Any] = {
    "nodes_treeids": [0, 0, 0, 0, 0, 1, 1, 1],
    "nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2],
    "nodes_featureids": [0, 1, 0, 0, 0, 2, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "BRANCH_LT", "LEAF", "LEAF", "LEAF", "BRANCH_GT", "LEAF", "LEAF"],
    "nodes_values": [0.1, -0.3, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0],
    "nodes_truenodeids": [1, 3, 0, 0, 0, 1, 0, 0],
    "nodes_falsenodeids": [2, 4, 0, 0, 0, 2, 0, 0],
}
LEAVES = {"treeids": [0, 0, 0, 1, 1], "nodeids": [2, 3, 4, 1, 2]}


def _leaves(prefix: str, ids: list[int], weights: list[float]) -> dict[str, Any]:
    found: dict[str, Any] = {f"{prefix}_{key}": value for key, value in LEAVES.items()}
    return {**found, f"{prefix}_ids": ids, f"{prefix}_weights": weights}


_RECURRENT = {
    gates: {
        "w": RNG.normal(size=(1, gates * 3, 2)) * 0.5,
        "r": RNG.normal(size=(1, gates * 3, 3)) * 0.5,
        "b": RNG.normal(size=(1, gates * 6)) * 0.2,
    }
    for gates in (1, 3, 4)
}


def _recurrent(operator: str, gates: int) -> Case:
    nodes: Nodes = [(operator, ["input", "w", "r", "b"], "output", {"hidden_size": 3})]
    return Case(nodes, _RECURRENT[gates], (2, 1, 2))


def _scalar(value: float, kind: type = np.float32) -> np.ndarray:
    return np.array(value, dtype=kind)


# scales of which no ratio is a fraction of small numbers: a tie that is none in float32 may fall either way
QUANTISED = RNG.integers(-20, 20, size=(3, 4)).astype(np.int8)

SCALES = {
    "s": _scalar(0.0213),
    "z": _scalar(120, np.uint8),
    "ws": _scalar(0.0471),
    "wz": _scalar(0, np.int8),
    "w": QUANTISED.T.copy(),
    "c": np.array([100, -70, 20, 5], dtype=np.int32),
    "ys": _scalar(0.0617),
    "yz": _scalar(110, np.uint8),
}


def _quantised(
    operator: str, first: list[str], second: list[str], *, shape: tuple[int, ...] = (2, 3), **attributes: Any
) -> Case:
    nodes: Nodes = [
        ("QuantizeLinear", ["input", "s", "z"], "q", {}),
        (operator, ["q", *first, *second, "ys", "yz"], "y", {"domain": "com.microsoft", **attributes}),
        ("DequantizeLinear", ["y", "ys", "yz"], "output", {}),
    ]
    return Case(nodes, SCALES, shape)


_MORE: dict[str, Case] = {
    "round": Case(_one("Round")),
    "floor": Case(_one("Floor")),
    "ceil": Case(_one("Ceil")),
    "sign": Case(_one("Sign")),
    "greater": Case(_then_cast("Greater", ["input", "c"]), {"c": W45}, (4, 5)),
    "greater_or_equal": Case(_then_cast("GreaterOrEqual", ["input", "c"]), {"c": W45}, (4, 5)),
    "less": Case(_then_cast("Less", ["c", "input"]), {"c": W45}, (4, 5)),
    "less_or_equal": Case(_then_cast("LessOrEqual", ["input", "c"]), {"c": W45}, (4, 5)),
    "equal": Case(
        _then_cast("Equal", ["input", "c"]),
        {"c": _ints(1, 2, -1)},
        (2, 3),
        -3,
        3,
        input_type=TensorProto.INT64,
    ),
    "not": Case([("Greater", ["input", "c"], "g", {}), *_then_cast("Not", ["g"])], {"c": np.array(0.25)}),
    "and": _logic("And"),
    "or": _logic("Or"),
    "xor": _logic("Xor"),
    "where": Case(
        [("Greater", ["input", "c"], "g", {}), ("Where", ["g", "input", "d"], "output", {})],
        {"c": np.array(0.25), "d": W45[:2, :3]},
    ),
    "where_constant": Case(
        [("Where", ["m", "input", "d"], "output", {})],
        {"m": np.array([[True, False, True]]), "d": np.array(0.5)},
    ),
    "is_nan": Case(
        [("IsNaN", ["input"], "n", {}), ("Where", ["n", "z", "input"], "output", {})], {"z": np.array(0.0)}
    ),
    "is_inf": Case(
        [("IsInf", ["input"], "n", {}), ("Where", ["n", "z", "input"], "output", {})], {"z": np.array(0.0)}
    ),
    "cast_truncates": Case(
        [
            ("Cast", ["input"], "i", {"to": TensorProto.INT32}),
            ("Cast", ["i"], "output", {"to": TensorProto.FLOAT}),
        ]
    ),
    "cast_like": Case([("CastLike", ["input", "t"], "output", {})], {"t": np.array(0.0)}),
    "argmax": Case(_one("ArgMax", axis=1), output_type=TensorProto.INT64),
    "argmin": Case(_one("ArgMin", axis=1, keepdims=0), output_type=TensorProto.INT64),
    "argmax_within": Case(
        [
            ("ArgMax", ["input"], "a", {"axis": 1}),
            ("Cast", ["a"], "c", {"to": TensorProto.FLOAT}),
            ("Mul", ["c", "k"], "output", {}),
        ],
        {"k": np.array(0.5)},
    ),
    "top_1": Case([("TopK", ["input", "k"], "output positions", {"axis": 1})], {"k": _ints(1)}),
    "one_hot": Case(
        [("OneHot", ["input", "d", "v"], "output", {})],
        {"d": np.array(3), "v": np.array([0.5, 2.0])},
        (4,),
        -3,
        2,
        input_type=TensorProto.INT64,
    ),
    "embedding": Case(
        [("Gather", ["t", "input"], "output", {})],
        {"t": W45},
        (1, 3),
        0,
        3,
        input_type=TensorProto.INT64,
    ),
    "div_wires": Case(
        [("Sigmoid", ["input"], "s", {}), ("Div", ["input", "s"], "output", {})],
    ),
    "layer_normalization": Case(
        [("LayerNormalization", ["input", "g", "b"], "output", {"axis": -1})],
        {"g": W45[0, :4], "b": W45[1, :4]},
        (2, 4),
    ),
    "rms_normalization": Case(
        [("RMSNormalization", ["input", "g"], "output", {})], {"g": W45[0, :4]}, (2, 4), opset=23
    ),
    "instance_normalization": Case(
        [("InstanceNormalization", ["input", "g", "b"], "output", {})],
        {"g": W45[0, :2], "b": W45[1, :2]},
        (1, 2, 3),
    ),
    "group_normalization": Case(
        [("GroupNormalization", ["input", "g", "b"], "output", {"num_groups": 2})],
        {"g": W45[0, :4], "b": W45[1, :4]},
        (1, 4, 2),
        opset=21,
    ),
    "mean_variance_normalization": Case(_one("MeanVarianceNormalization", axes=[0, 2]), {}, (1, 2, 4)),
    "lp_normalization": Case(_one("LpNormalization", axis=1), {}, (2, 4)),
    "reduce_l2": Case(_one("ReduceL2", axes=[1]), {}, (2, 4), 0.5, 2.0),
    "cum_sum": Case(
        [("CumSum", ["input", "a"], "output", {"exclusive": 1, "reverse": 1})], {"a": np.array(1)}, (2, 4)
    ),
    "gather_nd": Case(
        [("GatherND", ["input", "i"], "output", {})], {"i": np.array([[0, 2], [1, -1]])}, (2, 3)
    ),
    "scatter_nd": Case(
        [("ScatterND", ["input", "i", "u"], "output", {})],
        {"i": np.array([[1, 0], [0, 2]]), "u": np.array([0.5, -1.0])},
        (2, 3),
    ),
    "scatter_elements": Case(
        [
            ("Slice", ["input", "s", "e", "a"], "u", {}),
            ("ScatterElements", ["input", "i", "u"], "output", {"axis": 1}),
        ],
        {"s": _ints(0), "e": _ints(1), "a": _ints(1), "i": np.array([[2], [-2]])},
        (2, 3),
    ),
    "scatter_elements_of_fewer_rows": Case(
        [
            ("Slice", ["input", "s", "e", "a"], "u", {}),
            ("ScatterElements", ["input", "i", "u"], "output", {"axis": 0}),
        ],
        {"s": _ints(0, 0), "e": _ints(1, 2), "a": _ints(0, 1), "i": np.array([[-1, 0]])},
        (2, 3),
    ),
    "scatter": Case(
        [("Scatter", ["input", "i", "u"], "output", {"axis": 0})],
        {"i": np.array([[1, 0, 1]]), "u": np.array([[0.5, -1.0, 2.0]])},
        (2, 3),
        opset=10,
    ),
    "einsum": Case(
        [("Einsum", ["input", "w"], "output", {"equation": "bij,jk->bki"})], {"w": W45[:3]}, (2, 2, 3)
    ),
    "einsum_wires": Case([("Einsum", ["input", "input"], "output", {"equation": "bi,bj->bij"})], {}, (2, 3)),
    "einsum_trace": Case([("Einsum", ["input"], "output", {"equation": "abc->ca"})], {}, (2, 2, 3)),
    "trilu": Case([("Trilu", ["input", "k"], "output", {"upper": 0})], {"k": np.array(1)}, (3, 4)),
    "hardmax": Case(_one("Hardmax", axis=0), {}, (3, 2)),
    "masked_softmax": Case(
        [
            ("Add", ["input", "m"], "s", {}),
            ("Softmax", ["s"], "p", {"axis": -1}),
            ("MatMul", ["p", "v"], "output", {}),
        ],
        {"m": np.triu(np.full((3, 3), -np.inf), 1), "v": W45[:3, :2]},
        (3, 3),
    ),
    "masked_by_where": Case(
        [
            ("Where", ["m", "input", "f"], "s", {}),
            ("Softmax", ["s"], "p", {"axis": -1}),
            ("MatMul", ["p", "v"], "output", {}),
        ],
        {"m": np.tri(3, dtype=bool), "f": np.array(-3.4e38), "v": W45[:3, :2]},
        (3, 3),
    ),
    "pow_7": Case([("Pow", ["input", "e"], "output", {})], {"e": np.array(7.0)}, lo=-1.2, hi=1.2),
    "pow_several": Case(
        [("Pow", ["input", "e"], "output", {})], {"e": np.array([2.0, 0.7, 3.0])}, lo=0.2, hi=1.5
    ),
    "reduce_prod": Case(_one("ReduceProd", axes=[1]), {}, (2, 3)),
    "reduce_log_sum": Case(_one("ReduceLogSum", axes=[1]), {}, (2, 3), 0.5, 2.0),
    "reduce_log_sum_exp": Case(_one("ReduceLogSumExp", axes=[1]), {}, (2, 3)),
    "gelu": Case(_one("Gelu"), opset=20),
    "swish": Case(_one("Swish", alpha=0.8), opset=24),
    "mish": Case(_one("Mish"), opset=18),
    "celu": Case(_one("Celu", alpha=0.7)),
    "thresholded_relu": Case(_one("ThresholdedRelu", alpha=0.3)),
    "shrink": Case(_one("Shrink", lambd=0.5, bias=0.1)),
    "log": Case(_one("Log"), lo=0.3),
    "sqrt": Case(_one("Sqrt"), lo=0.1),
    "reciprocal": Case(_one("Reciprocal"), lo=0.4),
    "acos": Case(_one("Acos"), lo=-0.9, hi=0.9),
    "acosh": Case(_one("Acosh"), lo=1.2, hi=3.0),
    "asin": Case(_one("Asin"), lo=-0.9, hi=0.9),
    "asinh": Case(_one("Asinh")),
    "atan": Case(_one("Atan")),
    "atanh": Case(_one("Atanh"), lo=-0.9, hi=0.9),
    "cos": Case(_one("Cos")),
    "cosh": Case(_one("Cosh")),
    "sin": Case(_one("Sin")),
    "sinh": Case(_one("Sinh")),
    "resize": Case(
        [("Resize", ["input", "", "s"], "output", {"mode": "nearest"})],
        {"s": np.array([1.0, 1.0, 2.0, 2.0])},
        (1, 1, 2, 3),
    ),
    "upsample": Case(
        [("Upsample", ["input", "s"], "output", {})],
        {"s": np.array([1.0, 1.0, 2.0, 2.0])},
        (1, 1, 2, 3),
        opset=9,
    ),
    "constants": Case(
        [
            ("Constant", [], "c", {"value_floats": [0.5, -1.0, 2.0]}),
            ("Shape", ["input"], "s", {}),
            ("ConstantOfShape", ["s"], "z", {}),
            ("Add", ["input", "c"], "y", {}),
            ("Add", ["y", "z"], "output", {}),
        ]
    ),
    "rnn": _recurrent("RNN", 1),
    "gru": _recurrent("GRU", 3),
    "lstm": _recurrent("LSTM", 4),
    "quantize_dequantize": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            ("DequantizeLinear", ["q", "s", "z"], "output", {}),
        ],
        {"s": _scalar(0.125), "z": _scalar(3, np.uint8)},
        (3, 4),
    ),
    "qlinear_matmul": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            ("QLinearMatMul", ["q", "s", "z", "w", "ws", "wz", "ys", "yz"], "y", {}),
            ("DequantizeLinear", ["y", "ys", "yz"], "output", {}),
        ],
        {
            "s": _scalar(0.02),
            "z": _scalar(3, np.int8),
            "w": QUANTISED,
            "ws": _scalar(0.05),
            "wz": _scalar(1, np.int8),
            "ys": _scalar(0.0617),
            "yz": _scalar(-2, np.int8),
        },
        (2, 3),
    ),
    "qlinear_conv": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            ("QLinearConv", ["q", "s", "z", "w", "ws", "wz", "ys", "yz", "b"], "y", {"pads": [1, 1]}),
            ("DequantizeLinear", ["y", "ys", "yz"], "output", {}),
        ],
        {
            "s": _scalar(0.02),
            "z": _scalar(130, np.uint8),
            "w": RNG.integers(-20, 20, size=(2, 1, 3)).astype(np.int8),
            "ws": np.array([0.05, 0.03], dtype=np.float32),
            "wz": np.zeros(2, dtype=np.int8),
            "ys": _scalar(0.0617),
            "yz": _scalar(120, np.uint8),
            "b": np.array([100, -70], dtype=np.int32),
        },
        (1, 1, 4),
    ),
    "matmul_integer": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            ("MatMulInteger", ["q", "w", "z"], "y", {}),
            ("Cast", ["y"], "output", {"to": TensorProto.FLOAT}),
        ],
        {"s": _scalar(0.02), "z": _scalar(3, np.int8), "w": QUANTISED},
        (2, 3),
    ),
    "conv_integer": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            ("ConvInteger", ["q", "w", "z"], "y", {}),
            ("Cast", ["y"], "output", {"to": TensorProto.FLOAT}),
        ],
        {
            "s": _scalar(0.02),
            "z": _scalar(130, np.uint8),
            "w": RNG.integers(0, 20, size=(2, 1, 2)).astype(np.uint8),
        },
        (1, 1, 4),
    ),
    "qgemm": _quantised("QGemm", ["s", "z", "w", "ws", "wz", "c"], [], transB=1),
    "qlinear_add": _quantised("QLinearAdd", ["s", "z"], ["q", "s", "z"]),
    "qlinear_mul": _quantised("QLinearMul", ["s", "z"], ["q", "s", "z"]),
    "qlinear_sigmoid": _quantised("QLinearSigmoid", ["s", "z"], []),
    "qlinear_leaky_relu": _quantised("QLinearLeakyRelu", ["s", "z"], [], alpha=0.3),
    "qlinear_softmax": _quantised("QLinearSoftmax", ["s", "z"], [], axis=1, opset=13),
    "qlinear_average_pool": _quantised(
        "QLinearAveragePool", ["s", "z"], [], shape=(1, 1, 2, 4), kernel_shape=[2, 2]
    ),
    "qlinear_global_average_pool": _quantised("QLinearGlobalAveragePool", ["s", "z"], [], shape=(1, 1, 2, 3)),
    "qlinear_concat": Case(
        [
            ("QuantizeLinear", ["input", "s", "z"], "q", {}),
            (
                "QLinearConcat",
                ["ys", "yz", "q", "s", "z", "q", "ws", "z"],
                "y",
                {"axis": 1, "domain": "com.microsoft"},
            ),
            ("DequantizeLinear", ["y", "ys", "yz"], "output", {}),
        ],
        SCALES,
    ),
    "scaler": Case(_ml("Scaler", offset=[0.1, 0.2, 0.3], scale=[1.0, 0.5, 2.0]), {}, (1, 3)),
    "normalizer": Case(_ml("Normalizer", norm="L2"), {}, (1, 3)),
    "normalizer_l1": Case(_ml("Normalizer", norm="L1"), {}, (1, 3), 0.2),
    "binarizer": Case(_ml("Binarizer", threshold=0.3), {}, (1, 3)),
    "imputer": Case(_ml("Imputer", imputed_value_floats=[0.0]), {}, (1, 3)),
    "array_feature_extractor": Case(
        [("ArrayFeatureExtractor", ["input", "i"], "output", {"domain": "ai.onnx.ml"})],
        {"i": _ints(2, 0)},
        (1, 3),
    ),
    "feature_vectorizer": Case(
        [
            (
                "FeatureVectorizer",
                ["input", "input"],
                "output",
                {"domain": "ai.onnx.ml", "inputdimensions": [3, 3]},
            )
        ],
        {},
        (1, 3),
    ),
    "linear_regressor": Case(
        _ml("LinearRegressor", coefficients=W45[0, :3].tolist(), intercepts=[0.5]), {}, (1, 3)
    ),
    "linear_classifier": Case(
        _label(
            "LinearClassifier",
            coefficients=W45[:3, :3].ravel().tolist(),
            intercepts=[0.1, 0.0, -0.1],
            classlabels_ints=[3, 5, 9],
            post_transform="SOFTMAX",
        ),
        {},
        (1, 3),
        output_type=TensorProto.INT64,
    ),
    "tree_ensemble_regressor": Case(
        _ml(
            "TreeEnsembleRegressor",
            n_targets=1,
            **TREES,
            **_leaves("target", [0] * 5, [0.5, -1.0, 2.0, 0.25, 0.0]),
        ),
        {},
        (1, 3),
    ),
    "tree_ensemble_classifier": Case(
        _label(
            "TreeEnsembleClassifier",
            classlabels_int64s=[0, 1, 2],
            post_transform="NONE",
            **TREES,
            **_leaves("class", [0, 1, 2, 1, 0], [0.5, 0.7, 0.9, 0.3, 0.2]),
        ),
        {},
        (1, 3),
        output_type=TensorProto.INT64,
    ),
    "tree_ensemble": Case(
        _ml(
            "TreeEnsemble",
            n_targets=2,
            nodes_featureids=[0, 1],
            nodes_modes=helper.make_tensor("m", TensorProto.UINT8, (2,), [0, 3]),
            nodes_splits=helper.make_tensor("s", TensorProto.FLOAT, (2,), [0.1, -0.3]),
            nodes_truenodeids=[1, 0],
            nodes_trueleafs=[0, 1],
            nodes_falsenodeids=[2, 1],
            nodes_falseleafs=[1, 1],
            leaf_targetids=[0, 1, 0],
            leaf_weights=helper.make_tensor("w", TensorProto.FLOAT, (3,), [0.5, 0.75, -1.0]),
            tree_roots=[0],
        ),
        {},
        (1, 3),
        opset=19,
    ),
    "svm_regressor": Case(
        _ml(
            "SVMRegressor",
            coefficients=[0.5, -1.0],
            kernel_params=[0.4, 0.0, 3.0],
            kernel_type="RBF",
            n_supports=2,
            rho=[0.3],
            support_vectors=[*W45[0].tolist(), 0.2],
        ),
        {},
        (1, 3),
    ),
    "svm_classifier": Case(
        _label(
            "SVMClassifier",
            classlabels_ints=[0, 1, 2],
            coefficients=[0.5, -1.0, 0.7, 0.9, -0.4, -0.6],
            kernel_params=[0.4, 0.0, 3.0],
            kernel_type="LINEAR",
            post_transform="NONE",
            rho=[0.3, -0.1, 0.05],
            support_vectors=W45[:3, :3].ravel().tolist(),
            vectors_per_class=[1, 1, 1],
        ),
        {},
        (1, 3),
        output_type=TensorProto.INT64,
    ),
    "label_encoder": Case(
        [
            (
                "LabelEncoder",
                ["input"],
                "l",
                {
                    "domain": "ai.onnx.ml",
                    "keys_int64s": [0, 2],
                    "values_floats": [1.5, -2.0],
                    "default_float": 0.5,
                },
            ),
            ("Identity", ["l"], "output", {}),
        ],
        {},
        (1, 3),
        -1,
        3,
        input_type=TensorProto.INT64,
    ),
}

CASES: dict[str, Case] = {name: Case(*parts) for name, parts in _PLAIN.items()} | _MORE
