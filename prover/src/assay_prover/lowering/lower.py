"""From an integer graph and a statement to a circuit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay_prover import gadgets
from assay_prover.circuit.builder import Builder
from assay_prover.circuit.circuit import Circuit
from assay_prover.circuit.field import FieldConcat, FieldConstant, FieldTensor
from assay_prover.circuit.linear import LinearTensor
from assay_prover.circuit.plan import Demand, Plan, choose
from assay_prover.circuit.statement import Part, StatementSpec, bounds_of, range_bits
from assay_prover.gadgets.binding import bind
from assay_prover.gadgets.commitment import commitment, encrypt
from assay_prover.gadgets.pack import PackedWords
from assay_prover.gadgets.range import range_check
from assay_prover.gadgets.registry import Operands, gadget_of
from assay_prover.lowering.holders import find_holders, shared_factors
from assay_prover.lowering.rewrite import hoist_maxima
from assay_prover.reference import (
    IntegerGraph,
    MatMul,
    Op,
    Tensor,
)
from assay_prover.registration import load_modules

load_modules(gadgets)


def compile_graph(
    graph: IntegerGraph,
    spec: StatementSpec,
    *,
    limb_bits: int | tuple[int, ...] | None = None,
    plan: Plan | None = None,
) -> Circuit:
    """The circuit that proves `graph` under the statement `spec`.

    `limb_bits` fixes the range tables' widths (1 or () for bits only, hence plain Groth16 unless a function
    needs a table); by default they are chosen by cost. `plan`, from an earlier compilation of the same
    graph, skips that choice.

    Deterministic: the same arguments give the same constraints in the same order.

    Raises:
        ValueError: the graph's input range is not the statement's, or an output can leave its declared range.
    """
    _check(graph, spec)
    if plan is None:
        plan = _plan(graph, spec, limb_bits)
    chosen = hoist_maxima(graph) if plan.hoist_maxima else graph
    builder = Builder(plan, product_checks=plan.product_checks)
    _emit(builder, chosen, spec)
    return Circuit(builder, chosen, spec, plan)


def planned_cost(graph: IntegerGraph, spec: StatementSpec) -> float:
    """What proving the circuit of `compile_graph` would cost (`Plan.cost`), without building it.

    Raises:
        ValueError: as `compile_graph`.
    """
    _check(graph, spec)
    return _plan(graph, spec, None).cost


def _check(graph: IntegerGraph, spec: StatementSpec) -> None:
    if not spec.entering:
        tensor = graph.input
        least, most = bounds_of(spec.parts_of(tensor.size))
        if not np.array_equal(tensor.lo.ravel(), least) or not np.array_equal(tensor.hi.ravel(), most):
            raise ValueError(
                f"the circuit enforces the input range [{least.min()}, {most.max()}], "
                f"the graph assumes [{tensor.min}, {tensor.max}], or others by element"
            )
    if spec.leaving:
        return
    lo, hi = output_range(graph, spec)
    if graph.result.min < lo or graph.result.max > hi:
        raise ValueError(
            f"the output reaches [{graph.result.min}, {graph.result.max}], its declared range is [{lo}, {hi}]"
        )


def output_range(graph: IntegerGraph, spec: StatementSpec) -> tuple[int, int]:
    """The declared range of the output's integers."""
    lo = spec.output_lo if spec.output_lo is not None else graph.result.min
    hi = spec.output_hi if spec.output_hi is not None else graph.result.max
    return lo, hi


def _measure(graph: IntegerGraph, spec: StatementSpec, product_checks: bool) -> tuple[Demand, int]:
    builder = Builder(None, product_checks=product_checks)
    _emit(builder, graph, spec)
    builder.forget()
    return builder.demand, builder.n_public


def _plan(graph: IntegerGraph, spec: StatementSpec, limb_bits: int | tuple[int, ...] | None) -> Plan:
    hoisted = hoist_maxima(graph)
    rewritings = [(False, graph)] if hoisted is graph else [(False, graph), (True, hoisted)]
    has_products = any(isinstance(op, MatMul) for op in graph.ops)
    plans = []
    for checks in (False, True) if has_products else (False,):
        for hoists, chosen in rewritings:
            demand, n_public = _measure(chosen, spec, checks)
            plans.append(choose(demand, n_public, limb_bits, hoists, checks))
    return min(plans, key=lambda plan: plan.cost)


def _emit(b: Builder, graph: IntegerGraph, spec: StatementSpec) -> None:
    with b.scope("binding"):
        bind(b)
    tensors: dict[str, LinearTensor] = {}
    one = FieldConstant([1])
    with b.scope("input", layer=graph.inputs[0].name):
        stated = _words([_enter(b, tensors, tensor, spec) for tensor in graph.inputs])
        salt: FieldTensor | None = None
        cover: tuple[FieldTensor, ...] = ()
        if spec.needs_salt:
            with b.scope("commitment"):
                salt = b.field_wires(1, lambda frame: [_require("salt", frame.salt)])
                if spec.needs_blinding:
                    cover = (b.field_wires(1, lambda frame: [_require("blinding", frame.blinding)]),)
                if spec.entering:
                    stated = FieldConcat([*cover, stated])
                if spec.input_visibility == "private":
                    stated = commitment(b, salt, stated, spec.input_domain)
        _publish(b, stated, one)
    holders, relied, shared = find_holders(graph), set[Op](), shared_factors(graph)
    for op in graph.ops:
        with b.scope(type(op).__name__.lower(), layer=op.output):
            holder = holders.get(op.output)
            given = Operands(
                [tensors[name] for name in op.inputs],
                [graph.tensors[name] for name in op.inputs],
                graph.tensors[op.output],
                held=None if holder is None else holder.held,
                relied=relied,
                reader=None if holder is None else holder.reader,
                exact=op in relied,
                batched=isinstance(op, MatMul) and op.a in shared,
            )
            tensors[op.output] = gadget_of(op)(b, op, given)
    with b.scope("output", layer=graph.outputs[0]):
        packed = _words([_leave(graph, tensors, name, spec) for name in graph.outputs])
        if spec.output_visibility != "public":
            if salt is None:
                raise AssertionError("the specification has a salt for every hidden output")
            if spec.output_visibility == "encrypted":
                with b.scope("encryption"):
                    packed = encrypt(b, salt, packed)
            else:
                with b.scope("commitment"):
                    if spec.leaving:
                        packed = FieldConcat([*cover, packed])
                    packed = commitment(b, salt, packed, spec.output_domain)
        _publish(b, packed, one)
    b.finish()


def _enter(b: Builder, tensors: dict[str, LinearTensor], tensor: Tensor, spec: StatementSpec) -> FieldTensor:
    """A tensor that the statement's input holds, each part of it held to the range of its packing.

    At a cut the elements' own bounds may be narrower. They need no check: the words are those of the slice
    before, packing is injective on both sides, and that slice's circuit keeps the bounds.
    """
    name = tensor.name
    parts: tuple[Part, ...] = (Part(tensor.size, tensor.min, range_bits(tensor.min, tensor.max)),)
    if not spec.entering:
        parts = spec.parts_of(tensor.size)
    lo, _ = bounds_of(parts)
    values = b.integers(tensor.size, lambda frame: frame.tensor(name) - lo)
    tensors[name] = values + lo
    words, start = [], 0
    for part in parts:
        own: LinearTensor = values
        if len(parts) > 1:
            own = values[np.arange(start, start + part.size)]
        range_check(b, own, part.bits, exact=True)
        words.append(PackedWords(own, part.bits))
        start += part.size
    return _words(words)


def _leave(
    graph: IntegerGraph, tensors: dict[str, LinearTensor], name: str, spec: StatementSpec
) -> PackedWords:
    """A tensor that the statement's output holds."""
    tensor = graph.tensors[name]
    lo, hi = (tensor.min, tensor.max) if spec.leaving else output_range(graph, spec)
    return PackedWords(tensors[name] - lo, range_bits(lo, hi))


def _words(parts: Sequence[FieldTensor]) -> FieldTensor:
    """The words of all tensors after one another; each begins a new word."""
    return parts[0] if len(parts) == 1 else FieldConcat(list(parts))


def _require(what: str, value: int | None) -> int:
    if value is None:
        raise ValueError(f"a hidden input, output or cut needs a {what}")
    return value


def _publish(b: Builder, words: FieldTensor, one: FieldConstant) -> None:
    public = b.public_wires(words.size, lambda frame: frame.field_value(words))
    b.constrain_field(words, FieldConstant(one.values * words.size), public)
