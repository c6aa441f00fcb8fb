"""`assay infer`: what a bundle answers to an input, without a proof."""

from __future__ import annotations

import assay_prover

from .. import options, sample_files
from ..answers import answer_document, answer_fields
from ..console import emit, fields, out


def infer(
    bundle: options.BundleDir,
    *,
    input_file: options.InputFile,
    row: options.Row = None,
    clip: options.Clip = False,
    json: options.Json = False,
) -> None:
    """Compute a model's answer on this machine, in the very integers that a proof would be about.

    Nothing is proven and nobody is asked: for comparing with the network in floats, and with answers that
    were paid for. Needs no keys.

    Examples:

      assay infer bc_mlp --input patients.npz --row 3

      assay infer bc_mlp -i patient.json --json
    """
    opened = assay_prover.Bundle.open(bundle)
    sample = sample_files.one(input_file, row, shape=opened.manifest.input.shape)
    integers = opened.infer(opened.encode_input(sample, saturate=clip))
    answer = opened.read_output(integers)
    emit(
        answer_document(answer),
        as_json=json,
        human=lambda: out.print(fields(answer_fields(answer))),
    )
