"""Health and Prometheus metrics, on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .inbox import serve

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


class Metrics:
    """The worker's metrics, in a registry of their own so that several workers fit into one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._entered: dict[bytes, tuple[str, float]] = {}
        gauge, counter = partial(Gauge, registry=self.registry), partial(Counter, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry, buckets=_SECONDS)
        self.jobs = gauge("assay_worker_jobs", "Jobs that are not over, by phase", ["phase"])
        self.bids = counter("assay_worker_bids", "Bids sent")
        self.declined = counter("assay_worker_declined", "Jobs declined for good, by reason", ["reason"])
        self.postponed = counter(
            "assay_worker_postponed", "Jobs declined for a reason that may pass, by reason", ["reason"]
        )
        self.given_up = counter("assay_worker_given_up", "Awards given back")
        self.missed_windows = counter(
            "assay_worker_missed_windows", "Jobs whose bidding was over before they were priced"
        )
        self.settled = counter("assay_worker_settled", "Jobs proven and paid")
        self.failed = counter("assay_worker_failed", "Jobs accepted and not proven in time")
        self.earned = counter("assay_worker_earned_ether", "Price of settled jobs less royalty")
        self.sent = counter("assay_worker_transactions", "Transactions sent, by action", ["action"])
        self.inclusion_seconds = histogram(
            "assay_worker_inclusion_seconds", "From making a transaction to its receipt"
        )
        self.stage_seconds = histogram(
            "assay_worker_stage_seconds", "Time that jobs spend in a phase", ["phase"]
        )
        self.round_seconds = histogram(
            "assay_worker_round_seconds", "Time of a round, by what it is for", ["task"]
        )
        self.proof_failures = counter("assay_worker_proof_failures", "Proofs that failed")
        self.proof_seconds = histogram("assay_worker_proof_seconds", "Time of a proof, verification included")
        self.inputs = counter("assay_worker_inputs", "Inputs delivered, by result", ["result"])
        self.node_errors = counter("assay_worker_node_errors", "Rounds the node spoilt")
        self.node_lies = counter(
            "assay_worker_node_contradictions", "Answers that contradict what an id is made of"
        )
        self.rpc_failures = counter(
            "assay_worker_rpc_failures", "Requests that the node gave no usable answer to", ["method"]
        )
        self._failed: dict[str, int] = {}
        self.head_age = gauge("assay_worker_head_age_seconds", "Age of the newest block seen")
        self.head = gauge("assay_worker_head", "Newest block seen")
        self.cursor = gauge("assay_worker_cursor", "Last block whose events were read")
        self.pending = gauge("assay_worker_pending_transactions", "Not yet final")
        self.balance = gauge("assay_worker_balance_ether", "Operating account's balance")
        self.vault = gauge("assay_worker_vault_ether", "Free balance in the vault")
        self.stake = gauge("assay_worker_stake_ether", "Stake")
        self.reserved = gauge("assay_worker_reserved_stake_ether", "Stake that backs bids and jobs")
        self.at_risk = gauge(
            "assay_worker_collateral_at_risk_ether", "Collateral of jobs accepted and not settled"
        )
        self.models = gauge(
            "assay_worker_models",
            "1 for the state of each bundle: checking, ready, or unfit to prove and not bid on",
            ["bundle", "state"],
        )
        self.healthy = gauge("assay_worker_healthy", "1 if nothing is wrong, as /health says")
        self.database = gauge("assay_worker_database_bytes", "Size of a database", ["name"])

    def stage(self, job_id: bytes, phase: str) -> None:
        """A job has entered a phase: how long it was in the last one is counted."""
        now = self._clock()
        if (last := self._entered.get(job_id)) is not None:
            self.stage_seconds.labels(last[0]).observe(now - last[1])
        self._entered[job_id] = (str(phase), now)

    def forget(self, job_id: bytes) -> None:
        """A job is closed."""
        self._entered.pop(job_id, None)

    def show_failures(self, failed: Mapping[str, int]) -> None:
        """Counts requests without a usable answer up to these totals by method."""
        for method, total in list(failed.items()):
            self.rpc_failures.labels(method).inc(max(0, total - self._failed.get(method, 0)))
            self._failed[method] = total

    def show_phases(self, counts: Mapping[str, int]) -> None:
        """Sets the jobs by phase, and drops the phases that have none."""
        self.jobs.clear()
        for phase, count in counts.items():
            self.jobs.labels(phase).set(count)


class MetricsServer:
    """GET /metrics for Prometheus, GET /health for a supervisor: 200 while all is well, else 503 and why.

    Args:
        metrics: what to show.
        health: whether all is well, and details.
        host, port: loopback; port 0 takes any free one.
    """

    def __init__(
        self, metrics: Metrics, health: Callable[[], tuple[bool, Mapping[str, Any]]], *, host: str, port: int
    ) -> None:
        self._metrics = metrics
        self._health = health
        self._host, self._port = host, port
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where it listens, once started."""
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> MetricsServer:
        """Starts listening. Raises `WorkerError` if the port is taken."""
        app = web.Application()
        app.router.add_get("/metrics", self._get_metrics)
        app.router.add_get("/health", self._get_health)
        self._port, _ = await self._stack.enter_async_context(
            serve(app, self._host, self._port, "metrics_port")
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stops listening."""
        await self._stack.aclose()

    async def _get_metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._metrics.registry),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def _get_health(self, _: web.Request) -> web.Response:
        healthy, details = self._health()
        return web.json_response(dict(details), status=200 if healthy else 503)
