"""Every operator through the whole compiler: the file, the float graph, the integers, the constraints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_prover.bundle.archive import dump_graph, load_graph
from assay_prover.circuit import Circuit, StatementSpec
from assay_prover.circuit.checker import check
from assay_prover.errors import QuantisationError
from assay_prover.frontend import import_model, supported_operators
from assay_prover.graph.graph import FloatGraph
from assay_prover.lowering import compile_graph
from assay_prover.passes import Calibration, Precision, QuantisedModel, calibrate, fuse, quantise
from conformance.nodes import FINE, TOLERANCE
from unit.prover.onnx_models import run
from unit.prover.operator_cases import CASES, Case

ELSEWHERE = {"ZipMap"}
"""Its output is no tensor; `test_classical` has it as converters write it."""

CHALLENGE = 0x1D0C0FFEE << 200

COARSE = Precision(
    limb_bits=1, input_bits=4, activation_bits=4, output_bits=4, weight_noise=0.5, table_bits=4
)


def _calibrated(case: Case) -> tuple[FloatGraph, Calibration]:
    graph = fuse(import_model(case.model))
    return graph, calibrate(graph, case.samples(24), (case.lo, case.hi))


def compiled(name: str, widths: tuple[int, ...] = ()) -> tuple[Circuit, QuantisedModel, np.ndarray]:
    """A small circuit of a case, its integers, and samples encoded for it."""
    case = CASES[name]
    model = quantise(*_calibrated(case), COARSE)
    circuit = compile_graph(model.graph, _statement(model), limb_bits=widths)
    return circuit, model, model.encode(case.samples(24))


def _statement(model: QuantisedModel) -> StatementSpec:
    result = model.graph.result
    return StatementSpec(
        "public", "public", model.input.lo, model.input.bits, output_lo=result.min, output_hi=result.max
    )


def extremes(model: QuantisedModel, rng: np.random.Generator) -> np.ndarray:
    """All least, all greatest, zeros (or what is nearest), corners, random points."""
    lo, hi, shape = model.input.lo, model.input.hi, model.graph.input.shape
    zero = min(max(0, lo), hi)
    constant = [np.full((1, *shape), value) for value in (lo, hi, zero)]
    corners = np.where(rng.random((8, *shape)) < 0.5, lo, hi)
    return np.concatenate([*constant, corners, rng.integers(lo, hi + 1, size=(8, *shape))])


def test_every_operator_has_a_case() -> None:
    used = {node[0] for case in CASES.values() for node in case.nodes}
    assert set(supported_operators()) - used == ELSEWHERE


@pytest.mark.parametrize("name", CASES)
def test_float_graph_computes_what_onnxruntime_computes(name: str) -> None:
    case = CASES[name]
    x = case.samples(3)
    graph = import_model(case.model)
    expected = np.stack([run(case.model, sample, graph.onnx_output) for sample in x])
    assert graph.output_shape == expected.shape[1:]
    for candidate in (graph, fuse(graph)):
        np.testing.assert_allclose(candidate.run(x)[candidate.output], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_fine_integers_compute_what_the_float_graph_computes(name: str) -> None:
    """At the encoded input, so that a comparison near its threshold is judged where the circuit judges it."""
    case = CASES[name]
    graph, calibration = _calibrated(case)
    model = quantise(graph, calibration, FINE)
    integers = model.encode(case.samples(24))
    expected = graph.run(integers * model.input.scale)[graph.output]
    answer = model.graph.run(integers)[model.graph.output] * model.output_scale
    assert answer.shape == expected.shape
    assert np.abs(answer - expected).max() <= TOLERANCE * max(float(np.abs(expected).max()), 1e-9)


@pytest.mark.parametrize("name", CASES)
def test_every_input_in_range_proves(name: str) -> None:
    """The ends of the range, corners and random points stay within the worst case and satisfy the circuit."""
    circuit, model, samples = compiled(name)
    every = np.concatenate([extremes(model, np.random.default_rng(5)), samples[:2]])
    known = model.graph.run(every)
    for tensor_name, values in known.items():
        tensor = model.graph.tensors[tensor_name]
        assert ((values >= tensor.lo) & (values <= tensor.hi)).all(), tensor_name
    for k in (0, 1, 2, 3, len(every) - 1):
        witness = circuit.witness(every[k])
        np.testing.assert_array_equal(witness.outputs.ravel(), known[model.graph.output][k].ravel())
        challenge = CHALLENGE if circuit.layout.committed else None
        assert check(circuit, witness, challenge) is None


@pytest.mark.parametrize("name", CASES)
def test_integers_survive_the_file(name: str) -> None:
    """circuit.npz holds every operation: read again it is the same bytes, and answers the same."""
    _, model, samples = compiled(name)
    data = dump_graph(model.graph)
    again = load_graph(data)
    assert dump_graph(again) == data
    for graph in (model.graph, again):
        np.testing.assert_array_equal(
            graph.run(samples)[graph.output], model.graph.run(samples)[model.graph.output]
        )


@settings(max_examples=120, deadline=None)
@given(
    name=st.sampled_from(sorted(CASES)),
    seed=st.integers(0, 2**32),
    limb=st.sampled_from([1, 3, 8]),
    inputs=st.integers(2, 10),
    activation=st.integers(3, 12),
    table=st.integers(3, 10),
    headroom=st.sampled_from([1, 3, 8]),
)
def test_every_input_proves_at_every_precision(
    name: str, seed: int, limb: int, inputs: int, activation: int, table: int, headroom: int
) -> None:
    """Either compiling refuses the precision, or all-least, all-greatest, corners and random inputs prove."""
    precision = Precision(
        limb_bits=limb,
        input_bits=inputs,
        activation_bits=activation,
        output_bits=activation,
        weight_noise=0.5,
        headroom_bits=headroom,
        table_bits=table,
    )
    try:
        model = quantise(*_calibrated(CASES[name]), precision)
    except QuantisationError:
        return
    rng = np.random.default_rng(seed)
    points = extremes(model, rng)
    known = model.graph.run(points)
    for tensor_name, values in known.items():
        tensor = model.graph.tensors[tensor_name]
        assert ((values >= tensor.lo) & (values <= tensor.hi)).all(), tensor_name
    circuit = compile_graph(model.graph, _statement(model), limb_bits=(7,))
    k = int(rng.integers(len(points)))
    challenge = CHALLENGE if circuit.layout.committed else None
    assert check(circuit, circuit.witness(points[k]), challenge) is None
