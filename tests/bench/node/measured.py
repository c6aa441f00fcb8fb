"""What a load is, and what was measured of it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay_node.chain import (
    FinalityPolicy,
)
from assay_node.client import JobTerms
from faults import Fault, Latency
from market import ETHER

STAGES = ("post", "bid", "award", "delivered", "settled")
TERMS = JobTerms(
    max_price=ETHER // 50, collateral=ETHER // 1000, bid_window=10, accept_window=120, prove_window=600
)


@dataclass(frozen=True)
class Load:
    """How much of what.

    Attributes:
        jobs: posted in all, by `requesters`, as fast as they can.
        at_once: jobs that are under way at any time; None for all of them.
        requesters, workers: how many.
        terms: of each job.
        limit: seconds after which the rest is given up.
        faults, latency: of the nodes of both.
        settings: of the workers' configuration, where it is not the default.
        finality: of the requesters; the chain's by default.
        interval: seconds between a requester's looks at its job.
        seed: of the faults.
        program: module that the workers run; `assay`'s own by default.
    """

    jobs: int
    requesters: int = 1
    workers: int = 1
    terms: JobTerms = TERMS
    limit: float = 80.0
    faults: Sequence[Fault] = ()
    latency: Latency | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    finality: FinalityPolicy | None = None
    interval: float = 1.0
    seed: int = 0
    at_once: int | None = None
    program: str = "assay_node.cli"


@dataclass
class Measured:
    """What came of a load.

    Attributes:
        posted, settled: jobs, on the true chain.
        states: jobs by state in the end.
        seconds: from the first post to the last settlement, or to the limit.
        bid_window: of the jobs, seconds.
        latencies: seconds of each job by stage, counted from the moment its requester set out to post it.
        worker_requests, requester_requests: JSON-RPC requests.
        worker_posts, requester_posts: HTTP requests.
        methods: the workers' requests by method.
        served: seconds of each job from its award to its settlement.
        worker_cpu: seconds of processor time that the workers and their provers took.
        slashed: wei of stake lost.
        asked_twice: jobs that a requester posted once more than it wanted to.
    """

    posted: int = 0
    settled: int = 0
    states: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    bid_window: int = 0
    latencies: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    worker_requests: int = 0
    requester_requests: int = 0
    worker_posts: int = 0
    requester_posts: int = 0
    methods: Counter[str] = field(default_factory=Counter)
    served: list[float] = field(default_factory=list)
    worker_cpu: float = 0.0
    slashed: int = 0
    asked_twice: int = 0

    @property
    def jobs_a_minute(self) -> float:
        """Settled jobs a minute, bidding windows left out: those are the terms', whoever works."""
        working = self.seconds - self.bid_window
        return 60 * self.settled / working if working > 0 else 0.0

    def percentile(self, stage: str, percent: int) -> float | None:
        """Seconds within which so many percent of the jobs reached a stage; None if none did."""
        values = sorted(self.latencies[stage])
        if len(values) < 2:
            return values[0] if values else None
        return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        jobs = max(1, self.settled)
        return {
            "posted": self.posted,
            "settled": self.settled,
            "states": dict(self.states),
            "seconds": round(self.seconds, 2),
            "jobs_a_minute": round(self.jobs_a_minute, 1),
            "worker_posts_a_job": round(self.worker_posts / jobs, 1),
            "requester_posts_a_job": round(self.requester_posts / jobs, 1),
            "worker_requests_a_job": round(self.worker_requests / jobs, 1),
            "requester_requests_a_job": round(self.requester_requests / jobs, 1),
            "latency": {
                stage: {str(percent): self.percentile(stage, percent) for percent in (50, 95)}
                for stage in STAGES
            },
            "worker_cpu_a_job": round(self.worker_cpu / jobs, 3),
            "methods": dict(self.methods.most_common()),
            "slashed_wei": self.slashed,
            "asked_twice": self.asked_twice,
        }
