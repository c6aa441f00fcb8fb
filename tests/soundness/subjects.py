"""Circuits for the adversary: small networks of each operation, the compiler's operator cases, slices, and
layers with private weights, compiled while a trace is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import numpy as np

from assay_prover.circuit import InputVisibility, Part, StatementSpec, bounds_of
from assay_prover.circuit.builder import Builder
from assay_prover.circuit.circuit import Circuit
from assay_prover.circuit.field import FieldWires
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import LinearTensor
from assay_prover.circuit.plan import Plan
from assay_prover.gadgets.private.linear import Form
from assay_prover.gadgets.product_check import Blocks, Matrices, ProductCheck
from assay_prover.lowering import compile_graph
from assay_prover.lowering.slices import cut
from assay_prover.passes import QuantisedModel, quantise
from assay_prover.reference import (
    Affine,
    ArgMax,
    Gather,
    IntegerGraph,
    MatMul,
    Normalise,
    Op,
    Requantise,
    RoundEven,
    Tensor,
)
from assay_prover.reference.tensor import Int64Array
from soundness.adversary import Adversary
from soundness.harness import Gadget
from soundness.networks import OWN_SALT, PRIVATE, PUBLIC, SEALED, Network, examples, rng
from soundness.private_layers import Layer, make
from soundness.sites import Site, Trace, tracing
from soundness.underconstrained import System
from unit.prover.frontend.test_operators import COARSE, _calibrated, _statement, extremes
from unit.prover.operator_cases import CASES

SALT, BINDING, BLINDING = 987654321 << 128, 12345, 1357924680 << 150

Subject = Callable[[Site | None, Site | None], tuple[Trace, Adversary]]
"""Compiles without the first site, or with the second one's range checks too wide."""


def circuit(
    graph: IntegerGraph,
    spec: StatementSpec,
    inputs: Sequence[Int64Array],
    widths: tuple[int, ...],
    *,
    open_words: bool = False,
    product_checks: bool = False,
) -> Subject:
    """A compiled graph whose input, salt, blinding and model are known; or, `open_words`, whose input words
    are known and the input is for the adversary to choose; with `product_checks` where they are cheaper."""

    def compile_it(drop: Site | None, widen: Site | None) -> tuple[Trace, Adversary]:
        with tracing(drop=drop, widen=widen) as trace:
            made = compile_graph(graph, spec, plan=Plan(widths, 0, 0.0, product_checks=product_checks))
        salt = SALT if spec.needs_salt else None
        blinding = BLINDING if spec.needs_blinding else None
        system = System.of(made, made.witness_of(inputs, salt, BINDING, blinding))
        entering = made.builder.public[1].size
        known = range(1, 2 + entering) if open_words else [1, *_chosen_outside(made, trace)]
        return trace, Adversary(made.builder, system, trace, known)

    return compile_it


def _chosen_outside(made: Circuit, trace: Trace) -> Iterable[int]:
    """Wires of input, salt, blinding and model: what leads the allocations of each kind."""
    builder, spec, layout = made.builder, made.spec, made.layout
    own = [wires for wires in builder.committed if wires not in trace.limbs]
    for wires in own[: len(made.graph.inputs)]:
        first = layout.base(wires.region) + wires.offset
        yield from range(first, first + wires.size)
    fields = [wires for wires in builder.free if isinstance(wires, FieldWires)]
    # the binding's square is the first
    for secret in fields[1 : 1 + spec.needs_salt + spec.needs_blinding]:
        yield from secret.own_wires(layout).tolist()
    yield from range(layout.base(Region.MODEL), layout.base(Region.MODEL) + layout.n_model)


def product_gadget(rows: int, columns: int) -> Gadget:
    """A 2 x 2 product check alone, with so many rows and columns in a word and no bit of a digit to spare."""
    values = {"x": np.array([-2, 1, 0, -1]), "y": np.array([1, -1, -2, 1])}

    def build(b: Builder, inputs: Mapping[str, LinearTensor]) -> LinearTensor:
        where = Matrices.of((2, 2), (2, 2))
        check = ProductCheck(where, Blocks(where.shape, 4, rows, columns), (-4, 8), checked=False)
        return check.emit(b, inputs["x"], inputs["y"])

    return Gadget(build, values, (3,))


def _product(rows: int, columns: int) -> Subject:
    def compile_it(drop: Site | None, widen: Site | None) -> tuple[Trace, Adversary]:
        with tracing(drop=drop, widen=widen) as trace:
            made = product_gadget(rows, columns)
        return trace, Adversary(made.builder, made.system, trace, made.system.given)

    return compile_it


def layer(name: str, form: Form) -> Subject:
    """A layer with private weights alone."""

    def compile_it(drop: Site | None, widen: Site | None) -> tuple[Trace, Adversary]:
        with tracing(drop=drop, widen=widen) as trace:
            made = Layer(make(name), form, (3,))
        return trace, Adversary(made.builder, made.system, trace, made.system.given)

    return compile_it


@cache
def quantised(name: str) -> tuple[QuantisedModel, Int64Array]:
    model = quantise(*_calibrated(CASES[name]), COARSE)
    usual = model.encode(CASES[name].samples(24))[:3]
    return model, np.concatenate([usual, extremes(model, rng(1))])


def operator(name: str, widths: tuple[int, ...], sample: int = 0) -> Subject:
    """One of the compiler's operator cases; samples 0 to 2 are usual ones, then come those at the ends."""
    model, samples = quantised(name)
    return circuit(model.graph, _statement(model), [samples[sample][None]], widths)


def _network(network: Network, spec: StatementSpec, widths: tuple[int, ...]) -> Subject:
    return circuit(network.graph(), spec, [network.sample()[None]], widths)


def _private_network() -> Subject:
    graph = IntegerGraph([Tensor("x0", (2,), np.array([-4, -4]), np.array([3, 3]))], [make("tiny")], "y")
    spec = StatementSpec("public", "public", input_lo=-4, input_bits=3)
    return circuit(graph, spec, [np.array([[3, -2]])], (4,))


def _many_words() -> Subject:
    """More words than one permutation takes."""
    network = Network(rng(50), 75, lo=0, hi=(1 << 50) - 1).dense(1)
    spec = StatementSpec("private", "public", input_lo=0, input_bits=50)
    return circuit(network.graph(), spec, [network.sample()[None]], (4,))


def _slice(index: int) -> Subject:
    """Its second cut is crossed by two tensors."""
    network = Network(rng(41), 4).dense(4).relu(3)
    kept = network.last
    graph = network.dense(3).relu(2).dense(4).relu(4).residual(kept).relu(1).dense(2).graph()
    known = graph.run(network.sample()[None])
    part = cut(graph, [2, 4])[index]
    return circuit(part, PRIVATE.slice(index, 3), [known[t.name] for t in part.inputs], (4,))


BOUNDARIES: dict[str, tuple[Op, list[int]]] = {
    "ties": (RoundEven("x", "y", 2), [2, 6, -2, 3]),
    "several largest": (ArgMax("x", "y", (1,), np.arange(4)[None]), [3, 3, 1, 3]),
    "beyond a clamp": (Requantise("x", "y", 0, -2, 1), [5, -6, 0, 1]),
    "beyond an odd clamp": (Requantise("x", "y", 1, -3, 2), [7, 5, -8, 3]),
    "a short vector": (Normalise("x", "y", np.arange(4)[None], 1, 0, 50), [1, 1, 1, -1]),
}
"""One operation on four inputs, where a careless one would err."""


def _boundary(op: Op, values: list[int]) -> Subject:
    x = Tensor("x", (4,), np.full(4, -8), np.full(4, 7))
    return circuit(IntegerGraph([x], [op], "y"), PUBLIC, [np.array([values])], ())


PACKINGS = [(1, 1), (2, 1), (1, 2), (2, 2)]
"""Rows and columns of a 2 x 2 product in one word: polynomials on both sides, on one, and none."""


def _product_as_output() -> Subject:
    """Nothing but the check's own ranges holds the result, which everybody sees."""
    network = Network(rng(52), 4, 12).self_attention()
    return circuit(network.graph(), PUBLIC, [network.sample()[None]], (4,), product_checks=True)


def _products_of_one_factor() -> Subject:
    """X v and X (X v, requantised): the second factor is made of the first result."""
    side, size = 6, 42
    x = Tensor("x", (size,), np.full(size, -2), np.full(size, 1))
    none = np.zeros(side * side, dtype=np.int64)
    ops: list[Op] = [
        Affine(("x",), "X", (side, side), (Gather(np.arange(side * side), size),), none),
        Affine(("x",), "v", (side, 1), (Gather(np.arange(side * side, size), size),), none[:side]),
        MatMul("X", "v", "z"),
        Requantise("z", "w", 1, None, None),
        MatMul("X", "w", "y"),
    ]
    spec = StatementSpec("public", "public", input_lo=-2, input_bits=2)
    sample = rng(53).integers(-2, 2, (1, size))
    return circuit(IntegerGraph([x], ops, "y"), spec, [sample], (4,), product_checks=True)


BATCHED = "products of one factor"
"""Its results are tied to each other in one check after all of them, so that one alone seems free before."""


def _two_parts(*, open_words: bool) -> Subject:
    """An input of two parts, each packed by its own range."""
    parts = (Part(3, -2, 2), Part(2, 0, 3))
    lo, hi = bounds_of(parts)
    graph = Network(rng(54), 5).dense(2).graph()
    taken = IntegerGraph([Tensor(graph.input.name, (5,), lo, hi)], graph.ops, graph.outputs)
    visibility: InputVisibility = "public" if open_words else "private"
    spec = StatementSpec(visibility, "public", 0, 1, input_parts=parts)
    return circuit(taken, spec, [np.array([[1, -2, 0, 7, 5]])], (), open_words=open_words)


def _opening() -> Subject:
    """Three inputs of two bits, to be found again from the word they are packed in."""
    network = Network(rng(51), 3, lo=-2, hi=1).dense(2)
    spec = StatementSpec("public", "public", input_lo=-2, input_bits=2)
    return circuit(network.graph(), spec, [np.array([[1, -2, 0]])], (), open_words=True)


@cache
def small_subjects() -> Mapping[str, Subject]:
    """All but the operator cases."""
    found: dict[str, Subject] = {"opening": _opening()}
    for name, network in examples().items():
        for widths in ((), (4,)):
            found[f"{name} {widths}"] = _network(network, PUBLIC, widths)
    for kind, spec in (("encrypted", PRIVATE), ("committed", SEALED), ("own salt", OWN_SALT)):
        found[kind] = _network(examples()["mlp"], spec, (4,))
    found["many words"] = _many_words()
    found |= {name: _boundary(*case) for name, case in BOUNDARIES.items()}
    found |= {f"slice {index}": _slice(index) for index in range(3)}
    found |= {f"product check {r} x {s}": _product(r, s) for r, s in PACKINGS}
    found["two parts, to be opened"] = _two_parts(open_words=True)
    found["two parts, private"] = _two_parts(open_words=False)
    found["product as output"] = _product_as_output()
    found[BATCHED] = _products_of_one_factor()
    found["private network"] = _private_network()
    found["private, packed"] = layer("tiny", "packed")
    found["private, Freivalds"] = layer("tiny", "freivalds")
    found["private, Freivalds, two taps"] = layer("least", "freivalds")
    return found
