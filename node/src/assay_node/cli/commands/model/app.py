"""`assay model`: from an ONNX file to a registered model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

import assay_prover

from .... import client
from ....errors import AssayError
from ... import options, sample_files
from ...connection import Account, acting
from ...console import emit, err, fields, note, out
from ...enums import Target, Visibility, Weights, disclosure_of
from ...progress import Progress
from .cost import cost
from .listing import list_
from .owner import payout, retire
from .report import show_bundle

SHOWN_LIMITS = 3
"""Tables and clamps that a compilation tells of; --json has all."""

app = typer.Typer(no_args_is_help=True, help="Models: compile, set up, publish, look at.")


app.command("cost")(cost)


@app.command("compile")
def compile_(
    model: options.Network,
    *,
    out_dir: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The bundle's directory.")],
    samples_file: options.SamplesFile = None,
    input_: options.InputVisibility = Visibility.PRIVATE,
    output: options.OutputDisclosure = None,
    target: options.PrecisionTarget = Target.BALANCED,
    input_range: options.InputRange = None,
    ranges_file: options.FeatureRanges = None,
    weights: options.WeightsPlace = Weights.CONSTANT,
    slices: Annotated[
        int | None,
        typer.Option("--slices", metavar="N", min=2, max=16, help="Cut the network into N linked circuits."),
    ] = None,
    max_constraints: Annotated[
        int | None,
        typer.Option(
            "--max-constraints",
            metavar="N",
            min=1,
            help="Cut it into as few circuits as keep each within N constraints.",
        ),
    ] = None,
    take: options.Take = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing bundle.")] = False,
    json: options.Json = False,
) -> None:
    """Compile an ONNX network into a circuit: integers with exact semantics, and constraints for every step.

    Examples:

      assay model compile bc_mlp.onnx --samples bc_mlp.npz --out bc_mlp

      assay model compile digits.onnx -o digits --range 0 1 --input public

      assay model compile secret.onnx -o secret --samples typical.npz --weights private

      assay model compile large.onnx -o large --samples typical.npz --max-constraints 1000000
    """
    if slices is not None and max_constraints is not None:
        raise typer.BadParameter("give either --slices or --max-constraints")
    data = sample_files.load(samples_file) if samples_file is not None else sample_files.Samples(None, None)
    if input_range is not None and ranges_file is not None:
        raise typer.BadParameter("give either --range or --ranges")
    ranges = None if ranges_file is None else sample_files.ranges(ranges_file)
    with Progress(f"compiling {model.name}") as progress:
        report = assay_prover.compile_model(
            model,
            data.x,
            out_dir,
            labels=data.y,
            input=input_.value,
            output=(output or disclosure_of(input_)).value,
            target=target.value,
            input_range=input_range,
            ranges=ranges,
            weights=weights.value,
            slices=slices,
            max_constraints=max_constraints,
            take=take,
            overwrite=overwrite,
            progress=progress,
        )
    emit(
        report.model_dump(mode="json"),
        as_json=json,
        human=lambda: show_bundle(assay_prover.Bundle.open(out_dir)),
    )
    limits = [limit.sentence() for limit in report.limits[:SHOWN_LIMITS]]
    for remark in () if json else (*report.warnings, *report.notes, *limits):
        note(remark, label="note:")
    if warning := client.size_warning(client.shapes_of_bundle(assay_prover.Bundle.open(out_dir))):
        note(warning, label="warning:")
    if not json:
        note(f"Next: assay model setup {out_dir}")


@app.command("setup")
def setup(
    bundle: options.BundleDir,
    *,
    threads: options.Threads = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Make new keys even if there are some; a registered model loses its own."
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Make the proving and verifying keys of a bundle.

    A single-party setup, for development: whoever ran it could keep its randomness and forge proofs. Skipped
    if the bundle already has the keys of its circuit. Keys that are damaged, or of another circuit, are only
    replaced with --force: a model registered with them would have to be published again, under another id.

    Example:

      assay model setup bc_mlp
    """
    opened = assay_prover.Bundle.open(bundle, damaged_keys=True)
    with Progress("setting up") as progress:
        report = opened.setup(threads=threads, force=force, progress=progress)
    document = {
        **report.model_dump(mode="json"),
        "vk_hash": "0x" + opened.vk_hash.hex(),
        "skipped": report.skipped,
    }
    emit(document, as_json=json, human=lambda: out.print(fields(_flat(document))))
    if not json:
        if report.skipped:
            note("the keys of this circuit are there; --force would make others.", label="Nothing done:")
        note("fit for development, not for money of strangers.", label="Single-party setup:")
        note(f"Next: assay model {'commit' if opened.is_private else 'publish'} {bundle}")


@app.command("check")
def check(
    bundle: options.BundleDir,
    *,
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Check a bundle's circuit and its proving key, point by point.

    A key that passes proves every input, and its proofs hide what they should, whoever wrote the file. It
    takes about as long as setup did, and is done once on this machine: workers do it when they first open a
    bundle.

    Example:

      assay model check bc_mlp
    """
    opened = assay_prover.Bundle.open(bundle)
    with Progress("checking the keys") as progress:
        opened.check_keys(threads=threads, progress=progress)
    setup = opened.setup_report
    document = {
        "bundle": str(bundle),
        "keys": "those of the circuit, at every point",
        "proving_key_hash": "0x" + setup.proving_key_hash,
        "setup": setup.origin,
    }
    emit(document, as_json=json, human=lambda: out.print(fields(document)))


@app.command("commit")
def commit(
    bundle: options.BundleDir,
    *,
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Commit to the private weights of a bundle with keys.

    Writes model.commitment (M, to be published) and model.opening (its secret, for this machine's user alone;
    proving needs it). Skipped if both are there for these weights and keys.

    Example:

      assay model commit secret
    """
    opened = assay_prover.Bundle.open(bundle)
    with err.status("committing to the weights"):
        commitment = opened.commit_model(threads=threads)
    document = {"model_commitment": "0x" + commitment.hex(), "vk_hash": "0x" + opened.vk_hash.hex()}
    emit(document, as_json=json, human=lambda: out.print(fields(document)))
    if not json:
        note(f"Next: assay model publish {bundle}; assay model export {bundle} -o DIR for requesters")


@app.command("export")
def export(
    bundle: options.BundleDir,
    *,
    out_dir: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The public bundle.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing bundle.")] = False,
    json: options.Json = False,
) -> None:
    """Write what requesters need of a bundle with private weights: no weights, no opening, no proving key.

    Example:

      assay model export secret -o secret-public
    """
    exported = assay_prover.Bundle.open(bundle).export_public(out_dir, overwrite=overwrite)
    document = {"path": str(out_dir), "files": sorted(entry.name for entry in exported.path.iterdir())}
    emit(document, as_json=json, human=lambda: out.print(fields(document)))


@app.command("retrain")
def retrain(
    bundle: options.BundleDir,
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The network, trained otherwise.")],
    *,
    out_dir: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The new bundle.")],
    samples_file: Annotated[
        Path | None,
        typer.Option("--samples", metavar="FILE", help="Inputs to measure the accuracy on, as for compile."),
    ] = None,
    take: options.Take = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing bundle.")] = False,
    json: options.Json = False,
) -> None:
    """Put another training of the same network under the keys of a bundle with private weights.

    Refused if the network is another, or a weight exceeds what the keys allow: then compile and set up anew.

    Example:

      assay model retrain secret secret-v2.onnx -o secret-v2 --samples typical.npz
    """
    data = sample_files.load(samples_file) if samples_file is not None else sample_files.Samples(None, None)
    with err.status("measuring the new weights"):
        opened = assay_prover.with_weights(
            assay_prover.Bundle.open(bundle),
            model,
            out_dir,
            samples=data.x,
            labels=data.y,
            take=take,
            overwrite=overwrite,
        )
    document = {"path": str(out_dir), "accuracy": opened.manifest.report.model_dump(mode="json")}
    emit(document, as_json=json, human=lambda: out.print(fields(_flat(document))))
    if not json:
        note(f"Next: assay model commit {out_dir}")


@app.command("show")
def show(bundle: options.BundleDir, *, json: options.Json = False) -> None:
    """Show what a bundle holds: shapes, ranges, costs, accuracy, hashes.

    Example:

      assay model show bc_mlp --json
    """
    opened = assay_prover.Bundle.open(bundle)
    document = {
        **opened.manifest.model_dump(mode="json"),
        "circuit_hash": "0x" + opened.circuit_hash.hex(),
        "setup": opened.setup_report.origin if opened.has_verifying_key else None,
        "vk_hash": "0x" + opened.vk_hash.hex() if opened.has_verifying_key else None,
    }
    emit(document, as_json=json, human=lambda: show_bundle(opened))


@app.command("publish")
@acting
def publish(
    bundle: options.BundleDir,
    *,
    royalty: Annotated[
        int,
        typer.Option(
            "--royalty", metavar="BPS", min=0, max=5000, help="Your share of each price, in 1/10000."
        ),
    ] = 0,
    uri: Annotated[str, typer.Option("--uri", help="Where workers can fetch the bundle.")] = "",
    at: Account,
    json: options.Json = False,
) -> None:
    """Register a model: its verifying key becomes data on chain, its id the hash of all that decides its
    meaning.

    Publishing what is already registered costs nothing and prints the same id.

    Examples:

      assay model publish bc_mlp --key alice

      assay model publish bc_mlp --royalty 500 --uri https://example.org/bc_mlp.tar
    """
    opened = assay_prover.Bundle.open(bundle)
    if not opened.has_keys:
        raise AssayError(f"{bundle} has no keys", f"Run: assay model setup {bundle}")
    signer = at.unlock()

    async def act() -> None:
        async with at.connect() as session, session.outbox(signer) as outbox:
            with err.status("registering the model"):
                published = await client.publish_model(
                    session.chain, outbox, opened, royalty_bps=royalty, uri=uri
                )
        document = {
            "model_id": published.model_id,
            "vk_hash": opened.vk_hash,
            **({"model_commitment": opened.model_commitment} if opened.is_private else {}),
            "new": published.receipt is not None,
            "gas": published.receipt.gas_used if published.receipt else 0,
        }
        emit(document, as_json=json, human=lambda: out.print(fields(_hexed(document))))

    asyncio.run(act())


app.command("list")(list_)
app.command("payout")(payout)
app.command("retire")(retire)


def _hexed(document: Mapping[str, object]) -> dict[str, object]:
    return {
        name: "0x" + value.hex() if isinstance(value, bytes) else value for name, value in document.items()
    }


def _flat(document: object, prefix: str = "") -> dict[str, object]:
    """Nested names joined by dots, for reading."""
    if not isinstance(document, dict):
        return {prefix: document}
    flat: dict[str, object] = {}
    for name, value in document.items():
        flat |= _flat(value, f"{prefix}.{name}" if prefix else str(name))
    return flat
