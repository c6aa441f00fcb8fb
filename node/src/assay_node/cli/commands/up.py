"""`assay up`: a whole market on this machine, in one command."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ... import local
from .. import options
from ..console import emit_json, err, fields, note, out
from ..logs import configure_logs
from ..progress import Progress

if TYPE_CHECKING:
    from ...local import LocalMarket

SAMPLES = "patients.npz"


def up(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[BUNDLE...]", help="Bundles with keys. Default: the demo's diagnosis model."),
    ] = None,
    *,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where everything is kept. Default: `up` in the home."),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="TCP port of the chain; 0 takes a free one.")
    ] = 8545,
    chain_id: Annotated[int, typer.Option("--chain-id", min=1, help="EIP-155 chain id.")] = 31337,
    workers: Annotated[int, typer.Option("--workers", min=1, max=4, help="How many workers.")] = 2,
    home: options.Home = options.DEFAULT_HOME,
    json: options.Json = False,
) -> None:
    """Start a market on this machine: a chain, the contracts, funded accounts, a model and workers.

    Everything is kept, and the next call takes it up where it was. The accounts' keys are known to everyone
    and the setup of the model is this machine's own: for trying things out, not for money. Ctrl-C ends it.

    Examples:

      assay up

      assay up my-model --dir market                    your own model, set up before

      . market/env && assay job list                    in another terminal
    """
    configure_logs()
    place = folder or home / "up"
    asyncio.run(_serve(place, bundles or [], port=port, chain_id=chain_id, workers=workers, json=json))


async def _serve(
    place: Path, bundles: list[Path], *, port: int, chain_id: int, workers: int, json: bool
) -> None:
    started = time.monotonic()

    def say(text: str) -> None:
        err.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {escape(text)}", soft_wrap=True)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, stop.set)
    from ...local.folder import open_folder

    open_folder(place)
    asked = ""
    if not bundles:
        bundles, asked = [await asyncio.to_thread(_demo_model, place, say)], str(place / SAMPLES)
    config = local.LocalConfig(folder=place, bundles=bundles, port=port, chain_id=chain_id, workers=workers)
    async with local.local_market(config, say=say) as market:
        if json:
            emit_json(_document(market))
        else:
            _greet(market, asked)
        await market.wait(stop)
        say("stopping; everything is kept")


def _demo_model(place: Path, say: object) -> Path:
    """The demo's model with keys and its records, made in the folder unless they are there."""
    import numpy as np

    from ...demo.bundle import prepare
    from ...demo.patient import records

    _ = say
    with Progress("preparing the model") as progress:
        prepared = prepare(place / "bc_mlp", progress)
    x, y = records()
    if not (place / SAMPLES).exists():
        np.savez(place / SAMPLES, x=x, y=y)
    return Path(prepared.bundle.path)


def _document(market: LocalMarket) -> dict[str, object]:
    return {
        "url": market.rpc_url,
        "chain_id": market.deployment.chain_id,
        "deployment": market.deployment.model_dump(),
        "models": [{"bundle": model.bundle.path, "model_id": model.model_id} for model in market.models],
        "workers": market.workers,
        "env": market.env,
    }


def _greet(market: LocalMarket, asked: str) -> None:
    rows: dict[str, object] = {
        "chain": f"{market.deployment.chain_id} at {market.rpc_url}",
        "market": market.deployment.market,
        **{
            f"model {model.bundle.manifest.model.name}": "0x" + model.model_id.hex()
            for model in market.models
        },
        **{f"worker {index}": address for index, address in enumerate(market.workers, 1)},
    }
    out.print(fields(rows))
    model = market.models[0]
    given = f"{shlex.quote(asked)} --row 0" if asked else "YOUR-SAMPLE.npy"
    note("")
    note("Type next, in another terminal:")
    note(f"  . {shlex.quote(str(market.env))}")
    bundle = shlex.quote(str(model.bundle.path))
    note(f"  assay job submit {bundle} --input {given} --max-price 0.01ether --bid-window 5s")
    note("")
    note("Ctrl-C ends it; everything is kept.")
    sys.stdout.flush()
