"""`assay job award` and `cancel`: what a requester decides itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from .... import chain, client
from ... import options
from ...connection import Account, acting
from .show import disclosed, show_job
from .who_may_win import address_of


@acting
def award(
    job_id: options.JobId,
    worker: Annotated[
        str,
        typer.Argument(metavar="WORKER", help="A worker that `assay job bids` lists, or its trusted name."),
    ],
    *,
    at: Account,
    json: options.Json = False,
) -> None:
    """Award an open job of yours to any of its bids now. A private input then goes to that worker.

    Example:

      assay job award 0x5e1f...09 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    """
    chosen = options.parse_address(address_of(worker, at.home))
    _act(at, job_id, lambda requester: requester.award(job_id, chosen), json=json)


@acting
def cancel(
    job_id: options.JobId,
    *,
    at: Account,
    json: options.Json = False,
) -> None:
    """Withdraw an open job. What was held for it is in your vault balance afterwards.

    Example:

      assay job cancel 0x5e1f...09
    """
    _act(at, job_id, lambda requester: requester.cancel(job_id), json=json)


def _act(
    at: Account,
    job_id: bytes,
    action: Callable[[client.Requester], Awaitable[object]],
    *,
    json: bool,
) -> None:
    """Do the requester's action on a job, and print the job afterwards."""
    signer = at.unlock()

    async def act() -> None:
        async with (
            at.connect() as session,
            session.requester(signer, allow_local=None) as requester,
        ):
            await action(requester)
            job = await requester.job(job_id)
            why = ""
            if job.state is chain.JobState.CANCELLED:
                why = "what was held for it is in your vault balance"
            sent = disclosed(requester.store, requester.record_of(job_id))
            show_job(job_id, job, json=json, why=why, sent=sent)

    asyncio.run(act())
