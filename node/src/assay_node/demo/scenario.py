"""The demo's plot: five contracts, a publisher, a requester with a private record, two workers that want the
job.

Nothing here is made for show: the devnet is the one of `assay devnet`, the workers are the ones of `assay
worker run`, the requester is the client library, and every figure is read back from the chain or from the one
who did the work.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from eth_account.signers.local import LocalAccount

from assay_prover import Bundle

from ..chain import (
    BidPlaced,
    Chain,
    Deployment,
    Job,
    JobState,
    Outbox,
    OutboxConfig,
    Rpc,
    create_account,
    create_encryption_key,
    deploy_all,
)
from ..client import (
    AwardPolicy,
    JobEvidence,
    JobStore,
    JobTerms,
    Requester,
    StoreKey,
    job_events,
    publish_model,
)
from ..client.stake import add_stake
from ..devnet import Devnet, DevnetConfig
from ..errors import AssayError
from ..worker import PricingConfig, Worker, WorkerConfig, WorkerStore
from ..worker import register as register_worker
from .ledger import gas_paid, intrinsic_gas, snapshot
from .patient import DIAGNOSES, Patient
from .summary import Account, Story, Summary, amount

ETHER = 10**18
ROYALTY_BPS = 500
TERMS = JobTerms(
    max_price=ETHER // 50,
    min_stake=ETHER // 10,
    collateral=ETHER // 20,
    bid_window=4,
    accept_window=300,
    prove_window=600,
)
STAKE = ETHER
_QUICK = OutboxConfig(poll=0.05)

_DATABASE, _LOCK = r"\.sqlite(-wal|-shm|-journal)?", r"\d+-0x[0-9a-f]{40}\.lock"
RUN_FILES = re.compile(
    rf"deployment\.json(\.new)?|(publisher|requester|jobs){_DATABASE}|{_LOCK}"
    rf"|worker-[AB]/(|password|(account|encryption)\.json|{_LOCK}|state/(|(worker|outbox){_DATABASE}|{_LOCK}))"
)
"""What a run leaves in its folder, folders with a slash at the end: the next run removes that alone."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Competitor:
    """A worker of the demo: its name and how it prices."""

    name: str
    account: LocalAccount
    pricing: PricingConfig


async def play(
    bundle: Bundle, patient: Patient, work: Path, *, setup_seconds: float, setup_cached: bool, say: Say
) -> Story:
    """Run the job once on a fresh chain and tell what happened.

    Args:
        bundle: with keys.
        patient: whose record is asked about.
        work: an empty folder for this run's keys, databases and deployment (`RUN_FILES`).
        setup_seconds, setup_cached: as `bundle.prepare` found, for the summary.
        say: told each step.
    """
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        net = await stack.enter_async_context(Devnet(DevnetConfig(port=0)))
        publisher, requester_account, *others = net.accounts
        node = await stack.enter_async_context(Rpc(net.url))
        say(f"a chain of its own at {net.url}, chain id {net.config.chain_id}")

        publishing = await stack.enter_async_context(
            await Outbox.open(node, publisher, work / "publisher.sqlite", config=_QUICK)
        )
        deployed = await deploy_all(publishing)
        deployed.deployment.save(work / "deployment.json")
        say(f"five contracts deployed ({sum(deployed.gas.values()):,} gas)")
        chain = await Chain.connect(node, deployed.deployment)
        published = await publish_model(chain, publishing, bundle, royalty_bps=ROYALTY_BPS)
        gas = published.receipt.gas_used if published.receipt else 0
        say(f"the model published: its verifying key is data on chain ({gas:,} gas)")

        competitors = (
            Competitor("worker A", others[0], PricingConfig(margin_percent=60.0)),
            Competitor("worker B", others[1], PricingConfig(margin_percent=25.0)),
        )
        for competitor in competitors:
            await stack.enter_async_context(_working(competitor, net.url, deployed.deployment, bundle, work))
            await _until_registered(chain, competitor.account.address)
            say(f"{competitor.name} registered, with {STAKE / ETHER:g} ETH at stake")

        names = {
            publisher.address.lower(): "publisher",
            requester_account.address.lower(): "requester",
            **{competitor.account.address.lower(): competitor.name for competitor in competitors},
        }
        outbox = await stack.enter_async_context(
            await Outbox.open(node, requester_account, work / "requester.sqlite", config=_QUICK)
        )
        store = stack.enter_context(JobStore(work / "jobs.sqlite"))
        requester = Requester(
            chain,
            outbox,
            store,
            StoreKey(bytes(requester_account.key)),
            policy=AwardPolicy(anybody=True),  # a chain of its own, and both workers are the demo's
            allow_local=True,
        )
        first = await node.block_number() + 1
        before = await snapshot(chain, names)
        posted = await requester.submit(bundle, published.model_id, patient.record, TERMS)
        say(f"job 0x{posted.job_id.hex()[:8]}.. posted: on chain is a commitment, not the record")

        def named(text: str) -> None:
            for address, name in names.items():
                text = re.sub(address, name, text, flags=re.IGNORECASE)
            say(text)

        async for job in requester.follow(posted.job_id, interval=0.1, say=named):
            _tell(job, names, say)
        result = await requester.result(posted.job_id, bundle)
        say(
            "the proof verified again, here, from chain data alone; the answer decrypted, and computed again "
            "with the same result"
        )
        after = await snapshot(chain, names)
        fees = await gas_paid(node, first, await node.block_number())

        settled = result.evidence.settled
        receipt = await node.receipt(settled.origin.tx_hash)
        if receipt is None or result.label is None:
            raise AssayError("the settlement is not on the devnet any more", "Run the demo again")
        winner = settled.worker.lower()
        summary = Summary(
            chain=chain.deployment.chain_id,
            job_state="settled",
            expected_label=DIAGNOSES[patient.expected],
            decrypted_label=DIAGNOSES[result.label],
            setup_seconds=round(setup_seconds, 3),
            prove_seconds=round(_prove_seconds(_folder(work, names[winner]) / "state", posted.job_id), 3),
            constraints=bundle.manifest.costs.constraints,
            proof_bytes=len(settled.proof),
            verify_gas=await _verify_gas(chain, publishing, result.evidence),
            submit_gas=receipt.gas_used,
            worker_paid_wei=settled.price - settled.royalty,
            requester_spent_wei=before[requester_account.address.lower()]
            - after[requester_account.address.lower()],
        )
        bids = [event for event in await job_events(chain, posted.job_id) if isinstance(event, BidPlaced)]
        return Story(
            summary=summary,
            patient=patient.number,
            pathologist=patient.diagnosis,
            expected_logits=tuple(float(value) for value in patient.logits),
            decrypted_logits=tuple(float(value) for value in result.values.reshape(-1)),
            job_id=posted.job_id,
            worker=names[winner],
            bids=tuple((names[bid.worker.lower()], bid.price) for bid in bids),
            accounts=tuple(
                Account(
                    name,
                    _role(name, address == winner),
                    after[address] - before[address] + fees[address],
                    fees[address],
                )
                for address, name in names.items()
            ),
            setup_cached=setup_cached,
            seconds=time.monotonic() - started,
            on_chain_input=result.evidence.submitted.input_words[0],
        )


@asynccontextmanager
async def _working(
    competitor: Competitor, rpc_url: str, deployment: Deployment, bundle: Bundle, work: Path
) -> AsyncIterator[None]:
    """A registered worker with a stake, running until the block ends. Its failure is the demo's."""
    folder = _folder(work, competitor.name)
    password = token_hex(16)
    (folder / "password").parent.mkdir(parents=True)
    (folder / "password").write_text(password + "\n")
    create_account(folder / "account.json", password, private_key=bytes(competitor.account.key))
    key = create_encryption_key(folder / "encryption.json", password)
    port = _free_port()
    config = WorkerConfig(
        rpc_url=rpc_url,
        deployment=work / "deployment.json",
        keystore=folder / "account.json",
        encryption_key=folder / "encryption.json",
        password_file=folder / "password",
        state_dir=folder / "state",
        bundles=[Path(bundle.path)],
        inbox_port=port,
        metrics_port=None,
        prover="thread",
        poll_seconds=0.2,
        pricing=competitor.pricing,
    )
    async with Rpc(rpc_url) as node:
        chain = await Chain.connect(node, deployment)
        async with await Outbox.open(
            node, competitor.account, config.state_dir / "outbox.sqlite", config=_QUICK
        ) as outbox:
            await register_worker(chain, outbox, f"http://127.0.0.1:{port}", key.public_key.encode())
            await add_stake(chain, outbox, STAKE)
    worker = Worker(config)
    task = asyncio.create_task(worker.run(), name=competitor.name)
    try:
        ready = asyncio.create_task(worker.ready.wait())
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if task.done():
            task.result()
        yield
    finally:
        worker.stop()
        await task


def _folder(work: Path, name: str) -> Path:
    return work / name.replace(" ", "-")


async def _until_registered(chain: Chain, address: str) -> None:
    record = await chain.workers.worker_of(address)
    if not record.registered or record.stake < STAKE:
        raise AssayError(f"{address} is not registered as it should be", "This is a defect; please report it")


def _free_port() -> int:
    """A port that is free now. The endpoint must be on chain before the worker listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _prove_seconds(state_dir: Path, job_id: bytes) -> float:
    """How long the winner took to prove, as it noted itself."""
    store = WorkerStore(state_dir / "worker.sqlite")
    try:
        proof = store.proof_of(job_id)
    finally:
        store.close()
    if proof is None:
        raise AssayError("the winner has no proof of the job", "This is a defect; please report it")
    return proof.seconds


async def _verify_gas(chain: Chain, outbox: Outbox, evidence: JobEvidence) -> int:
    """Gas of the verifier alone: a transaction that only verifies, less what any such transaction costs."""
    call = chain.verifier.verify(
        evidence.model.verifying_key,
        evidence.statement,
        evidence.settled.proof,
        evidence.model.model_commitment,
    )
    receipt = await outbox.send(f"verify/{evidence.job_id.hex()}", call)
    return receipt.gas_used - intrinsic_gas(call.data)


def _tell(job: Job, names: dict[str, str], say: Say) -> None:
    worker = names.get(job.worker.lower(), job.worker)
    match job.state:
        case JobState.OPEN if worker in names.values():
            say(f"{worker} leads with {amount(job.price)}")
        case JobState.OPEN:
            say(f"open for bids for {job.bid_window} s, at most {amount(job.max_price)}")
        case JobState.AWARDED:
            say(f"awarded to {worker} for {amount(job.price)}")
        case JobState.ACCEPTED:
            say(f"{worker} has checked the input, accepted, and locked {amount(job.collateral)}; it proves")
        case JobState.SETTLED:
            say("the contract verified the proof and paid")
        case _:
            raise AssayError(
                f"the job ended {job.state.name.lower()}", "Run the demo again; see the log above"
            )


def _role(name: str, winner: bool) -> str:
    if name == "publisher":
        return f"royalty, {ROYALTY_BPS / 100:g} %"
    if name == "requester":
        return "the answer"
    return "proving" if winner else "a bid that lost"
