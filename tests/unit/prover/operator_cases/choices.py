"""Comparisons, logic, positions and what is chosen by them; norms; masks."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from .case import W45, Case, Nodes, ints, one, then_cast


def _logic(operator: str) -> Case:
    nodes: Nodes = [
        ("Greater", ["input", "lo"], "a", {}),
        ("Less", ["input", "hi"], "c", {}),
        (operator, ["a", "c"], "d", {}),
        ("Cast", ["d"], "output", {"to": TensorProto.FLOAT}),
    ]
    return Case(nodes, {"lo": np.array(-0.4), "hi": np.array(0.6)})


CASES: dict[str, Case] = {
    "round": Case(one("Round")),
    "floor": Case(one("Floor")),
    "ceil": Case(one("Ceil")),
    "sign": Case(one("Sign")),
    "greater": Case(then_cast("Greater", ["input", "c"]), {"c": W45}, (4, 5)),
    "greater_or_equal": Case(then_cast("GreaterOrEqual", ["input", "c"]), {"c": W45}, (4, 5)),
    "less": Case(then_cast("Less", ["c", "input"]), {"c": W45}, (4, 5)),
    "less_or_equal": Case(then_cast("LessOrEqual", ["input", "c"]), {"c": W45}, (4, 5)),
    "equal": Case(
        then_cast("Equal", ["input", "c"]),
        {"c": ints(1, 2, -1)},
        (2, 3),
        -3,
        3,
        input_type=TensorProto.INT64,
    ),
    "not": Case([("Greater", ["input", "c"], "g", {}), *then_cast("Not", ["g"])], {"c": np.array(0.25)}),
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
    "argmax": Case(one("ArgMax", axis=1), output_type=TensorProto.INT64),
    "argmin": Case(one("ArgMin", axis=1, keepdims=0), output_type=TensorProto.INT64),
    "argmax_within": Case(
        [
            ("ArgMax", ["input"], "a", {"axis": 1}),
            ("Cast", ["a"], "c", {"to": TensorProto.FLOAT}),
            ("Mul", ["c", "k"], "output", {}),
        ],
        {"k": np.array(0.5)},
    ),
    "top_1": Case([("TopK", ["input", "k"], "output positions", {"axis": 1})], {"k": ints(1)}),
    "top_3": Case([("TopK", ["input", "k"], "output positions", {"axis": 0})], {"k": ints(3)}, (4, 2)),
    "least_2_places": Case(
        [("TopK", ["input", "k"], "values output", {"largest": 0})],
        {"k": ints(2)},
        (2, 4),
        output_type=TensorProto.INT64,
    ),
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
    "mean_variance_normalization": Case(one("MeanVarianceNormalization", axes=[0, 2]), {}, (1, 2, 4)),
    "lp_normalization": Case(one("LpNormalization", axis=1), {}, (2, 4)),
    "reduce_l2": Case(one("ReduceL2", axes=[1]), {}, (2, 4), 0.5, 2.0),
    "cum_sum": Case(
        [("CumSum", ["input", "a"], "output", {"exclusive": 1, "reverse": 1})], {"a": np.array(1)}, (2, 4)
    ),
    "modulo": Case([("Mod", ["input", "k"], "output", {"fmod": 1})], {"k": np.array([0.7, -0.5, 1.5])}),
    "modulo_whole": Case(
        [("Mod", ["input", "k"], "output", {})],
        {"k": ints(3, -2, 5)},
        lo=-9,
        hi=9,
        input_type=TensorProto.INT64,
        output_type=TensorProto.INT64,
    ),
    "local_response": Case(one("LRN", size=3, alpha=0.5, beta=0.75, bias=1.5), {}, (1, 5, 1, 2)),
    "size": Case(
        [("Size", ["input"], "n", {}), ("Cast", ["n"], "f", {"to": 1}), ("Div", ["input", "f"], "output", {})]
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
        {"s": ints(0), "e": ints(1), "a": ints(1), "i": np.array([[2], [-2]])},
        (2, 3),
    ),
    "scatter_elements_of_fewer_rows": Case(
        [
            ("Slice", ["input", "s", "e", "a"], "u", {}),
            ("ScatterElements", ["input", "i", "u"], "output", {"axis": 0}),
        ],
        {"s": ints(0, 0), "e": ints(1, 2), "a": ints(0, 1), "i": np.array([[-1, 0]])},
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
    "hardmax": Case(one("Hardmax", axis=0), {}, (3, 2)),
    "padding_softmax": Case(
        [
            ("Greater", ["input", "z"], "b", {}),
            ("Where", ["b", "f", "input"], "s", {}),
            ("Softmax", ["s"], "p", {"axis": -1}),
            ("MatMul", ["p", "v"], "output", {}),
        ],
        {"z": np.array(1.0), "f": np.array(-np.inf), "v": W45[:3, :2]},
        (3, 3),
        hi=1.6,
    ),
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
}
