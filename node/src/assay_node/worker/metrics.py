"""Health and Prometheus metrics, on loopback."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .inbox import serve


class Metrics:
    """The worker's metrics, in a registry of their own so that several workers fit into one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.jobs = Gauge(
            "assay_worker_jobs", "Jobs that are not over, by phase", ["phase"], registry=self.registry
        )
        self.bids = Counter("assay_worker_bids", "Bids sent", registry=self.registry)
        self.declined = Counter("assay_worker_declined", "Jobs declined", registry=self.registry)
        self.settled = Counter("assay_worker_settled", "Jobs proven and paid", registry=self.registry)
        self.failed = Counter(
            "assay_worker_failed", "Jobs accepted and not proven in time", registry=self.registry
        )
        self.earned = Counter(
            "assay_worker_earned_ether", "Price of settled jobs less royalty", registry=self.registry
        )
        self.proof_failures = Counter(
            "assay_worker_proof_failures", "Proofs that failed", registry=self.registry
        )
        self.proof_seconds = Histogram(
            "assay_worker_proof_seconds",
            "Time of a proof, verification included",
            buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
            registry=self.registry,
        )
        self.inputs = Counter(
            "assay_worker_inputs", "Inputs delivered, by result", ["result"], registry=self.registry
        )
        self.node_errors = Counter(
            "assay_worker_node_errors", "Rounds the node spoilt", registry=self.registry
        )
        self.head = Gauge("assay_worker_head", "Newest block seen", registry=self.registry)
        self.cursor = Gauge(
            "assay_worker_cursor", "Last block whose events were read", registry=self.registry
        )
        self.pending = Gauge("assay_worker_pending_transactions", "Not yet final", registry=self.registry)
        self.balance = Gauge(
            "assay_worker_balance_ether", "Operating account's balance", registry=self.registry
        )

    def show_phases(self, counts: Mapping[str, int]) -> None:
        """Sets the jobs by phase, and drops the phases that have none."""
        self.jobs.clear()
        for phase, count in counts.items():
            self.jobs.labels(phase).set(count)


class MetricsServer:
    """GET /metrics for Prometheus, GET /health for a supervisor: 200 while rounds succeed, else 503.

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
        self._port = await self._stack.enter_async_context(serve(app, self._host, self._port, "metrics_port"))
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
