"""Networks as deep as a file is long: walks are iterative, and look at each part once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_prover import Bundle, compile_model, new_salt
from assay_prover.circuit import StatementSpec
from assay_prover.circuit.linear import Constant, Mapped, RowCache, combine
from assay_prover.circuit.occurrence import Support
from assay_prover.frontend import import_model
from assay_prover.lowering import compile_graph
from assay_prover.passes import fuse
from assay_prover.reference import Affine, Gather, IntegerGraph, Tensor
from unit.prover.onnx_models import build


def _chain(length: int, last: str = "Identity") -> bytes:
    nodes: Any = [("Add", ["input" if i == 0 else f"t{i - 1}", "c"], f"t{i}", {}) for i in range(length)]
    nodes.append((last, [f"t{length - 1}"], "output", {}))
    return build(nodes, {"c": np.ones((1, 4))}, (1, 4))


def _diamonds(count: int, last: str) -> bytes:
    nodes: Any = []
    before = "input"
    for i in range(count):
        nodes += [
            ("Add", [before, "c"], f"a{i}", {}),
            ("Mul", [before, "half"], f"b{i}", {}),
            ("Add", [f"a{i}", f"b{i}"], f"s{i}", {}),
        ]
        before = f"s{i}"
    nodes.append((last, [before], "output", {}))
    return build(nodes, {"c": np.full((1, 4), 0.125), "half": np.full((1, 4), 0.5)}, (1, 4))


def test_a_chain_of_thirty_thousand_operations_is_imported_and_fused() -> None:
    graph = fuse(import_model(_chain(30_000)))
    assert len(graph.ops) <= 1


def test_two_hundred_diamonds_before_a_softmax_take_linear_work() -> None:
    limit = sys.getrecursionlimit()
    graph = import_model(_diamonds(200, "Softmax"))
    assert len(fuse(graph).ops) < 300
    assert sys.getrecursionlimit() == limit


def test_a_long_chain_compiles_proves_and_verifies(tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(size=(40, 4))
    compile_model(_chain(300, "Relu"), x, tmp_path / "deep", output="public")
    bundle = Bundle.open(tmp_path / "deep")
    bundle.setup(seed=bytes(32))
    proved = bundle.prover().prove(bundle.encode_input(x[0]), salt=new_salt())
    bundle.verify(proved.public, proved.proof)


def test_integers_of_a_stranger_may_be_chained_as_deep() -> None:
    """No fusion comes between a file of integers and its circuit."""
    size, depth = 4, 5_000
    turn = Gather(np.array([1, 2, 3, 0]), size)
    zero = np.zeros(size, dtype=np.int64)
    ops = [Affine((f"t{i}",), f"t{i + 1}", (size,), (turn,), zero) for i in range(depth)]
    source = Tensor("t0", (size,), zero, zero + 3)
    graph = IntegerGraph([source], ops, f"t{depth}")
    result = graph.result
    spec = StatementSpec("public", "public", 0, 2, result.min, result.max)
    circuit = compile_graph(graph, spec)
    assert circuit.digest()
    assert circuit.cost().constraints == circuit.n_constraints
    witness = circuit.witness(np.array([0, 1, 2, 3]))
    assert len(witness.public) == 3


def test_rows_of_a_deep_and_shared_description_are_made_once() -> None:
    start = Constant(np.array([1, 2]))
    tensor: Any = start
    swap = Gather(np.array([1, 0]), 2)
    zero = np.zeros(2, dtype=np.int64)
    for _ in range(700):
        mapped = Mapped([(swap, tensor)], zero, lambda _frame: zero)
        tensor = combine([(1, mapped[np.array([0, 1])]), (-1, mapped[np.array([1, 0])])])
        tensor = Mapped([(swap, tensor)], zero, lambda _frame: zero)[np.array([0, 0])]
    layout: Any = _Layout()
    assert RowCache(layout).rows(tensor).shape == (2, 1)
    support = Support.__new__(Support)
    support.layout = layout
    marks = np.zeros(1, dtype=bool)
    support._mark(tensor, marks, {})
    assert marks.all()


class _Layout:
    n_wires = 1


# -- forked children


def _in_child(work: Callable[[], None]) -> int:
    """Exit status of a forked child that may take half a minute."""
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # ends the child if it waits for threads that are not there
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking a process with threads: on purpose
def test_a_forked_child_proves_and_verifies(bc: Bundle) -> None:
    ints = np.full(bc.manifest.input.shape, bc.manifest.input.lo)
    prover = bc.prover(threads=2)

    def prove() -> None:
        made = bc.prover(threads=2).prove(ints, salt=5)
        bc.verify(made.public, made.proof)

    prove()
    proved = prover.prove(ints, salt=5)
    assert _in_child(lambda: bc.verify(proved.public, proved.proof)) == 0
    assert _in_child(prove) == 0
    assert _in_child(lambda: _check_with(prover, bc, ints)) == 0
    prove()


def _check_with(prover: Any, bundle: Bundle, ints: Any) -> None:
    made = prover.prove(ints, salt=5)
    bundle.verify(made.public, made.proof)


def _verify(path: Path, public: list[int], proof: bytes) -> bool:
    Bundle.open(path).verify(public, proof)
    return True


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_pool_of_forked_processes_verifies(bc: Bundle) -> None:
    ints = np.full(bc.manifest.input.shape, bc.manifest.input.lo)
    proved = bc.prover().prove(ints, salt=5)
    with get_context("fork").Pool(2) as pool:
        results = [pool.apply_async(_verify, (bc.path, proved.public, proved.proof)) for _ in range(4)]
        assert all(result.get(timeout=60) for result in results)
