"""`assay job status` and `result`: where a job stands, to stay with it, and its answer."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

import assay_prover

from .... import chain, client
from ....amounts import rounded
from ....client.errors import JobNotFound
from ....errors import AssayError
from ... import options
from ...connection import Account, acting
from ...console import note
from ...session import Session, jobs_path
from .show import describe, disclosed, reasons_in_words, show_job, show_result

LocalWorkers = Annotated[
    bool | None,
    typer.Option(
        "--allow-local/--no-allow-local",
        help="Deliver inputs to workers on this machine or a private network. "
        "Default: on a chain of your own.",
    ),
]


@acting
def status(
    job_id: options.JobId,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay until the job ends, and do your part of it.")
    ] = False,
    ask: Annotated[
        bool,
        typer.Option(
            "--ask/--no-ask",
            help="If nobody bid, or an award was given back: ask the workers, at their endpoints, why.",
        ),
    ] = True,
    allow_local: LocalWorkers = None,
    at: Account,
    json: options.Json = False,
) -> None:
    """Show where a job stands, why it ended, what workers that stayed out say, and who was sent its input.

    With --follow, award it and deliver the input as it was posted for, and take the exits that are due.

    Examples:

      assay job status 0x5e1f...09

      assay job status 0x5e1f...09 --follow --key alice
    """

    async def look() -> None:
        async with at.connect() as session:
            job = await session.chain.market.job_of(job_id)
            if job.state is chain.JobState.NONE:
                raise _not_there(session, job_id)
            await report(session, job_id, job, json=json, ask=ask, allow_local=allow_local)

    async def stay() -> None:
        signer = at.unlock()
        async with (
            at.connect() as session,
            session.requester(signer, allow_local=allow_local) as requester,
        ):
            last = await stay_with(requester, job_id, at.key, allow_local=allow_local)
            record = requester.record_of(job_id)
            current = record.job_id if record is not None and record.job_id else job_id
            await report(session, current, last, json=json, ask=ask, allow_local=allow_local)

    asyncio.run(stay() if follow else look())


def _not_there(session: Session, job_id: bytes) -> JobNotFound:
    """What to do about a job that the market does not know: it may be one of ours that a re-org dropped."""
    path = jobs_path(session.home)
    record = None
    if path.exists():
        with client.JobStore(path) as store:
            record = store.find(job_id)
    here = session.chain.deployment
    if record is None or (record.chain_id, record.market) != (here.chain_id, here.market.lower()):
        return JobNotFound(f"the market has no job 0x{job_id.hex()}", "Check the id and the chain")
    return JobNotFound(
        f"the market has no job 0x{job_id.hex()} any more: a re-org dropped it",
        f"Have it posted again with: assay job status 0x{job_id.hex()} --follow",
    )


async def report(
    session: Session,
    job_id: bytes,
    job: chain.Job,
    *,
    json: bool,
    ask: bool = False,
    allow_local: bool | None = None,
) -> None:
    """Print a job with everything that is known of it here and there.

    Args:
        session: the chain, and the home.
        job_id, job: which, and as the market stores it.
        json: as one document.
        ask: ask workers why they stayed out.
        allow_local: ask those on this machine or a private network, too; by default on a chain of one's own.
    """
    with ExitStack() as stack:
        store = None
        if jobs_path(session.home).exists():
            store = stack.enter_context(client.JobStore(jobs_path(session.home)))
        record = None if store is None else store.find(job_id)
        why, hint = "", ""
        reasons: list[client.Reason] = []
        unproven = job.state.final and job.state is not chain.JobState.SETTLED
        if unproven or (job.state is chain.JobState.OPEN and job.worker == chain.ZERO_ADDRESS):
            events = await client.job_history(session.chain, job_id)
            why = client.why_it_ended(events, "" if record is None else record.remark)
            if ask:
                local = session.development if allow_local is None else allow_local
                reasons = await client.reasons_of(session.chain, job_id, events, allow_local=local)
            if job.state is chain.JobState.REFUNDED:
                hint = await _price_advice(session, job, explained=bool(reasons))
        sent = disclosed(store, record)
        show_job(job_id, job, json=json, why=why, hint=hint, sent=sent, reasons=reasons)


async def ended(
    session: Session, record: client.JobRecord, job: chain.Job, *, allow_local: bool | None = None
) -> client.JobEnded:
    """The error that tells why a job ended without a result, in the words of those who stayed out, too.

    Args:
        session: the chain.
        record: of the job, as it was posted from here.
        job: in its final state.
        allow_local: ask workers on this machine, too; by default on a chain of one's own.
    """
    assert record.job_id is not None  # noqa: S101 - it ended, so it was posted
    events = await client.job_history(session.chain, record.job_id)
    local = session.development if allow_local is None else allow_local
    reasons = await client.reasons_of(session.chain, record.job_id, events, allow_local=local)
    why = "; ".join([client.why_it_ended(events, record.remark), *reasons_in_words(reasons)])
    return client.JobEnded(
        f"job 0x{record.job_id.hex()} ended {job.state.name.lower()}, without a result: {why}",
        "What was held for it is back in your vault balance: assay vault balance",
    )


async def _price_advice(session: Session, job: chain.Job, *, explained: bool) -> str:
    """What to offer next time and, unless workers have said why, the other reason why nobody bids."""
    model = await session.chain.models.model_of(job.model_id)
    hint = await client.price_hint(session.chain, job.model_id, model)
    paid = "no job of this model was settled yet"
    if hint.settled:
        least, most = (rounded(price) for price in (min(hint.settled), max(hint.settled)))
        paid = f"jobs of this model were settled for {least if least == most else f'{least} to {most}'}"
    low = "; your ceiling was below that" if job.max_price < hint.suggested else ""
    other = "" if explained else ". If that is not it, no running worker serves the model: assay worker list"
    return (
        f"a worker pays about {rounded(hint.gas)} for gas alone, and {paid}. "
        f"Offer {rounded(hint.suggested)} or more{low}{other}"
    )


@acting
def result(
    job_id: options.JobId,
    *,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="DIR", help="The model's bundle. Default: as it was posted."),
    ] = None,
    at: Account,
    json: options.Json = False,
) -> None:
    """Verify a settled job here, check that it is about your input, decrypt its answer, and compute it again.

    With constant weights the model is run on this machine, too: a proof alone is no evidence against whoever
    made the keys. Exit status 4 if there is no answer yet, 5 if there will be none, 3 if anything does not
    verify or the model gives another answer.

    Example:

      assay job result 0x5e1f...09 --json
    """
    signer = at.unlock()

    async def act() -> None:
        async with (
            at.connect() as session,
            session.requester(signer, allow_local=False) as requester,
        ):
            record = requester.store.by_job(job_id)
            folder = bundle or record.bundle
            if folder is None:
                raise AssayError("the model's bundle is not known", "Name it with --bundle")
            job = await requester.job(record.job_id or job_id)
            if job.state.final and job.state is not chain.JobState.SETTLED:
                raise await ended(session, record, job)
            found = await requester.result(job_id, assay_prover.Bundle.open(folder))
            show_result(found, record, requester.store, json=json)

    asyncio.run(act())


async def stay_with(
    requester: client.Requester, job_id: bytes, key: str, *, allow_local: bool | None
) -> chain.Job:
    """Stay with a job to its end, and return it. Ctrl-C leaves it, and is told how to take it up again."""
    last = None
    try:
        async for job in requester.follow(job_id, say=note):
            note(describe(job))
            last = job
    except asyncio.CancelledError:
        flags = "" if key == options.DEFAULT_KEY else f" --key {shlex.quote(key)}"
        if allow_local is not None:
            flags += " --allow-local" if allow_local else " --no-allow-local"
        note(f"The job goes on. Take it up again: assay job status 0x{job_id.hex()} --follow{flags}")
        raise
    assert last is not None  # noqa: S101 - following yields the job once, at least
    return last
