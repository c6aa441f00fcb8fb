"""Starts a market on this machine, or takes up an earlier one where it was."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount

from assay_prover import Bundle

from ..chain import (
    Chain,
    ChainError,
    Deployment,
    DeploymentError,
    NodeUnavailable,
    Outbox,
    OutboxConfig,
    Rpc,
    deploy_all,
)
from ..client import publish_model
from ..client.stake import add_stake
from ..devnet import Devnet, DevnetConfig
from ..errors import AssayError
from ..worker import PricingConfig, Worker, WorkerConfig, register
from .folder import PASSWORD, encryption_key, open_folder, write_env, write_keystore

ETHER = 10**18
STAKE = 10 * ETHER
FIRST_PORT, LAST_PORT = 8700, 8999
"""Where workers' inboxes are looked for a free port."""

_QUICK = OutboxConfig(poll=0.05)
# The more of them there are, the further their margins are apart: then there is something to see in the bids.
_MARGINS = (30.0, 45.0, 60.0, 75.0)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConfig:
    """What a local market is made of.

    Attributes:
        folder: where everything is kept; made, or taken up.
        bundles: models with keys to publish and prove.
        port: TCP port of the chain; 0 takes any free one.
        chain_id: EIP-155 chain id.
        workers: how many, 1 to 4.
    """

    folder: Path
    bundles: Sequence[Path]
    port: int = 8545
    chain_id: int = 31337
    workers: int = 2


@dataclass(frozen=True, slots=True)
class PublishedBundle:
    """A bundle and the id that it is registered under."""

    bundle: Bundle
    model_id: bytes


@dataclass(slots=True)
class LocalMarket:
    """A market that runs.

    Attributes:
        workers: addresses of the workers, and where their inboxes are.
        env: a file for a shell to read.
    """

    rpc_url: str
    deployment: Deployment
    models: list[PublishedBundle]
    workers: dict[str, str]
    env: Path
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def wait(self, stop: asyncio.Event) -> None:
        """Return when ``stop`` is set.

        Raises:
            AssayError: a worker ended by itself, with its error if it had one.
        """
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopped, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in self._tasks:
                if task.done():
                    task.result()
                    raise AssayError("a worker ended", "See what it logged")
        finally:
            stopped.cancel()


@asynccontextmanager
async def local_market(config: LocalConfig, *, say: Say = lambda _: None) -> AsyncIterator[LocalMarket]:
    """A market on this machine until the block ends. Everything is kept, and taken up by the next call.

    Args:
        config: what it is made of.
        say: told each step.

    Raises:
        AssayError: the folder is something else's, or a bundle has no keys.
        DevnetError: the port is taken, or the chain's state cannot be used.
    """
    open_folder(config.folder)
    bundles = [Bundle.open(path) for path in config.bundles]
    for bundle in bundles:
        if not bundle.has_keys:
            raise AssayError(f"{bundle.path} has no keys", f"Run: assay model setup {bundle.path}")
    async with AsyncExitStack() as stack:
        net = await stack.enter_async_context(
            Devnet(DevnetConfig(port=config.port, chain_id=config.chain_id, state=config.folder / "chain"))
        )
        publisher, asker, *others = net.accounts
        write_keystore(config.folder, "publisher", publisher)
        write_keystore(config.folder, "default", asker)
        node = await stack.enter_async_context(Rpc(net.url))
        say(f"chain {config.chain_id} at {net.url}")
        async with await Outbox.open(
            node,
            publisher,
            config.folder / "outbox" / "publisher.sqlite",
            lock_dir=config.folder / "keys",
            config=_QUICK,
        ) as outbox:
            await outbox.step()  # what an earlier run left behind
            deployment, file = await _deployment(config.folder, node, outbox, say)
            chain = await Chain.connect(node, deployment)
            models = []
            for bundle in bundles:
                published = await publish_model(chain, outbox, bundle)
                say(f"model {bundle.manifest.model.name}: 0x{published.model_id.hex()}")
                models.append(PublishedBundle(bundle, published.model_id))
        env = write_env(config.folder, net.url, models[0].model_id)
        market = LocalMarket(net.url, deployment, models, {}, env)
        for index, account in enumerate(others[: config.workers]):
            place = await _worker(config, index, account, node, chain, file)
            market.workers[account.address] = str(place.endpoint)
            market._tasks.append(await stack.enter_async_context(_running(place)))
            say(f"worker {index + 1} at {place.endpoint}, with {STAKE // ETHER} ETH at stake")
        yield market


async def _deployment(folder: Path, node: Rpc, outbox: Outbox, say: Say) -> tuple[Deployment, Path]:
    """The contracts of an earlier run if they are on this chain, else new ones."""
    first = await node.header(0)
    name = f"{await node.chain_id()}-{first.hash.hex()[:16] if first else 'unknown'}.json"
    file = folder / "deployments" / name
    if file.exists():
        found = Deployment.load(file)
        try:
            await Chain(node, found).check()
        except NodeUnavailable:
            raise
        except ChainError as error:  # other contracts than this version's, or another chain
            raise DeploymentError(
                f"the market in {folder} was made by another version ({error.what})",
                "Name another folder with --dir, or remove this one",
            ) from error
        return found, file
    deployed = await deploy_all(outbox)
    deployed.deployment.save(file)
    say(f"seven contracts deployed ({sum(deployed.gas.values()):,} gas)")
    return deployed.deployment, file


async def _worker(
    config: LocalConfig, index: int, account: LocalAccount, node: Rpc, chain: Chain, deployment: Path
) -> WorkerConfig:
    """A worker's files, its registration and its stake.

    What its worker.json says is kept, but for what this start decides: where the chain is, which bundles are
    served, and the ports.
    """
    name = f"worker{index + 1}"
    folder = config.folder / name
    file = folder / "worker.json"
    inbox, metrics = _free_ports(2)
    ours: dict[str, Any] = {
        "rpc_url": node.url,
        "deployment": deployment.resolve(),
        "keystore": write_keystore(config.folder, name, account).resolve(),
        "encryption_key": (folder / "encryption.json").resolve(),
        "state_dir": (folder / "state").resolve(),
        "bundles": [path.resolve() for path in config.bundles],
        "inbox_port": inbox,
        "endpoint": f"http://127.0.0.1:{inbox}",
        "metrics_port": metrics,
    }
    if file.exists():
        settings = WorkerConfig.of(**(WorkerConfig.load(file).model_dump() | ours))
    else:
        pricing = PricingConfig(margin_percent=_MARGINS[index], floor_percent=5.0)
        settings = WorkerConfig.of(**ours, poll_seconds=0.2, pricing=pricing)
    public = encryption_key(settings.encryption_key)
    new = file.with_suffix(".json.new")
    new.unlink(missing_ok=True)  # of a start that was cut short
    settings.save(new)
    new.replace(file)
    async with await Outbox.open(
        node,
        account,
        settings.state_dir / "outbox.sqlite",
        lock_dir=settings.keystore.parent,
        config=_QUICK,
    ) as outbox:
        await outbox.step()
        await register(chain, outbox, str(settings.endpoint), public)
        record = await chain.workers.worker_of(account.address)
        if record.stake < STAKE // 2:
            await add_stake(chain, outbox, STAKE - record.stake)
    return settings


@asynccontextmanager
async def _running(config: WorkerConfig) -> AsyncIterator[asyncio.Task[None]]:
    worker = Worker(config, password=PASSWORD)
    task = asyncio.create_task(worker.run(), name=config.keystore.stem)
    ready = asyncio.create_task(worker.ready.wait())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield task
    finally:
        ready.cancel()
        worker.stop()
        await asyncio.gather(task, return_exceptions=True)


def _free_ports(count: int) -> list[int]:
    """Ports that are free now, in order, from `FIRST_PORT`."""
    found: list[int] = []
    for port in range(FIRST_PORT, LAST_PORT + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssayError(f"no free ports from {FIRST_PORT} to {LAST_PORT}", "Stop what listens there")
