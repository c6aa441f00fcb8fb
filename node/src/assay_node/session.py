"""A home, a node, the deployment on it, an account and its outbox: put together once, for commands and users.

`Client` (in `front_door`) is made of these, as are the commands of `assay`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from . import chain as chains
from . import client
from .chain.errors import DeploymentError, KeyFileError

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount


def default_home() -> Path:
    """Where keys, deployments and jobs are kept unless told otherwise."""
    return Path.home() / ".assay"


def key_path(home: Path, name: str) -> Path:
    """Where a key is: ``name`` itself if it looks like a path, else in the home."""
    if "/" in name or name.endswith(".json"):
        return Path(name).expanduser()
    return home / "keys" / f"{name}.json"


async def deployment_path(home: Path, node: chains.Node) -> Path:
    """Where `assay deploy` leaves the addresses, and commands look for them unless told otherwise.

    Chains of one id (two devnets, anvil) are told apart by their first block.
    """
    genesis = await node.header(0)
    first = genesis.hash.hex()[:16] if genesis else "unknown"
    return home / "deployments" / f"{await node.chain_id()}-{first}.json"


async def find_deployment(home: Path, node: chains.Node) -> Path:
    """The home's deployment on a node's chain. Raises `DeploymentError` if there is none."""
    path = await deployment_path(home, node)
    chain_id = await node.chain_id()
    older = home / "deployments" / f"{chain_id}.json"  # as versions before this one named it
    if path.exists() or not older.exists():
        found = path
    else:
        found = older
    if not found.exists():
        others = sorted(path.parent.glob(f"{chain_id}-*.json"))
        raise DeploymentError(
            f"no deployment is known for chain {chain_id}"
            + (" as it is now; those known were made on other chains of this id" if others else ""),
            "Run assay deploy, or name one with --deployment",
        )
    return found


@dataclass(frozen=True, slots=True)
class Signer:
    """An unlocked account.

    Attributes:
        account: the key.
        lock_dir: the keystore's folder, where the lock of its one sender is: the worker looks there too.
    """

    account: LocalAccount
    lock_dir: Path

    @property
    def address(self) -> str:
        """The account's address."""
        return str(self.account.address)


def unlock(home: Path, key: str, password_file: Path | None) -> Signer:
    """The account of a key, asking for its password if neither file nor environment has it."""
    path = key_path(home, key)
    if not path.exists():
        raise KeyFileError(f"there is no key {path}", f"Create it with: assay keys new {key}")
    password = chains.read_password(file=password_file, prompt=f"Password of {key}: ")
    return Signer(chains.load_account(path, password), path.resolve().parent)


_DEVELOPMENT_CLIENTS = ("anvil", "assay-devnet", "hardhat", "ganache")


async def development_node(node: chains.Rpc | chains.CrossCheck) -> bool:
    """Whether this is a chain of one's own: a development node, on this machine.

    A node elsewhere could call itself one, and would be told what only one's own may be: to have inputs
    delivered to addresses behind the firewall.
    """
    from .devnet.config import is_loopback

    if not all(is_loopback(urlsplit(url).hostname or "") for url in node.urls):
        return False
    chain_id = await node.chain_id()
    if chains.is_public(chain_id):  # a tunnel, or a light client that repeats what it is told
        return False
    client = (await node.client_version()).lower()
    return client.startswith(_DEVELOPMENT_CLIENTS) or chain_id in (1337, 31337)


def is_in_home(file: Path, home: Path) -> bool:
    """Whether a deployment file is one of the home's own, where this program writes them."""
    return file.resolve().parent == (home / "deployments").resolve()


async def is_own_chain(
    node: chains.Rpc | chains.CrossCheck, deployment: chains.Deployment, *, in_home: bool
) -> bool:
    """Whether a deployment is on a chain of one's own; see `Session.development`.

    A file from elsewhere may come from others, and what it says of itself would open private inputs to
    whoever bids: its mark is not believed. Nor is any file's of a chain that everybody is known to share.

    Args:
        node: of the chain.
        deployment: as its file has it.
        in_home: whether that file is one of the home's own; see `is_in_home`.
    """
    marked = in_home and deployment.local and not chains.is_public(deployment.chain_id)
    return marked or await development_node(node)


@dataclass(frozen=True, slots=True)
class Session:
    """A deployment that answers.

    Attributes:
        chain: the contracts.
        home: where jobs, keys and outboxes are kept.
        development: whether the chain is one's own: a development node on this machine, or a deployment of
            the home's own that was marked as local when it was made. Local workers are then no strangers, and
            whoever bids may win a private input, unless told otherwise.
    """

    chain: chains.Chain
    home: Path
    development: bool = False

    @asynccontextmanager
    async def outbox(self, signer: Signer) -> AsyncIterator[chains.Outbox]:
        """The account's outbox on this chain, kept in the home."""
        async with open_outbox(self.chain.node, signer, self.home) as outbox:
            yield outbox

    def default_policy(self) -> client.AwardPolicy:
        """Who may win a private input unless told otherwise: the trusted workers; if there are none, whoever
        bids on a chain of one's own, and elsewhere nobody.
        """
        trusted = client.TrustBook(trust_path(self.home)).workers
        return client.AwardPolicy(
            workers=frozenset(worker.lower() for worker in trusted),
            anybody=self.development and not trusted,
        )

    @asynccontextmanager
    async def requester(
        self,
        signer: Signer,
        *,
        policy: client.AwardPolicy | None = None,
        allow_local: bool | None = None,
    ) -> AsyncIterator[client.Requester]:
        """The account as a requester, after finding the jobs of drafts that were not heard back of.

        Args:
            signer: the account.
            policy: who may win jobs with a private input, unless `Requester.submit` is told otherwise.
            allow_local: whether inputs go to workers on this machine or in a private network; by default
                on a chain of one's own.
        """
        async with self.outbox(signer) as outbox:
            with client.JobStore(jobs_path(self.home)) as store:
                requester = client.Requester(
                    self.chain,
                    outbox,
                    store,
                    client.StoreKey(bytes(signer.account.key)),
                    policy=policy,
                    allow_local=self.development if allow_local is None else allow_local,
                )
                await requester.recover()
                yield requester


def trust_path(home: Path) -> Path:
    """Where a home keeps the workers its owner trusts."""
    return home / "trust.json"


def jobs_path(home: Path) -> Path:
    """Where a home keeps the jobs posted from it."""
    return home / "jobs.sqlite"


@asynccontextmanager
async def open_outbox(node: chains.Node, signer: Signer, home: Path) -> AsyncIterator[chains.Outbox]:
    """An account's outbox. Its file is named for the chain's genesis too: a devnet started anew gets a new
    one.
    """
    genesis = await node.header(0)
    chain_id = await node.chain_id()
    name = f"{chain_id}-{genesis.hash.hex()[:16] if genesis else 'unknown'}-{signer.address.lower()}.sqlite"
    config = chains.OutboxConfig(poll=0.1) if chain_id in (1337, 31337) else chains.OutboxConfig()
    outbox = await chains.Outbox.open(
        node, signer.account, home / "outbox" / name, lock_dir=signer.lock_dir, config=config
    )
    async with outbox:
        await outbox.step()  # whatever an earlier command left behind is sent again first
        yield outbox


@asynccontextmanager
async def connect(
    rpc: list[str], deployment_file: Path | None, home: Path, *, check_rpc: str | None = None
) -> AsyncIterator[Session]:
    """Connect to a node and check that the deployment is there.

    What money depends on is asked of a second node too, if `check_rpc` names one.
    """
    async with chains.open_node(rpc, check_rpc) as node:
        if deployment_file is None:
            deployment_file = await find_deployment(home, node)
        deployment = chains.Deployment.load(deployment_file)
        chain = await chains.Chain.connect(node, deployment)
        yield Session(
            chain, home, await is_own_chain(node, deployment, in_home=is_in_home(deployment_file, home))
        )
