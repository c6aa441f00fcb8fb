"""What a worker signs of itself, so that no node can send a private input to another endpoint or key.

The message is EIP-712 typed data in the worker registry's domain. The registry checks it before it stores it,
and whoever reads a record checks it again: the signature holds whichever node served the record.
"""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from .types import WorkerRecord

_TYPES = {
    "Registration": [
        {"name": "worker", "type": "address"},
        {"name": "endpoint", "type": "string"},
        {"name": "encryptionKey", "type": "bytes32"},
        {"name": "revision", "type": "uint32"},
    ]
}
_SIGNATURE_BYTES = 65


def sign_registration(
    account: LocalAccount, chain_id: int, registry: str, endpoint: str, encryption_key: bytes, revision: int
) -> bytes:
    """An account's signature over its description as a worker, 65 bytes.

    Args:
        account: the worker's operating account.
        chain_id: EIP-155 id of the chain.
        registry: address of the `WorkerRegistry`.
        endpoint: URL of the worker's inbox.
        encryption_key: X25519 public key, 32 bytes.
        revision: 1 to register; to update, one more than the record has.
    """
    message = _message(account.address, chain_id, registry, endpoint, encryption_key, revision)
    return bytes(account.sign_message(message).signature)


def is_signed(record: WorkerRecord, worker: str, chain_id: int, registry: str) -> bool:
    """Whether a worker's record carries the worker's own signature over its endpoint, key and revision.

    It says nothing of stake and counters, and an earlier revision of the same worker is signed as well: a
    client that has seen a later one must refuse it.

    Args:
        record: as some node served it.
        worker: the address it is said to be of.
        chain_id: EIP-155 id of the chain.
        registry: address of the `WorkerRegistry`.
    """
    if len(record.signature) != _SIGNATURE_BYTES or len(record.encryption_key) != 32:
        return False
    try:
        message = _message(
            worker, chain_id, registry, record.endpoint, record.encryption_key, record.revision
        )
        signer = Account.recover_message(message, signature=record.signature)
    except Exception:  # noqa: BLE001 - whatever the library makes of a stranger's bytes, it is no signature
        return False
    return bool(to_checksum_address(signer) == to_checksum_address(worker))


def _message(
    worker: str, chain_id: int, registry: str, endpoint: str, encryption_key: bytes, revision: int
) -> SignableMessage:
    domain: dict[str, Any] = {
        "name": "Assay WorkerRegistry",
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": registry,
    }
    values = {
        "worker": worker,
        "endpoint": endpoint,
        "encryptionKey": encryption_key,
        "revision": revision,
    }
    return encode_typed_data(domain, _TYPES, values)
