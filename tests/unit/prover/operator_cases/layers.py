"""Layers of networks: arithmetic, shapes, convolutions, poolings, activations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .case import KERNEL, W45, Case, Nodes, ints

RNG = np.random.default_rng(8)

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
    "reshape": ([("Reshape", ["input", "s"], "output", {})], {"s": ints(0, -1, 2)}, (2, 3, 4)),
    "squeeze": ([("Squeeze", ["input", "a"], "output", {})], {"a": ints(1)}, (2, 1, 3)),
    "unsqueeze": ([("Unsqueeze", ["input", "a"], "output", {})], {"a": ints(0, -1)}, (2, 3)),
    "transpose": ([("Transpose", ["input"], "output", {"perm": [2, 0, 1]})], {}, (2, 3, 4)),
    "identity_dropout": (
        [("Identity", ["input"], "i", {}), ("Dropout", ["i"], "output", {})],
        {},
        (2, 3),
    ),
    "slice_steps": (
        [("Slice", ["input", "s", "e", "a", "t"], "output", {})],
        {"s": ints(-1, 0), "e": ints(-100, 5), "a": ints(0, 1), "t": ints(-2, 2)},
        (4, 6),
    ),
    "pad_constant": (
        [("Pad", ["input", "p", "v"], "output", {})],
        {"p": ints(1, 0, 0, 2), "v": np.array(1.5)},
        (2, 3),
    ),
    "pad_reflect": (
        [("Pad", ["input", "p"], "output", {"mode": "reflect"})],
        {"p": ints(0, 2, 0, 1)},
        (2, 4),
    ),
    "gather": ([("Gather", ["input", "i"], "output", {"axis": 1})], {"i": ints(2, -1, 0, 2)}, (2, 3)),
    "expand": ([("Expand", ["input", "s"], "output", {})], {"s": ints(2, 3, 4)}, (3, 1)),
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
    "reduce_sum": ([("ReduceSum", ["input", "a"], "output", {})], {"a": ints(1)}, (2, 3, 4)),
    "reduce_max": ([("ReduceMax", ["input"], "output", {"axes": [1]})], {}, (2, 3, 4)),
    "folded_shape": (
        [
            ("Shape", ["input"], "s", {}),
            ("Gather", ["s", "i"], "n", {}),
            ("Concat", ["n", "m"], "t", {"axis": 0}),
            ("Reshape", ["input", "t"], "output", {}),
        ],
        {"i": ints(0), "m": ints(-1)},
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
        {"s": ints(0), "e": ints(1)},
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
    "tile": ([("Tile", ["input", "r"], "output", {})], {"r": ints(2, 3)}, (2, 3)),
    "depth_to_space": (
        [("DepthToSpace", ["input"], "output", {"blocksize": 2, "mode": "CRD"})],
        {},
        (1, 8, 2, 3),
    ),
    "space_to_depth": ([("SpaceToDepth", ["input"], "output", {"blocksize": 2})], {}, (1, 2, 4, 6)),
    "split": (
        [("Split", ["input", "p"], "a", {"axis": 1}), ("Neg", ["a"], "output", {})],
        {"p": ints(5)},
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

CASES: dict[str, Case] = {name: Case(*parts) for name, parts in _PLAIN.items()}
