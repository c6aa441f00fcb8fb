"""What `make bench-node` measures: speed on several chains, and the faults that a job must survive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.node.load import Node
from bench.node.measured import TERMS, Load
from chains import anvil_node, devnet_node
from faults import (
    Busy,
    Duplicated,
    EmptyRewards,
    Fault,
    Html,
    HttpErrors,
    NullResults,
    OthersAnswer,
    RateLimit,
    RemovedLogs,
    Reset,
    Stall,
    fixed,
    uniform,
)


@dataclass(frozen=True)
class Scenario:
    """A load on a chain, under a name."""

    name: str
    node: Node
    load: Load


MANY = Load(
    jobs=60, requesters=4, limit=240.0, terms=replace(TERMS, bid_window=30), settings={"max_jobs": 1000}
)
FEW = Load(jobs=5, limit=80.0)

SPEED: Sequence[Scenario] = (
    Scenario("anvil", anvil_node, MANY),
    Scenario("devnet", devnet_node, MANY),
    Scenario("anvil, 50 ms", anvil_node, replace(MANY, latency=fixed(0.05))),
    Scenario("anvil, 300-700 ms", anvil_node, replace(FEW, latency=uniform(0.3, 0.7), limit=120.0)),
    Scenario("anvil, 2 s blocks", lambda: anvil_node("--block-time", "2"), replace(MANY, jobs=40)),
)


def _under(name: str, *faults: Fault) -> Scenario:
    return Scenario(name, anvil_node, replace(FEW, faults=faults, terms=replace(TERMS, bid_window=20)))


FAULTS: Sequence[Scenario] = (
    _under("no fault"),
    _under("30 % 429", RateLimit(0.3)),
    _under("30 % HTML", Html(0.3)),
    _under("10 % null results", NullResults(0.1)),
    _under("10 % another request's answer", OthersAnswer(0.1)),
    _under("1 % stalls of a minute", Stall(0.01)),
    _under("30 % duplicated", Duplicated(0.3)),
    _under("10 % connections cut", Reset(0.1)),
    _under("HTTP 400 with errors", HttpErrors(1.0, status=400)),
    _under("HTTP 500 with errors", HttpErrors(1.0, status=500)),
    _under("30 % -32005 with 200", Busy(0.3)),
    _under("empty reward lists", EmptyRewards(1.0)),
    _under("removed logs beside others", RemovedLogs(1.0)),
    _under(
        "a mixture",
        RateLimit(0.05),
        Html(0.05),
        Busy(0.05),
        NullResults(0.03),
        OthersAnswer(0.03),
        Stall(0.003),
        Duplicated(0.1),
        Reset(0.02),
    ),
)
