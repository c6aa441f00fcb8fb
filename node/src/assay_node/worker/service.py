"""The worker's process: it follows the market, keeps its jobs moving, and can be killed at any moment.

Two tasks go round beside each other. One serves what is in hand: what became of the transactions, what the
market says of jobs that are awarded or accepted, what follows. The other follows the market: the newest
block, new events, prices, bids. Strangers decide how much there is of the second; they delay nothing of the
first.
Rounds are driven by a poll, and at once by whatever happens in this process (an input arrives, a proof is
done). A node that does not answer costs a round; every durable step is on disk before it is done, so nothing
else is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import time
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
from eth_account.signers.local import LocalAccount
from nacl.public import PrivateKey

from ..amounts import rounded
from ..chain import (
    Chain,
    ChainClock,
    ChainError,
    CrossCheck,
    DatabaseFailed,
    Deployment,
    Follower,
    Header,
    Outbox,
    Rpc,
    is_public,
    load_account,
    load_encryption_key,
    open_node,
    read_password,
)
from .bans import Bans
from .config import WorkerConfig
from .deliveries import Deliveries
from .discovery import Discovery
from .errors import WorkerError
from .executor import Executor
from .health import Health
from .inbox import Inbox
from .input_store import InputStore
from .jobs import JobManager
from .metrics import Metrics, MetricsServer
from .models import ModelLibrary
from .payouts import Payouts, request_file
from .proofs import Proofs
from .registration import check_registration
from .store import WorkerStore

_log = structlog.get_logger(__name__)

LONGEST_BACKOFF = 30.0
"""Seconds between rounds, at most, while the node does not answer."""
SWEEP_EVERY = 30.0
"""Seconds between two looks at earnings, balances and stake."""
PASSES = 16
"""Passes over what is in hand in a round; then transactions are looked at again."""
SERVING, DISCOVERING = "serving", "discovering"


class Worker:
    """A worker.

    Args:
        config: its settings.
        password: of both key files; by default from the configured file, the environment, or a prompt.
        stop_on_signals: end in good order on SIGINT and SIGTERM, at once on a second one; for a process of
            its own, not inside another program.
    """

    def __init__(
        self, config: WorkerConfig, *, password: str | None = None, stop_on_signals: bool = False
    ) -> None:
        self.config = config
        self.metrics = Metrics()
        self.health = Health((SERVING, DISCOVERING), config.state_dir, self.metrics)
        self.ready = asyncio.Event()
        self._password = password
        self._signals = stop_on_signals
        self._stopping = asyncio.Event()
        self._stop_by = math.inf
        self._sweep_due = 0.0
        self._inbox: Inbox | None = None
        self._metrics_server: MetricsServer | None = None
        self._manager: JobManager | None = None

    @property
    def endpoint(self) -> str:
        """The inbox's URL as requesters should know it.

        Raises `WorkerError` before it listens on a chosen port.
        """
        if self.config.endpoint is not None:
            return self.config.endpoint
        if self._inbox is None:
            raise WorkerError("the inbox is not listening yet")
        return self._inbox.url

    @property
    def metrics_url(self) -> str | None:
        """Where metrics are served, once they are."""
        return None if self._metrics_server is None else self._metrics_server.url

    def stop(self) -> None:
        """Makes `run` end: no more bids, and what is accepted or proven is brought to its end for
        `drain_seconds` at most. Called a second time it ends without that. Nothing is lost either way: the
        next start goes on.
        """
        again = self._stopping.is_set()
        self._stop_by = 0.0 if again else time.monotonic() + self.config.drain_seconds
        self._stopping.set()
        if self._manager is not None:
            if not again:
                _log.info("worker.stopping", unfinished=self._manager.unfinished())
            self._manager.wake.set()
            self._manager.wake_bidding.set()

    async def run(self) -> None:
        """Works until stopped.

        Raises:
            AssayError: it cannot start: configuration, keys, deployment, node, registration, ports, a busy
                key.
        """
        async with AsyncExitStack() as stack:
            manager = await self._start(stack)
            self.ready.set()
            serving = asyncio.create_task(self._serve(manager), name="serving")
            tasks = {
                serving,
                asyncio.create_task(self._discover(manager), name="discovering"),
                asyncio.create_task(self._deliveries.run(), name="deliveries"),
            }
            try:
                running = set(tasks)
                while not serving.done():
                    done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            _log.info("worker.stopped")

    async def _start(self, stack: AsyncExitStack) -> JobManager:
        config = self.config
        if self._signals:
            self._handle_signals(stack)
        # Both keys cost a tenth of a second or more to open, by design.
        account, secret = await asyncio.to_thread(self._keys)
        library = ModelLibrary(config.bundles, self.metrics)
        deployment = Deployment.load(config.deployment)
        node = open_node(config.rpc_url, config.check_rpc_url)
        stack.push_async_callback(node.close)
        chain = await Chain.connect(node, deployment, finality=config.finality)
        record = await chain.workers.worker_of(account.address)
        check_registration(record, account.address, secret.public_key.encode(), config.endpoint)
        outbox = await stack.enter_async_context(
            await Outbox.open(
                node,
                account,
                config.state_dir / "outbox.sqlite",
                # Beside the key and not the state: the key is what two workers must not share.
                lock_dir=config.keystore.parent,
                fees=config.fees,
                finality=config.finality,
            )
        )
        store = WorkerStore(config.state_dir / "worker.sqlite")
        stack.callback(store.close)
        library.fitness.keep_in(Bans(store.database), library.identities())
        manager = JobManager(config, chain, outbox, store, library, ChainClock(), self.metrics, self.health)
        inputs = InputStore(secret, store)
        self._deliveries = Deliveries(manager, inputs)
        proofs = Proofs(manager, inputs)
        manager.executor = await stack.enter_async_context(
            Executor(
                proofs.prepare,
                proofs.proved,
                store.put_slice,
                kind=config.prover,
                warm=config.bundles,
                opened=manager.opened,
                threads=config.prover_threads,
                table_bytes=config.prover_table_mb << 20,
            )
        )
        self._inbox = await stack.enter_async_context(
            Inbox(
                self._deliveries,
                lambda: self._describe(account.address),
                host=config.inbox_host,
                port=config.inbox_port,
                max_bytes=config.max_input_bytes,
            )
        )
        if config.metrics_port is not None:
            self._metrics_server = await stack.enter_async_context(
                MetricsServer(
                    self.metrics, self._report_health, host=config.metrics_host, port=config.metrics_port
                )
            )
        if record.endpoint != self.endpoint:
            _log.warning(
                "worker.endpoint_differs",
                registered=record.endpoint,
                own=self.endpoint,
                advice="Run `assay worker register`, or inputs are delivered elsewhere",
            )
        self._follower: Follower = chain.follower(store.database)
        self._discovery = Discovery(manager)
        request = request_file(config.keystore.parent, deployment.chain_id, account.address)
        self._payouts = Payouts(chain, outbox, store, config.payout, config.withdraw_above, request)
        self._manager = manager
        await manager.restore()
        _log.info(
            "worker.started",
            address=account.address,
            endpoint=self.endpoint,
            chain=deployment.chain_id,
            jobs=len(manager.jobs),
            from_block=self._follower.position + 1,
        )
        return manager

    def _keys(self) -> tuple[LocalAccount, PrivateKey]:
        password = self._password
        if password is None:
            password = read_password(file=self.config.password_file, prompt="Password of the worker's keys: ")
        keys = (
            load_account(self.config.keystore, password),
            load_encryption_key(self.config.encryption_key, password),
        )
        self._password = None
        return keys

    def _handle_signals(self, stack: AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
            stack.callback(loop.remove_signal_handler, number)

    # ------------------------------------------------------------------------------------ the two tasks

    async def _serve(self, manager: JobManager) -> None:
        """What is in hand: transactions, awarded and accepted jobs. Goes on while there is a drain."""
        backoff = 0.0
        while not (self._stopping.is_set() and self._is_drained(manager)):
            manager.wake.clear()
            backoff = await self._guarded(SERVING, self._serving_round(manager), backoff)
            if backoff:
                await _at_most(backoff, self._stopping)
            else:
                await _at_most(self.config.poll_seconds, manager.wake)

    async def _discover(self, manager: JobManager) -> None:
        """The market: events, strangers' jobs, prices, bids."""
        backoff = 0.0
        while not self._stopping.is_set():
            manager.wake_bidding.clear()
            backoff = await self._guarded(DISCOVERING, self._discovering_round(manager), backoff)
            if backoff:
                await _at_most(backoff, self._stopping)
            elif not manager.bidder:
                await _at_most(self.config.poll_seconds, manager.wake_bidding)

    async def _guarded(self, task: str, round_: Coroutine[Any, Any, None], backoff: float) -> float:
        """Runs a round; gives the seconds to wait if the node spoilt it, else 0."""
        try:
            with self.health.round(task):
                await round_
        except ChainError as error:
            if isinstance(error, DatabaseFailed):
                raise
            backoff = min(LONGEST_BACKOFF, 2 * backoff or self.config.poll_seconds)
            self.health.trouble[task] = str(error)
            self.metrics.node_errors.inc()
            _log.warning("worker.round_failed", task=task, reason=str(error), retry_in=backoff)
            return backoff
        return 0.0

    def _is_drained(self, manager: JobManager) -> bool:
        left = manager.unfinished()
        if left and time.monotonic() >= self._stop_by:
            _log.warning("worker.stopped_early", unfinished=left)
            return True
        return not left

    async def _serving_round(self, manager: JobManager) -> None:
        manager.executor.check()
        head = await manager.chain.head()
        await manager.outbox.step(head.header)
        for _ in range(PASSES):
            manager.transactions.settle()
            await manager.look(head, urgent=True)
            if not manager.has_work:
                break
            await manager.work()
        self.metrics.pending.set(len(manager.outbox.pending()))
        self.health.oldest_transaction = manager.transactions.oldest()

    async def _discovering_round(self, manager: JobManager) -> None:
        if manager.library.fitness.take_up_lifted():
            manager.bidder.price_again()
        head = await manager.chain.head()
        if manager.clock.see(head.header):
            manager.touch_all()
        await self._follow(self._follower, head.header)
        await manager.look(head, urgent=False)
        await manager.bidder.step()
        manager.close_finished(head.number)
        if self._discovery.settled or self._payouts.asked or time.monotonic() >= self._sweep_due:
            self._discovery.settled = False
            self._sweep_due = time.monotonic() + SWEEP_EVERY
            await self._payouts.step()
            await self._measure(manager)
        self._show_chain(manager, head.header)
        self.metrics.cursor.set(self._follower.position)
        self.metrics.show_phases(manager.phases())
        behind = head.number - manager.chain.finality.confirmations - self._follower.position
        self.health.behind = max(0, behind)

    def _show_chain(self, manager: JobManager, newest: Header) -> None:
        """How far the chain is, how old its newest block, how often its node failed."""
        self.metrics.head.set(newest.number)
        age = max(0.0, time.time() - newest.timestamp)
        self.metrics.head_age.set(age)
        self.health.head_age = age if is_public(manager.chain.deployment.chain_id) else 0.0
        node = manager.chain.node
        if isinstance(node, Rpc | CrossCheck):
            self.metrics.show_failures(node.failures)

    async def _follow(self, follower: Follower, newest: Header) -> None:
        """Reads new events.

        A batch is committed once the jobs in it are on disk; reading it twice changes nothing.
        """
        while not self._stopping.is_set() and (batch := await follower.poll(newest)) is not None:
            await self._discovery.hear(batch)
            follower.commit(batch)

    async def _measure(self, manager: JobManager) -> None:
        """Metrics and health that take a look at the chain, every now and then."""
        situation = await manager.pricing_inputs.refresh()
        promises = manager.pricing_inputs.promises(
            manager.jobs.values(), manager.clock.now(), gas_price=situation.gas_price
        )
        vault = await manager.chain.vault.balance_of(manager.policy.address)
        self.metrics.balance.set(situation.balance / 1e18)
        self.metrics.vault.set(vault / 1e18)
        self.metrics.stake.set(situation.record.stake / 1e18)
        self.metrics.reserved.set(situation.record.reserved / 1e18)
        self.metrics.at_risk.set(promises.at_risk / 1e18)
        for name in ("worker", "outbox"):
            file = self.config.state_dir / f"{name}.sqlite"
            if file.exists():
                self.metrics.database.labels(name).set(file.stat().st_size)
        self.health.notes = manager.concerns()
        if situation.balance <= promises.gas:
            self.health.notes.append(
                f"the account has {rounded(situation.balance)}, jobs in hand need {rounded(promises.gas)} for"
                " gas: no more bids are placed until it is sent some"
            )

    def _report_health(self) -> tuple[bool, Mapping[str, Any]]:
        manager = self._manager
        reasons = self.health.reasons()
        if manager is not None and manager.outbox.shared:
            reasons.insert(0, manager.outbox.shared)
        fitness = None if manager is None else manager.library.fitness
        reasons += [] if fitness is None else fitness.concerns()
        ages = {task: self.health.since_good(task) for task in (SERVING, DISCOVERING)}
        oldest = None if None in ages.values() else max(age for age in ages.values() if age is not None)
        self.metrics.healthy.set(not reasons)
        details = {
            "healthy": not reasons,
            "reasons": reasons,
            "seconds_since_good_round": None if oldest is None else round(oldest, 1),
            "jobs": {} if manager is None else dict(manager.phases()),
            "models": {} if fitness is None else fitness.states(),
        }
        return not reasons, details

    def _describe(self, address: str) -> Mapping[str, Any]:
        served = [] if self._manager is None else self._manager.library.served()
        return {
            "worker": address,
            "models": ["0x" + model.model_id.hex() for model in served],
            "max_input_bytes": self.config.max_input_bytes,
        }


async def _at_most(seconds: float, event: asyncio.Event) -> None:
    """Waits for an event, or so long. Not `wait_for`, which in Python 3.11 may swallow a cancellation."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def run_worker(config: WorkerConfig | Path, *, password: str | None = None) -> None:
    """Runs a worker in the foreground until SIGINT or SIGTERM; the body of `assay worker run`."""
    settings = WorkerConfig.load(config) if isinstance(config, Path) else config

    async def main() -> None:
        await Worker(settings, password=password, stop_on_signals=True).run()

    asyncio.run(main())
