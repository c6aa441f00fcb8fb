"""How much work compiling is: counted, not timed, and the memory that it takes."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from assay_prover import compile_model
from assay_prover.circuit import Circuit, StatementSpec, linear, rows
from assay_prover.circuit.linear import product
from assay_prover.compiler.preparation import prepare, statement
from assay_prover.lowering import compile_graph, planned_cost
from assay_prover.passes import QuantisedModel
from assay_prover.reference import Affine, Conv, Dense, IntegerGraph, Requantise, Tensor
from assay_prover.reference.exact import ExactProducts
from assay_prover.reference.liveness import last_read, most_alive
from soundness.networks import examples
from unit.prover.onnx_models import mlp


@pytest.mark.parametrize("name", examples())
def test_a_network_is_run_without_what_nothing_reads_any_more(name: str) -> None:
    graph = examples()[name].graph()
    sample = examples()[name].sample()[None]
    whole = graph.run(sample)
    np.testing.assert_array_equal(graph.answers(sample), whole[graph.output])
    alive: set[str] = {graph.input.name}
    most = graph.input.size
    for op, gone in zip(graph.ops, last_read(graph.ops, ()), strict=True):
        assert set(op.inputs) <= alive
        alive.add(op.output)
        most = max(most, sum(graph.tensors[name].size for name in alive))
        alive -= set(gone)
    assert alive <= {graph.input.name}, "what is read is dropped at the end"
    assert most == graph.values_alive


def test_values_that_are_kept_stay() -> None:
    graph = examples()["mlp"].graph()
    names = [op.output for op in graph.ops]
    assert not any(set(gone) & set(names) for gone in last_read(graph.ops, names))
    sizes = {name: tensor.size for name, tensor in graph.tensors.items()}
    assert most_alive(graph.ops, sizes, sizes) == sum(sizes.values())


@pytest.mark.parametrize("ascending", [True, False])
def test_renaming_columns_is_the_product(ascending: bool) -> None:
    rng = np.random.default_rng(0)
    matrix = sp.csr_array(rng.integers(-3, 4, (5, 4)))
    columns = np.array([2, 3, 7, 8] if ascending else [7, 3, 2, 8])
    rows = sp.csr_array((rng.integers(1, 5, 4), columns, np.arange(5)), shape=(4, 10))
    np.testing.assert_array_equal(product(matrix, rows).toarray(), (matrix @ rows).toarray())
    doubled = sp.csr_array(np.array([[0, 1, 2], [0, 0, 3], [1, 0, 0], [0, 0, 0]]))
    np.testing.assert_array_equal(product(matrix, doubled).toarray(), (matrix @ doubled).toarray())


@pytest.mark.parametrize("bits", [8, 50])
def test_a_box_is_analysed_once(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same box again costs nothing, another is analysed; below and beyond what float64 holds exactly."""
    rng = np.random.default_rng(bits)
    asked = []
    original = ExactProducts.centre_and_spread

    def counted(self: ExactProducts, *sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append(sides)
        return original(self, *sides)

    monkeypatch.setattr(ExactProducts, "centre_and_spread", counted)
    for layer in (
        Dense(rng.integers(-9, 10, (3, 8))),
        Conv(rng.integers(-9, 10, (4, 1, 3)), (1,), (1, 1), (1,), 2, (2, 4)),
    ):
        lo = -rng.integers(0, 1 << bits, layer.n_in)
        hi = rng.integers(0, 1 << bits, layer.n_in)
        asked.clear()
        first = layer.bounds(lo, hi)
        again = layer.bounds(lo.copy(), hi.copy())
        assert len(asked) == 1
        assert all(a is b for a, b in zip(first, again, strict=True))
        dense = layer.csr().toarray().astype(object)
        for found, ends in zip(first, ((lo, hi), (hi, lo)), strict=True):
            expected = (np.where(dense > 0, *ends) * dense).sum(axis=1)
            np.testing.assert_array_equal(found, expected.astype(np.int64))
        lo[0] -= 1
        layer.bounds(lo, hi)
        assert len(asked) == 2
        with pytest.raises(ValueError, match="read-only"):
            first[0][:] = 0


def test_rearranging_a_network_analyses_nothing_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = examples()["conv and pool"].graph()

    def refuse(self: ExactProducts, *sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise AssertionError("analysed again")

    monkeypatch.setattr(ExactProducts, "centre_and_spread", refuse)
    source = graph.input
    copy = Tensor(source.name, source.shape, source.lo, source.hi)
    again = IntegerGraph([copy], graph.ops, graph.outputs)
    for name, tensor in graph.tensors.items():
        np.testing.assert_array_equal(again.tensors[name].lo, tensor.lo)
        np.testing.assert_array_equal(again.tensors[name].hi, tensor.hi)


def test_candidates_are_priced_once_and_never_built() -> None:
    """Not even where the goal is out of reach and the candidates are gone through a second time."""
    rng = np.random.default_rng(7)
    x = rng.uniform(-1, 1, (96, 24))
    prepared = prepare(mlp(rng, [24, 40, 4]), x, None, (-1.0, 1.0), lambda *_: None)
    priced = []

    def cost(model: QuantisedModel) -> float:
        priced.append(model.precision)
        return planned_cost(model.graph, statement(model, "private", "encrypted"))

    for target in ("speed", "balanced", "accuracy"):
        priced.clear()
        choice = prepared.choose(target, cost)
        assert len(priced) == len(set(priced)) == choice.candidates
        spec = statement(choice.model, "private", "encrypted")
        assert compile_graph(choice.model.graph, spec).plan.cost == choice.cost


def test_rows_of_a_large_layer_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of one layer come and go: memory is that of a block, not of the layer."""
    for module in (linear, rows):
        monkeypatch.setattr(module, "MOST_ENTRIES", 1 << 14)
    peaks = []
    for width in (256, 1024):
        circuit = _one_layer(width)
        tracemalloc.start()
        for _ in circuit.blocks():
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0], "four times the weights"


def _one_layer(width: int) -> Circuit:
    rng = np.random.default_rng(width)
    source = Tensor("x", (512,), np.full(512, 0), np.full(512, 255))
    weight = rng.integers(-99, 100, (width, 512))
    layer = Affine(("x",), "a", (width,), (Dense(weight),), np.zeros(width, dtype=np.int64))
    graph = IntegerGraph([source], [layer, Requantise("a", "y", 8, 0, None)], "y")
    return compile_graph(graph, StatementSpec("public", "public", 0, 8), limb_bits=(8,))


def test_compiling_takes_a_few_times_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    data = mlp(rng, [128, 2048, 256, 4])
    x = rng.uniform(0, 1, (80, 128))
    tracemalloc.start()
    compile_model(data, x, tmp_path / "bundle", target="speed")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(data)
