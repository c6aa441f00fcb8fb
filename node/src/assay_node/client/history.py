"""What the logs say of one job, or of one requester: looked up by topic, over ranges a node allows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

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


async def job_events(chain: Chain, job_id: bytes) -> list[JobEvent]:
    """All events of a job in chain order. Every job event has the job id as its first indexed argument."""
    events = await events_of(chain, chain.market.address, (None, job_id))
    return [event for event in events if isinstance(event, JobEvent) and event.job_id == job_id]


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
    """
    events = await job_events(chain, job_id)
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
    """Events of one contract that match, from the deployment to the newest block.

    The whole range is asked for at once, as topics make the answer small; a node that refuses gets halves.
    Providers have no common code for "range too long", so every refusal of more than one block is taken for
    that.
    """
    node = chain.node
    if not isinstance(node, Rpc | CrossCheck):
        return await chain.events()
    first, head = chain.deployment.block, await node.block_number()
    span = head - first + 1
    found: list[ChainEvent] = []
    while first <= head:
        last = min(head, first + span - 1)
        try:
            logs = await node.logs(first, last, [contract], topics)
        except RateLimited:
            raise
        except (RpcError, NodeUnavailable):
            if last == first:
                raise
            span = max(1, (last - first + 1) // 2)
            continue
        found += chain.decode(logs)
        first = last + 1
    return found
