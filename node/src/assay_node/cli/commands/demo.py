"""`assay demo`: everything at once, on this machine."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from .. import options, targets
from ..console import emit_json, err, fields, note, out
from ..exit_codes import ExitCode
from ..logs import configure_logs
from ..progress import Progress


class Play(StrEnum):
    """What is played."""

    DIAGNOSIS = "diagnosis"
    TRAINING = "training"


def demo(
    what: Annotated[
        Play,
        typer.Argument(
            help="diagnosis: a private record, a proven answer. training: private rows, a proven model."
        ),
    ] = Play.DIAGNOSIS,
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

    A chain of its own, seven contracts, a publisher, a requester and two workers that bid against each other.
    The record never leaves the requester but sealed to the winner; the contract verifies a Groth16 proof
    before it pays; the requester verifies it again and decrypts the diagnosis. The bundle and its keys are
    kept for the next run.

    `assay demo training` has a model trained on rows that only their owner sees, proves it, asks the model,
    and verifies where it comes from; its figures are in training.json.

    Examples:

      assay demo

      assay demo training

      assay demo --patient 7 --json
    """
    if what is Play.TRAINING:
        _training(work, json=json)
        return
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


def _training(work: Path, *, json: bool) -> None:
    """Train, prove, ask, verify where the model comes from."""
    from ...demo.training import RUN_FILES, play_training

    configure_logs()
    started = time.monotonic()
    target = work / "training.json"
    targets.replaceable(target, made_here=targets.document_with("lineage_verified"))
    targets.fresh_folder(work / "training", made_here=RUN_FILES)

    def say(text: str) -> None:
        err.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {escape(text)}", soft_wrap=True)

    summary = asyncio.run(play_training(work / "training", say=say))
    summary.write(target)
    if json:
        emit_json(asdict(summary))
    else:
        out.print(fields({name.replace("_", " "): value for name, value in asdict(summary).items()}))
        note(f"The figures are in {target}")
    if not (summary.weights_equal_reference and summary.lineage_verified):
        raise typer.Exit(ExitCode.FAILED)
