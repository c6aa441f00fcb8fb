"""`assay job list`, `bids` and `history`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from .... import chain, client
from ....chain.errors import ChainError, DeploymentError
from ... import options
from ...connection import Account, Connection, acting, connected
from ...console import emit_json, ether, note, out
from ...session import jobs_path
from .who_may_win import trust_book


@connected
def bids(
    job_id: options.JobId,
    *,
    at: Connection,
    json: options.Json = False,
) -> None:
    """List all bids on a job, also after the award, lowest of each round first, with the workers' records.

    Example:

      assay job bids 0x5e1f...09
    """

    async def look() -> list[client.PastBid]:
        async with at.connect() as session:
            return await client.all_bids(session.chain, job_id)

    found = asyncio.run(look())
    names = trust_book(at.home)
    if json:
        emit_json(
            [
                {
                    "worker": bid.worker,
                    "name": names.name_of(bid.worker) or None,
                    "round": bid.round,
                    "price_wei": bid.price,
                    "leads": bid.leads,
                    "awarded": bid.awarded,
                    "stake_wei": bid.record.stake,
                    "completed": bid.record.completed,
                    "missed": bid.record.missed,
                    "failed": bid.record.failed,
                }
                for bid in found
            ]
        )
        return
    if not found:
        out.print("no bids yet")
    for bid in found:
        record = (
            f"{ether(bid.record.stake)} at stake, {bid.record.completed} completed, "
            f"{bid.record.missed} missed, {bid.record.failed} failed"
        )
        name = names.name_of(bid.worker)
        known = f" {escape(name)}" if name else ""
        mark = ", awarded" if bid.awarded else ", leads" if bid.leads else ""
        out.print(f"round {bid.round + 1}  {bid.worker}{known}  {ether(bid.price)}  [dim]{record}{mark}[/]")


@connected
def history(
    job_id: options.JobId,
    *,
    at: Connection,
    json: options.Json = False,
) -> None:
    """Tell everything that happened to a job, from its posting to its end. Anybody may ask, for any job.

    Example:

      assay job history 0x5e1f...09 --json
    """

    async def look() -> Sequence[chain.JobEvent]:
        async with at.connect() as session:
            return await client.job_history(session.chain, job_id)

    events = asyncio.run(look())
    told = client.moments(events)
    remark = ""
    if jobs_path(at.home).exists():
        with client.JobStore(jobs_path(at.home)) as store:
            record = store.find(job_id)
            remark = "" if record is None else record.remark
    why = client.why_it_ended(events, remark)
    if json:
        emit_json(
            {
                "job_id": job_id,
                "events": [{"block": each.block, "event": each.what, "text": each.text} for each in told],
                "why": why or None,
            }
        )
        return
    for each in told:
        out.print(f"[dim]block {each.block}[/]  {escape(each.text)}")
    if why:
        out.print(f"it ended without a result: {escape(why)}")


@acting
def list_jobs(
    *,
    find: Annotated[
        bool,
        typer.Option(
            "--find", help="Ask the chain for jobs whose posting was cut short. Needs the key's password."
        ),
    ] = False,
    at: Account,
    json: options.Json = False,
) -> None:
    """List the jobs posted from this home, newest first, with their states where the chain can be asked.

    Needs no password without --find.

    Examples:

      assay job list --json

      assay job list --find --key alice
    """
    if find:
        asyncio.run(_find(at))
    if not jobs_path(at.home).exists():
        _print([], {}, json=json)
        return
    with client.JobStore(jobs_path(at.home)) as store:
        records = store.records()
        states = asyncio.run(_states(records, at)) if records else {}
        strangers = {
            record.draft_id: sum(not each.named for each in store.disclosures(record.draft_id))
            for record in records
        }
    _print(records, states, strangers, json=json)


async def _states(records: Sequence[client.JobRecord], at: Connection) -> dict[bytes, str]:
    """States by job id, of the jobs on the chain that is reached; of none if none is."""
    try:
        async with at.connect() as session:
            here = session.chain.deployment
            ids = [
                record.job_id
                for record in records
                if record.job_id and (record.chain_id, record.market) == (here.chain_id, here.market.lower())
            ]
            looks = await session.chain.look(ids)
            return {job_id: look.job.state.name.lower() for job_id, look in looks.items()}
    except (ChainError, DeploymentError) as error:
        note(f"states are not known: {error}")
        return {}


def _print(
    records: Sequence[client.JobRecord],
    states: dict[bytes, str],
    strangers: dict[bytes, int] | None = None,
    *,
    json: bool,
) -> None:
    def state_of(record: client.JobRecord) -> str | None:
        if record.job_id is None:
            return "not on chain (yet)"
        found = states.get(record.job_id)
        return "dropped by a re-org" if found == "none" else found

    if json:
        emit_json(
            [
                {
                    "job_id": record.job_id,
                    "draft_id": record.draft_id,
                    "state": state_of(record),
                    "remark": record.remark or None,
                    "chain_id": record.chain_id,
                    "market": record.market,
                    "requester": record.requester,
                    "model_id": record.model_id,
                    "created": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds"),
                    "delivered_to": record.delivered_to,
                    "strangers": (strangers or {}).get(record.draft_id, 0),
                }
                for record in records
            ]
        )
        return
    if not records:
        out.print("no jobs yet; post one with: assay job submit")
    for record in records:
        posted = datetime.fromtimestamp(record.created).astimezone().strftime("%Y-%m-%d %H:%M")
        name = "draft " + record.draft_id.hex()[:8] if record.job_id is None else "0x" + record.job_id.hex()
        delivered = f", input delivered to {record.delivered_to}" if record.delivered_to else ""
        out.print(
            f"[dim]{posted}[/]  {name}  {state_of(record) or '-'}  [dim]chain {record.chain_id}{delivered}[/]"
        )


async def _find(at: Account) -> None:
    """Look for the jobs of drafts on chain, which opening a requester does."""
    signer = at.unlock()
    async with at.connect() as session, session.requester(signer, allow_local=None):
        pass
