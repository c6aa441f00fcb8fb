"""Functions of one argument, products, resizing, recurrent layers."""

from __future__ import annotations

import numpy as np

from .case import Case, Nodes, one

RNG = np.random.default_rng(10)

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


CASES: dict[str, Case] = {
    "pow_7": Case([("Pow", ["input", "e"], "output", {})], {"e": np.array(7.0)}, lo=-1.2, hi=1.2),
    "pow_several": Case(
        [("Pow", ["input", "e"], "output", {})], {"e": np.array([2.0, 0.7, 3.0])}, lo=0.2, hi=1.5
    ),
    "reduce_prod": Case(one("ReduceProd", axes=[1]), {}, (2, 3)),
    "reduce_log_sum": Case(one("ReduceLogSum", axes=[1]), {}, (2, 3), 0.5, 2.0),
    "reduce_log_sum_exp": Case(one("ReduceLogSumExp", axes=[1]), {}, (2, 3)),
    "gelu": Case(one("Gelu"), opset=20),
    "swish": Case(one("Swish", alpha=0.8), opset=24),
    "mish": Case(one("Mish"), opset=18),
    "celu": Case(one("Celu", alpha=0.7)),
    "thresholded_relu": Case(one("ThresholdedRelu", alpha=0.3)),
    "shrink": Case(one("Shrink", lambd=0.5, bias=0.1)),
    "log": Case(one("Log"), lo=0.3),
    "sqrt": Case(one("Sqrt"), lo=0.2),
    "sqrt_wide": Case(one("Sqrt"), {}, (1, 2), lo=0.0, hi=4.0),
    "log_wide": Case(one("Log"), {}, (1, 2), lo=0.2, hi=4.0),
    "reciprocal_wide": Case(one("Reciprocal"), {}, (1, 2), lo=0.2, hi=4.0),
    "pow_wide": Case([("Pow", ["input", "e"], "output", {})], {"e": np.array(0.7)}, (1, 2), lo=0.2, hi=4.0),
    "reciprocal": Case(one("Reciprocal"), lo=0.4),
    "acos": Case(one("Acos"), lo=-0.9, hi=0.9),
    "acosh": Case(one("Acosh"), lo=1.2, hi=3.0),
    "asin": Case(one("Asin"), lo=-0.9, hi=0.9),
    "asinh": Case(one("Asinh")),
    "atan": Case(one("Atan")),
    "atanh": Case(one("Atanh"), lo=-0.9, hi=0.9),
    "cos": Case(one("Cos")),
    "cosh": Case(one("Cosh")),
    "sin": Case(one("Sin")),
    "sinh": Case(one("Sinh")),
    "pow_computed": Case([("Pow", ["input", "input"], "output", {})], {}, (1, 2), lo=0.5, hi=2.0),
    "pow_of_a_constant": Case([("Pow", ["b", "input"], "output", {})], {"b": np.array(2.0)}, (1, 2)),
    "clip_computed": Case(
        [
            ("ReduceMax", ["input"], "m", {"keepdims": 0}),
            ("Sub", ["m", "k"], "lo", {}),
            ("Clip", ["input", "lo"], "output", {}),
        ],
        {"k": np.array(1.0)},
        (1, 4),
    ),
    "clip_infinite": Case(
        [("Clip", ["input", "lo", "hi"], "output", {})],
        {"lo": np.array(-0.5), "hi": np.array(np.inf)},
        (1, 3),
    ),
    "max_of_minus_infinity": Case(
        [("Max", ["input", "m"], "x", {}), ("Relu", ["x"], "output", {})], {"m": np.array(-np.inf)}, (1, 3)
    ),
    "scatter_add": Case(
        [("ScatterElements", ["z", "i", "input"], "output", {"axis": 0, "reduction": "add"})],
        {"z": np.ones((3, 2)), "i": np.array([[0, 0], [1, 1], [0, 0], [2, 2], [2, 2], [1, 1]])},
        (6, 2),
        opset=18,
    ),
    "scatter_nd_add": Case(
        [("ScatterND", ["z", "i", "input"], "output", {"reduction": "add"})],
        {"z": np.zeros((3, 2)), "i": np.array([[0], [2], [0], [2]])},
        (4, 2),
        opset=18,
    ),
    "tan": Case(one("Tan"), lo=-1.3, hi=1.2),
    "tan_second_branch": Case(one("Tan"), lo=2.0, hi=4.2),
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
}
