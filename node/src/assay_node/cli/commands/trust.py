"""`assay trust`: the workers that may see your private inputs."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from .. import options
from ..console import emit, emit_json, out
from .job.who_may_win import trust_book

app = typer.Typer(
    no_args_is_help=True,
    help="Trusted workers: those that may win jobs with a private input, and so see it.",
)


@app.command("add")
def add(
    worker: Annotated[
        str, typer.Argument(parser=options.parse_address, metavar="ADDRESS", help="The worker's account.")
    ],
    *,
    name: Annotated[str, typer.Option("--name", help="What to call it, in --worker too.")] = "",
    home: options.Home = options.DEFAULT_HOME,
    json: options.Json = False,
) -> None:
    """Let a worker win your jobs with private inputs, on every chain, until it is removed.

    Whoever wins such a job sees its input. Ask the operator, over another channel, for the address.

    Example:

      assay trust add 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --name lab
    """
    trust_book(home).add(worker, name)
    emit(
        {"worker": worker, "name": name or None},
        as_json=json,
        human=lambda: out.print(f"{worker} may win jobs with private inputs"),
    )


@app.command("remove")
def remove(
    worker: Annotated[str, typer.Argument(metavar="ADDRESS|NAME", help="The worker's account, or its name.")],
    *,
    home: options.Home = options.DEFAULT_HOME,
    json: options.Json = False,
) -> None:
    """No longer trust a worker. Jobs that were posted already go on as they were posted.

    Example:

      assay trust remove lab
    """
    book = trust_book(home)
    address = book.address_of(worker)
    book.remove(address)
    emit(
        {"worker": address, "removed": True},
        as_json=json,
        human=lambda: out.print(f"{address} wins no more jobs with private inputs"),
    )


@app.command("list")
def list_trusted(*, home: options.Home = options.DEFAULT_HOME, json: options.Json = False) -> None:
    """List the trusted workers.

    Example:

      assay trust list --json
    """
    workers = trust_book(home).workers
    if json:
        emit_json([{"worker": address, "name": name or None} for address, name in workers.items()])
        return
    if not workers:
        out.print("no worker is trusted; name one with: assay trust add ADDRESS")
    for address, name in workers.items():
        out.print(f"{address}  {escape(name)}")
