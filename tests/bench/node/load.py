"""A load of jobs from post to settlement: how many settle, how fast, with how many requests.

Workers are processes of `assay worker run` under their default configuration. Requesters are here, each with
its own connection, outbox and store, as persistent as a user who tries again. Both reach the chain through
proxies; a watcher looks at the chain itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay_node.chain import (
    BidPlaced,
    Chain,
    FinalityPolicy,
    JobAwarded,
    JobEvent,
    JobSettled,
    JobState,
    JobSubmitted,
    Outbox,
    Rpc,
)
from assay_node.client import AwardPolicy, JobStore, JobTerms, Requester, StoreKey
from assay_node.errors import AssayError
from assay_node.worker import WorkerConfig
from bench.node.measured import STAGES, Load, Measured
from faults import FaultProxy
from market import ETHER, PASSWORD, ChainNode, Market, Sampled, open_market

WATCH_S = 0.1
STOP_S = 20.0
FIRST_WORKER, FIRST_REQUESTER = 2, 10
STAKE = 100 * ETHER
SETTLED_BLOCKS = 10


class Watcher:
    """Notes when the true chain shows what became of each job."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._next = 0
        self.seen: dict[tuple[str, bytes], float] = {}

    async def look(self) -> None:
        """Note the events of new blocks."""
        head = await self._chain.node.block_number()
        if head < self._next:
            self._next = max(0, head - 10)  # a re-org
        if head >= self._next:
            for event in await self._chain.events(self._next, head):
                kinds = {JobSubmitted: "post", BidPlaced: "bid", JobAwarded: "award", JobSettled: "settled"}
                if isinstance(event, JobEvent) and type(event) in kinds:
                    self.seen.setdefault((kinds[type(event)], event.job_id), time.monotonic())
            self._next = head + 1

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(WATCH_S)


class Asker:
    """A requester that does not give up."""

    def __init__(
        self,
        market: Market,
        url: str,
        index: int,
        model: Sampled,
        model_id: bytes,
        finality: FinalityPolicy | None = None,
    ) -> None:
        self.market = market
        self.finality = finality
        self.url = url
        self.index = index
        self.model = model
        self.model_id = model_id
        self.started: dict[bytes, float] = {}
        self.delivered: dict[bytes, float] = {}
        self._requester: Requester | None = None
        self._mending = asyncio.Lock()
        self._posting = 0
        self._recovered: list[bytes] = []

    async def open(self, stack: AsyncExitStack) -> None:
        """Connect, as often as it takes."""
        account = self.market.net.accounts[self.index]
        folder = self.market.folder / f"requester{self.index}"
        while True:
            try:
                async with AsyncExitStack() as trying:
                    node = await trying.enter_async_context(Rpc(self.url))
                    chain = await Chain.connect(node, self.market.chain.deployment, finality=self.finality)
                    outbox = await trying.enter_async_context(
                        await Outbox.open(node, account, folder / "outbox.sqlite", finality=self.finality)
                    )
                    store = trying.enter_context(JobStore(folder / "jobs.sqlite"))
                    key = StoreKey(bytes(account.key))
                    self._requester = Requester(
                        chain, outbox, store, key, policy=AwardPolicy(anybody=True), allow_local=True
                    )
                    stack.push_async_exit(trying.pop_all())
            except AssayError:
                await asyncio.sleep(0.5)
            else:
                return

    async def ask(self, row: int, load: Load) -> None:
        """Post a job and follow it to its end."""
        requester = self._requester
        assert requester is not None
        began = time.monotonic()
        job_id = await self._post(requester, row, load.terms)
        self.started[job_id] = began
        while True:
            try:
                async for _ in requester.follow(
                    job_id, interval=load.interval, say=lambda said: self._heard(job_id, said)
                ):
                    pass
            except AssayError:
                await asyncio.sleep(1.0)
            else:
                return

    async def _post(self, requester: Requester, row: int, terms: JobTerms) -> bytes:
        """One job beside others, however often it takes."""
        x = self.model.x[row % len(self.model.x)]
        self._posting += 1
        try:
            return (await requester.submit(self.model.bundle, self.model_id, x, terms)).job_id
        except AssayError:
            await asyncio.sleep(0.5)
        finally:
            self._posting -= 1
        return await self._mend(requester, x, terms)

    async def _mend(self, requester: Requester, x: np.ndarray, terms: JobTerms) -> bytes:
        """A job in place of a posting that was not heard back of, which is looked for before it is posted
        again; once no other is under way, which would be taken for it.
        """
        async with self._mending:
            while True:
                try:
                    if not self._posting:
                        self._recovered += [
                            record.job_id for record in await requester.recover() if record.job_id is not None
                        ]
                        if self._recovered:
                            return self._recovered.pop()
                        return (await requester.submit(self.model.bundle, self.model_id, x, terms)).job_id
                except AssayError:
                    pass
                await asyncio.sleep(0.5)

    def _heard(self, job_id: bytes, said: str) -> None:
        if said.startswith("delivered"):
            self.delivered.setdefault(job_id, time.monotonic())


class WorkerProcess:
    """`assay worker run`, its configuration and log in one folder."""

    def __init__(self, config: WorkerConfig, folder: Path, program: str = "assay_node.cli") -> None:
        self.config = config
        self._program = program
        self.folder = folder
        self._path = folder / "worker.json"
        self._process: subprocess.Popen[bytes] | None = None
        config.save(self._path)

    def start(self) -> None:
        """Start it; not before it has ended."""
        environment = {**os.environ, "ASSAY_PASSWORD": PASSWORD, "ASSAY_HOME": str(self.folder)}
        command = [sys.executable, "-m", self._program, "worker", "run", "-c", str(self._path)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def log(self) -> Path:
        """What it has said, in all its lives."""
        return self.folder / "log.txt"

    @property
    def ended(self) -> int | None:
        """Its exit status, if it has ended."""
        return None if self._process is None else self._process.poll()

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def stop(self) -> None:
        """End it in good order, or else by force."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def cpu_seconds(self) -> float:
        """Processor time so far, its child processes' included."""
        assert self._process is not None
        return _cpu_seconds(self._process.pid)

    def resident_mb(self) -> float:
        """Memory in use, without its child processes."""
        assert self._process is not None
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0


def _cpu_seconds(pid: int) -> float:
    """Of a process and those that it started; 0 of one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return 0.0
    ticks = sum(int(fields[place]) for place in (11, 12, 13, 14))  # its own, and of children that have ended
    return ticks / os.sysconf("SC_CLK_TCK") + sum(map(_cpu_seconds, children))


@dataclass
class Ensemble:
    """What is running while a load lasts, for whoever disturbs it."""

    market: Market
    model: Sampled
    model_id: bytes
    workers: list[WorkerProcess]
    watcher: Watcher


Chaos = Callable[[Ensemble], Awaitable[None]]
Node = Callable[[], AbstractAsyncContextManager[ChainNode]]


async def measure(
    load: Load, node: Node, folder: Path, model: Sampled, *, chaos: Chaos | None = None
) -> Measured:
    """Put a load on a fresh chain.

    Args:
        load: how much.
        node: opens the chain.
        folder: for databases and logs; must be empty.
        model: what is proven.
        chaos: runs beside the load until that ends.
    """
    async with AsyncExitStack() as stack:
        net = await stack.enter_async_context(node())
        market = await stack.enter_async_context(open_market(folder, net))
        model_id = await market.publish(model)
        for_workers, for_requesters = [
            await stack.enter_async_context(
                FaultProxy(net.url, faults=load.faults, latency=load.latency, seed=load.seed + side)
            )
            for side in range(2)
        ]
        market.url = for_workers.url
        workers = []
        for index in range(FIRST_WORKER, FIRST_WORKER + load.workers):
            config = await market.worker_config(index, model, stake=STAKE, **DEFAULTS | dict(load.settings))
            worker = WorkerProcess(config, folder / f"worker{index}", load.program)
            stack.push_async_callback(worker.stop)
            worker.start()
            workers.append(worker)
            await until_listening(config.inbox_port, load.limit)
        askers = [
            Asker(market, for_requesters.url, FIRST_REQUESTER + index, model, model_id, load.finality)
            for index in range(load.requesters)
        ]
        for asker in askers:
            await asker.open(stack)
        await net.rpc("anvil_mine", SETTLED_BLOCKS)  # no re-org is to undo what was prepared
        for proxy in (for_workers, for_requesters):
            proxy.counts.clear()
            proxy.posts = 0
        idle = sum(worker.cpu_seconds() for worker in workers)
        watcher = Watcher(market.chain)
        beside = [asyncio.create_task(watcher.run())]
        if chaos is not None:
            beside.append(
                asyncio.create_task(_disturb(chaos, Ensemble(market, model, model_id, workers, watcher)))
            )
        began = time.monotonic()
        turns = asyncio.Semaphore(load.at_once or load.jobs)

        async def ask(number: int) -> None:
            async with turns:
                await askers[number % load.requesters].ask(number, load)

        tasks = [asyncio.create_task(ask(number)) for number in range(load.jobs)]
        _, late = await asyncio.wait(tasks, timeout=load.limit)
        for task in [*late, *beside]:
            task.cancel()
        await asyncio.gather(*tasks, *beside, return_exceptions=True)
        await watcher.look()
        worked = sum(worker.cpu_seconds() for worker in workers) - idle
        result = await _measured(market, load, watcher, askers, began, (for_workers, for_requesters))
        result.worker_cpu = worked
        return result


async def _disturb(chaos: Chaos, ensemble: Ensemble) -> None:
    try:
        await chaos(ensemble)
    except Exception as error:  # noqa: BLE001 - without chaos the load would seem to bear it
        print(f"the disturbance ended: {error!r}", file=sys.stderr)


DEFAULTS: dict[str, Any] = {"prover": "process", "poll_seconds": 1.0}


async def until_listening(port: int, limit: float) -> None:
    """Return once something listens on a port, or after `limit` seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(0.1)


async def _measured(
    market: Market,
    load: Load,
    watcher: Watcher,
    askers: Sequence[Asker],
    began: float,
    proxies: tuple[FaultProxy, FaultProxy],
) -> Measured:
    result = Measured(bid_window=load.terms.bid_window)
    posted = [job_id for stage, job_id in watcher.seen if stage == "post"]
    for job_id in posted:
        state = (await market.chain.market.job_of(job_id)).state
        result.states[state.name] += 1
        result.settled += state is JobState.SETTLED
    result.posted = len(posted)
    result.asked_twice = max(0, len(posted) - load.jobs)
    settled = [moment for (stage, _), moment in watcher.seen.items() if stage == "settled"]
    everything = result.settled >= load.jobs and settled
    result.seconds = (max(settled) if everything else time.monotonic()) - began
    for asker in askers:
        for job_id, start in asker.started.items():
            for stage in STAGES:
                seen = (
                    watcher.seen.get((stage, job_id)) if stage != "delivered" else asker.delivered.get(job_id)
                )
                if seen is not None:
                    result.latencies[stage].append(max(0.0, seen - start))
    result.served = [
        moment - watcher.seen["award", job_id]
        for (stage, job_id), moment in watcher.seen.items()
        if stage == "settled" and ("award", job_id) in watcher.seen
    ]
    for index in range(FIRST_WORKER, FIRST_WORKER + load.workers):
        record = await market.chain.workers.worker_of(market.net.accounts[index].address)
        result.slashed += max(0, STAKE - record.stake - record.leaving)
    workers, requesters = proxies
    result.worker_requests, result.worker_posts = workers.counts.total(), workers.posts
    result.requester_requests, result.requester_posts = requesters.counts.total(), requesters.posts
    result.methods = workers.counts
    return result
