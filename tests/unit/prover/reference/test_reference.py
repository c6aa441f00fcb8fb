"""The integer reference: maps agree with their matrices, intervals hold, rounding is as documented."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from scipy import sparse

from assay_prover.errors import InputError, QuantisationError
from assay_prover.reference import (
    Affine,
    ArgMax,
    Conv,
    Dense,
    Gather,
    IntegerGraph,
    LinearMap,
    MatMul,
    Multiply,
    OneHot,
    ReduceMax,
    Requantise,
    Scale,
    Sparse,
    Table,
    Tensor,
    Trees,
)


def _int64(rng: np.random.Generator, *shape: int, bits: int = 8) -> np.ndarray:
    return rng.integers(-(1 << bits), 1 << bits, size=shape, dtype=np.int64)


def _maps(rng: np.random.Generator) -> list[LinearMap]:
    return [
        Dense(_int64(rng, 5, 36)),
        Sparse(sparse.csr_array(_int64(rng, 7, 36) * (rng.random((7, 36)) < 0.3))),
        Gather(rng.integers(-1, 36, size=50, dtype=np.int64), 36),
        Scale(_int64(rng, 36)),
        Conv(_int64(rng, 4, 2, 2, 3), (1, 2), (1, 0, 0, 1), (2, 1), 2, (4, 3, 3)),
        Conv(_int64(rng, 8, 1, 3), (2,), (2, 1), (3,), 4, (4, 9)),
    ]


@pytest.mark.parametrize("which", range(6))
def test_map_apply_equals_its_sparse_matrix(which: int) -> None:
    rng = np.random.default_rng(which)
    linear = _maps(rng)[which]
    values = _int64(rng, 3, linear.n_in, bits=20)
    matrix = linear.csr()
    assert matrix.shape == (linear.n_out, linear.n_in)
    assert matrix.dtype == np.int64
    assert (matrix.data != 0).all()
    np.testing.assert_array_equal(linear.apply(values), (matrix @ values.T).T)
    np.testing.assert_array_equal(linear.absolute().csr().toarray(), abs(matrix).toarray())
    assert linear.row_norm() >= abs(matrix).sum(axis=1).max()


@pytest.mark.parametrize("which", range(6))
def test_map_bounds_are_reached_at_the_worst_corner(which: int) -> None:
    rng = np.random.default_rng(which)
    linear = _maps(rng)[which]
    lo = _int64(rng, linear.n_in)
    hi = lo + rng.integers(0, 100, size=linear.n_in)
    low, high = linear.bounds(lo, hi)
    dense = linear.csr().toarray()
    np.testing.assert_array_equal(low, (np.where(dense > 0, lo, hi) * dense).sum(axis=1))
    np.testing.assert_array_equal(high, (np.where(dense > 0, hi, lo) * dense).sum(axis=1))


@pytest.mark.parametrize("bits", [10, 40])
def test_dense_is_exact_beyond_float64(bits: int) -> None:
    rng = np.random.default_rng(bits)
    weight, values = _int64(rng, 3, 11, bits=16), _int64(rng, 2, 11, bits=bits)
    expected = [[sum(int(w) * int(v) for w, v in zip(row, x, strict=True)) for row in weight] for x in values]
    np.testing.assert_array_equal(Dense(weight).apply(values), expected)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_conv_equals_onnx(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 2))
    kernel = [data.draw(st.integers(1, 3)) for _ in range(rank)]
    dilations = [data.draw(st.integers(1, 2)) for _ in range(rank)]
    strides = [data.draw(st.integers(1, 3)) for _ in range(rank)]
    pads = [data.draw(st.integers(0, 2)) for _ in range(2 * rank)]
    spatial = [data.draw(st.integers(5, 7)) for _ in range(rank)]
    groups = data.draw(st.sampled_from([1, 2]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    weight, x = _int64(rng, 4, 4 // groups, *kernel), _int64(rng, 1, 4, *spatial)
    conv = Conv(weight, tuple(strides), tuple(pads), tuple(dilations), groups, (4, *spatial))
    node = helper.make_node(
        "Conv",
        ["x", "w"],
        ["y"],
        strides=strides,
        pads=pads,
        dilations=dilations,
        group=groups,
        kernel_shape=kernel,
    )
    graph = helper.make_graph(
        [node],
        "conv",
        [helper.make_tensor_value_info(n, TensorProto.DOUBLE, None) for n in "xw"],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x.astype(float), "w": weight.astype(float)})
    np.testing.assert_array_equal(conv.apply(x.reshape(1, -1)).reshape(1, *conv.out_shape), expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-5, -1), (-4, -1), (-3, -1), (-2, 0), (-1, 0), (0, 0), (1, 0), (2, 1), (5, 1), (6, 2)],
)
def test_requantise_rounds_halves_up(value: int, expected: int) -> None:
    assert Requantise("x", "y", 2).evaluate(np.array([[value]])) == expected


def test_requantise_clamps_after_rounding() -> None:
    op = Requantise("x", "y", 1, lo=0, hi=3)
    np.testing.assert_array_equal(op.evaluate(np.array([[-9, -1, 0, 1, 5, 6, 99]])), [[0, 0, 0, 1, 3, 3, 3]])


def test_argmax_takes_the_lowest_position_on_ties() -> None:
    op = ArgMax("x", "y", (), np.arange(4, dtype=np.int64)[None])
    np.testing.assert_array_equal(op.evaluate(np.array([[1, 7, 7, 0], [5, 5, 5, 5]])), [1, 0])


def _deep_graph(rng: np.random.Generator) -> IntegerGraph:
    """Every operation once."""
    x = Tensor("x", (2, 6), _int64(rng, 2, 6) - 300, _int64(rng, 2, 6) + 300)
    return IntegerGraph(
        [x],
        [
            Affine(("x",), "a", (2, 4), (Dense(_int64(rng, 8, 12)),), _int64(rng, 8)),
            Requantise("a", "q", 6, lo=0, hi=255),
            Requantise("a", "s", 9),
            Affine(
                ("q", "x"), "r", (2, 4), (Scale(_int64(rng, 8)), Gather(np.arange(8), 12)), _int64(rng, 8)
            ),
            Multiply("q", "s", "p"),
            Affine(
                ("p",),
                "pt",
                (4, 2),
                (Gather(np.arange(8).reshape(2, 4).T.ravel().copy(), 8),),
                np.zeros(8, np.int64),
            ),
            MatMul("pt", "r", "m"),
            ReduceMax("m", "top", (4,), np.arange(16).reshape(4, 4)),
            Requantise("top", "narrow", 20, lo=-20, hi=20),
            Table("narrow", "t", -20, np.arange(41, dtype=np.int64) ** 2),
            ArgMax("t", "label", (), np.arange(4, dtype=np.int64)[None]),
        ],
        "label",
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_every_tensor_stays_within_its_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = _deep_graph(rng)
    corners = np.where(rng.random((64, 2, 6)) < 0.5, graph.input.lo, graph.input.hi)
    inside = rng.integers(graph.input.lo, graph.input.hi + 1, size=(64, 2, 6))
    for name, value in graph.run(np.concatenate([corners, inside])).items():
        tensor = graph.tensors[name]
        assert value.dtype == np.int64
        assert value.shape == (128, *tensor.shape)
        assert ((value >= tensor.lo) & (value <= tensor.hi)).all(), name


def test_run_refuses_a_value_outside_the_declared_range() -> None:
    graph = _deep_graph(np.random.default_rng(0))
    x = graph.input.hi[None].copy()
    graph.run(x)
    x[0, 0, 0] += 1
    with pytest.raises(InputError, match="declared range"):
        graph.run(x)


@pytest.mark.parametrize("x", [np.zeros((1, 2, 6)), np.zeros((1, 12), np.int64), np.zeros((2, 6), np.int64)])
def test_run_refuses_floats_and_wrong_shapes(x: np.ndarray) -> None:
    with pytest.raises(InputError, match="must be integers"):
        _deep_graph(np.random.default_rng(0)).run(x)


def test_worst_case_beyond_62_bits_is_refused() -> None:
    x = Tensor("x", (4,), np.array(0), np.array(1 << 40))
    wide = Dense(np.full((1, 4), 1 << 20, np.int64))
    with pytest.raises(QuantisationError):
        IntegerGraph([x], [Affine(("x",), "y", (1,), (wide,), np.zeros(1, np.int64))], "y")
    with pytest.raises(QuantisationError):
        IntegerGraph([x], [Multiply("x", "x", "y")], "y")


def test_table_refuses_an_argument_it_may_not_hold() -> None:
    x = Tensor("x", (1,), np.array(-1), np.array(3))
    with pytest.raises(QuantisationError, match="holds"):
        IntegerGraph([x], [Table("x", "y", 0, np.arange(4, dtype=np.int64))], "y")


def test_graph_refuses_names_out_of_order() -> None:
    x = Tensor("x", (1,), np.array(0), np.array(1))
    with pytest.raises(ValueError, match="before it is written"):
        IntegerGraph([x], [Requantise("z", "y", 1)], "y")
    with pytest.raises(ValueError, match="written twice"):
        IntegerGraph([x], [Requantise("x", "x", 1)], "x")


@pytest.mark.parametrize(
    "make",
    [
        Dense,
        lambda w: Sparse(sparse.csr_array(w)),
        lambda w: Conv(w[:, :, None], (1,), (0, 0), (1,), 1, (4, 1)),
    ],
    ids=["dense", "sparse", "conv"],
)
def test_a_strangers_weights_do_not_wrap_the_interval_analysis(
    make: Callable[[np.ndarray], LinearMap],
) -> None:
    """Four times 2^62 is nothing in int64: the circuit's rows would not be what the integers say."""
    source = Tensor("x", (4,), np.zeros(4, np.int64), np.ones(4, np.int64))
    weight = np.full((1, 4), 1 << 62, dtype=np.int64)
    layer = Affine(("x",), "y", (1,), (make(weight),), np.zeros(1, dtype=np.int64))
    with pytest.raises(QuantisationError):
        IntegerGraph([source], [layer], "y")


def test_a_strangers_leaves_do_not_wrap_the_interval_analysis() -> None:
    source = Tensor("x", (1,), np.zeros(1, np.int64), np.ones(1, np.int64))
    none = np.zeros(0, dtype=np.int64)
    values = np.full((4, 1), 1 << 62, dtype=np.int64)
    roots = np.arange(-4, 0)
    trees = Trees("x", "y", (1,), none, none, none, roots, values, np.zeros(1, dtype=np.int64))
    with pytest.raises(QuantisationError):
        IntegerGraph([source], [trees], "y")


def test_a_few_bytes_do_not_describe_more_than_memory_holds() -> None:
    kernel = np.ones((1, 1, 1), dtype=np.int64)
    with pytest.raises(ValueError, match="positions"):
        Conv(kernel, (1,), (1 << 31, 0), (1,), 1, (1, 4))
    with pytest.raises(ValueError, match="positive"):
        Conv(kernel, (0,), (0, 0), (1,), 1, (1, 4))
    index = Tensor("x", (1024,), np.zeros(1024, np.int64), np.ones(1024, np.int64))
    with pytest.raises(QuantisationError):
        OneHot("x", "y", 0, 1 << 31).infer(index)
    tall, wide = (
        Tensor(n, s, np.array(0), np.array(1)) for n, s in (("a", (1 << 15, 1)), ("b", (1, 1 << 15)))
    )
    with pytest.raises(QuantisationError):
        MatMul("a", "b", "y").infer(tall, wide)
