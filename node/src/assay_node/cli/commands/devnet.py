"""`assay devnet`: the embedded chain."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from ... import devnet as embedded
from ...devnet.config import DEFAULT_CHAIN_ID, DEFAULT_PORT
from .. import options
from ..console import emit_json, ether, note, out
from ..logs import configure_logs


def devnet(
    *,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="TCP port; 0 takes a free one.")
    ] = DEFAULT_PORT,
    host: Annotated[str, typer.Option("--host", help="Loopback address to listen on.")] = "127.0.0.1",
    chain_id: Annotated[int, typer.Option("--chain-id", min=1, help="EIP-155 chain id.")] = DEFAULT_CHAIN_ID,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="DIR", help="Keep the chain here across restarts.")
    ] = None,
    block_time: Annotated[
        float | None,
        typer.Option(
            "--block-time", metavar="SECONDS", help="Mine at this interval instead of on each transaction."
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Run a local Ethereum chain (Prague rules) with funded accounts.

    For development and tests: its accounts' keys are public. Stop it with Ctrl-C.

    Examples:

      assay devnet

      assay devnet --state ./chain                      keep blocks across restarts

      assay devnet --port 9545 --block-time 2
    """
    configure_logs(logging.INFO)
    config = embedded.DevnetConfig(
        host=host, port=port, chain_id=chain_id, state=state, block_time=block_time
    )
    embedded.run(config, on_ready=lambda net: _greet(net, json=json))


def _greet(net: embedded.Devnet, *, json: bool) -> None:
    if json:
        addresses = [account.address for account in net.accounts]
        emit_json({"url": net.url, "chain_id": net.config.chain_id, "accounts": addresses})
        return
    out.print(f"chain {net.config.chain_id} at [bold]{net.url}[/]")
    for index, account in enumerate(net.accounts):
        out.print(f"  {index}  {account.address}  {ether(net.config.balance)}")
    note("Keys: assay keys new dev0 --dev 0. Stop with Ctrl-C.")
