"""Makes the registry say what the worker's files say: its inbox and its encryption key."""

from __future__ import annotations

from ..chain import Chain, Outbox, Receipt, WorkerRecord, sign_registration
from .errors import WorkerError


async def register(chain: Chain, outbox: Outbox, endpoint: str, encryption_key: bytes) -> Receipt | None:
    """Registers the outbox's account as a worker, or updates it; None if the registry is right already.

    Args:
        chain: the deployment.
        outbox: the operating account's.
        endpoint: URL of the inbox.
        encryption_key: X25519 public key, 32 bytes.
    """
    record = await chain.workers.worker_of(outbox.account.address)
    if record.registered and (record.endpoint, record.encryption_key) == (endpoint, encryption_key):
        return None
    signature = sign_registration(
        outbox.account,
        chain.deployment.chain_id,
        chain.workers.address,
        endpoint,
        encryption_key,
        record.revision + 1,
    )
    describe = chain.workers.update if record.registered else chain.workers.register
    call = describe(endpoint, encryption_key, signature)
    # The key names what is to be and the nonce it starts from: going back to an earlier endpoint is a new
    # intent.
    key = f"register/{await outbox.next_nonce()}/{endpoint}/{encryption_key.hex()}"
    return await outbox.send(key, call)


def check_registration(
    record: WorkerRecord, address: str, encryption_key: bytes, endpoint: str | None = None
) -> None:
    """Raises `WorkerError` unless the worker is registered with this key and, if given, this endpoint."""
    if not record.registered:
        raise WorkerError(f"{address} is not registered as a worker", "Run `assay worker register`")
    if record.encryption_key != encryption_key:
        raise WorkerError(
            f"{address} is registered with another encryption key than the one configured",
            "Run `assay worker register`, or configure the registered key",
        )
    if endpoint is not None and record.endpoint != endpoint:
        raise WorkerError(
            f"{address} is registered at {record.endpoint}, the configuration says {endpoint}: "
            "inputs would go to the first",
            "Run `assay worker register`, or configure the registered one",
        )
