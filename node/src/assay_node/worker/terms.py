"""What a node says of jobs and models, held against what their ids are hashes of.

A node can lie in any field of any answer. A job's id is the hash of its terms, and a model's of its key and
description: so a log whose terms were changed is of another job than it names, and is not believed.
"""

from __future__ import annotations

from eth_utils.crypto import keccak

from ..chain import Deployment, Job, JobState, JobSubmitted
from ..client.evidence import job_id_of
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


def is_genuine(deployment: Deployment, event: JobSubmitted) -> bool:
    """Whether the terms in a log are those of the job that it names."""
    if event.model_id != event.request.model_id:
        return False
    expected = job_id_of(
        deployment.chain_id,
        deployment.market,
        event.requester,
        event.nonce,
        event.request,
        event.input_words,
    )
    return expected == event.job_id


def contradiction(job: StoredJob, market: Job) -> str:
    """What the market, as the node tells it, says of a job that cannot be true of one with its id; "" if all
    agrees. A job that a re-org has taken away contradicts nothing.
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
    if market.price > market.max_price or market.round >= market.rounds:
        return "the node says that the job's price or round is beyond its own bound"
    return ""
