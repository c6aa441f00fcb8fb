"""What a requester signs when it delivers an input, and a worker checks before it reads the body.

The signature (EIP-712, in the market's domain) is the requester's, over the job, the worker and the hash of
the sealed body. It stands in two headers, so that an inbox knows who sends before it reads a byte: the
requester of a job this worker was awarded comes first, and strangers share what is left. See "Delivering a
private input" in docs/protocol.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

BODY_HASH_HEADER = "Assay-Body-Hash"
SIGNATURE_HEADER = "Assay-Signature"

_TYPES = {
    "Delivery": [
        {"name": "jobId", "type": "bytes32"},
        {"name": "worker", "type": "address"},
        {"name": "bodyHash", "type": "bytes32"},
    ]
}
_HASH = re.compile(r"0x[0-9a-f]{64}")
_SIGNATURE = re.compile(r"0x[0-9a-f]{130}")


def delivery_headers(
    account: LocalAccount, *, chain_id: int, market: str, job_id: bytes, worker: str, body: bytes
) -> dict[str, str]:
    """The headers that go with a delivery, signed by the requester's account.

    Args:
        account: the requester's.
        chain_id, market: where the job is.
        job_id: 32 bytes.
        worker: the address the job is awarded to.
        body: the sealed input, as it is posted.
    """
    body_hash = bytes(keccak(body))
    signed = account.sign_message(_message(chain_id, market, job_id, worker, body_hash))
    return {
        BODY_HASH_HEADER: "0x" + body_hash.hex(),
        SIGNATURE_HEADER: "0x" + bytes(signed.signature).hex(),
    }


def delivery_signer(
    headers: Mapping[str, str], *, chain_id: int, market: str, job_id: bytes, worker: str
) -> tuple[str, bytes] | None:
    """Who signed a delivery's headers, and the hash its body must have; None if nobody did.

    To be compared with the job's requester. A signature says nothing until the body's keccak256 is the hash.
    """
    hashed = headers.get(BODY_HASH_HEADER, "")
    signature = headers.get(SIGNATURE_HEADER, "")
    if not _HASH.fullmatch(hashed) or not _SIGNATURE.fullmatch(signature):
        return None
    body_hash = bytes.fromhex(hashed[2:])
    message = _message(chain_id, market, job_id, worker, body_hash)
    try:
        signer = Account.recover_message(message, signature=bytes.fromhex(signature[2:]))
    except Exception:  # noqa: BLE001 - eth-keys has a dozen errors for a signature that is none
        return None
    return str(signer), body_hash


def _message(chain_id: int, market: str, job_id: bytes, worker: str, body_hash: bytes) -> SignableMessage:
    domain = {"name": "Assay Market", "version": "1", "chainId": chain_id, "verifyingContract": market}
    return encode_typed_data(domain, _TYPES, {"jobId": job_id, "worker": worker, "bodyHash": body_hash})
