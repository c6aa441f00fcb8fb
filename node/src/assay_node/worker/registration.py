"""Makes the registry say what the worker's files say: its inbox and its encryption key."""

from __future__ import annotations

from dataclasses import replace

from ..chain import (
    AnswerForged,
    Chain,
    Outbox,
    Receipt,
    SignedRegistration,
    WorkerRecord,
    is_signed,
    sign_registration,
)
from .errors import WorkerError


async def register(chain: Chain, outbox: Outbox, endpoint: str, encryption_key: bytes) -> Receipt | None:
    """Registers the outbox's account as a worker, or updates it; None if the registry is right already.

    What is signed carries a number that the node names, one above the record's. A record is believed only if
    this account signed it, and if it is not older than what this account was seen to have on the chain: so
    that no node makes it sign a number that shuts out its later ones, or two descriptions under one.

    Args:
        chain: the deployment.
        outbox: the operating account's.
        endpoint: URL of the inbox.
        encryption_key: X25519 public key, 32 bytes.

    Raises:
        AnswerForged: the node shows a record that this account did not sign.
        WorkerError: it shows an older one than was on the chain before.
    """
    address, registry = outbox.account.address, chain.workers.address
    record = await chain.workers.worker_of(address)
    last = outbox.registrations.last(registry)
    check_record(record, address, chain.deployment.chain_id, registry, last)
    if record.registered and (record.endpoint, record.encryption_key) == (endpoint, encryption_key):
        return None
    signed = SignedRegistration(record.revision + 1, endpoint, encryption_key)
    outbox.registrations.keep(registry, signed)
    signature = sign_registration(
        outbox.account, chain.deployment.chain_id, registry, endpoint, encryption_key, signed.revision
    )
    describe = chain.workers.update if record.registered else chain.workers.register
    call = describe(endpoint, encryption_key, signature)
    # The key names what is to be and the nonce it starts from: going back to an earlier endpoint is a new
    # intent.
    key = f"register/{await outbox.next_nonce()}/{endpoint}/{encryption_key.hex()}"
    receipt = await outbox.send(key, call)
    outbox.registrations.keep(registry, replace(signed, mined=True))
    return receipt


def check_record(
    record: WorkerRecord, address: str, chain_id: int, registry: str, last: SignedRegistration | None
) -> None:
    """Raises unless an account may sign its next registration on top of a record that a node shows.

    Args:
        record: as the node has it.
        address: the account's.
        chain_id, registry: where it is registered.
        last: what it signed last, if that is known here.

    Raises:
        AnswerForged, WorkerError: see `register`.
    """
    ours = is_signed(record, address, chain_id, registry) if record.registered else record.revision == 0
    if not ours:
        raise AnswerForged(
            f"the node shows a registration of {address} with revision {record.revision}, "
            "which this account never signed",
            "Nothing was signed: the node is faulty or lies, use another one",
        )
    if last is not None and record.revision < last.least_on_chain:
        raise WorkerError(
            f"the node shows revision {record.revision} of {address}, and revision {last.least_on_chain} was "
            "on the chain before",
            "Nothing was signed: the node is behind or lies. Wait, or use another one",
        )


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
