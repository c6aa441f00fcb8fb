"""Every operator through the whole compiler: the file, the float graph, the integers, the constraints."""

from __future__ import annotations

import numpy as np
import pytest

from assay_prover.circuit import Circuit, StatementSpec, compile_graph
from assay_prover.circuit.checker import check
from assay_prover.frontend import import_model, supported_operators
from assay_prover.frontend.graph import FloatGraph
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
    result = model.graph.result
    spec = StatementSpec(
        "public", "public", model.input.lo, model.input.bits, output_lo=result.min, output_hi=result.max
    )
    return compile_graph(model.graph, spec, limb_bits=widths), model, model.encode(case.samples(24))


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
    lo, hi = model.input.lo, model.input.hi
    rng = np.random.default_rng(5)
    shape = model.graph.input.shape
    corners = np.where(rng.random((8, *shape)) < 0.5, lo, hi)
    anywhere = rng.integers(lo, hi + 1, size=(8, *shape))
    every = np.concatenate(
        [np.full((1, *shape), lo), np.full((1, *shape), hi), corners, anywhere, samples[:2]]
    )
    every = np.concatenate([every, np.clip(np.zeros((1, *shape), dtype=np.int64), lo, hi)])
    known = model.graph.run(every)
    for tensor_name, values in known.items():
        tensor = model.graph.tensors[tensor_name]
        assert ((values >= tensor.lo) & (values <= tensor.hi)).all(), tensor_name
    for k in (0, 1, 2, len(every) - 1):
        witness = circuit.witness(every[k])
        np.testing.assert_array_equal(witness.outputs.ravel(), known[model.graph.output][k].ravel())
        challenge = CHALLENGE if circuit.layout.committed else None
        assert check(circuit, witness, challenge) is None
