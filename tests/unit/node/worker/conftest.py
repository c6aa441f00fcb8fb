"""A real market on a devnet in this process, a real model with real keys, and workers on it."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import aiohttp
import numpy as np
import pytest
import structlog
from eth_account import Account
from nacl.public import PrivateKey, SealedBox

from assay_node.chain import (
    Chain,
    Job,
    JobRequest,
    JobState,
    JobSubmitted,
    ModelRegistered,
    ModelSpec,
    Outbox,
    Rpc,
    create_encryption_key,
    deploy_all,
)
from assay_node.chain.keys import write_secret
from assay_node.devnet import Devnet, DevnetConfig
from assay_node.worker import PricingConfig, Worker, WorkerConfig, register
from assay_prover import Bundle, compile_model, new_salt

MODELS = Path(__file__).parents[3] / "vectors" / "models"
PASSWORD = "correct horse"
KEYS = [bytes([index]) * 32 for index in range(1, 6)]
ETHER = 10**18


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def samples() -> np.ndarray:
    with np.load(MODELS / "bc_mlp.npz") as data:
        return np.asarray(data["x"])


def _bundle(
    folder: Path,
    samples: np.ndarray,
    visibility: Literal["private", "public"],
    output: Literal["encrypted", "public"],
) -> Path:
    path = folder / visibility
    compile_model(MODELS / "bc_mlp.onnx", samples, path, input=visibility, output=output)
    Bundle.open(path).setup(seed=b"\x01" * 32)
    return path


@pytest.fixture(scope="session")
def private_bundle(tmp_path_factory, samples) -> Path:
    return _bundle(tmp_path_factory.mktemp("bundles"), samples, "private", "encrypted")


@pytest.fixture(scope="session")
def public_bundle(tmp_path_factory, samples) -> Path:
    return _bundle(tmp_path_factory.mktemp("bundles"), samples, "public", "public")


@dataclass
class Posted:
    """A job, and what its requester knows."""

    job_id: bytes
    bundle: Bundle
    integers: np.ndarray
    salt: int | None
    words: list[int]


@dataclass
class Hand:
    """One worker's files and its process, or what stands for one."""

    config: WorkerConfig
    address: str
    secret: PrivateKey
    worker: Worker | None = None
    task: asyncio.Task[None] | None = None

    async def start(self) -> Worker:
        self.worker = Worker(self.config, password=PASSWORD)
        self.task = asyncio.create_task(self.worker.run())
        ready = asyncio.create_task(self.worker.ready.wait())
        await asyncio.wait({ready, self.task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self.task.done():
            self.task.result()
        return self.worker

    async def stop(self) -> None:
        if self.worker is not None and self.task is not None:
            self.worker.stop()
            await self.task
        self.worker = self.task = None

    async def kill(self) -> None:
        """Ends it without a chance to finish anything it awaits."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])  # what it raised, `start` has told
        self.worker = self.task = None


@dataclass
class Marketplace:
    net: Devnet
    node: Rpc
    chain: Chain
    requester: Outbox
    folder: Path
    hands: list[Hand] = field(default_factory=list)
    posted: int = 0

    async def publish(self, path: Path, royalty_bps: int = 0) -> bytes:
        bundle = Bundle.open(path)
        info, out = bundle.manifest.input, bundle.manifest.output
        spec = ModelSpec(
            bundle.circuit_hash,
            bundle.quantisation_hash,
            bundle.metadata_hash,
            info.words,
            out.words,
            info.visibility == "private",
            out.visibility == "encrypted",
            royalty_bps=royalty_bps,
        )
        receipt = await self.requester.send(
            f"model/{bundle.vk_hash.hex()}/{royalty_bps}",
            self.chain.models.register(spec, bundle.verifying_key),
        )
        (event,) = self.chain.decode(receipt.logs)
        assert isinstance(event, ModelRegistered)
        return event.model_id

    async def hire(self, index: int, *bundles: Path, stake: int = ETHER, **settings: Any) -> Hand:
        folder = self.folder / f"worker{index}"
        account = Account.from_key(KEYS[index])
        # One iteration of PBKDF2: a real keystore takes a second to open, dozens of times over.
        keystore = Account.encrypt(account.key, PASSWORD, kdf="pbkdf2", iterations=1)
        write_secret(folder / "key.json", json.dumps({"address": account.address[2:], **keystore}))
        secret = create_encryption_key(folder / "x25519.json", PASSWORD)
        config = WorkerConfig(
            **{
                "rpc_url": self.net.url,
                "deployment": self.folder / "deployment.json",
                "keystore": folder / "key.json",
                "encryption_key": folder / "x25519.json",
                "state_dir": folder / "state",
                "bundles": list(bundles),
                "inbox_port": 0,
                "metrics_port": 0,
                "poll_seconds": 0.05,
                "prover": "thread",
                "pricing": PricingConfig(),
                **settings,
            }
        )
        async with await Outbox.open(self.node, account, ":memory:") as outbox:
            await register(self.chain, outbox, "http://127.0.0.1:1", secret.public_key.encode())
            if stake:
                await outbox.send("stake", self.chain.workers.add_stake(stake))
        hand = Hand(config, account.address, secret)
        self.hands.append(hand)
        return hand

    async def post(self, path: Path, model_id: bytes, sample: np.ndarray, **request: Any) -> Posted:
        bundle = Bundle.open(path)
        integers = bundle.encode_input(sample)
        salt = new_salt() if bundle.manifest.input.visibility == "private" else None
        words = bundle.input_words(integers, salt)
        fields = {"max_price": ETHER, "bid_window": 600, "accept_window": 600, "prove_window": 600, **request}
        self.posted += 1
        receipt = await self.requester.send(
            f"job/{self.posted}",
            self.chain.market.submit_job(JobRequest(model_id, **fields), words, fields["max_price"]),
        )
        (event,) = self.chain.decode(receipt.logs)
        assert isinstance(event, JobSubmitted)
        return Posted(event.job_id, bundle, integers, salt, words)

    async def award(self, posted: Posted, hand: Hand) -> None:
        """Awards as soon as the worker leads; no test waits for a window to pass."""
        await self.leads(posted, hand)
        key = f"award/{posted.job_id.hex()}"
        await self.requester.send(key, self.chain.market.award_to(posted.job_id, hand.address))

    async def pass_time(self, seconds: int) -> None:
        await self.rpc("evm_increaseTime", seconds)
        await self.rpc("evm_mine")

    async def until(self, posted: Posted, *states: JobState) -> Job:
        """Waits for a state; the test's own time-out is the limit."""
        while True:
            job = await self.chain.market.job_of(posted.job_id)
            if job.state in states:
                return job
            await self.a_moment()

    async def a_moment(self) -> None:
        """Waits a little; raises what a worker has ended with, for which nobody would wait otherwise."""
        await asyncio.sleep(0.02)
        for hand in self.hands:
            if hand.task is not None and hand.task.done():
                hand.task.result()

    async def another_requester(self) -> Outbox:
        """A second requester; its outbox lives as long as the test."""
        return await Outbox.open(self.node, Account.from_key(KEYS[4]), ":memory:")

    async def leads(self, posted: Posted, hand: Hand) -> None:
        """Waits until the worker leads."""
        while (await self.chain.market.best_bid(posted.job_id))[0] != hand.address:
            await self.a_moment()

    def sealed(self, posted: Posted, hand: Hand, **changes: Any) -> bytes:
        fields = {
            "v": 1,
            "salt": hex(posted.salt or 0),
            "input": base64.b64encode(posted.integers.astype("<i8").tobytes()).decode(),
            "shape": list(posted.integers.shape),
            **changes,
        }
        return bytes(SealedBox(hand.secret.public_key).encrypt(json.dumps(fields).encode()))

    async def deliver(self, posted: Posted, hand: Hand, body: bytes | None = None) -> tuple[int, str]:
        assert hand.worker is not None
        url = f"{hand.worker.endpoint}/v1/jobs/0x{posted.job_id.hex()}/input"
        headers = {"Content-Type": "application/octet-stream"}
        async with aiohttp.ClientSession() as session:
            data = self.sealed(posted, hand) if body is None else body
            async with session.post(url, data=data, headers=headers) as response:
                return response.status, await response.text()

    async def rpc(self, method: str, *params: Any) -> Any:
        return await self.node.request(method, *params)


@pytest.fixture
def marketplace(tmp_path):
    @asynccontextmanager
    async def open_(**settings: Any) -> AsyncIterator[Marketplace]:
        async with Devnet(DevnetConfig(port=0, **settings)) as net, Rpc(net.url) as node:
            for key in KEYS:
                await node.request("hardhat_setBalance", Account.from_key(key).address, hex(100 * ETHER))
            requester = Account.from_key(KEYS[0])
            async with await Outbox.open(node, requester, ":memory:") as outbox:
                deployed = await deploy_all(outbox)
                deployed.deployment.save(tmp_path / "deployment.json")
                chain = Chain(node, deployed.deployment)
                place = Marketplace(net, node, chain, outbox, tmp_path)
                try:
                    yield place
                finally:
                    for hand in place.hands:
                        await hand.kill()

    return open_
