"""`assay demo`: everything at once, on this machine."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from .. import options, targets
from ..console import emit_json, err, note, out
from ..exit_codes import ExitCode
from ..logs import configure_logs
from ..progress import Progress


def demo(
    *,
    work: Annotated[
        Path, typer.Option("--work", metavar="DIR", help="Where the bundle is kept and summary.json written.")
    ] = Path("build/demo"),
    patient: Annotated[
        int, typer.Option("--patient", min=0, max=142, help="Which test record to ask about.")
    ] = 1,
    json: options.Json = False,
) -> None:
    """Play the main job from end to end: a patient's record, a proven diagnosis, a paid worker.

    A chain of its own, five contracts, a publisher, a requester and two workers that bid against each other.
    The record never leaves the requester but sealed to the winner; the contract verifies a Groth16 proof
    before it pays; the requester verifies it again and decrypts the diagnosis. The bundle and its keys are
    kept for the next run.

    Examples:

      assay demo

      assay demo --patient 7 --json
    """
    from ...demo.bundle import prepare  # compiler, devnet and worker take seconds to load
    from ...demo.patient import choose
    from ...demo.scenario import RUN_FILES, play
    from ...demo.summary import show

    configure_logs()
    started = time.monotonic()
    chosen = choose(patient)

    targets.replaceable(work / "summary.json", made_here=targets.document_with("job_state"))
    targets.fresh_folder(work / "run", made_here=RUN_FILES)

    def say(text: str) -> None:
        err.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {escape(text)}", soft_wrap=True)

    with Progress("preparing the model") as progress:
        prepared = prepare(work / "bc_mlp", progress)
    made = "kept from an earlier run" if prepared.cached else f"made in {prepared.setup_seconds:.2f} s"
    say(f"a circuit of {prepared.bundle.manifest.costs.constraints:,} constraints; keys {made}")
    story = asyncio.run(
        play(
            prepared.bundle,
            chosen,
            work / "run",
            setup_seconds=prepared.setup_seconds,
            setup_cached=prepared.cached,
            say=say,
        )
    )
    story.summary.write(work / "summary.json")
    if json:
        emit_json(asdict(story.summary))
    else:
        show(story, out)
        note(f"The figures are in {work / 'summary.json'}")
    if story.summary.decrypted_label != story.summary.expected_label:
        raise typer.Exit(ExitCode.FAILED)
