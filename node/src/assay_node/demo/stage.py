"""What the demos play on: workers in this process, and figures read back from chain and worker."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from eth_account.signers.local import LocalAccount

from assay_prover import Bundle

from ..chain import (
    Chain,
    Deployment,
    Outbox,
    OutboxConfig,
    Rpc,
    create_account,
    create_encryption_key,
)
from ..client import JobEvidence
from ..client.stake import add_stake
from ..errors import AssayError
from ..worker import PricingConfig, Worker, WorkerConfig, WorkerStore
from ..worker import register as register_worker
from .ledger import intrinsic_gas

STAKE = 10**18
QUICK = OutboxConfig(poll=0.05)

_DATABASE, _LOCK = r"\.sqlite(-wal|-shm|-journal)?", r"\d+-0x[0-9a-f]{40}\.lock"
MARKET_FILES = re.compile(
    rf"deployment\.json(\.new)?|(publisher|requester|jobs){_DATABASE}|{_LOCK}"
    rf"|worker-[AB]/(|password|(account|encryption)\.json|{_LOCK}|state/(|(worker|outbox){_DATABASE}|{_LOCK}))"
)
"""What a run leaves in its folder, folders with a slash at the end: the next run removes that alone."""


@dataclass(frozen=True, slots=True)
class Competitor:
    """A worker of the demo: its name and how it prices."""

    name: str
    account: LocalAccount
    pricing: PricingConfig


@asynccontextmanager
async def working(
    competitor: Competitor, rpc_url: str, deployment: Deployment, bundle: Bundle, work: Path
) -> AsyncIterator[None]:
    """A registered worker with a stake, running until the block ends. Its failure is the demo's."""
    folder = folder_of(work, competitor.name)
    password = token_hex(16)
    (folder / "password").parent.mkdir(parents=True)
    (folder / "password").write_text(password + "\n")
    create_account(folder / "account.json", password, private_key=bytes(competitor.account.key))
    key = create_encryption_key(folder / "encryption.json", password)
    port = free_port()
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
            node, competitor.account, config.state_dir / "outbox.sqlite", config=QUICK
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


def folder_of(work: Path, name: str) -> Path:
    """Where a worker of that name keeps its things."""
    return work / name.replace(" ", "-")


async def until_registered(chain: Chain, address: str) -> None:
    """Raise `AssayError` unless a worker is on record with its stake."""
    record = await chain.workers.worker_of(address)
    if not record.registered or record.stake < STAKE:
        raise AssayError(f"{address} is not registered as it should be", "This is a defect; please report it")


def free_port() -> int:
    """A port that is free now. The endpoint must be on chain before the worker listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prove_seconds(state_dir: Path, job_id: bytes) -> float:
    """How long the winner took to prove, as it noted itself."""
    store = WorkerStore(state_dir / "worker.sqlite")
    try:
        proof = store.proof_of(job_id)
    finally:
        store.close()
    if proof is None:
        raise AssayError("the winner has no proof of the job", "This is a defect; please report it")
    return proof.seconds


async def verify_gas(chain: Chain, outbox: Outbox, evidence: JobEvidence) -> int:
    """Gas of the verifier alone: a transaction that only verifies, less what any such transaction costs."""
    call = chain.verifier.verify(
        evidence.model.verifying_key,
        evidence.statement,
        evidence.settled.proof,
        evidence.model.model_commitment,
    )
    receipt = await outbox.send(f"verify/{evidence.job_id.hex()}", call)
    return receipt.gas_used - intrinsic_gas(call.data)
