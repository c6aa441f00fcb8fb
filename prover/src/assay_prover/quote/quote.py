"""A quote: what proving a network will cost, in seconds and without keys.

The same import, search and lowering as compiling, so that constraints and key sizes are those that compiling
would give. What compiling does beside that, expanding every row for its hash, is left out. A network so large
that the search itself would take long is priced at the target's middle precision, and the quote says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from assay_prover.bundle.manifest import PrecisionInfo
from assay_prover.circuit import CostReport
from assay_prover.circuit.packing import values_per_word
from assay_prover.circuit.statement import range_bits
from assay_prover.compiler.preparation import Samples, prepare, statement
from assay_prover.errors import InputError, ModelError
from assay_prover.frontend import read_model
from assay_prover.groth16 import Cancelled
from assay_prover.lowering import compile_graph
from assay_prover.passes.selection.goals import Target
from assay_prover.passes.selection.report import AccuracyReport
from assay_prover.passes.selection.work import multiplications
from assay_prover.quote.machine_profile import MachineProfile, prove_bytes, setup_bytes
from assay_prover.quote.savings import Saving, Terms, find_savings, middle_model

SEARCH_WORK = 1 << 32
"""Work of all samples together (`sample_work`) up to which a quote searches as compiling does: some
seconds."""


class Prediction(BaseModel):
    """Seconds and bytes on the machine of a profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prove_seconds: float
    setup_seconds: float
    prove_bytes: int
    setup_bytes: int
    cpu: str
    threads: int
    measured: datetime


class Quote(BaseModel):
    """What a network costs. `exact`: constraints and sizes are those that compiling gives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    seconds: float
    input: Literal["private", "public"]
    output: Literal["encrypted", "committed", "public"]
    weights: Literal["constant", "private"]
    target: Target
    exact: bool
    parameters: int
    multiplications: int
    precision: PrecisionInfo
    accuracy: AccuracyReport | None
    """On held-out samples where the precision was searched for; None where it was not."""
    costs: CostReport
    input_words: int
    output_words: int
    prediction: Prediction
    savings: tuple[Saving, ...]


def quote_model(
    model: Path | str | bytes,
    samples: Samples | None,
    profile: MachineProfile,
    *,
    labels: Any = None,
    input: Literal["private", "public"] = "private",  # noqa: A002 - the protocol's word
    output: Literal["encrypted", "committed", "public"] = "encrypted",
    target: Target = "balanced",
    input_range: tuple[float, float] | None = None,
    weights: Literal["constant", "private"] = "constant",
    take: str | None = None,
    name: str | None = None,
    progress: Callable[[str, float], bool | None] | None = None,
) -> Quote:
    """Price a network. Arguments are those of `compile_model`, with a machine's profile.

    Raises:
        ModelError, UnsupportedModel: the file cannot be compiled, or has no weights to keep private.
        InputError: the samples do not fit the model, or an encrypted output has a public input.
        QuantisationError: no exact integer form.
        Cancelled: `progress` returned False.
    """
    started = perf_counter()
    if output == "encrypted" and input != "private":
        raise InputError("an encrypted output needs a private input, whose salt is the key")

    def report(stage: str, fraction: float) -> None:
        if progress is not None and progress(stage, fraction) is False:
            raise Cancelled(f"cancelled during {stage}")

    source = Path(model) if isinstance(model, str) else model
    data = read_model(source)
    prepared = prepare(
        data,
        samples,
        labels,
        input_range,
        report,
        within=SEARCH_WORK,
        take=take,
        by_feature=weights == "constant",
    )
    terms = Terms(input, output, weights == "private")
    accuracy: AccuracyReport | None = None
    if prepared.whole:
        choice = prepared.choose(target, terms.planned_cost, report, private=terms.private)
        quantised, accuracy = choice.model, choice.report
    else:
        report("search", 0.0)
        quantised = middle_model(prepared, target, terms)
    if terms.private and not quantised.graph.private:
        raise ModelError("the network has no weights that could be private; quote it with constant weights")
    report("circuit", 0.0)
    circuit = compile_graph(quantised.graph, statement(quantised, input, output))
    costs = circuit.cost()
    work = multiplications(prepared.graph)
    report("savings", 0.0)
    savings = find_savings(prepared, quantised, target, terms, costs, profile, report)
    packed = -(-quantised.graph.input.size // values_per_word(quantised.input.bits))
    result = quantised.graph.result
    per_word = values_per_word(range_bits(result.min, result.max))
    report("savings", 1.0)
    return Quote(
        model=name or (source.stem if isinstance(source, Path) else "model"),
        seconds=perf_counter() - started,
        input=input,
        output=output,
        weights=weights,
        target=target,
        exact=prepared.whole,
        parameters=prepared.parameters,
        multiplications=work,
        precision=PrecisionInfo(**asdict(quantised.precision)),
        accuracy=accuracy,
        costs=costs,
        input_words=1 if input == "private" else packed,
        output_words=1 if output == "committed" else -(-result.size // per_word),
        prediction=Prediction(
            prove_seconds=profile.prove_seconds(costs, work),
            setup_seconds=profile.setup_seconds(costs),
            prove_bytes=prove_bytes(costs),
            setup_bytes=setup_bytes(costs),
            cpu=profile.cpu,
            threads=profile.threads,
            measured=profile.measured,
        ),
        savings=savings,
    )
