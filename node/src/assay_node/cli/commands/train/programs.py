"""`assay train init|compile|cost`: a program, before anybody runs it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ....errors import AssayError
from ... import options
from ...console import emit, fields, note, out
from .words import words_of

if TYPE_CHECKING:
    from assay_prover.training.program import Program

DataDir = Annotated[Path, typer.Argument(metavar="DATA", help="A data set's folder (`assay data commit`).")]
ProgramDir = Annotated[
    Path, typer.Argument(metavar="DIR", help="A folder with train.toml and schema.toml (`assay train init`).")
]


def init(
    data: DataDir,
    *,
    folder: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where to write the program.")],
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the table.")] = 100,
    hidden: Annotated[
        list[int] | None,
        typer.Option(
            "--hidden", min=1, help="Units of a hidden layer; twice for two. None: a logistic regression."
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Rows of a step; must divide the rows. Default: all.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Write a program for a data set: train.toml and schema.toml, to be read and edited.

    Learning rate and scales are chosen by trying them: in integers and in floating point, on four fifths of
    the rows, judged by the rest. Nothing leaves this machine.

    Examples:

      assay train init patients -o program

      assay train init patients -o program --hidden 16 --batch 64 --epochs 10
    """
    from assay_prover.data import DataSet
    from assay_prover.training.calibrate import calibrate
    from assay_prover.training.compile import table_of
    from assay_prover.training.program import Program

    opened = DataSet.open(data)
    settings = {"epochs": epochs, "hidden": tuple(hidden or ()), "batch": batch}
    program = Program.of(data.resolve().name, opened.schema, opened.rows, settings)
    features, labels = table_of(program, opened)
    recipe, trials = calibrate(program.recipe, features, labels)
    program = replace(program, recipe=recipe)
    if folder.exists():
        raise AssayError(f"{folder} exists already", "Name another folder")
    folder.mkdir(parents=True)
    (folder / "schema.toml").write_text(program.schema.to_toml(), encoding="utf-8")
    (folder / "train.toml").write_text(program.to_toml(), encoding="utf-8")
    best = trials[0]
    document = {
        "program": folder,
        "rows": recipe.rows,
        "weights": recipe.weights,
        "learning_shift": recipe.shifts[0],
        "logit_bits": recipe.logit_bits,
        "accuracy_held_out": round(best.accuracy, 4),
        "accuracy_held_out_float": round(best.accuracy_float, 4),
        "tried": len(trials),
    }
    emit(document, as_json=json, human=lambda: out.print(fields(words_of(document))))
    if not json:
        note(
            f"Read {folder / 'train.toml'}. Next: "
            f"assay train compile {folder} -o {folder}/bundle --data {data}"
        )


def compile_(
    program: ProgramDir,
    *,
    bundle: Annotated[Path, typer.Option("--out", "-o", metavar="BUNDLE", help="The bundle's folder.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DATA", help="A data set that it is for, to report how it trains."),
    ] = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="Show a digest of the weights on chain, not the weights.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is there.")] = False,
    json: options.Json = False,
) -> None:
    """Make a program's circuit: a bundle that is set up, published and asked for like any model.

    BUNDLE/loss.svg shows the loss of the integers beside that of floating point, epoch by epoch.

    Examples:

      assay train compile program -o program/bundle --data patients

      assay model setup program/bundle
    """
    from assay_prover.data import DataSet
    from assay_prover.reference.training import train
    from assay_prover.training.compile import compile_program, generated, table_of
    from assay_prover.training.curve import loss_curve
    from assay_prover.training.float_run import train_float

    made, opened = _read(program), None if data is None else DataSet.open(data)
    began = time.monotonic()
    manifest = compile_program(
        made, bundle, data=opened, output="committed" if digest else "public", overwrite=overwrite
    )
    table = generated(made.recipe) if opened is None else table_of(made, opened)
    integers, floats = train(made.recipe, *table), train_float(made.recipe, *table)
    (bundle / "loss.svg").write_text(loss_curve(made.name, integers.losses, floats.losses), encoding="utf-8")
    report = manifest.report
    document = {
        "bundle": bundle,
        "constraints": manifest.costs.constraints,
        "weights": made.recipe.weights,
        "seconds": round(time.monotonic() - began, 2),
        "data": "generated" if opened is None else data,
        "accuracy": report.accuracy_quantised,
        "accuracy_float": report.accuracy_float,
        "loss": integers.losses[-1],
        "loss_float": floats.losses[-1],
        "picture": bundle / "loss.svg",
    }
    emit(document, as_json=json, human=lambda: out.print(fields(words_of(document))))
    if not json:
        note(f"Next: assay model setup {bundle}; assay model publish {bundle}")


def cost(program: ProgramDir, *, json: options.Json = False) -> None:
    """Say how large a program's circuit is, and how long its proof takes on this machine.

    Example:

      assay train cost program
    """
    from assay_prover.circuit import StatementSpec
    from assay_prover.lowering import compile_graph
    from assay_prover.training.graph import table_parts, training_graph

    made = _read(program)
    graph = training_graph(made.recipe)
    ends = graph.result.min, graph.result.max
    spec = StatementSpec("private", "public", 0, 1, *ends, input_parts=table_parts(made.recipe))
    costs = compile_graph(graph, spec).cost()
    document = {
        "constraints": costs.constraints,
        "wires": costs.wires,
        "proving_key_mb": round(costs.proving_key_bytes / 1e6, 1),
        "public_inputs": costs.public_inputs,
    }
    emit(document, as_json=json, human=lambda: out.print(fields(words_of(document))))


def _read(folder: Path) -> Program:
    from assay_prover.training.program import Program

    return Program.read(folder / "train.toml")
