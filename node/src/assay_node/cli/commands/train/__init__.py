"""`assay train`: programs that train on committed data, and what they made."""

from __future__ import annotations

import typer

from .programs import compile_, cost, init
from .runs import certify, history, result, run

app = typer.Typer(
    no_args_is_help=True,
    help="Training that can be proven: these weights are what this program makes of that data, nothing else.",
)
for name, command in (
    ("init", init),
    ("compile", compile_),
    ("cost", cost),
    ("run", run),
    ("result", result),
    ("certify", certify),
    ("history", history),
):
    app.command(name)(command)
