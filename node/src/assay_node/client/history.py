"""What the logs say of one job, or of one requester: looked up by topic, over ranges a node allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

from ..chain import (
    Chain,
    ChainEvent,
    CrossCheck,
    JobEvent,
    JobSettled,
    JobSubmitted,
    NodeUnavailable,
    RateLimited,
    Rpc,
    RpcError,
)
from .errors import EvidenceMismatch, JobNotFound, JobNotReady
from .evidence import JobEvidence

E = TypeVar("E", bound=ChainEvent)

FIRST_SPAN = 100_000
"""Blocks asked for at first when the newest events come first; four times as many next, and so on."""


async def job_events(chain: Chain, job_id: bytes) -> list[JobEvent]:
    """All events of a job in chain order. Every job event has the job id as its first indexed argument.

    Anybody may add to them by bidding: where only some are of use, read `events_of_job` instead.
    """
    return [event async for event in events_of_job(chain, job_id)]


async def events_of_job(chain: Chain, job_id: bytes) -> AsyncIterator[JobEvent]:
    """As `job_events`, one after another: no more than one answer of the node is held at a time."""
    async for batch in batches_of(chain, chain.market.address, (None, job_id)):
        for event in batch:
            if isinstance(event, JobEvent) and event.job_id == job_id:
                yield event


async def submissions_by(chain: Chain, requester: str) -> list[JobSubmitted]:
    """The jobs a requester has posted, oldest first."""
    topic = bytes(12) + bytes.fromhex(requester.removeprefix("0x"))
    events = await events_of(chain, chain.market.address, (None, None, None, topic))
    wanted = requester.lower()
    return [
        event for event in events if isinstance(event, JobSubmitted) and event.requester.lower() == wanted
    ]


async def gather_evidence(chain: Chain, job_id: bytes) -> JobEvidence:
    """Everything needed to verify a settled job anew. Nothing of it is checked yet: see `JobEvidence.check`.

    Raises:
        JobNotFound: no log of the market names this job.
        JobNotReady: it is not settled.
        EvidenceMismatch: the node serves it as posted or settled twice.
    """
    # Bids, of which strangers may add any number, are not kept.
    events = [
        event async for event in events_of_job(chain, job_id) if isinstance(event, JobSubmitted | JobSettled)
    ]
    submitted = [event for event in events if isinstance(event, JobSubmitted)]
    settled = [event for event in events if isinstance(event, JobSettled)]
    if not submitted:
        raise JobNotFound(
            f"the market has no job 0x{job_id.hex()}", "Check the id and that this is the right chain"
        )
    if not settled:
        raise JobNotReady(f"job 0x{job_id.hex()} is not settled", "There is nothing to verify yet")
    if len(submitted) > 1 or len(settled) > 1:
        raise EvidenceMismatch(
            f"the node serves job 0x{job_id.hex()} as posted or settled twice", "Ask another node"
        )
    model_id = submitted[0].request.model_id
    model, verifying_key = await asyncio.gather(
        chain.models.model_of(model_id), chain.models.verifying_key_of(model_id)
    )
    return JobEvidence(
        chain_id=chain.deployment.chain_id,
        market=chain.deployment.market,
        job_id=job_id,
        submitted=submitted[0],
        settled=settled[0],
        model=model,
        verifying_key=verifying_key,
    )


async def events_of(chain: Chain, contract: str, topics: Sequence[bytes | None] = ()) -> list[ChainEvent]:
    """Events of one contract that match, from the deployment to the newest block, in chain order."""
    return [event async for batch in batches_of(chain, contract, topics) for event in batch]


async def newest_of(
    chain: Chain, contract: str, kind: type[E], topics: Sequence[bytes | None] = ()
) -> AsyncIterator[E]:
    """Events of one kind, the newest first: whoever has enough stops, and no more is read.

    Args:
        chain: the market's.
        contract: whose events.
        kind: which of them.
        topics: that narrow them further, from the second on.
    """
    wanted = (chain.interfaces[contract].topic_of(kind.__name__), *topics)
    async for batch in batches_of(chain, contract, wanted, newest_first=True):
        for event in reversed(batch):
            if isinstance(event, kind):
                yield event


async def batches_of(
    chain: Chain, contract: str, topics: Sequence[bytes | None] = (), *, newest_first: bool = False
) -> AsyncIterator[list[ChainEvent]]:
    """Events of one contract that match, as the node gives them: one answer at a time, each in chain order.

    Oldest first the whole range is asked for at once, as topics make the answer small; newest first some
    blocks, then four times as many. A node that refuses gets halves. Providers have no common code for "range
    too long", so every refusal of more than one block is taken for that; an answer that is too large is one,
    too, so that no more than that is ever held.
    """
    node = chain.node
    if not isinstance(node, Rpc | CrossCheck):
        yield await chain.events()
        return
    first, last = chain.deployment.block, await node.block_number()
    span = FIRST_SPAN if newest_first else last - first + 1
    most = last - first + 1
    while first <= last:
        low, high = (
            (max(first, last - span + 1), last) if newest_first else (first, min(last, first + span - 1))
        )
        try:
            logs = await node.logs(low, high, [contract], topics)
        except RateLimited:
            raise
        except (RpcError, NodeUnavailable):
            if low == high:
                raise
            span = most = max(1, (high - low + 1) // 2)
            continue
        yield chain.decode(logs)
        if newest_first:
            last, span = low - 1, min(most, 4 * span)
        else:
            first = high + 1
