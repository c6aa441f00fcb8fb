"""The demo of training: a hospital's rows, a program that learns from them, a proof, a model with an origin.

The rows are the breast-cancer data of the University of Wisconsin (W. Wolberg, W. Street, O. Mangasarian,
1995; UCI Machine Learning Repository, CC BY 4.0): 569, of which 455 are trained on and 114 kept apart.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from assay_prover import Bundle
from assay_prover.data import DataSet, Schema, Table
from assay_prover.reference.training import predict, train
from assay_prover.training.compile import compile_program, table_of
from assay_prover.training.float_run import predict_float, train_float
from assay_prover.training.program import Program
from assay_prover.training.trained import trained_model

from ..chain import Chain, JobState, Outbox, Rpc, deploy_all, sign_attestation
from ..client import AwardPolicy, JobStore, JobTerms, Requester, StoreKey, publish_model
from ..client.proof_file import write_atomically
from ..devnet import Devnet, DevnetConfig
from ..errors import AssayError
from ..records import Run, identity_of, read_run, verify_certificate, verify_lineage
from ..worker import PricingConfig
from .stage import (
    MARKET_FILES,
    QUICK,
    Competitor,
    folder_of,
    prove_seconds,
    until_registered,
    verify_gas,
    working,
)

ROWS = 455
EPOCHS = 100
ETHER = 10**18
STATEMENT = "fine needle aspirates of breast masses, diagnosed by biopsy"
TERMS = JobTerms(max_price=ETHER // 50, bid_window=4, accept_window=600, prove_window=600)
PROGRAM_WORKER, MODEL_WORKER = "worker A", "worker B"

RUN_FILES = re.compile(rf"{MARKET_FILES.pattern}|(program|model)/[\w.-]*")
"""What a run leaves in its folder, folders with a slash at the end: the next run removes that alone."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSummary:
    """The facts of one run; the fields are the keys of training.json.

    `accuracy_trained` and `accuracy_float` are on the rows that were kept apart. `verify_gas` is the
    verifier's execution alone. The prediction is one job of the trained model.
    """

    rows: int
    epochs: int
    constraints: int
    setup_seconds: float
    prove_seconds: float
    proof_bytes: int
    verify_gas: int
    accuracy_trained: float
    accuracy_float: float
    weights_equal_reference: bool
    lineage_verified: bool
    attested_by: list[str]
    job_state: str
    prediction_state: str
    prediction: str
    expected: str

    def write(self, path: Path) -> None:
        """Write as JSON."""
        import json

        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(self), indent=2).encode() + b"\n")


def tables() -> tuple[Table, Table]:
    """The rows to train on, and those that are kept apart."""
    with as_file(files(__package__).joinpath("data", "breast_cancer.npz")) as path:
        whole = Table.read(path)
    order = np.random.default_rng(0).permutation(whole.rows)
    seen, unseen = order[:ROWS], order[ROWS:]
    return tuple(  # type: ignore[return-value]
        Table({name: column[rows] for name, column in whole.columns.items()}, "breast_cancer.npz")
        for rows in (seen, unseen)
    )


async def play_training(work: Path, *, say: Say) -> TrainingSummary:
    """Train on committed rows, prove it, publish what was made, ask it, and verify where it comes from.

    Args:
        work: an empty folder for this run.
        say: told each step.
    """
    seen, unseen = tables()
    schema = _for_all(Schema.fit(seen, label="diagnosis"), seen, unseen)
    data = DataSet.of(schema, seen)
    program = Program.of("diagnosis", schema, ROWS, {"epochs": EPOCHS, "shifts": (7,)})
    compile_program(program, work / "program", data=data)
    bundle = Bundle.open(work / "program")
    began = time.perf_counter()
    bundle.setup()
    setup_seconds = time.perf_counter() - began
    constraints = bundle.manifest.costs.constraints
    say(
        f"a program: {EPOCHS} epochs over {ROWS} rows of {len(schema.features)} features, "
        f"{constraints:,} constraints; keys made in {setup_seconds:.1f} s"
    )
    async with AsyncExitStack() as stack:
        net = await stack.enter_async_context(Devnet(DevnetConfig(port=0)))
        owner, hospital, asking, first, second, *_ = net.accounts
        node = await stack.enter_async_context(Rpc(net.url))
        outbox = await stack.enter_async_context(
            await Outbox.open(node, owner, work / "publisher.sqlite", config=QUICK)
        )
        deployed = await deploy_all(outbox)
        deployed.deployment.save(work / "deployment.json")
        chain = await Chain.connect(node, deployed.deployment)

        dataset_id = identity_of(data)
        registry = chain.data
        await outbox.send("data", registry.register(schema.hash, ROWS, ROWS, data.blocks))
        signature = sign_attestation(
            hospital, deployed.deployment.chain_id, registry.address, dataset_id, STATEMENT, 0
        )
        await outbox.send("attest", registry.attest(dataset_id, hospital.address, STATEMENT, signature))
        say(
            f"data set 0x{dataset_id.hex()[:8]}.. registered as one commitment, and attested by a hospital's "
            "signature"
        )
        program_id = (await publish_model(chain, outbox, bundle)).model_id

        requesting = await stack.enter_async_context(
            await Outbox.open(node, asking, work / "requester.sqlite", config=QUICK)
        )
        requester = Requester(
            chain,
            requesting,
            stack.enter_context(JobStore(work / "jobs.sqlite")),
            StoreKey(bytes(asking.key)),
            policy=AwardPolicy(anybody=True),  # a chain of its own, and both workers are the demo's
            allow_local=True,
        )
        trainer = Competitor(PROGRAM_WORKER, first, PricingConfig())
        await stack.enter_async_context(working(trainer, net.url, deployed.deployment, bundle, work))
        await until_registered(chain, first.address)
        features, labels = table_of(program, data)
        table = {"features": features / (1 << program.recipe.data_fraction), "labels": labels}
        posted = await requester.submit(bundle, program_id, table, TERMS, salt=data.salts[0])
        say(f"job 0x{posted.job_id.hex()[:8]}.. posted: on chain is the data set's commitment, not a row")
        await _settled(requester, posted.job_id, say)
        run = await read_run(chain, posted.job_id, bundle)
        if run.weights is None:
            raise AssayError("the program shows no weights", "This is a defect; please report it")
        trained = train(program.recipe, features, labels)
        equal = bool(np.array_equal(run.weights, trained.flat))
        say(f"{run.weights.size} weights proven, {'each' if equal else 'NOT'} as training here gives them")
        evidence = (await requester.result(posted.job_id, bundle)).evidence

        trained_model(program, run.weights, work / "model")
        model = Bundle.open(work / "model")
        model.setup()
        model_id = (await publish_model(chain, outbox, model)).model_id
        await outbox.send("certify", chain.certificates.certify(model_id, posted.job_id, dataset_id))
        say(f"the trained network published as model 0x{model_id.hex()[:8]}.., its origin on record")

        answering = Competitor(MODEL_WORKER, second, PricingConfig())
        await stack.enter_async_context(working(answering, net.url, deployed.deployment, model, work))
        await until_registered(chain, second.address)
        row = np.array([float(column[0]) for name, column in unseen.columns.items() if name != "diagnosis"])
        asked = await requester.submit(model, model_id, row, TERMS, saturate=True)
        await _settled(requester, asked.job_id, say)
        answer = await requester.result(asked.job_id, model)
        expected = str(unseen.columns["diagnosis"][0])
        say(f"a patient that it was not trained on: {answer.name}, proven; the pathologist says {expected}")

        verified = await _verified(chain, model_id, posted.job_id, bundle)
        say(
            f"verified from chain data: the model is what program 0x{program_id.hex()[:8]}.. makes of "
            f"data set 0x{dataset_id.hex()[:8]}.. in {EPOCHS} steps"
        )
        kept = schema.features_of(unseen), schema.labels_of(unseen)
        floats = train_float(program.recipe, features, labels)
        attesters = () if verified.data_set is None else verified.data_set.attesters
        return TrainingSummary(
            rows=ROWS,
            epochs=EPOCHS,
            constraints=constraints,
            setup_seconds=round(setup_seconds, 3),
            prove_seconds=round(prove_seconds(folder_of(work, PROGRAM_WORKER) / "state", posted.job_id), 3),
            proof_bytes=len(evidence.settled.proof),
            verify_gas=await verify_gas(chain, outbox, evidence),
            accuracy_trained=float((predict(program.recipe, trained.weights, kept[0]) == kept[1]).mean()),
            accuracy_float=float((predict_float(program.recipe, floats.weights, kept[0]) == kept[1]).mean()),
            weights_equal_reference=equal,
            lineage_verified=True,
            attested_by=[each.address for each in attesters if each.stands],
            job_state="settled",
            prediction_state="settled",
            prediction=str(answer.name),
            expected=expected,
        )


async def _verified(chain: Chain, model_id: bytes, job_id: bytes, bundle: Bundle) -> Run:
    """The model's lineage, from chain data. Raises unless all of it holds."""
    run = await read_run(chain, job_id, bundle)
    await verify_lineage(chain, model_id, run)
    if not await verify_certificate(chain, model_id, run):
        raise AssayError("the model's origin is not on record", "This is a defect; please report it")
    return run


async def _settled(requester: Requester, job_id: bytes, say: Say) -> None:
    states = [job.state async for job in requester.follow(job_id, interval=0.1, say=lambda _: None)]
    if states[-1] is not JobState.SETTLED:
        raise AssayError(f"the job ended {states[-1].name.lower()}", "Run the demo again")
    say(f"job 0x{job_id.hex()[:8]}..: the contract verified the proof and paid the worker")


def _for_all(schema: Schema, *tables_: Table) -> Schema:
    """The schema with ranges that hold the rows of all tables; the scales stay those of the first."""
    from dataclasses import replace

    columns = tuple(
        replace(
            column,
            lo=min(float(table.columns[column.name].min()) for table in tables_),
            hi=max(float(table.columns[column.name].max()) for table in tables_),
        )
        for column in schema.columns
    )
    return replace(schema, columns=columns)
