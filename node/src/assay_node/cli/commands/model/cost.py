"""`assay model cost`: what a network would cost, before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from platformdirs import user_cache_path
from rich.markup import escape
from rich.table import Table

from assay_prover import quote as quotes

from .... import client
from ....chain.contracts.gas import job_gas, verify_gas
from ....chain.contracts.key_gas import KeyShape, most_words
from ... import options, sample_files
from ...console import emit, fields, note, out
from ...enums import Target, Visibility, Weights, disclosure_of
from ...progress import Progress
from .report import in_bytes, in_seconds, keys_of, layer_table, tables_of


def profile_path() -> Path:
    """Where this machine's profile is kept."""
    return user_cache_path("assay") / "machine.json"


def machine_profile(progress: Progress, *, anew: bool) -> quotes.MachineProfile:
    """The profile that was kept, or one measured now and kept."""
    path = profile_path()
    profile = None if anew else quotes.load_profile(path)
    if profile is None:
        profile = quotes.measure_machine(progress)
        quotes.save_profile(profile, path)
    return profile


def cost(
    model: options.Network,
    *,
    samples_file: options.SamplesFile = None,
    input_: options.InputVisibility = Visibility.PRIVATE,
    output: options.OutputDisclosure = None,
    target: options.PrecisionTarget = Target.BALANCED,
    input_range: options.InputRange = None,
    weights: options.WeightsPlace = Weights.CONSTANT,
    take: options.Take = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Measure this machine anew; about ten seconds, best when idle.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Price a network in seconds, without keys: constraints by layer, sizes, times, gas, and what to change.

    Constraints and key sizes are those that `compile` and `setup` would give. Times come from a profile of
    this machine, measured at the first call and kept in the user's cache directory.

    Examples:

      assay model cost lenet.onnx --samples digits.npz

      assay model cost secret.onnx --range 0 1 --weights private --json
    """
    data = sample_files.load(samples_file) if samples_file is not None else sample_files.Samples(None, None)
    with Progress(f"pricing {model.name}") as progress:
        machine = machine_profile(progress, anew=profile)
        quote = quotes.quote_model(
            model,
            data.x,
            machine,
            labels=data.y,
            input=input_.value,
            output=(output or disclosure_of(input_)).value,
            target=target.value,
            input_range=input_range,
            weights=weights.value,
            take=take,
            progress=progress,
        )
    committed, private = quote.costs.mode == "committed", quote.weights == "private"
    words = quote.costs.public_inputs
    document = quote.model_dump(mode="json") | {
        "most_words": most_words(committed=committed, private_weights=private),
        "verify_gas": verify_gas(words, committed=committed, private_weights=private),
        "job_gas": job_gas(words, committed=committed, private_weights=private),
    }
    emit(document, as_json=json, human=lambda: show(quote, document["verify_gas"], document["job_gas"]))
    warning = client.size_warning([KeyShape(words, committed, private)])
    if warning:
        note(warning, label="warning:")
    if not json:
        note(
            f"Times: profile of {quote.prediction.cpu}, {quote.prediction.threads} threads, measured "
            f"{quote.prediction.measured:%Y-%m-%d %H:%M} UTC (--profile measures anew)."
        )


def show(quote: quotes.Quote, verify: int, job: int) -> None:
    """Print a quote for people."""
    costs, prediction = quote.costs, quote.prediction
    rows: dict[str, object] = {
        "network": f"{quote.parameters:,} weights ({quote.weights}), "
        f"{quote.multiplications:,} multiplications",
        "statement": f"{costs.public_inputs} words: binding, {quote.input_words} {quote.input} input, "
        f"{quote.output_words} {quote.output} output",
        "precision": _precision(quote),
        "constraints": f"{costs.constraints:,} in a domain of {costs.domain:,}"
        + ("" if quote.exact else " (estimated: compiling searches for the precision)"),
        "tables": tables_of(costs),
        "proof": f"{320 if costs.mode == 'committed' else 256} bytes, {costs.mode}",
        "proving": f"{in_seconds(prediction.prove_seconds)}, {in_bytes(prediction.prove_bytes)} of memory",
        "setup": f"{in_seconds(prediction.setup_seconds)}, {in_bytes(prediction.setup_bytes)} of memory",
        "keys": keys_of(costs),
        "gas": f"{verify:,} to verify, about {job:,} for a whole job",
    }
    out.print(fields(rows))
    out.print()
    out.print(layer_table(costs))
    if quote.savings:
        out.print()
        out.print(_savings(quote))


def _precision(quote: quotes.Quote) -> str:
    p = quote.precision
    text = f"{p.input_bits} bits in, {p.activation_bits} between layers, target {quote.target}"
    if quote.accuracy is None:
        return text
    from assay_prover.passes.selection.report import describe

    return f"{text}; {describe(quote.accuracy)}"


def _savings(quote: quotes.Quote) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), title="cheaper with", title_justify="left")
    table.add_column("")
    for heading in ("proving time", "to", "constraints"):
        table.add_column(heading, justify="right", no_wrap=True)
    for saving in quote.savings:
        table.add_row(
            escape(saving.change),
            f"[green]-{saving.saved:.0%}[/]",
            in_seconds(saving.prove_seconds),
            f"{saving.constraints:,}",
        )
    return table
