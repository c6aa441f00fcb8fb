"""`assay prove`: a proven answer without any chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import assay_prover

from .. import options, sample_files, targets
from ..answers import answer_document, answer_fields
from ..console import emit, fields, note, out
from ..progress import Progress


def prove(
    bundle: options.BundleDir,
    *,
    input_file: options.InputFile,
    row: options.Row = None,
    out_file: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The proof, for everyone.")
    ] = Path("proof.json"),
    answer_file: Annotated[
        Path | None,
        typer.Option(
            "--answer",
            metavar="FILE",
            help="What opens the answer, for you alone. Default: beside the proof, NAME.answer.json.",
        ),
    ] = None,
    clip: options.Clip = False,
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Prove what a model answers to an input, on this machine, and keep the proof as a file.

    Anyone who has the verifying key can check it: assay verify --proof proof.json --key BUNDLE. If the input
    is private, the proof shows a commitment to it, and the answer only to whoever has the answer file too.

    Examples:

      assay prove bc_mlp --input patients.npz --row 3 --out proof.json

      assay prove bc_mlp -i patient.json -o proof.json --json
    """
    opened = assay_prover.Bundle.open(bundle)
    sample = sample_files.one(input_file, row, shape=opened.manifest.input.shape)
    integers = opened.encode_input(sample, saturate=clip)
    targets.replaceable(out_file, made_here=targets.document_with("format", "assay/proof"))
    kept = answer_file or out_file.with_name(f"{out_file.stem}.answer.json")
    if opened.needs_salt:
        targets.absent(kept)
    prover = opened.prover(threads=threads)
    salt = assay_prover.new_salt() if opened.needs_salt else None
    with Progress("proving") as progress:
        proved = prover.prove(integers, salt=salt, progress=progress)
    opened.verify(proved.public, proved.proof)  # a proof that does not hold must not leave this machine
    if salt is not None:
        committed = opened.manifest.output.visibility == "committed"
        assay_prover.AnswerFile.of(salt, proved.outputs if committed else None).save(kept)
    proved.save(out_file)
    answer = opened.read_output(proved.outputs)
    document = {
        **answer_document(answer),
        "proof": out_file,
        "answer": kept if salt is not None else None,
        "vk_hash": opened.vk_hash,
        "bytes": len(proved.proof),
        "seconds": sum(proved.seconds.values()),
    }
    rows = {
        **answer_fields(answer),
        "proof": f"{out_file}, {len(proved.proof)} bytes of proof in it, for everyone",
        **({"answer file": f"{kept}, for you alone: it opens the answer"} if salt is not None else {}),
    }
    emit(document, as_json=json, human=lambda: out.print(fields(rows)))
    if not json:
        note(f"Check it: assay verify --proof {out_file} --key {bundle}")
