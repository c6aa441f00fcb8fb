"""A market on an embedded devnet, models to publish in it, workers and requesters to meet there."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
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
from assay_node.cli import main
from assay_node.cli.exit_codes import ExitCode
from assay_node.client import (
    JobEvidence,
    JobStore,
    JobTerms,
    Requester,
    StoreKey,
    gather_evidence,
    publish_model,
)
from assay_node.client.stake import add_stake
from assay_node.devnet import Devnet, DevnetConfig, DevnetThread
from assay_node.devnet.accounts import DevAccounts
from assay_node.devnet.config import DEFAULT_MNEMONIC
from assay_node.worker import PricingConfig, Worker, WorkerConfig, register
from assay_prover import Bundle, compile_model

MODELS = Path(__file__).parents[1] / "vectors" / "models"
ETHER = 10**18
PASSWORD = "correct horse"
NOWHERE = "http://127.0.0.1:1"
Assay = Callable[..., tuple[str, str]]
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


def _compile(name: str, folder: Path, **options: str | int) -> Sampled:
    with np.load(MODELS / f"{name}.npz", allow_pickle=False) as data:
        x, y = data["x"], data["y"]
    compile_model(MODELS / f"{name}.onnx", x, folder, labels=y, **options)  # type: ignore[arg-type]
    bundle = Bundle.open(folder)
    bundle.setup()
    return Sampled(bundle, x, y)


@pytest.fixture(scope="session")
def bc_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Breast cancer, private input, encrypted output."""
    return _compile("bc_mlp", tmp_path_factory.mktemp("bundles") / "bc_mlp")


@pytest.fixture(scope="session")
def digits_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Digits, everything public."""
    folder = tmp_path_factory.mktemp("bundles") / "digits_mlp"
    return _compile("digits_mlp", folder, input="public", output="public")


@pytest.fixture(scope="session")
def sealed_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Breast cancer, private input, committed output."""
    return _compile("bc_mlp", tmp_path_factory.mktemp("bundles") / "sealed", output="committed")


@pytest.fixture(scope="session")
def own_salt_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Breast cancer, public input, committed output: the prover's salt."""
    folder = tmp_path_factory.mktemp("bundles") / "own_salt"
    return _compile("bc_mlp", folder, input="public", output="committed")


@pytest.fixture(scope="session")
def sliced_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Breast cancer, private input, encrypted output, cut into three."""
    return _compile("bc_mlp", tmp_path_factory.mktemp("bundles") / "sliced", slices=3)


@pytest.fixture(scope="session")
def sliced_private_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Breast cancer in three slices, input and output public, weights private: the cuts hide activations."""
    folder = tmp_path_factory.mktemp("bundles") / "sliced_private"
    options = {"input": "public", "output": "public", "weights": "private"}
    model = _compile("bc_mlp", folder, slices=3, **options)
    model.bundle.commit_model()
    return model


@dataclass
class Market:
    """A deployed market. Accounts are the devnet's: 0 publishes, the others are for the tests."""

    net: Devnet
    node: Rpc
    chain: Chain
    publishing: Outbox
    folder: Path
    stack: AsyncExitStack

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

    async def requester(self, index: int, name: str = "requester") -> Requester:
        """An account of the devnet as a requester."""
        account = self.net.accounts[index]
        store = self.stack.enter_context(JobStore(self.folder / name / "jobs.sqlite"))
        key = StoreKey(bytes(account.key))
        return Requester(self.chain, await self.outbox(account, name), store, key, allow_local=True)

    async def worker_config(
        self, index: int, model: Sampled, *, stake: int = ETHER, margin: float = 30.0
    ) -> WorkerConfig:
        """Files and registration of a worker that is an account of the devnet."""
        account = self.net.accounts[index]
        folder = self.folder / f"worker{index}"
        folder.mkdir()
        # One round of PBKDF2 and not scrypt, which would take a second for every worker of every test.
        keystore = Account.encrypt(account.key, PASSWORD, kdf="pbkdf2", iterations=1)
        (folder / "account.json").write_text(json.dumps({"address": account.address[2:], **keystore}))
        key = create_encryption_key(folder / "encryption.json", PASSWORD)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        config = WorkerConfig(
            rpc_url=self.net.url,
            deployment=self.deployment_file,
            keystore=folder / "account.json",
            encryption_key=folder / "encryption.json",
            state_dir=folder / "state",
            bundles=[Path(model.bundle.path)],
            inbox_port=port,
            metrics_port=None,
            prover="thread",
            poll_seconds=0.1,
            pricing=PricingConfig(margin_percent=margin, floor_percent=min(margin, 5.0)),
        )
        async with await Outbox.open(
            self.node, account, config.state_dir / "outbox.sqlite", config=QUICK
        ) as outbox:
            await register(self.chain, outbox, f"http://127.0.0.1:{port}", key.public_key.encode())
            await add_stake(self.chain, outbox, stake)
        return config

    async def pass_time(self, seconds: int) -> None:
        """Move the chain's clock, which a burst of blocks has put ahead of the wall's."""
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
async def open_market(folder: Path) -> AsyncIterator[Market]:
    """A fresh chain with the contracts on it."""
    async with AsyncExitStack() as stack:
        net = await stack.enter_async_context(Devnet(DevnetConfig(port=0)))
        node = await stack.enter_async_context(Rpc(net.url))
        publishing = await stack.enter_async_context(
            await Outbox.open(node, net.accounts[0], folder / "publisher.sqlite", config=QUICK)
        )
        deployment: Deployment = (await deploy_all(publishing)).deployment
        chain = await Chain.connect(node, deployment)
        built = Market(net, node, chain, publishing, folder, stack)
        deployment.save(built.deployment_file)
        yield built


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Market]:
    """A market of the test's own."""
    async with open_market(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def settled_market(
    tmp_path_factory: pytest.TempPathFactory, bc_mlp: Sampled
) -> AsyncIterator[tuple[Market, JobEvidence]]:
    """A market with one settled private job, and its evidence; a module's tests share it, and only read."""
    async with open_market(tmp_path_factory.mktemp("market")) as opened:
        model_id = await opened.publish(bc_mlp)
        requester = await opened.requester(1)
        async with opened.working(await opened.worker_config(2, bc_mlp)):
            posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[3], TERMS)
            await opened.follow(requester, posted.job_id)
        yield opened, await gather_evidence(opened.chain, posted.job_id)


# the command, in this process


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the devnet's first account as the default key, and an account without funds as "poor"."""
    folder = tmp_path / "home"
    (folder / "keys").mkdir(parents=True)
    rich = next(iter(DevAccounts(DEFAULT_MNEMONIC, 1)))
    for name, account in (("default", rich), ("poor", Account.create())):
        keystore = Account.encrypt(account.key, PASSWORD, kdf="pbkdf2", iterations=1)
        (folder / "keys" / f"{name}.json").write_text(json.dumps(keystore))
    monkeypatch.setenv("ASSAY_HOME", str(folder))
    monkeypatch.setenv("ASSAY_PASSWORD", PASSWORD)
    monkeypatch.setenv("ASSAY_RPC", NOWHERE)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("ASSAY_DEBUG", raising=False)
    return folder


@pytest.fixture
def assay(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Assay:
    """Run a command; check its exit status (None takes any); return what it printed and its error."""

    def run(*arguments: object, code: int | None = ExitCode.OK) -> tuple[str, str]:
        monkeypatch.setattr("sys.argv", ["assay", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        status = ended.value.code or 0
        assert code is None or status == code, printed
        assert "Traceback" not in printed.err
        errors = [line for line in printed.err.splitlines() if line.startswith("error: ")]
        expected = 0 if status in (ExitCode.OK, ExitCode.USAGE, ExitCode.INTERRUPTED) else 1
        assert len(errors) == expected, printed.err
        return printed.out, errors[0] if errors else printed.err

    return run


@pytest.fixture
def net(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DevnetThread]:
    """A devnet that the command talks to."""
    with DevnetThread(DevnetConfig(port=0)) as running:
        monkeypatch.setenv("ASSAY_RPC", running.url)
        yield running
