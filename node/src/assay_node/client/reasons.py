"""Why workers stayed out of a job or gave it back, asked of themselves and signed by them.

Workers that gave an award back are asked, and a few of the others if nobody bid. Whoever is asked learns that
somebody at this address wonders about the job. An endpoint is a stranger's text: it is judged as for a
delivery, the answer is read within bounds, and what the worker's account did not sign is not shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from assay_prover.strict_json import JsonError, loads

from ..chain import BidPlaced, Chain, JobDeclined, JobEvent, JobLapsed, JobReopened, WorkerRecord, is_signed
from ..signed_reason import Reason
from .bids import records_of
from .catalogue import list_workers
from .delivery import Recipient, question
from .endpoints import job_url
from .errors import DeliveryRefused

MOST_ASKED = 16
"""Workers that are asked about one job."""
PATIENCE = 3.0
"""Seconds a worker has to answer."""


async def reasons_of(
    chain: Chain, job_id: bytes, events: Sequence[JobEvent], *, allow_local: bool = False
) -> list[Reason]:
    """The reasons that workers give for a job that came to nothing.

    Args:
        chain: whose worker registry says where they are.
        job_id: 32 bytes.
        events: of the job, in chain order.
        allow_local: ask workers on this machine or in a private network, too.

    Returns:
        Signed reasons, in the order of the workers asked. Workers that do not answer are left out.

    Raises:
        ChainError: the registry could not be asked.
    """
    gave_back = dict.fromkeys(e.worker for e in events if isinstance(e, JobDeclined | JobLapsed))
    last_round = max((e.round for e in events if isinstance(e, JobReopened)), default=0)
    records: dict[str, WorkerRecord] = {}
    if gave_back:
        records = await records_of(chain, list(gave_back)[:MOST_ASKED])
    if not any(isinstance(e, BidPlaced) and e.round == last_round for e in events):
        for listed in (await list_workers(chain))[: MOST_ASKED - len(records)]:
            records.setdefault(listed.address, listed.record)
    found = await asyncio.gather(
        *(_ask(chain, job_id, worker, record, allow_local) for worker, record in records.items())
    )
    return [reason for reason in found if reason is not None]


async def _ask(
    chain: Chain, job_id: bytes, worker: str, record: WorkerRecord, allow_local: bool
) -> Reason | None:
    deployment = chain.deployment
    if not record.registered or not is_signed(record, worker, deployment.chain_id, chain.workers.address):
        return None
    try:
        url = job_url(record.endpoint, job_id, "reason")
        answer = await question(
            Recipient(worker, record.endpoint, record.encryption_key), url, PATIENCE, allow_local=allow_local
        )
        reason = Reason.from_json(loads(answer, what="the worker's answer"))
    except (DeliveryRefused, JsonError, ValueError):
        return None
    if reason.worker != worker:
        return None
    signed = reason.is_signed(chain_id=deployment.chain_id, market=deployment.market, job_id=job_id)
    return reason if signed else None
