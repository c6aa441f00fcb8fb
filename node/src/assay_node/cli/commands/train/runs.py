"""`assay train run|result|certify|history`: a program on chain, and what it made."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .... import client
from ....errors import AssayError
from ... import options
from ...console import emit, emit_json, fields, note, out
from ...session import connect, unlock
from ..job.watch import LocalWorkers, stay_with
from ..job.who_may_win import announce, policy_of
from .programs import DataDir
from .words import words_of

if TYPE_CHECKING:
    from assay_prover.data import DataSet

    from ....records import Run

JobId = Annotated[bytes, typer.Argument(parser=options.parse_id, metavar="JOB_ID", help="A training job.")]
ProgramBundle = Annotated[
    Path,
    typer.Option("--program", metavar="BUNDLE", help="The program's bundle; from anybody, it is checked."),
]


def run(
    bundle: options.BundleDir,
    data: DataDir,
    *,
    model_id: Annotated[
        bytes,
        typer.Option("--model", parser=options.parse_id, metavar="MODEL_ID", help="The registered program."),
    ],
    max_price: Annotated[
        int, options.amount_option("--max-price", "The most you pay; held until the job ends.")
    ],
    worker: Annotated[
        list[str] | None,
        typer.Option(
            "--worker",
            metavar="ADDRESS|NAME",
            help="A worker that may win, and so see the rows; repeatable. Default: those of `assay trust`.",
        ),
    ] = None,
    bid_window: Annotated[int, options.duration_option("--bid-window", "Time for bids, a day at most.")] = 60,
    accept_window: Annotated[
        int, options.duration_option("--accept-window", "Time to prove an award, 7 days at most.")
    ] = 900,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Stay until it is settled.")] = True,
    allow_local: LocalWorkers = None,
    rpc: options.Rpc = options.DEFAULT_RPC,
    check_rpc: options.CheckRpc = None,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Have a worker run a program on your data set, and prove it: an ordinary job.

    On chain stands the data set's commitment. The worker that wins is sent the rows, sealed: it must compute
    with them. Name whom you trust with them.

    Example:

      assay train run program/bundle patients --model 0x9c..4e --max-price 0.01ether --worker lab
    """
    import assay_prover
    from assay_prover.data import DataSet
    from assay_prover.training.compile import table_of

    from ....records import program_of

    opened, rows = assay_prover.Bundle.open(bundle), DataSet.open(data)
    program = program_of(opened)
    features, labels = table_of(program, rows)
    table = {"features": features / (1 << program.recipe.data_fraction), "labels": labels}
    signer = unlock(home, key, password_file)
    terms = client.JobTerms(max_price=max_price, bid_window=bid_window, accept_window=accept_window)

    async def act() -> dict[str, Any]:
        async with (
            connect(rpc, deployment, home, check_rpc=check_rpc) as session,
            session.requester(signer, allow_local=allow_local) as requester,
        ):
            policy = await policy_of(
                session,
                workers=worker or (),
                min_stake=None,
                min_settled=None,
                max_missed=None,
                pick="best",
                max_price=max_price,
            )
            announce(policy, None)
            posted = await requester.submit(opened, model_id, table, terms, policy=policy, salt=rows.salts[0])
            note(f"posted job 0x{posted.job_id.hex()} ({posted.receipt.gas_used:,} gas)")
            document = {"job_id": posted.job_id, "tx": posted.receipt.tx_hash, "gas": posted.receipt.gas_used}
            if follow:
                job = await stay_with(requester, posted.job_id, key, allow_local=allow_local)
                document["state"] = job.state.name.lower()
            return document

    document = asyncio.run(act())
    emit(document, as_json=json, human=lambda: out.print(fields(words_of(document))))
    if not json:
        note(f"Its weights: assay train result 0x{document['job_id'].hex()} --program {bundle} -o model")


def result(
    job_id: JobId,
    *,
    program: ProgramBundle,
    model: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="The trained model's new bundle.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DATA", help="Your data set: train again here, and compare every weight."
        ),
    ] = None,
    rpc: options.Rpc = options.DEFAULT_RPC,
    check_rpc: options.CheckRpc = None,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    json: options.Json = False,
) -> None:
    """Verify a run, and write what it made: a bundle that predicts, and its weights as weights.npz.

    The trained model is a function of program and weights, so everybody makes the same of them: publish it,
    and others can verify where it comes from.

    Example:

      assay train result 0x5e..09 --program program/bundle -o model --data patients
    """
    import numpy as np

    import assay_prover
    from assay_prover.training.trained import layers_of, trained_model

    from ....records import read_run

    opened = assay_prover.Bundle.open(program)

    async def act() -> Run:
        async with connect(rpc, deployment, home, check_rpc=check_rpc) as session:
            return await read_run(session.chain, job_id, opened)

    found = asyncio.run(act())
    if found.weights is None:
        raise AssayError(
            "the program shows a digest of the weights alone", "Train on the data set here: they are the same"
        )
    equal = None if data is None else _train_again(found, data)
    manifest = trained_model(found.program, found.weights, model)
    layers = layers_of(found.program.recipe, found.weights)
    named: dict[str, Any] = {f"layer{number}": layer for number, layer in enumerate(layers)}
    np.savez(model / "weights.npz", **named)
    document = {
        "model": model,
        "program_id": found.program_id,
        "job_id": job_id,
        "dataset_id": None if found.data_set is None else found.data_set.dataset_id,
        "weights": int(found.weights.size),
        "weights_equal_reference": equal,
        "constraints": manifest.costs.constraints,
        "setup": found.setup,
        "trust": found.trust,
    }
    emit(document, as_json=json, human=lambda: out.print(fields(words_of(document))))
    if not json:
        note(
            f"Next: assay model setup {model}; assay model publish {model}; "
            f"assay train certify MODEL_ID 0x{job_id.hex()} --program {program}"
        )


def certify(
    model_id: Annotated[
        bytes, typer.Argument(parser=options.parse_id, metavar="MODEL_ID", help="Your registered model.")
    ],
    job_id: JobId,
    *,
    program: ProgramBundle,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Put on record which job trained your model, so that others find it. Once, and for good.

    It is verified here first: what is on record can be checked by everybody.

    Example:

      assay train certify 0x77..aa 0x5e..09 --program program/bundle --key alice
    """
    import assay_prover

    from ....records import read_run, verify_lineage

    opened = assay_prover.Bundle.open(program)
    signer = unlock(home, key, password_file)

    async def act() -> dict[str, Any]:
        async with connect(rpc, deployment, home) as session, session.outbox(signer) as outbox:
            found = await read_run(session.chain, job_id, opened)
            await verify_lineage(session.chain, model_id, found)
            if found.data_set is None:
                raise AssayError(
                    "the job's input is no registered data set", "Register it: assay data register DIR"
                )
            call = session.chain.certificates.certify(model_id, job_id, found.data_set.dataset_id)
            receipt = await outbox.send(f"train/certify/{model_id.hex()}", call)
            return {"model_id": model_id, "job_id": job_id, "tx": receipt.tx_hash, "gas": receipt.gas_used}

    document = asyncio.run(act())
    emit(document, as_json=json, human=lambda: out.print(fields(words_of(document))))


def history(
    dataset_id: Annotated[
        bytes,
        typer.Argument(parser=options.parse_id, metavar="DATASET_ID", help="As `data register` prints it."),
    ],
    *,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    json: options.Json = False,
) -> None:
    """List every run over a data set: a best of a hundred tries is visible here.

    Example:

      assay train history 0x4c..1f
    """
    from ....records import read_data_set, runs_over

    async def act() -> list[dict[str, Any]]:
        async with connect(rpc, deployment, home) as session:
            data_set = await read_data_set(session.chain, dataset_id)
            return [
                {
                    "job_id": each.job_id,
                    "program_id": each.program_id,
                    "requester": each.requester,
                    "state": each.state,
                    "block": each.block,
                }
                for each in await runs_over(session.chain, data_set)
            ]

    found = asyncio.run(act())
    if json:
        emit_json(found)
        return
    if not found:
        out.print("no job has run over it")
    for each in found:
        out.print(
            f"block {each['block']}: job 0x{each['job_id'].hex()} of program 0x{each['program_id'].hex()} "
            f"by {each['requester']}, {each['state']}"
        )


def _train_again(found: Run, data: Path) -> bool:
    """Trains on one's own rows and compares. Raises `AssayError` if a weight differs."""
    import numpy as np

    from assay_prover.data import DataSet
    from assay_prover.reference.training import train
    from assay_prover.training.compile import table_of

    opened: DataSet = DataSet.open(data)
    if found.data_set is not None and found.data_set.blocks != opened.blocks:
        raise AssayError(f"{data} is not the data set of this job", "Name the one that it ran on")
    again = train(found.program.recipe, *table_of(found.program, opened)).flat
    if found.weights is None or not np.array_equal(again, found.weights):
        raise AssayError(
            "the proof verifies, and training here gives other weights: whoever made the program's keys has "
            "forged it",
            "Do not rely on the model, nor on any other of this program",
        )
    return True
