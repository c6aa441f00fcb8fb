"""One job on a true chain, its worker or its requester deceived by a node that lies in one place.

`Stage` holds the chain, a published model, an honest worker, and a stranger with a registered inbox who would
like the input, or a share in the money. `Stage.play` runs a job while a lie is told, and gives what must not
have happened: see `Outcome`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import structlog
from aiohttp import web
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from assay_node.chain import ZERO_ADDRESS, Chain, JobState, Outbox, Rpc
from assay_node.client import AwardPolicy, JobStore, Requester, StoreKey
from assay_node.client.history import submissions_by
from assay_node.client.stake import add_stake
from assay_node.errors import AssayError
from assay_node.worker import Worker, WorkerConfig, register
from faults.lies import Liar, Lie, told
from faults.proxy import Exchange, FaultProxy
from market import ETHER, PASSWORD, QUICK, TERMS, Market, Sampled, free_port, open_market

Victim = Literal["worker", "requester"]

DECEIVED_S = 3.0
"""Seconds for which a lie is told, unless the job ends before."""
HONEST_S = 20.0
"""Seconds a job may take to settle once the node is honest again."""
NOBODYS_S = 2.0
"""Seconds for which a job without a bid is watched then: nothing is lost that nobody bid on."""
GAS_ALLOWED = ETHER // 20
TRANSACTIONS_ALLOWED = 9
"""An account's transactions: a job needs three, and a few may be wasted."""
ROW = 4


@dataclass
class Outcome:
    """What came of a job under a lie.

    Attributes:
        state: of the job in the end, on the true chain; None if it was never posted.
        violations: money or secrets lost, tracebacks: each of them one line. There must be none.
        refusals: what the victim said instead of going on.
    """

    state: JobState | None = None
    violations: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


class Inbox:
    """The stranger's: keeps whatever is posted to it."""

    def __init__(self, key: PrivateKey) -> None:
        self.key = key
        self.bodies: list[bytes] = []

    async def take(self, request: web.Request) -> web.Response:
        """Takes anything."""
        self.bodies.append(await request.read())
        return web.Response(text="ok")

    def opened(self) -> list[bytes]:
        """What the stranger's key opens, and what needed no key."""
        found = []
        for body in self.bodies:
            if b"salt" in body:
                found.append(body)
            with contextlib.suppress(CryptoError, ValueError):
                found.append(SealedBox(self.key).decrypt(body))
        return found


@dataclass
class Stage:
    """What is the same for every lie."""

    market: Market
    model: Sampled
    model_id: bytes
    worker: WorkerConfig
    liar: Liar
    inbox: Inbox
    worker_proxy: FaultProxy
    requester_proxy: FaultProxy
    logs: list[dict[str, Any]]
    runs: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def record(self) -> dict[Victim, list[Exchange]]:
        """The traffic of a whole honest job, to worker and to requester."""
        self.worker_proxy.recorded, self.requester_proxy.recorded = [], []
        outcome = await self.play("worker", None)
        assert outcome.state is JobState.SETTLED, outcome
        assert not outcome.violations, outcome
        traffic: dict[Victim, list[Exchange]] = {
            "worker": self.worker_proxy.recorded,
            "requester": self.requester_proxy.recorded,
        }
        self.worker_proxy.recorded = self.requester_proxy.recorded = None
        return traffic

    async def play(self, victim: Victim, lie: Lie | None) -> Outcome:
        """A job from the start while its worker, or its requester, is lied to."""
        net = self.market.net
        snapshot = await net.rpc("evm_snapshot")
        folder = self.market.folder / f"run{next(self.runs)}"
        folder.mkdir()
        try:
            return await _Play(self, victim, lie, folder).run()
        finally:
            self.worker_proxy.mutation = self.requester_proxy.mutation = None
            assert await net.rpc("evm_revert", snapshot)
            shutil.rmtree(folder)


class _Play:
    """One job under one lie."""

    def __init__(self, stage: Stage, victim: Victim, lie: Lie | None, folder: Path) -> None:
        self.stage = stage
        self.chain: Chain = stage.market.chain
        self.proxy = stage.worker_proxy if victim == "worker" else stage.requester_proxy
        self.lie = lie
        self.folder = folder
        self.outcome = Outcome()
        self.attempts = 0
        self.asker = stage.market.net.accounts[1].address
        self.prover = stage.market.net.accounts[2].address

    def speak(self, *, truth: bool) -> None:
        """Begin to lie, or end it."""
        lie, liar = self.lie, self.stage.liar
        told_now = None if truth or lie is None else lambda call, answer: told(lie, call, answer, liar)
        self.proxy.mutation = told_now

    def violated(self, what: str) -> None:
        self.outcome.violations.append(what)

    async def run(self) -> Outcome:
        stage = self.stage
        stage.logs.clear()
        stage.inbox.bodies.clear()
        before = await self._purses()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(
            lambda _, context: self.violated(f"unhandled: {context.get('exception')!r}")
        )
        self.speak(truth=False)
        try:
            async with AsyncExitStack() as stack:
                worker = await stack.enter_async_context(self._working())
                if worker is None:  # it does not start under this lie: it is told later
                    self.speak(truth=True)
                    await stack.enter_async_context(self._working())
                    self.speak(truth=False)
                await self._job(stack)
        finally:
            loop.set_exception_handler(None)
        await self._judge(before)
        return self.outcome

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[Worker | None]:
        config = self.stage.worker.model_copy(
            update={"state_dir": self.folder / "state", "rpc_url": self.stage.worker_proxy.url}
        )
        worker = Worker(config, password=PASSWORD)
        task = asyncio.create_task(worker.run())
        ready = asyncio.create_task(worker.ready.wait())
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=HONEST_S)
        ready.cancel()
        started = worker.ready.is_set()
        try:
            yield worker if started else None
        finally:
            worker.stop()
            if not started:
                task.cancel()
            await asyncio.wait({task}, timeout=HONEST_S)
            if not task.done():
                self.violated("the worker does not stop")
                task.cancel()
            elif not task.cancelled():
                self._ended(task.exception(), "worker")

    def _ended(self, error: BaseException | None, who: str) -> None:
        if isinstance(error, AssayError):
            self.outcome.refusals.append(f"{who}: {error}")
        elif error is not None:
            self.violated(f"traceback of the {who}: {error!r}")

    async def _job(self, stack: AsyncExitStack) -> None:
        opened = await self._asking(stack)
        if opened is None:
            self.speak(truth=True)
            opened = await self._asking(stack)
            assert opened is not None
            self.speak(truth=False)
        job_id, requester = opened
        if job_id is None:
            return
        following = asyncio.create_task(self._follow(requester, job_id))
        if await self._drive(job_id, DECEIVED_S) is not JobState.SETTLED:
            self.speak(truth=True)
            if following.done():
                following = asyncio.create_task(self._follow(requester, job_id))
            await self._drive(job_id, HONEST_S)
        else:
            await self._result(requester, job_id)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        self.outcome.state = (await self.chain.market.job_of(job_id)).state
        if not following.cancelled():
            self._ended(following.exception(), "requester")

    async def _asking(self, stack: AsyncExitStack) -> tuple[bytes | None, Requester] | None:
        """A requester with a posted job, without one if posting was refused; None if it could not start."""
        stage = self.stage
        account = stage.market.net.accounts[1]
        self.attempts += 1
        folder = self.folder / f"requester{self.attempts}"
        try:
            node = await stack.enter_async_context(Rpc(stage.requester_proxy.url))
            outbox = await stack.enter_async_context(
                await Outbox.open(
                    node, account, folder / "outbox.sqlite", config=replace(QUICK, wait_timeout=2)
                )
            )
            chain = await Chain.connect(node, self.chain.deployment)
            store = stack.enter_context(JobStore(folder / "jobs.sqlite"))
            requester = Requester(
                chain,
                outbox,
                store,
                StoreKey(bytes(account.key)),
                policy=AwardPolicy(anybody=True),
                allow_local=True,
            )
            async with asyncio.timeout(HONEST_S):
                posted = await requester.submit(stage.model.bundle, stage.model_id, stage.model.x[ROW], TERMS)
        except TimeoutError:
            self.outcome.refusals.append("requester: it waits")
        except AssayError as error:
            self.outcome.refusals.append(f"requester: {error}")
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            self.violated(f"traceback of the requester: {error!r}")
        else:
            return posted.job_id, requester
        if self.proxy.mutation is None or self.proxy is not stage.requester_proxy:
            raise AssertionError(f"an honest node, and no job: {self.outcome}")
        return None

    async def _follow(self, requester: Requester, job_id: bytes) -> None:
        while True:
            try:
                async for _ in requester.follow(job_id, interval=0.05):
                    pass
            except AssayError as error:
                self.outcome.refusals.append(f"requester: {error}")
                await asyncio.sleep(0.3)
            else:
                return

    async def _drive(self, job_id: bytes, seconds: float) -> JobState:
        """Watch the true chain, and end bidding once there is a bid."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            job = await self.chain.market.job_of(job_id)
            nobodys = job.state is JobState.OPEN and job.worker == ZERO_ADDRESS
            patience = NOBODYS_S - seconds if nobodys and seconds > NOBODYS_S else 0.0
            if job.state.final or loop.time() > deadline + patience:
                return job.state
            now = (await self.chain.latest()).timestamp
            if job.state is JobState.OPEN and job.worker != ZERO_ADDRESS and now <= job.deadline:
                await self.stage.market.pass_time(job.deadline - now + 1)
            await asyncio.sleep(0.05)

    async def _result(self, requester: Requester, job_id: bytes) -> None:
        """Under the lie, the answer is read as it is, or not at all."""
        try:
            result = await requester.result(job_id, self.stage.model.bundle)
        except AssayError as error:
            self.outcome.refusals.append(f"requester: {error}")
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            self.violated(f"traceback of the requester: {error!r}")
        else:
            if result.label != int(self.stage.model.y[ROW]):
                self.violated(f"the requester takes {result.label} for the proven answer")

    async def _purses(self) -> dict[str, int]:
        """What the two own and have sent, on the true chain."""
        node, vault = self.chain.node, self.chain.vault
        found = {}
        for name, address in (("requester", self.asker), ("worker", self.prover)):
            found[name] = await node.balance(address) + await vault.balance_of(address)
            found[f"{name} nonce"] = await node.nonce(address)
        found["stake"] = (await self.chain.workers.worker_of(self.prover)).stake
        found["jobs"] = len(await submissions_by(self.chain, self.asker))
        return found

    async def _judge(self, before: dict[str, int]) -> None:
        after = await self._purses()
        if after["stake"] < before["stake"]:
            self.violated(f"slashed: {before['stake'] - after['stake']} wei")
        if after["jobs"] - before["jobs"] > self.attempts:
            self.violated(f"{after['jobs'] - before['jobs']} jobs for {self.attempts} questions")
        if self.outcome.state is JobState.ACCEPTED:
            self.violated("collateral is locked, and no proof comes")
        for name, price in (("requester", TERMS.max_price), ("worker", 0)):
            sent = after[f"{name} nonce"] - before[f"{name} nonce"]
            if sent > TRANSACTIONS_ALLOWED:
                self.violated(f"the {name} sent {sent} transactions")
            if before[name] - after[name] > price + GAS_ALLOWED:
                self.violated(f"the {name} lost {before[name] - after[name]} wei")
        if self.stage.inbox.opened():
            self.violated("the stranger reads the input")
        for entry in self.stage.logs:
            if entry.get("exc_info"):
                self.violated(f"traceback in the log: {entry.get('event')}: {entry.get('exc_info')!r}")
        if self.outcome.state is JobState.EXPIRED:
            self.violated("an accepted job expired")


@asynccontextmanager
async def open_stage(folder: Path, model: Sampled) -> AsyncIterator[Stage]:
    """A chain with everything on it, ready for lies. Logs of the program are collected and not printed."""
    logs: list[dict[str, Any]] = []

    def collect(logger: object, name: str, entry: Any) -> Any:
        logs.append(dict(entry))
        raise structlog.DropEvent

    configured = structlog.get_config()
    structlog.configure(processors=[collect], cache_logger_on_first_use=False)
    try:
        async with open_market(folder) as market, AsyncExitStack() as stack:
            proxies = [await stack.enter_async_context(FaultProxy(market.net.url)) for _ in range(2)]
            model_id = await market.publish(model)
            config = await market.worker_config(2, model, poll_seconds=0.05, prover_table_mb=0)
            record = await market.chain.workers.worker_of(market.net.accounts[2].address)
            inbox = Inbox(PrivateKey.generate())
            endpoint = await stack.enter_async_context(_listening(inbox))
            outbox = await market.outbox(market.net.accounts[3], "stranger")
            await register(market.chain, outbox, endpoint, inbox.key.public_key.encode())
            await add_stake(market.chain, outbox, ETHER // 100)
            liar = Liar(
                market.net.accounts[3].address,
                inbox.key.public_key.encode(),
                endpoint,
                market.net.accounts[2].address,
                record.encryption_key,
                record.endpoint,
            )
            yield Stage(market, model, model_id, config, liar, inbox, proxies[0], proxies[1], logs)
    finally:
        structlog.configure(**configured)


@asynccontextmanager
async def _listening(inbox: Inbox) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", inbox.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", free_port()).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def dumped(outcome: Outcome) -> str:
    """An outcome in one line."""
    state = None if outcome.state is None else outcome.state.name
    return json.dumps({"state": state, "violations": outcome.violations, "refusals": outcome.refusals[:2]})
