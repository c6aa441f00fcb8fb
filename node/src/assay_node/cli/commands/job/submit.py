"""`assay job submit`."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

import assay_prover

from .... import chain, client
from ....chain.errors import NodeUnavailable, TransactionPending
from ... import options, sample_files
from ...connection import Account, acting
from ...console import emit, note, out
from .show import show_result, trust_fields
from .watch import LocalWorkers, ended, stay_with
from .who_may_win import announce, policy_of


class Pick(StrEnum):
    """When a job is awarded by its requester."""

    BEST = "best"
    FIRST = "first"


@acting
def submit(
    bundle: options.BundleDir,
    *,
    input_file: options.InputFile,
    row: options.Row = None,
    model_id: Annotated[
        bytes,
        typer.Option(
            "--model",
            parser=options.parse_id,
            metavar="MODEL_ID",
            envvar="ASSAY_MODEL",
            help="The registered model.",
        ),
    ],
    max_price: Annotated[
        int, options.amount_option("--max-price", "The most you pay; held until the job ends.")
    ],
    worker: Annotated[
        list[str] | None,
        typer.Option(
            "--worker",
            metavar="ADDRESS|NAME",
            help="A worker that may win, and so see a private input; repeatable. "
            "Default: those of `assay trust`.",
        ),
    ] = None,
    min_settled: Annotated[
        int | None,
        typer.Option(
            "--min-settled",
            metavar="N",
            min=0,
            help="Let any worker win that has settled N jobs, too: a stranger, with a record to lose.",
        ),
    ] = None,
    max_missed: Annotated[
        int | None,
        typer.Option(
            "--max-missed",
            metavar="N",
            min=0,
            help="Of such a worker's awards at most N came to nothing. Default: one in twenty.",
        ),
    ] = None,
    min_stake: Annotated[
        int | None,
        options.amount_option(
            "--min-stake",
            "Stake that must back the job. Default: twice the ceiling; of a stranger, ten times.",
        ),
    ] = None,
    collateral: Annotated[
        int | None,
        options.amount_option(
            "--collateral",
            "What the worker loses to you if it accepts and never proves. Default: the ceiling.",
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds",
            min=1,
            max=3,
            help="Rounds of bidding, each after an award that came to nothing; of a private input, also "
            "the most workers that are sent it. Default: 1 with a private input, else 3.",
        ),
    ] = None,
    pick: Annotated[
        Pick,
        typer.Option(
            "--award",
            help="best: the lowest acceptable bid once the bidding is over. "
            "first: the first acceptable one at once.",
        ),
    ] = Pick.BEST,
    bid_window: Annotated[int, options.duration_option("--bid-window", "Time for bids, a day at most.")] = 60,
    accept_window: Annotated[
        int,
        options.duration_option("--accept-window", "Time to prove or to accept an award, 7 days at most."),
    ] = 300,
    prove_window: Annotated[
        int, options.duration_option("--prove-window", "Time to prove after accepting, 30 days at most.")
    ] = 3600,
    clip: options.Clip = False,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Stay until the answer is there.")
    ] = True,
    allow_local: LocalWorkers = None,
    at: Account,
    json: options.Json = False,
) -> None:
    """Commit to an input and offer a price for its proven answer.

    Whoever wins a job with a private input sees it. So you say who may: workers that you name (--worker, or
    `assay trust add`), or any with a stake and a record (--min-settled). This command awards the job to the
    lowest bid among those, and sends the input to that worker alone. Input and salt are kept, encrypted, in
    the home before anything is sent: without them the answer cannot be read.

    Examples:

      assay job submit bc_mlp --model 0x9c..4e --input patient.npy --max-price 0.01ether --worker 0x70..C8

      assay job submit bc_mlp --model 0x9c..4e -i patients.npz --row 3 --max-price 1gwei --min-settled 20

      assay job submit bc_mlp --model 0x9c..4e -i patient.npy --max-price 1gwei --no-follow --json
    """
    opened = assay_prover.Bundle.open(bundle)
    x = sample_files.one(input_file, row, shape=tuple(opened.manifest.input.shape))
    signer = at.unlock()
    private = opened.manifest.input.visibility == "private"
    terms = client.JobTerms(
        max_price=max_price,
        min_stake=min_stake,
        collateral=collateral,
        bid_window=bid_window,
        accept_window=accept_window,
        prove_window=prove_window,
        rounds=rounds,
    )

    async def act() -> None:
        async with (
            at.connect() as session,
            session.requester(signer, allow_local=allow_local) as requester,
        ):
            policy = None
            if private or worker or min_settled is not None or max_missed is not None:
                policy = await policy_of(
                    session,
                    workers=worker or (),
                    min_stake=min_stake,
                    min_settled=min_settled,
                    max_missed=max_missed,
                    pick=pick.value,
                    max_price=max_price,
                )
            if private and policy is not None:
                announce(policy, rounds)
            try:
                posted = await requester.submit(opened, model_id, x, terms, policy=policy, saturate=clip)
            except (asyncio.CancelledError, TransactionPending, NodeUnavailable):  # the first is Ctrl-C
                note("Whether the job was posted is not known here. Ask the chain: assay job list --find")
                raise
            note(f"posted job 0x{posted.job_id.hex()} ({posted.receipt.gas_used:,} gas)")
            note(f"its answer will be proven {posted.setup.short}: {posted.setup.trust()}.")
            if not follow:
                if policy is not None:
                    note(
                        "Award it and deliver the input with: "
                        f"assay job status 0x{posted.job_id.hex()} --follow"
                    )
                document = {
                    "job_id": posted.job_id,
                    "tx": posted.receipt.tx_hash,
                    "gas": posted.receipt.gas_used,
                    **trust_fields(posted.setup),
                }
                emit(document, as_json=json, human=lambda: out.print("0x" + posted.job_id.hex()))
                return
            last = await stay_with(requester, posted.job_id, at.key, allow_local=allow_local)
            record = requester.store.by_job(posted.job_id)
            if last.state is not chain.JobState.SETTLED:
                raise await ended(session, record, last, allow_local=allow_local)
            result = await requester.result(posted.job_id, opened)
            show_result(result, record, requester.store, json=json)

    asyncio.run(act())
