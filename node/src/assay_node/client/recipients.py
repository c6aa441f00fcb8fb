"""To whom a private input is sent: what a worker's own account signed, and nothing that a node says.

A node between requester and chain could answer `workerOf` with an endpoint and a key of its own. So the
signature in the record is checked here, and what was seen once is remembered: a node that later shows an
earlier revision, or another key under the same one, is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from ..chain import Chain, WorkerRecord, is_signed
from .delivery import Recipient
from .endpoints import inbox_url
from .errors import DeliveryRefused, EvidenceMismatch
from .store import JobStore, Pin


async def signed_recipient(
    chain: Chain, store: JobStore, worker: str, job_id: bytes, *, say: Callable[[str], None]
) -> Recipient:
    """The endpoint and key that ``worker``'s account signed, checked here and pinned.

    Args:
        chain: whose worker registry is asked.
        store: where pins are kept.
        worker: an address that this client awarded the job to.
        job_id: for the form of the endpoint.
        say: told of a key that is new.

    Raises:
        DeliveryRefused: the endpoint is no URL.
        EvidenceMismatch: the record is not signed by the worker, or contradicts what was seen before.
    """
    record = await chain.workers.worker_of(worker)
    inbox_url(record.endpoint, job_id)  # before the signature: text that is none cannot be hashed
    require_signed(chain, worker, record)
    known = store.pin_of(chain.deployment.chain_id, chain.workers.address, worker)
    new = Pin(record.revision, record.encryption_key, record.endpoint)
    if known is not None and new.revision < known.revision:
        raise EvidenceMismatch(
            f"the node shows revision {new.revision} of worker {worker}, which was at revision "
            f"{known.revision} before",
            "Nothing was sent; ask another node",
        )
    if known is not None and new.revision == known.revision and new != known:
        raise EvidenceMismatch(
            f"worker {worker} has signed two endpoints or keys under one revision",
            "Nothing was sent; do not trust this worker",
        )
    if new != known:
        store.set_pin(chain.deployment.chain_id, chain.workers.address, worker, new)
        if known is not None and new.encryption_key != known.encryption_key:
            say(
                f"worker {worker} has changed its encryption key since it was last sent an input "
                f"(revision {known.revision} to {new.revision}, signed by its account)"
            )
    return Recipient(worker, record.endpoint, record.encryption_key)


def require_signed(chain: Chain, worker: str, record: WorkerRecord) -> None:
    """Raise EvidenceMismatch unless endpoint and key are signed by the worker's account."""
    if not record.registered:
        raise DeliveryRefused(f"worker {worker} is not registered", "Award the job to another worker")
    if not is_signed(record, worker, chain.deployment.chain_id, chain.workers.address):
        raise EvidenceMismatch(
            f"the endpoint and key served for worker {worker} are not signed by its account",
            "Nothing was sent: the node is faulty or lies, ask another one",
        )
