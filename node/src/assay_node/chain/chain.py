"""A deployment on a node: the contracts, their events, the time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from .contracts.contracts import Contract, Market, ModelRegistry, Vault, Verifier, WorkerRegistry
from .contracts.deployment import Deployment
from .contracts.events import ChainEvent, decode_event
from .contracts.identity import check_event
from .contracts.interface import Interface
from .contracts.records import Certificates, DataRegistry
from .contracts.runtime_code import check_code
from .contracts.types import JobLook
from .database import Database
from .errors import DeploymentError, WrongChain
from .follower import SCHEMA, Follower
from .head import Head
from .node.cross_check import CrossCheck
from .node.data_fees import DataFees
from .node.finality import Confirmations, FinalityPolicy, finality_at, finality_of
from .node.rpc import Rpc
from .node.types import Header, Log, Node


class Chain:
    """The contracts of one deployment, reached through one node. Made by `Chain.connect`."""

    def __init__(self, node: Node, deployment: Deployment, *, finality: FinalityPolicy | None = None) -> None:
        self.node = node
        self.deployment = deployment
        self._given_finality = finality
        self._set_finality(finality or finality_of(deployment.chain_id))
        self.market = Market(node, deployment.market)
        self.models = ModelRegistry(node, deployment.models)
        self.vault = Vault(node, deployment.vault)
        self.workers = WorkerRegistry(node, deployment.workers)
        self.verifier = Verifier(node, deployment.verifier)
        self._data = None if deployment.data is None else DataRegistry(node, deployment.data)
        self._certificates = (
            None if deployment.certificates is None else Certificates(node, deployment.certificates)
        )
        self.data_fees = DataFees(node)
        self._head: Head | None = None

    @classmethod
    async def connect(
        cls, node: Node | str | list[str], deployment: Deployment, *, finality: FinalityPolicy | None = None
    ) -> Self:
        """Connects, and checks that the node is on the deployment's chain and has its contracts.

        Args:
            node: a node, or the URL of one, or several in order of preference.
            deployment: where the contracts are.
            finality: depths; by default those of the chain.

        Raises:
            NodeUnavailable: no node answers.
            WrongChain: another chain, or no contracts at the addresses.
            AnswerForged: other contracts than those of this version.
        """
        opened = Rpc(node) if isinstance(node, str | list) else node
        chain = cls(opened, deployment, finality=finality)
        try:
            await chain.check()
        except BaseException:
            if opened is not node:
                await chain.close()
            raise
        return chain

    async def check(self) -> None:
        """Raises `WrongChain` or `AnswerForged` unless the node is on the deployment's chain and has its
        contracts.
        """
        chain_id = await self.node.chain_id()
        if chain_id != self.deployment.chain_id:
            raise WrongChain(
                f"the node is on chain {chain_id}, the deployment on chain {self.deployment.chain_id}",
                "Use a node of that chain, or another deployment file",
            )
        core = (self.verifier, self.models, self.vault, self.workers, self.market)
        records = (self._data, self._certificates)
        contracts: list[Contract] = [*core, *(each for each in records if each is not None)]
        first, codes = await asyncio.gather(
            self.node.header(0), asyncio.gather(*(self.node.code(contract.address) for contract in contracts))
        )
        expected = self.deployment.genesis
        if expected is not None and first is not None and "0x" + first.hash.hex() != expected:
            raise WrongChain(
                f"the node is on another chain with the id {chain_id} than the deployment is on",
                "Deploy again if that chain was started anew, or use a node of the deployment's chain",
            )
        for contract, code in zip(contracts, codes, strict=True):
            if not code:
                raise WrongChain(
                    f"chain {chain_id} has no {contract.NAME} at {contract.address}",
                    "Deploy again, or use the deployment file of this chain",
                )
            check_code(contract.NAME, contract.address, code, [each.address for each in contracts])

        if self._given_finality is None:
            self._set_finality(await finality_at(self.node, chain_id))

    def _set_finality(self, finality: FinalityPolicy) -> None:
        self.finality = finality
        self.confirmations = Confirmations(finality)

    async def __aenter__(self) -> Self:
        """Connected already."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Closes the connection."""
        await self.close()

    async def close(self) -> None:
        """Closes the connection, if there is one to close."""
        if isinstance(self.node, Rpc | CrossCheck):
            await self.node.close()

    @property
    def interfaces(self) -> Mapping[str, Interface]:
        """Interfaces by address, of the contracts whose events the market's parties follow."""
        return {contract.address: contract.interface for contract in (self.market, self.models, self.workers)}

    @property
    def data(self) -> DataRegistry:
        """The registry of data sets. Raises `DeploymentError` if the deployment has none."""
        if self._data is None:
            raise _lacks("data sets")
        return self._data

    @property
    def certificates(self) -> Certificates:
        """The origins of models. Raises `DeploymentError` if the deployment has none."""
        if self._certificates is None:
            raise _lacks("certificates")
        return self._certificates

    async def head(self) -> Head:
        """The newest block, with what is the same until the next one: fees, balances, records, jobs.

        One request. The same object is given until there is another block, so that what was asked about it
        is not asked again.
        """
        header = await self.latest()
        if self._head is None or self._head.header.hash != header.hash:
            self._head = Head(self, header)
        return self._head

    async def look(self, job_ids: Sequence[bytes], worker: str | None = None) -> dict[bytes, JobLook]:
        """Many jobs, and the bids of `worker` on them, as of one block; see `Market.look`."""
        return await self.market.look(job_ids, worker)

    async def latest(self) -> Header:
        """The newest block's header.

        Raises:
            WrongChain: the node has none.
            NodeUnavailable: no answer.
        """
        header = await self.node.header("latest")
        if header is None:
            raise WrongChain("the node has no newest block", "Use another node")
        return header

    def follower(self, database: Database, name: str = "events", *, start: int | None = None) -> Follower:
        """A cursor over all events of the deployment, from `start` or the deployment's block."""
        for statement in SCHEMA.split(";"):
            database.execute(statement)
        return Follower(
            self.node,
            database,
            name,
            self.interfaces,
            start=self.deployment.block if start is None else start,
            confirmations=self.confirmations,
            check=self.check_event,
        )

    async def events(self, first: int | None = None, last: int | None = None) -> list[ChainEvent]:
        """All events in blocks first..last, by default since the deployment."""
        database = Database(":memory:", (SCHEMA,))
        try:
            follower = Follower(
                self.node,
                database,
                "scan",
                self.interfaces,
                start=self.deployment.block if first is None else first,
                check=self.check_event,
            )
            found: list[ChainEvent] = []
            stop = await self.node.block_number() if last is None else last
            while follower.position < stop:
                batch = await follower.poll()
                if batch is None:
                    break
                if batch.rewound_to is not None:
                    found = [event for event in found if event.origin.block_number <= batch.rewound_to]
                found.extend(event for event in batch.events if event.origin.block_number <= stop)
                follower.commit(batch)
            return found
        finally:
            database.close()

    def decode(self, logs: Iterable[Log]) -> list[ChainEvent]:
        """The events among some logs, a receipt's for instance."""
        records = [each for each in (self._data, self._certificates) if each is not None]
        interfaces = {**self.interfaces, **{each.address: each.interface for each in records}}
        events = [decode_event(interfaces, log) for log in logs]
        found = [event for event in events if event is not None]
        for event in found:
            self.check_event(event)
        return found

    def check_event(self, event: ChainEvent) -> None:
        """Raises `AnswerForged` for a job, a model or a data set whose id is not that of its fields."""
        check_event(event, self.deployment.chain_id, self.deployment.market)


def _lacks(what: str) -> DeploymentError:
    return DeploymentError(
        f"this deployment has no contract for {what}: it is of an earlier version",
        "Add what it lacks with `assay deploy --missing`",
    )
