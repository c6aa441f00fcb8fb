"""What would make a network cheaper to prove: each change tried on the circuit, not guessed.

Changes of the network (average pools, ReLUs) are priced at the same precision and with the statistics of the
network as it is; how well it would answer after training again nobody can say beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import BaseModel, ConfigDict

from assay_prover.circuit import CostReport
from assay_prover.circuit.layout import domain_size
from assay_prover.compiler.preparation import Prepared, statement
from assay_prover.errors import AssayProverError
from assay_prover.graph import FloatGraph
from assay_prover.lowering import compile_graph, planned_cost
from assay_prover.passes import QuantisedModel, quantise
from assay_prover.passes.selection.goals import Target, middle_precisions
from assay_prover.passes.selection.work import multiplications
from assay_prover.passes.variants import with_average_pools, with_relus
from assay_prover.quote.machine_profile import MachineProfile

WORTH_SAYING = 0.02
"""A change that saves less of the proving time is not mentioned."""

NEAR_DOMAIN = 0.15
"""Part of the constraints up to which a smaller evaluation domain is worth pointing at."""


class Saving(BaseModel):
    """A change, the circuit that it gives, and the part of the proving time that it saves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    change: str
    constraints: int
    proving_key_bytes: int
    prove_seconds: float
    saved: float


@dataclass(frozen=True)
class Terms:
    """Who sees what."""

    input: Literal["private", "public"]
    output: Literal["encrypted", "committed", "public"]
    private: bool

    def planned_cost(self, model: QuantisedModel) -> float:
        """Of a circuit under this statement, for the search."""
        return planned_cost(model.graph, statement(model, self.input, self.output))


def find_savings(
    prepared: Prepared,
    quantised: QuantisedModel,
    target: Target,
    terms: Terms,
    costs: CostReport,
    profile: MachineProfile,
    report: Callable[[str, float], None],
) -> tuple[Saving, ...]:
    """Changes that save at least 2 % of the proving time, the best first."""
    before = profile.prove_seconds(costs, multiplications(prepared.graph))
    found = []
    changes = list(_changes(prepared, quantised, target, terms))
    for number, (change, make) in enumerate(changes):
        report("savings", number / len(changes))
        try:
            graph, spec = make()
        except AssayProverError:
            continue  # a network that has no integer form saves nothing
        after = compile_graph(graph.graph, statement(graph, spec.input, spec.output)).cost()
        seconds = profile.prove_seconds(after, multiplications(prepared.graph))
        found.append(_saving(change, after.constraints, after.proving_key_bytes, seconds, before))
    found.extend(_smaller_domain(prepared, costs, profile, before))
    worthwhile = [saving for saving in found if saving.saved >= WORTH_SAYING]
    return tuple(sorted(worthwhile, key=lambda saving: -saving.saved))


def _saving(change: str, constraints: int, key: int, seconds: float, before: float) -> Saving:
    return Saving(
        change=change,
        constraints=constraints,
        proving_key_bytes=key,
        prove_seconds=seconds,
        saved=1 - seconds / before if before > 0 else 0.0,
    )


Change = tuple[str, Callable[[], tuple[QuantisedModel, Terms]]]


def _changes(prepared: Prepared, quantised: QuantisedModel, target: Target, terms: Terms) -> Iterator[Change]:
    """What could be done otherwise, each with a way to price it."""

    def again(graph: FloatGraph, private: bool) -> QuantisedModel:
        return quantise(graph, prepared.calibration, quantised.precision, private=private)

    if terms.input == "private":
        public = replace(terms, input="public", output="public")
        yield "public input and output (--input public): no commitment to open", lambda: (quantised, public)
    if terms.output != "public":
        shown = replace(terms, output="public")
        yield "a public output (--output public)", lambda: (quantised, shown)
    if terms.private:
        constant = replace(terms, private=False)
        yield (
            "constant weights (--weights constant): free of cost, and in the bundle for all to see",
            lambda: (again(prepared.graph, False), constant),
        )
    if target != "speed":
        yield (
            "less accuracy (--target speed)",
            lambda: (_coarser(prepared, terms), terms),
        )
    finer = quantised.precision.input_bits
    if finer > 5:
        narrow = replace(quantised.precision, input_bits=finer - 2)
        yield (
            f"inputs of {finer - 2} bits instead of {finer} (a narrower --range allows it at equal accuracy)",
            lambda: (quantise(prepared.graph, prepared.calibration, narrow, private=terms.private), terms),
        )
    for text, variant in (
        ("average pools instead of max pools, and training again", with_average_pools),
        ("ReLU instead of smooth activations, and training again", with_relus),
    ):
        changed = variant(prepared.graph)
        if changed is not None:
            yield text, lambda changed=changed: (again(changed, terms.private), terms)  # type: ignore[misc]


def _coarser(prepared: Prepared, terms: Terms) -> QuantisedModel:
    if prepared.whole:
        return prepared.choose("speed", terms.planned_cost, private=terms.private).model
    return middle_model(prepared, "speed", terms)


def middle_model(prepared: Prepared, target: Target, terms: Terms) -> QuantisedModel:
    """The cheapest of a target's middle precisions, for networks that are too large to search."""
    best: tuple[float, QuantisedModel] | None = None
    failure: AssayProverError | None = None
    for precision in middle_precisions(target):
        try:
            model = quantise(prepared.graph, prepared.calibration, precision, private=terms.private)
            cost = terms.planned_cost(model)
        except AssayProverError as error:
            failure = error
            continue
        if best is None or cost < best[0]:
            best = cost, model
    if best is None:
        raise failure or AssertionError("every target has precisions")
    return best[1]


def _smaller_domain(
    prepared: Prepared, costs: CostReport, profile: MachineProfile, before: float
) -> Iterator[Saving]:
    """The next evaluation domain down, where few constraints are in its way."""
    rows = costs.constraints + costs.public_inputs + 1 + int(costs.mode == "committed")
    smaller = domain_size(costs.domain // 3 * 2) if costs.domain % 3 == 0 else costs.domain // 4 * 3
    excess = rows - smaller
    if 0 < excess <= NEAR_DOMAIN * rows:
        shrunk = replace(costs, domain=smaller)
        seconds = profile.prove_seconds(shrunk, multiplications(prepared.graph))
        key = costs.proving_key_bytes - 64 * (costs.domain - smaller)
        yield _saving(
            f"{excess:,} constraints fewer ({excess / rows:.1%}): the domain shrinks to {smaller:,} rows",
            costs.constraints - excess,
            key,
            seconds,
            before,
        )
