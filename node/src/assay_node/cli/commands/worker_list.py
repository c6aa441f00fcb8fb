"""`assay worker list`: who works on this chain."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rich.markup import escape

from ... import chain, client
from .. import options
from ..console import emit_json, ether, out
from ..session import connect
from .job.who_may_win import trust_book


def list_(
    *,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    json: options.Json = False,
) -> None:
    """List the registered workers with stake and record, those with most settled jobs first.

    "signed" says whether endpoint and encryption key carry the worker's own signature: without it nothing is
    ever sent there.

    Examples:

      assay worker list

      assay worker list --rpc https://rpc.example.org --json
    """

    async def look() -> tuple[list[client.ListedWorker], dict[str, bool]]:
        async with connect(rpc, deployment, home) as session:
            found = await client.list_workers(session.chain)
            here = session.chain
            signed = {
                each.address: chain.is_signed(
                    each.record, each.address, here.deployment.chain_id, here.workers.address
                )
                for each in found
            }
            return found, signed

    found, signed = asyncio.run(look())
    _print(found, signed, home, json=json)


def _print(found: list[client.ListedWorker], signed: dict[str, bool], home: Path, *, json: bool) -> None:
    names = trust_book(home)
    trusted = {address.lower() for address in names.workers}
    if json:
        emit_json(
            [
                {
                    "worker": each.address,
                    "trusted": each.address.lower() in trusted,
                    "name": names.name_of(each.address) or None,
                    "stake_wei": each.record.stake,
                    "free_stake_wei": each.record.free_stake,
                    "completed": each.record.completed,
                    "missed": each.record.missed,
                    "failed": each.record.failed,
                    "endpoint": each.record.endpoint,
                    "encryption_key": each.record.encryption_key,
                    "revision": each.record.revision,
                    "signed": signed[each.address],
                }
                for each in found
            ]
        )
        return
    if not found:
        out.print("no worker is registered on this chain")
    for each in found:
        record = each.record
        mark = " [green]trusted[/]" if each.address.lower() in trusted else ""
        name = names.name_of(each.address)
        called = f" {escape(name)}" if name else ""
        seal = "signed" if signed[each.address] else "[red]not signed by it[/]"
        shown = "".join(c if c.isprintable() else "?" for c in record.endpoint)
        out.print(
            f"{each.address}{called}{mark}  {ether(record.stake)} at stake, {record.completed} completed, "
            f"{record.missed} missed, {record.failed} failed  [dim]{escape(shown)}, {seal}[/]"
        )
