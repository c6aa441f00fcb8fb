"""A market to test against: contracts on a chain, models published in it, workers and requesters.

`open_market` deploys everything on any chain (the embedded devnet unless told otherwise), and participants
can be given another URL than the chain's own, such as that of a proxy that spoils answers.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from eth_account import Account
from eth_account.signers.local import LocalAccount

from assay_node.chain import (
    ZERO_ADDRESS,
    Chain,
    Deployment,
    JobState,
    Outbox,
    OutboxConfig,
    Rpc,
    create_encryption_key,
    deploy_all,
)
from assay_node.chain.keys import keystore_address
from assay_node.client import AwardPolicy, JobStore, JobTerms, Requester, StoreKey, publish_model
from assay_node.client.stake import add_stake
from assay_node.devnet import Devnet, DevnetConfig
from assay_node.worker import PricingConfig, Worker, WorkerConfig, register
from assay_prover import Bundle, compile_model

MODELS = Path(__file__).parent / "vectors" / "models"
ETHER = 10**18
PASSWORD = "correct horse"
# Windows that no machine is too busy for: `Market.follow` moves the chain's clock when bidding is to end.
TERMS = JobTerms(
    max_price=ETHER // 50, collateral=ETHER // 20, bid_window=3600, accept_window=3600, prove_window=3600
)
QUICK = OutboxConfig(poll=0.05, wait_timeout=120)


@dataclass(frozen=True)
class Sampled:
    """A bundle with keys, and samples of its model."""

    bundle: Bundle
    x: np.ndarray
    y: np.ndarray


def compile_sampled(name: str, folder: Path, **options: str | int) -> Sampled:
    """Compile one of the models of the test vectors, and make its keys."""
    with np.load(MODELS / f"{name}.npz", allow_pickle=False) as data:
        x, y = data["x"], data["y"]
    compile_model(MODELS / f"{name}.onnx", x, folder, labels=y, **options)  # type: ignore[arg-type]
    bundle = Bundle.open(folder)
    bundle.setup()
    return Sampled(bundle, x, y)


class ChainNode(Protocol):
    """A chain for tests: `Devnet` in this process, or a node in a process of its own."""

    @property
    def url(self) -> str: ...

    @property
    def accounts(self) -> Sequence[LocalAccount]: ...

    async def rpc(self, method: str, *params: Any) -> Any: ...


@dataclass
class Market:
    """A deployed market. Accounts are the chain's: 0 publishes, the others are for the tests.

    Attributes:
        net: the chain itself, for control methods.
        url: where participants reach it, perhaps through a proxy.
    """

    net: ChainNode
    node: Rpc
    chain: Chain
    publishing: Outbox
    folder: Path
    stack: AsyncExitStack
    url: str

    @property
    def deployment_file(self) -> Path:
        return self.folder / "deployment.json"

    async def publish(self, model: Sampled, *, royalty_bps: int = 0) -> bytes:
        """Register a model and return its id."""
        return (
            await publish_model(self.chain, self.publishing, model.bundle, royalty_bps=royalty_bps)
        ).model_id

    async def outbox(self, account: LocalAccount, name: str) -> Outbox:
        """An outbox that is closed with the market."""
        path = self.folder / name / "outbox.sqlite"
        return await self.stack.enter_async_context(await Outbox.open(self.node, account, path, config=QUICK))

    async def requester(
        self, index: int, name: str = "requester", *, policy: AwardPolicy | None = None
    ) -> Requester:
        """An account of the chain as a requester, with which anybody may win unless told otherwise."""
        account = self.net.accounts[index]
        store = self.stack.enter_context(JobStore(self.folder / name / "jobs.sqlite"))
        key = StoreKey(bytes(account.key))
        return Requester(
            self.chain,
            await self.outbox(account, name),
            store,
            key,
            policy=policy or AwardPolicy(anybody=True),
            allow_local=True,
        )

    async def worker_config(
        self, index: int, model: Sampled, *, stake: int = ETHER, margin: float = 30.0, **settings: Any
    ) -> WorkerConfig:
        """Files and registration of a worker that is an account of the chain; `settings` override."""
        account = self.net.accounts[index]
        folder = self.folder / f"worker{index}"
        folder.mkdir()
        # One round of PBKDF2 and not scrypt, which would take a second for every worker of every test.
        keystore = Account.encrypt(account.key, PASSWORD, kdf="pbkdf2", iterations=1)
        (folder / "account.json").write_text(json.dumps({"address": account.address[2:], **keystore}))
        key = create_encryption_key(folder / "encryption.json", PASSWORD)
        port = free_port()
        defaults: dict[str, Any] = {
            "rpc_url": self.url,
            "deployment": self.deployment_file,
            "keystore": folder / "account.json",
            "encryption_key": folder / "encryption.json",
            "state_dir": folder / "state",
            "bundles": [Path(model.bundle.path)],
            "inbox_port": port,
            "metrics_port": None,
            "prover": "thread",
            "poll_seconds": 0.1,
            "pricing": PricingConfig(margin_percent=margin, floor_percent=min(margin, 5.0)),
        }
        config = WorkerConfig(**(defaults | settings))
        async with await Outbox.open(
            self.node, account, config.state_dir / "outbox.sqlite", config=QUICK
        ) as outbox:
            await register(self.chain, outbox, f"http://127.0.0.1:{port}", key.public_key.encode())
            await add_stake(self.chain, outbox, stake)
        return config

    async def pass_time(self, seconds: int) -> None:
        """Move the chain's clock."""
        latest = await self.chain.latest()
        await self.net.rpc("evm_setNextBlockTimestamp", latest.timestamp + seconds)
        await self.net.rpc("evm_mine")

    async def until_all_bid(self, job_id: bytes, *workers: WorkerConfig) -> None:
        """Wait until each of these workers has a bid; the test's own time-out is the limit."""
        for worker in workers:
            address = keystore_address(worker.keystore)
            while not (await self.chain.market.bid_of(job_id, address)).standing:
                await asyncio.sleep(0.02)

    async def follow(self, requester: Requester, job_id: bytes) -> list[JobState]:
        """Follow a job to its end and return its states; bidding ends with the first bid."""
        states = []
        async for job in requester.follow(job_id, interval=0.05):
            states.append(job.state)
            if job.state is JobState.OPEN and job.worker != ZERO_ADDRESS:
                await self.pass_time(job.bid_window + 1)
        return states

    async def end_bidding(self, *job_ids: bytes) -> None:
        """Move the chain's clock past the bidding once each open job has a bid, until all jobs are over."""
        while True:
            jobs = [await self.chain.market.job_of(job_id) for job_id in job_ids]
            if all(job.state.final for job in jobs):
                return
            now = (await self.chain.latest()).timestamp
            bidding = [job for job in jobs if job.state is JobState.OPEN and now <= job.deadline]
            if bidding and all(job.worker != ZERO_ADDRESS for job in bidding):
                await self.pass_time(max(job.deadline for job in bidding) - now + 1)
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def working(self, config: WorkerConfig) -> AsyncIterator[Worker]:
        """A worker that runs while the block does."""
        worker = Worker(config, password=PASSWORD)
        task = asyncio.create_task(worker.run())
        ready = asyncio.create_task(worker.ready.wait())
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if task.done():
            await task
        try:
            yield worker
        finally:
            worker.stop()
            await task


@asynccontextmanager
async def open_market(
    folder: Path, net: ChainNode | None = None, *, url: str | None = None
) -> AsyncIterator[Market]:
    """The contracts on a chain: a fresh devnet unless `net` is given, reached at `url` if that is another."""
    async with AsyncExitStack() as stack:
        if net is None:
            net = await stack.enter_async_context(Devnet(DevnetConfig(port=0)))
        node = await stack.enter_async_context(Rpc(net.url))
        publishing = await stack.enter_async_context(
            await Outbox.open(node, net.accounts[0], folder / "publisher.sqlite", config=QUICK)
        )
        deployment: Deployment = (await deploy_all(publishing)).deployment
        chain = await Chain.connect(node, deployment)
        built = Market(net, node, chain, publishing, folder, stack, url or net.url)
        deployment.save(built.deployment_file)
        yield built


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
