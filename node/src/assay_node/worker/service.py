"""The worker's process: it follows the market, keeps its jobs moving, and can be killed at any moment.

A round is: look at the newest block, see what became of the transactions, read new events, ask about the jobs
they concern, do what follows. Rounds are driven by a poll, and at once by whatever happens in this process
(an input arrives, a proof is done). A node that does not answer costs a round; every durable step is on disk
before it is done, so nothing else is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
from eth_account.signers.local import LocalAccount
from nacl.public import PrivateKey

from ..chain import (
    Chain,
    ChainClock,
    ChainError,
    ChainEvent,
    Deployment,
    Follower,
    JobEvent,
    JobSettled,
    JobSubmitted,
    Outbox,
    Rpc,
    load_account,
    load_encryption_key,
    read_password,
)
from .config import WorkerConfig
from .errors import WorkerError
from .executor import Executor
from .inbox import Inbox
from .jobs import JobManager
from .metrics import Metrics, MetricsServer
from .models import ModelLibrary
from .payouts import Payouts, request_file
from .registration import check_registration
from .store import WorkerStore

_log = structlog.get_logger(__name__)

LONGEST_BACKOFF = 30.0
"""Seconds between rounds, at most, while the node does not answer."""
UNHEALTHY_AFTER = 60.0
"""Seconds without a good round after which /health says so."""
PAYOUTS_EVERY = 30.0
PASSES = 16
"""Passes over the manager in a round; more work than that waits for the next, so that events are read."""


class Worker:
    """A worker.

    Args:
        config: its settings.
        password: of both key files; by default from the configured file, the environment, or a prompt.
        stop_on_signals: end in good order on SIGINT and SIGTERM; for a process of its own, not inside another
            program.
    """

    def __init__(
        self, config: WorkerConfig, *, password: str | None = None, stop_on_signals: bool = False
    ) -> None:
        self.config = config
        self.metrics = Metrics()
        self.ready = asyncio.Event()
        self._password = password
        self._signals = stop_on_signals
        self._stopping = asyncio.Event()
        self._last_good = 0.0
        self._trouble = "starting"
        self._payouts_due = 0.0
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
        """Makes `run` end after the round under way. Nothing is lost: the next start goes on."""
        self._stopping.set()
        if self._manager is not None:
            self._manager.wake.set()

    async def run(self) -> None:
        """Works until stopped.

        Raises:
            AssayError: it cannot start: configuration, keys, deployment, node, registration, ports, a busy
                key.
        """
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self.ready.set()
            backoff = 0.0
            while not self._stopping.is_set():
                manager, follower, payouts = self._manager, self._follower, self._payouts
                assert manager is not None  # noqa: S101 - set by _start
                manager.wake.clear()
                try:
                    await self._round(manager, follower, payouts)
                    self._last_good, self._trouble, backoff = time.monotonic(), manager.outbox.shared, 0.0
                except ChainError as error:
                    backoff = min(LONGEST_BACKOFF, 2 * backoff or self.config.poll_seconds)
                    self._trouble = str(error)
                    self.metrics.node_errors.inc()
                    _log.warning("worker.round_failed", reason=str(error), retry_in=backoff)
                    await _at_most(backoff, self._stopping)
                    continue
                await _at_most(self.config.poll_seconds, manager.wake)
            _log.info("worker.stopped")

    async def _start(self, stack: AsyncExitStack) -> None:
        config = self.config
        if self._signals:
            self._handle_signals(stack)
        # Both keys cost a tenth of a second or more to open, by design.
        account, secret = await asyncio.to_thread(self._keys)
        library = ModelLibrary(config.bundles)
        deployment = Deployment.load(config.deployment)
        node = await stack.enter_async_context(Rpc(config.rpc_url))
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
        manager = JobManager(config, chain, outbox, store, library, secret, ChainClock(), self.metrics)
        stack.push_async_callback(manager.close)
        manager.executor = await stack.enter_async_context(
            Executor(
                manager.prepare,
                manager.proved,
                store.put_slice,
                kind=config.prover,
                warm=config.bundles,
                threads=config.prover_threads,
                table_bytes=config.prover_table_mb << 20,
            )
        )
        self._inbox = await stack.enter_async_context(
            Inbox(
                manager.receive,
                lambda: self._describe(account.address),
                host=config.inbox_host,
                port=config.inbox_port,
                max_bytes=config.max_input_bytes,
            )
        )
        if config.metrics_port is not None:
            self._metrics_server = await stack.enter_async_context(
                MetricsServer(self.metrics, self._health, host=config.metrics_host, port=config.metrics_port)
            )
        if record.endpoint != self.endpoint:
            _log.warning("worker.endpoint_differs", registered=record.endpoint, own=self.endpoint)
        self._follower: Follower = chain.follower(store.database)
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

    async def _round(self, manager: JobManager, follower: Follower, payouts: Payouts) -> None:
        manager.check()
        header = await manager.chain.latest()
        if manager.clock.see(header):
            manager.touch_all()
        await manager.outbox.step()
        await self._follow(manager, follower)
        for _ in range(PASSES):
            manager.settle_sends()
            await manager.look(header.number)
            if not manager.has_work:
                break
            await manager.work()
        manager.close_finished(header.number)
        if time.monotonic() >= self._payouts_due or self._payouts.asked:
            await payouts.step()
            await self._measure(manager)
            self._payouts_due = time.monotonic() + PAYOUTS_EVERY
        self.metrics.head.set(header.number)
        self.metrics.cursor.set(follower.position)
        self.metrics.pending.set(len(manager.outbox.pending()))
        self.metrics.show_phases(manager.phases())

    async def _measure(self, manager: JobManager) -> None:
        balance = await manager.chain.node.balance(manager.policy.address)
        self.metrics.balance.set(balance / 1e18)

    async def _follow(self, manager: JobManager, follower: Follower) -> None:
        """Reads new events.

        A batch is committed once the jobs in it are on disk; reading it twice changes nothing.
        """
        while not self._stopping.is_set() and (batch := await follower.poll()) is not None:
            if batch.rewound_to is not None:
                manager.touch_all()
            for event in batch.events:
                await self._hear(manager, event)
            follower.commit(batch)

    async def _hear(self, manager: JobManager, event: ChainEvent) -> None:
        if not isinstance(event, JobEvent):
            return
        if isinstance(event, JobSubmitted):
            if await manager.library.find(manager.chain.models, event.model_id) is None:
                return
            if manager.store.add_job(event):
                _log.info("job.seen", job="0x" + event.job_id.hex(), ceiling=event.request.max_price)
                manager.take(event.job_id)
                return
        if isinstance(event, JobSettled) and event.worker == manager.policy.address:
            self.metrics.earned.inc((event.price - event.royalty) / 1e18)
            self._payouts_due = 0.0
        if event.job_id not in manager.jobs and manager.store.job(event.job_id) is not None:
            manager.store.reopen(event.job_id)  # closed, and a re-org deeper than expected brought it back
            manager.take(event.job_id)
        manager.touch(event.job_id)

    def _health(self) -> tuple[bool, Mapping[str, Any]]:
        age = time.monotonic() - self._last_good if self._last_good else None
        healthy = age is not None and age < UNHEALTHY_AFTER
        details = {
            "healthy": healthy,
            "seconds_since_good_round": None if age is None else round(age, 1),
            "trouble": self._trouble,
            "jobs": {} if self._manager is None else dict(self._manager.phases()),
        }
        return healthy, details

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
