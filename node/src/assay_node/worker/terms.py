"""What a node says of a job's state, held against what the job's id is a hash of.

A node can lie in any field of any answer. The terms in a job's log are checked against its id where logs are
read; what the market is said to hold of the job afterwards is compared with them here.
"""

from __future__ import annotations

from eth_utils.crypto import keccak

from ..chain import Job, JobState
from .store import StoredJob

_SAME = (
    "max_price",
    "min_stake",
    "collateral",
    "bid_window",
    "accept_window",
    "prove_window",
    "callback",
    "callback_gas",
    "requester_awards",
    "rounds",
)


_WINDOWS = {
    JobState.OPEN: "bid_window",
    JobState.AWARDED: "accept_window",
    JobState.ACCEPTED: "prove_window",
}


def contradiction(job: StoredJob, market: Job, timestamp: int) -> str:
    """What the market, as the node tells it, says of a job that cannot be true of one with its id; "" if all
    agrees. A job that a re-org has taken away contradicts nothing.

    Args:
        job: as posted.
        market: as the node tells it.
        timestamp: of the block that it was asked of.
    """
    if market.state is JobState.NONE:
        return ""
    words = b"".join(word.to_bytes(32, "big") for word in job.input_words)
    said = {
        "model": (market.model_id, job.model_id),
        "requester": (market.requester, job.requester),
        "input": (market.input_hash, bytes(keccak(words))),
        **{name: (getattr(market, name), getattr(job.request, name)) for name in _SAME},
    }
    for name, (theirs, ours) in said.items():
        if theirs != ours:
            shown = [value.hex() if isinstance(value, bytes) else value for value in (theirs, ours)]
            return f"the node says that the job's {name} is {shown[0]}, its id was made with {shown[1]}"
    window = _WINDOWS.get(market.state)
    if window is not None and market.deadline > timestamp + getattr(job.request, window):
        # Believed, it would have the worker late: for its record, or for its collateral.
        return "the node says that the job's deadline is later than its window allows"
    if market.price > market.max_price or market.round >= market.rounds:
        return "the node says that the job's price or round is beyond its own bound"
    return ""
