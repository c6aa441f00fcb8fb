"""How much work compiling is: counted, not timed, and the memory that it takes."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from assay_prover import compile_model
from assay_prover.bundle.preparation import prepare, statement
from assay_prover.circuit import planned_cost
from assay_prover.circuit.linear import product
from assay_prover.reference import Conv, Dense, IntegerGraph, Tensor
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
    for linear in (
        Dense(rng.integers(-9, 10, (3, 8))),
        Conv(rng.integers(-9, 10, (4, 1, 3)), (1,), (1, 1), (1,), 2, (2, 4)),
    ):
        lo = -rng.integers(0, 1 << bits, linear.n_in)
        hi = rng.integers(0, 1 << bits, linear.n_in)
        asked.clear()
        first = linear.bounds(lo, hi)
        again = linear.bounds(lo.copy(), hi.copy())
        assert len(asked) == 1
        assert all(a is b for a, b in zip(first, again, strict=True))
        dense = linear.csr().toarray().astype(object)
        for found, ends in zip(first, ((lo, hi), (hi, lo)), strict=True):
            expected = (np.where(dense > 0, *ends) * dense).sum(axis=1)
            np.testing.assert_array_equal(found, expected.astype(np.int64))
        lo[0] -= 1
        linear.bounds(lo, hi)
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
