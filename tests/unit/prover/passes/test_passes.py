"""Passes over the float graph: fusion keeps the function, calibration sees what there is, ranges are
declared.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_prover.errors import InputError
from assay_prover.frontend import import_model
from assay_prover.graph.graph import FloatAffine
from assay_prover.passes import calibrate, declare_range, fuse
from assay_prover.passes.quantise.precision import (
    FILL_BITS,
    Precision,
    encode_range,
    headroom,
    plan_capped,
    plan_scale,
    plan_shift,
)
from unit.prover.onnx_models import build, mlp
from unit.prover.operator_cases import Nodes

RNG = np.random.default_rng(3)


def _conv_block() -> bytes:
    """conv, batch normalisation, residual, relu, pool, flatten, dense, scale."""
    constants = {
        "k": RNG.normal(size=(2, 2, 3, 3)),
        "g": RNG.normal(size=2),
        "b": RNG.normal(size=2),
        "m": RNG.normal(size=2),
        "v": RNG.uniform(0.5, 2, size=2),
        "w": RNG.normal(size=(18, 3)),
        "s": RNG.normal(size=(1, 3)),
    }
    nodes: Nodes = [
        ("Conv", ["input", "k"], "c", {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", ["c", "g", "b", "m", "v"], "n", {}),
        ("Add", ["n", "input"], "a", {}),
        ("Relu", ["a"], "r", {}),
        ("AveragePool", ["r"], "p", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Flatten", ["p"], "f", {}),
        ("MatMul", ["f", "w"], "d", {}),
        ("Mul", ["d", "s"], "output", {}),
    ]
    return build(nodes, constants, (1, 2, 6, 6))


def test_fuse_joins_convolution_normalisation_and_residual() -> None:
    graph = import_model(_conv_block())
    fused = fuse(graph)
    kinds = [type(op).__name__ for op in fused.ops]
    assert kinds == ["FloatAffine", "FloatClip", "FloatAffine", "FloatAffine"]
    first = fused.ops[0]
    assert isinstance(first, FloatAffine)
    assert [type(m).__name__ for m in first.maps] == ["FloatConv", "FloatGather"]
    x = RNG.normal(size=(5, *graph.input_shape))
    np.testing.assert_allclose(fused.run(x)[fused.output], graph.run(x)[graph.output], rtol=1e-9, atol=1e-9)


def test_fuse_keeps_a_layer_that_two_others_read() -> None:
    nodes: Nodes = [
        ("MatMul", ["input", "w"], "m", {}),
        ("Mul", ["m", "c"], "x", {}),
        ("Relu", ["m"], "r", {}),
        ("Add", ["x", "r"], "output", {}),
    ]
    constants = {"w": RNG.normal(size=(4, 4)), "c": RNG.normal(size=(1, 4))}
    graph = import_model(build(nodes, constants, (1, 4)))
    fused = fuse(graph)
    x = RNG.normal(size=(5, 1, 4))
    np.testing.assert_allclose(fused.run(x)[fused.output], graph.run(x)[graph.output], atol=1e-12)
    assert sum(isinstance(op, FloatAffine) and "input" in op.inputs for op in fused.ops) == 1


def test_fuse_joins_clips() -> None:
    nodes: Nodes = [
        ("Relu", ["input"], "r", {}),
        ("Clip", ["r", "lo", "hi"], "output", {}),
    ]
    constants = {"lo": np.array(-1.0), "hi": np.array(6.0)}
    fused = fuse(import_model(build(nodes, constants, (1, 8))))
    assert len(fused.ops) == 1
    x = RNG.normal(size=(5, 1, 8)) * 10
    np.testing.assert_allclose(fused.run(x)["output"], np.clip(x, 0, 6))


def test_calibration_sees_extremes_and_clips_to_the_declared_range() -> None:
    graph = fuse(import_model(mlp(RNG, [4, 8, 3])))
    x = RNG.normal(size=(100, 1, 4))
    seen = calibrate(graph, x, (-1.0, 1.0))
    inside = graph.run(np.clip(x, -1, 1))
    for name, values in inside.items():
        assert seen.tensors[name].lo == pytest.approx(values.min())
        assert seen.tensors[name].hi == pytest.approx(values.max())
        assert seen.tensors[name].rms == pytest.approx(np.sqrt((values**2).mean()))
    np.testing.assert_allclose(seen.outputs, inside[graph.output])


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0.0, 0.5, 1.0], (0.0, 1.0)),
        ([-1.0, 0.999], (-1.0, 1.0)),
        ([0.0, 254.0], (0.0, 255.0)),
        ([2.0, 12.0], (1.0, 13.0)),
        ([3.0, 3.0], (2.5, 3.5)),
    ],
)
def test_declared_range_follows_the_samples(samples: list[float], expected: tuple[float, float]) -> None:
    assert declare_range(np.array(samples), None) == pytest.approx(expected)


@pytest.mark.parametrize("bad", [(1.0, 1.0), (2.0, 1.0), (0.0, np.inf), (np.nan, 1.0)])
def test_empty_or_infinite_range_is_refused(bad: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="empty or infinite"):
        declare_range(None, bad)


def test_neither_samples_nor_range_is_refused() -> None:
    with pytest.raises(InputError, match="samples, or the range"):
        declare_range(None, None)


@settings(max_examples=300, deadline=None)
@given(
    st.floats(-1e6, 1e6, allow_nan=False),
    st.floats(1e-3, 1e6),
    st.integers(1, 16),
    st.floats(0, 1),
)
def test_every_value_of_a_range_encodes_within_its_bits(
    lo: float, span: float, bits: int, part: float
) -> None:
    hi = lo + span
    code = encode_range((lo, hi), bits)
    for value in (lo, hi, min(lo + part * span, hi)):
        assert code.lo <= round(value / code.scale) <= code.hi
    assert code.scale == pytest.approx(span / ((1 << bits) - 1), rel=1.01 / ((1 << bits) - 1))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 14), st.integers(3, 12), st.floats(1e-3, 1e4), st.floats(1, 1e5))
def test_planned_scale_is_fine_enough_and_fills_its_limbs(
    limb: int, resolution: int, reach: float, ratio: float
) -> None:
    precision = Precision(limb_bits=limb, headroom_bits=40)
    worst = reach * ratio
    scale, bits, clamp = plan_scale(precision, resolution, worst, reach)
    assert clamp is None
    assert bits % limb == 0
    assert scale <= reach / ((1 << resolution) - 1) * (1 + 1e-9)
    assert worst / scale <= (1 << bits) - 1 + 1e-3
    # no finer than the limbs hold, and by a few bits at most
    assert scale >= reach / ((1 << resolution) - 1) / 2**FILL_BITS * (1 - 1e-9)


def test_worst_case_far_above_the_samples_is_clamped() -> None:
    _, _, clamp = plan_scale(Precision(limb_bits=1, headroom_bits=8), 8, 1e6, 1.0)
    assert clamp is not None
    assert clamp >= 2**9 - 1


def test_a_bottleneck_is_clamped_early_and_a_wide_layer_late() -> None:
    precision = Precision(limb_bits=8)

    def room(size: int, behind: int) -> float:
        return headroom(precision, 7, size, behind, 20)

    assert room(10, 100_000) < 2
    assert room(1000, 3000) < room(1000, 2000) < 20
    assert room(1000, 100) == room(1000, 0) == 20


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 13), st.integers(3, 12), st.floats(1e-3, 1e3), st.floats(0.1, 1), st.floats(1, 1e4))
def test_a_cap_is_a_whole_number_of_bits(
    limb: int, resolution: int, cap: float, part: float, ratio: float
) -> None:
    reach, worst = part * cap, cap * ratio
    plan = plan_capped(Precision(limb_bits=limb), resolution, worst, reach, cap)
    if plan is None:
        assert cap > 2 * reach
        return
    scale, bits, clamp = plan
    steps = round(cap / scale)
    assert steps & (steps + 1) == 0
    assert scale <= reach / ((1 << resolution) - 1) * (1 + 1e-6)
    assert bits % limb == 0
    assert worst / scale <= (1 << bits) - 1 + 1e-3
    assert clamp is None


def test_shift_grows_with_the_noise() -> None:
    precision = Precision(limb_bits=1, weight_noise=0.25)
    assert plan_shift(precision, 256.0) == 10
    assert plan_shift(Precision(limb_bits=8, weight_noise=0.25), 256.0) == 16
