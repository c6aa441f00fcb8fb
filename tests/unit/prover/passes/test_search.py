"""The search for a precision: goals, honest reports, and how it gives up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from assay_prover.compiler.preparation import prepare
from assay_prover.frontend import import_model, read_model
from assay_prover.passes import Precision, QuantisedModel, calibrate, fuse
from assay_prover.passes.selection import search as search_module
from assay_prover.passes.selection.goals import GOALS
from assay_prover.passes.selection.report import AccuracyReport, assess, flip_risk
from assay_prover.passes.selection.search import search
from unit.prover.onnx_models import MODELS, build, mlp
from unit.prover.operator_cases import Nodes
from unit.prover.passes.quantised import quantised


@pytest.mark.parametrize("name", ["bc_mlp", "digits_mlp"])
def test_search_meets_the_balanced_goal_without_losing_accuracy(name: str) -> None:
    graph = fuse(import_model(read_model(MODELS / f"{name}.onnx")))
    data = np.load(MODELS / f"{name}.npz")
    x = data["x"].reshape(-1, *graph.input_shape).astype(np.float64)
    calibration = calibrate(graph, x, (float(x.min()) - 1, float(x.max()) + 1))

    def bits(model: QuantisedModel) -> float:
        return float(sum(np.log2(t.hi - t.lo + 1.0).sum() for t in model.graph.tensors.values()))

    choice = search(graph, calibration, x, data["y"], bits, target="balanced", synthetic=False)
    assert choice.met
    assert choice.report.accuracy_loss <= 0.0
    assert choice.report.agreement >= GOALS["balanced"].agreement
    assert choice.report.samples == len(x)


def test_search_reports_honestly_when_no_candidate_is_good_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GOALS, "speed", replace(GOALS["speed"], p99_error=1e-9))
    rng = np.random.default_rng(1)
    graph = fuse(import_model(mlp(rng, [4, 3])))
    x = rng.uniform(-1, 1, size=(64, 1, 4))
    calibration = calibrate(graph, x, (-1.0, 1.0))
    choice = search(graph, calibration, x, None, lambda _: 0.0, target="speed", synthetic=False)
    assert not choice.met
    assert choice.report.samples == 64


def test_report_counts_agreement_errors_and_saturation() -> None:
    rng = np.random.default_rng(2)
    model, x, expected = quantised(mlp(rng, [6, 4, 3]), rng, Precision(limb_bits=1))
    labels = expected.reshape(64, -1).argmax(axis=1)
    labels[0] = (labels[0] + 1) % 3
    report = assess(model, x, expected, labels, synthetic=False)
    assert report.accuracy_float == pytest.approx(63 / 64)
    assert report.agreement > 0.95
    assert report.saturated == 0.0
    assert report.error_median is not None
    assert report.error_max is not None
    assert 0 <= report.error_median <= report.error_max
    wide = assess(model, x * 4, expected, labels, synthetic=False)
    assert wide.saturated > 0.5


@pytest.mark.parametrize("samples", [1, 20])
def test_outputs_that_do_not_vary_are_measured_by_their_magnitude(samples: int) -> None:
    """One sample of a regression, or the same one many times: no spread to compare an error of 100 with."""
    rng = np.random.default_rng(3)
    constants = {"w": 1e5 * rng.normal(size=(4, 1)), "b": np.array([1e5])}
    model = build([("Gemm", ["input", "w", "b"], "output", {})], constants, (1, 4))
    x = np.repeat(rng.uniform(-1, 1, size=(1, 4)), samples, axis=0)
    prepared = prepare(model, x, None, (-1.0, 1.0), lambda *_: None)
    choice = prepared.choose("balanced", lambda quantised: float(len(quantised.graph.ops)))
    assert choice.met
    assert choice.report.output_span == pytest.approx(abs(float(x[0] @ constants["w"][:, 0]) + 1e5))


def test_risk_sees_flips_that_no_sample_shows() -> None:
    exact = np.zeros((100, 3))
    exact[:, 0] = np.linspace(0.01, 1.0, 100)
    errors = np.zeros((100, 3))
    errors[50:, 1] = 0.2  # the errors sit where the margins are wide: not one answer changes
    assert ((exact + errors).argmax(axis=1) == 0).all()
    risk = flip_risk(exact, errors)
    # a margin below 0.2 (a fifth of the samples) met by an error of 0.2 (half of them)
    assert 0.07 < risk < 0.13
    assert flip_risk(exact, np.zeros_like(errors)) == 0.0


def test_goal_refuses_risk_on_real_samples_alone() -> None:
    values = AccuracyReport(
        samples=100,
        synthetic=False,
        agreement=1.0,
        accuracy_float=None,
        accuracy_quantised=None,
        error_median=0.0,
        error_p99=0.0,
        error_max=0.0,
        output_span=1.0,
        saturated=0.0,
        risk=0.002,
    )
    assert not GOALS["balanced"].accepts(values)
    assert GOALS["speed"].accepts(values)
    assert GOALS["balanced"].accepts(values.model_copy(update={"synthetic": True}))


def test_output_that_is_no_vector_of_classes_agrees_by_its_error() -> None:
    """A sequence of vectors has no top-1 class, so a tie of two of its values must not count."""
    rng = np.random.default_rng(8)
    nodes: Nodes = [("MatMul", ["input", "w"], "output", {})]
    model = build(nodes, {"w": rng.normal(size=(4, 4))}, (1, 3, 4))
    prepared = prepare(model, rng.normal(size=(40, 3, 4)), None, None, lambda *_: None)
    choice = prepared.choose("balanced", lambda quantised: float(len(quantised.graph.ops)))
    assert choice.met
    assert choice.report.risk is None
    assert choice.report.agreement == 1.0


def test_search_gives_up_early_and_cheaply_when_the_goal_is_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even the finest candidate meets it: a few refusals are enough, the dearest is not the answer."""
    monkeypatch.setitem(GOALS, "balanced", replace(GOALS["balanced"], p99_error=1e-9))
    rng = np.random.default_rng(3)
    graph = fuse(import_model(mlp(rng, [4, 8, 3])))
    x = rng.uniform(-1, 1, size=(64, 1, 4))
    calibration = calibrate(graph, x, (-1.0, 1.0))
    weighed: list[float] = []

    def bits(model: QuantisedModel) -> float:
        weighed.append(float(sum(np.log2(t.hi - t.lo + 1.0).sum() for t in model.graph.tensors.values())))
        return weighed[-1]

    choice = search(graph, calibration, x, None, bits, target="balanced", synthetic=False)
    goal = GOALS["balanced"]
    everything = len(goal.limb_bits) * len(goal.activation_bits) * len(goal.input_bits)
    assert not choice.met
    assert choice.candidates < everything
    assert choice.cost < max(weighed)
    assert choice.selection.error_p99 is not None
    assert choice.selection.error_p99 <= 0.01 * choice.selection.output_span


def test_a_refused_candidate_says_how_much_finer_the_next_has_to_be() -> None:
    goal = GOALS["balanced"]
    report = AccuracyReport(
        samples=100,
        synthetic=False,
        agreement=1.0,
        accuracy_float=None,
        accuracy_quantised=None,
        error_median=None,
        error_p99=1.1 * goal.p99_error,
        error_max=None,
        output_span=1.0,
        saturated=0.0,
        risk=2 * goal.risk,
    )
    assert goal.missing(report) == 1
    assert goal.missing(report.model_copy(update={"error_p99": 9 * goal.p99_error})) == 2
    far = report.model_copy(update={"risk": 0.5})
    assert goal.missing(far) > 3
    assert goal.missing(far.model_copy(update={"synthetic": True})) == 1
    assert goal.missing(report.model_copy(update={"error_p99": None, "risk": None})) == 1
    # answers that ought to be 0, all of them
    assert goal.missing(report.model_copy(update={"error_p99": 1e3, "output_span": 0.0})) > 3


def test_search_asks_every_limb_width_before_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The widest limbs are not always the most accurate: one that fails says nothing about the others."""
    rng = np.random.default_rng(5)
    graph = fuse(import_model(mlp(rng, [4, 8, 3])))
    x = rng.uniform(-1, 1, size=(64, 1, 4))
    calibration = calibrate(graph, x, (-1.0, 1.0))
    real = assess
    monkeypatch.setattr(search_module, "PATIENCE", 1)

    def worse(model: QuantisedModel, *rest: Any, **named: Any) -> AccuracyReport:
        report = real(model, *rest, **named)
        finest = GOALS["balanced"].activation_bits[-1]
        fine = model.precision.limb_bits == 4 and model.precision.activation_bits == finest
        return report if fine else report.model_copy(update={"error_p99": report.output_span})

    monkeypatch.setattr(search_module, "assess", worse)
    choice = search(graph, calibration, x, None, lambda _: 0.0, target="balanced", synthetic=False)
    assert choice.met
    assert choice.model.precision.limb_bits == 4
