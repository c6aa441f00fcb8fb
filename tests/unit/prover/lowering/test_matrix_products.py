"""Products of computed matrices: which form a circuit takes, and that both say the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from assay_prover import Bundle, compile_model, new_salt
from assay_prover.lowering import compile_graph
from soundness.networks import OPEN, Network, examples, rng
from soundness.underconstrained import System


def _attention(tokens: int, width: int) -> Network:
    return Network(rng(3), tokens, width).self_attention().requantise(4, -32, 31)


def test_large_products_are_checked_and_small_ones_are_not() -> None:
    large = compile_graph(_attention(48, 32).graph(), OPEN)
    assert large.plan.product_checks
    plain = compile_graph(large.graph, OPEN, plan=replace(large.plan, product_checks=False))
    assert plain.n_constraints - large.n_constraints > 48 * 48 * 32 * 9 // 10
    assert not compile_graph(examples()["attention"].graph(), OPEN).plan.product_checks


def test_a_checked_product_has_the_plain_ones_answer_and_holds() -> None:
    network = _attention(12, 9)
    chosen = compile_graph(network.graph(), OPEN, limb_bits=4)
    sample = network.sample()[None]
    for checks in (False, True):
        circuit = compile_graph(chosen.graph, OPEN, plan=replace(chosen.plan, product_checks=checks))
        system = System.of(circuit, circuit.witness_of([sample], 5, 7, None))
        assert system.first_failure() is None
    assert circuit.n_constraints < 12 * 12 * 9 * 3


def test_the_same_plan_makes_the_same_circuit() -> None:
    graph = _attention(48, 32).graph()
    first = compile_graph(graph, OPEN)
    again = compile_graph(graph, OPEN, plan=first.plan)
    assert (again.n_constraints, again.layout) == (first.n_constraints, first.layout)


def test_a_bundle_with_checked_products_proves_after_it_was_opened_again(tmp_path: Path) -> None:
    tokens, width = 32, 24
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x", "t"], ["scores"]),
        helper.make_node("Mul", ["scores", "scale"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "x"], ["y"]),
    ]
    shape = [1, tokens, width]
    graph = helper.make_graph(
        nodes,
        "attention",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [helper.make_tensor("scale", TensorProto.FLOAT, [1], [width**-0.5])],
    )
    path = tmp_path / "attention.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    samples = np.random.default_rng(0).normal(0, 1, (24, tokens, width)).astype(np.float32)
    compile_model(path, samples, tmp_path / "bundle")
    bundle = Bundle.open(tmp_path / "bundle")
    assert bundle.manifest.slices[0].plan.product_checks
    bundle.setup()
    bundle = Bundle.open(tmp_path / "bundle")
    salt = new_salt()
    proved = bundle.prover().prove(bundle.encode_input(samples[0]), salt=salt)
    bundle.verify(proved.public, proved.proof)
