"""The tree of `assay job`."""

from __future__ import annotations

import typer

from .actions import award, cancel
from .lists import bids, history, list_jobs
from .submit import submit
from .watch import result, status

app = typer.Typer(no_args_is_help=True, help="Jobs: ask for a proven answer, follow it, read it.")

app.command("submit")(submit)
app.command("status")(status)
app.command("result")(result)
app.command("bids")(bids)
app.command("history")(history)
app.command("award")(award)
app.command("cancel")(cancel)
app.command("list")(list_jobs)
