"""`assay job`: ask, follow, read the answer."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

import assay_prover

from ... import chain, client
from ...chain.errors import NodeUnavailable, TransactionPending
from ...client.errors import JobNotFound
from ...errors import AssayError
from .. import options, sample_files
from ..console import emit, emit_json, ether, fields, note, out
from ..session import Signer, connect, jobs_path, unlock

app = typer.Typer(no_args_is_help=True, help="Jobs: ask for a proven answer, follow it, read it.")

LocalWorkers = Annotated[
    bool | None,
    typer.Option(
        "--allow-local/--no-allow-local",
        help="Deliver inputs to workers on this machine or a private network, too.",
        show_default="on a chain of one's own",
    ),
]


@app.command("submit")
def submit(
    bundle: options.BundleDir,
    *,
    input_file: Annotated[
        Path, typer.Option("--input", "-i", metavar="FILE", help="The input: .npy, .npz with x, or .json.")
    ],
    row: Annotated[
        int | None, typer.Option("--row", min=0, help="Which row of the file, if it holds many.")
    ] = None,
    model_id: Annotated[
        bytes,
        typer.Option("--model", parser=options.parse_id, metavar="MODEL_ID", help="The registered model."),
    ],
    max_price: Annotated[
        int, options.amount_option("--max-price", "The most you pay; held until the job ends.")
    ],
    min_stake: Annotated[int, options.amount_option("--min-stake", "Free stake a worker must have.")] = 0,
    collateral: Annotated[
        int,
        options.amount_option("--collateral", "What the worker loses to you if it accepts and never proves."),
    ] = 0,
    bid_window: Annotated[int, options.duration_option("--bid-window", "Time for bids.")] = 60,
    accept_window: Annotated[
        int, options.duration_option("--accept-window", "Time to accept an award.")
    ] = 300,
    prove_window: Annotated[int, options.duration_option("--prove-window", "Time to prove.")] = 3600,
    clip: Annotated[bool, typer.Option("--clip", help="Clip values outside the declared range.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Stay until the answer is there.")
    ] = True,
    allow_local: LocalWorkers = None,
    rpc: options.Rpc = options.DEFAULT_RPC,
    check_rpc: options.CheckRpc = None,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Commit to an input and offer a price for its proven answer.

    Input and salt are kept, encrypted, in the home before anything is sent: without them the answer cannot be
    read. A private input is delivered to the worker that wins, by this command while it follows, or by `assay
    job status`.

    Examples:

      assay job submit bc_mlp --model 0x9c..4e --input patient.npy --max-price 0.01ether

      assay job submit bc_mlp --model 0x9c..4e -i patients.npz --row 3 --max-price 1gwei --no-follow --json
    """
    opened = assay_prover.Bundle.open(bundle)
    x = sample_files.one(input_file, row)
    signer = unlock(home, key, password_file)
    terms = client.JobTerms(
        max_price=max_price,
        min_stake=min_stake,
        collateral=collateral,
        bid_window=bid_window,
        accept_window=accept_window,
        prove_window=prove_window,
    )

    async def act() -> None:
        async with (
            connect(rpc, deployment, home, check_rpc=check_rpc) as session,
            session.requester(signer, allow_local=allow_local) as requester,
        ):
            try:
                posted = await requester.submit(opened, model_id, x, terms, saturate=clip)
            except (asyncio.CancelledError, TransactionPending, NodeUnavailable):  # the first is Ctrl-C
                note("Whether the job was posted is not known here. Ask the chain: assay job list --find")
                raise
            note(f"posted job 0x{posted.job_id.hex()} ({posted.receipt.gas_used:,} gas)")
            if not follow:
                document = {
                    "job_id": posted.job_id,
                    "tx": posted.receipt.tx_hash,
                    "gas": posted.receipt.gas_used,
                }
                emit(document, as_json=json, human=lambda: out.print("0x" + posted.job_id.hex()))
                return
            await _follow(requester, posted.job_id, key, allow_local=allow_local)
            _show_result(posted.job_id, await requester.result(posted.job_id, opened), json=json)

    asyncio.run(act())


@app.command("status")
def status(
    job_id: options.JobId,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay until the job ends, and do your part of it.")
    ] = False,
    allow_local: LocalWorkers = None,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Show where a job stands. With --follow, deliver the input when it is awarded and take the exits that
    are due.

    Examples:

      assay job status 0x5e1f...09

      assay job status 0x5e1f...09 --follow --key alice
    """

    async def look() -> None:
        async with connect(rpc, deployment, home) as session:
            job = await session.chain.market.job_of(job_id)
            if job.state is chain.JobState.NONE:
                raise JobNotFound(f"the market has no job 0x{job_id.hex()}", "Check the id and the chain")
        _show_job(job_id, job, json=json)

    async def stay() -> None:
        signer = unlock(home, key, password_file)
        async with (
            connect(rpc, deployment, home) as session,
            session.requester(signer, allow_local=allow_local) as requester,
        ):
            last = await _follow(requester, job_id, key, allow_local=allow_local)
        _show_job(job_id, last, json=json)

    asyncio.run(stay() if follow else look())


@app.command("result")
def result(
    job_id: options.JobId,
    *,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="DIR", help="The model's bundle. Default: as it was posted."),
    ] = None,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Verify a settled job here, check that it is about your input, and decrypt its answer.

    Exit status 4 if there is no answer yet, 5 if there will be none, 3 if anything does not verify.

    Example:

      assay job result 0x5e1f...09 --json
    """
    signer = unlock(home, key, password_file)

    async def act() -> None:
        async with (
            connect(rpc, deployment, home) as session,
            session.requester(signer) as requester,
        ):
            folder = bundle or requester.store.by_job(job_id).bundle
            if folder is None:
                raise AssayError("the model's bundle is not known", "Name it with --bundle")
            _show_result(job_id, await requester.result(job_id, assay_prover.Bundle.open(folder)), json=json)

    asyncio.run(act())


@app.command("bids")
def bids(
    job_id: options.JobId,
    *,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    json: options.Json = False,
) -> None:
    """List the bids on an open job, lowest first, with what became of each worker's earlier jobs.

    Example:

      assay job bids 0x5e1f...09
    """

    async def look() -> list[client.StandingBid]:
        async with connect(rpc, deployment, home) as session:
            return await client.standing_bids(session.chain, job_id)

    found = asyncio.run(look())
    if json:
        emit_json(
            [
                {
                    "worker": bid.worker,
                    "price_wei": bid.price,
                    "leads": bid.leads,
                    "completed": bid.record.completed,
                    "missed": bid.record.missed,
                    "failed": bid.record.failed,
                }
                for bid in found
            ]
        )
        return
    if not found:
        out.print("no bids: none were placed in this round, or the job is not open")
    for bid in found:
        record = f"{bid.record.completed} completed, {bid.record.missed} missed, {bid.record.failed} failed"
        out.print(f"{bid.worker}  {ether(bid.price)}  [dim]{record}{', leads' if bid.leads else ''}[/]")


@app.command("award")
def award(
    job_id: options.JobId,
    worker: Annotated[
        str,
        typer.Argument(
            parser=options.parse_address, metavar="WORKER", help="A worker that `assay job bids` lists."
        ),
    ],
    *,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Award an open job of yours to any of its bids now, instead of leaving it to the lowest.

    Example:

      assay job award 0x5e1f...09 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    """
    signer = unlock(home, key, password_file)
    change = _change(job_id, lambda requester: requester.award(job_id, worker), rpc, deployment, home, signer)
    _show_job(job_id, asyncio.run(change), json=json)


@app.command("cancel")
def cancel(
    job_id: options.JobId,
    *,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Withdraw an open job. What was held for it is in your vault balance afterwards.

    Example:

      assay job cancel 0x5e1f...09
    """
    signer = unlock(home, key, password_file)
    change = _change(job_id, lambda requester: requester.cancel(job_id), rpc, deployment, home, signer)
    _show_job(job_id, asyncio.run(change), json=json)


async def _change(
    job_id: bytes,
    action: Callable[[client.Requester], Awaitable[object]],
    rpc: list[str],
    deployment: Path | None,
    home: Path,
    signer: Signer,
) -> chain.Job:
    """The requester's action on a job, and the job afterwards."""
    async with (
        connect(rpc, deployment, home) as session,
        session.requester(signer) as requester,
    ):
        await action(requester)
        return await requester.job(job_id)


@app.command("list")
def list_jobs(
    *,
    find: Annotated[
        bool,
        typer.Option(
            "--find", help="Ask the chain for jobs whose posting was cut short. Needs the key's password."
        ),
    ] = False,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """List the jobs posted from this home, newest first. Needs neither password nor chain without --find.

    Examples:

      assay job list --json

      assay job list --find --key alice
    """
    if find:
        asyncio.run(_find(unlock(home, key, password_file), rpc, deployment, home))
    records = []
    if jobs_path(home).exists():
        with client.JobStore(jobs_path(home)) as store:
            records = store.records()
    document = [
        {
            "job_id": record.job_id,
            "draft_id": record.draft_id,
            "chain_id": record.chain_id,
            "market": record.market,
            "requester": record.requester,
            "model_id": record.model_id,
            "created": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds"),
            "delivered_to": record.delivered_to,
        }
        for record in records
    ]
    if json:
        emit_json(document)
        return
    if not records:
        out.print("no jobs yet; post one with: assay job submit")
        return
    for record in records:
        posted = datetime.fromtimestamp(record.created).astimezone().strftime("%Y-%m-%d %H:%M")
        job_id = "not on chain (yet)" if record.job_id is None else "0x" + record.job_id.hex()
        delivered = f", input delivered to {record.delivered_to}" if record.delivered_to else ""
        out.print(f"[dim]{posted}[/]  {job_id}  [dim]chain {record.chain_id}{delivered}[/]")


async def _follow(
    requester: client.Requester, job_id: bytes, key: str, *, allow_local: bool | None
) -> chain.Job:
    """Stay with a job to its end, and return it. Ctrl-C leaves it, and is told how to take it up again."""
    try:
        last = await requester.job(job_id)
        async for job in requester.follow(job_id, say=note):
            note(_describe(job))
            last = job
    except asyncio.CancelledError:
        flags = ("" if key == options.DEFAULT_KEY else f" --key {shlex.quote(key)}") + (
            " --allow-local" if allow_local else ""
        )
        note(f"The job goes on. Take it up again: assay job status 0x{job_id.hex()} --follow{flags}")
        raise
    return last


async def _find(signer: Signer, rpc: list[str], deployment: Path | None, home: Path) -> None:
    """Look for the jobs of drafts on chain, which opening a requester does."""
    async with connect(rpc, deployment, home) as session, session.requester(signer):
        pass


def _describe(job: chain.Job) -> str:
    until = datetime.fromtimestamp(job.deadline).astimezone().strftime("%H:%M:%S")
    worker = None if int(job.worker, 16) == 0 else job.worker
    match job.state:
        case chain.JobState.OPEN if worker:
            return f"open until {until}; {worker} leads with {ether(job.price)}"
        case chain.JobState.OPEN:
            return f"open for bids until {until}"
        case chain.JobState.AWARDED:
            return f"awarded to {worker} for {ether(job.price)}; it may accept until {until}"
        case chain.JobState.ACCEPTED:
            return f"accepted by {worker}; it must prove by {until}"
        case chain.JobState.SETTLED:
            return f"settled: {worker} was paid {ether(job.price)}"
        case _:
            return job.state.name.lower()


def _show_job(job_id: bytes, job: chain.Job, *, json: bool) -> None:
    worker = None if int(job.worker, 16) == 0 else job.worker
    document: dict[str, Any] = {
        "job_id": job_id,
        "state": job.state.name.lower(),
        "round": job.round,
        "worker": worker,
        "price_wei": job.price if worker else None,
        "max_price_wei": job.max_price,
        "deadline": job.deadline,
        "model_id": job.model_id,
        "requester": job.requester,
    }

    def human() -> None:
        out.print(
            fields(
                {
                    "job": "0x" + job_id.hex(),
                    "state": _describe(job),
                    "model": "0x" + job.model_id.hex(),
                    "requester": job.requester,
                    "ceiling": ether(job.max_price),
                }
            )
        )

    emit(document, as_json=json, human=human)


def _show_result(job_id: bytes, found: client.Result, *, json: bool) -> None:
    settled = found.evidence.settled
    document = {
        "job_id": job_id,
        "verified": True,
        "label": found.label,
        "values": found.values,
        "worker": settled.worker,
        "price_wei": settled.price,
        "refund_wei": settled.refund,
        "settled_tx": settled.origin.tx_hash,
    }

    def human() -> None:
        out.print("[bold green]verified[/] on this machine, and decrypted")
        values = ", ".join(f"{value:.4g}" for value in found.values.reshape(-1)[:16])
        out.print(
            fields(
                {
                    "label": found.label,
                    "values": values + (" ..." if found.values.size > 16 else ""),
                    "worker": settled.worker,
                    "paid": ether(settled.price),
                }
            )
        )

    emit(document, as_json=json, human=human)
