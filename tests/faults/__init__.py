"""A JSON-RPC node that misbehaves on purpose: a proxy, kinds of faults, latencies, and lies in every field.

Example:
    async with FaultProxy(net.url, faults=[RateLimit(0.3)], latency=uniform(0.3, 0.7)) as proxy:
        ...  # give `proxy.url` to whoever is to cope
        assert proxy.counts["eth_sendRawTransaction"] < 20
"""

from faults.kinds import (
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
)
from faults.latency import Latency, fixed, uniform
from faults.proxy import Exchange, FaultProxy

__all__ = [
    "Busy",
    "Duplicated",
    "EmptyRewards",
    "Exchange",
    "Fault",
    "FaultProxy",
    "Html",
    "HttpErrors",
    "Latency",
    "NullResults",
    "OthersAnswer",
    "RateLimit",
    "RemovedLogs",
    "Reset",
    "Stall",
    "fixed",
    "uniform",
]
