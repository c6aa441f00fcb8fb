"""What an attester signs of a data set: EIP-712 typed data in the data registry's domain.

The registry checks the signature before it stores anything, and whoever reads the log checks it again with
`is_attested`, so that no node can invent an attester. A contract's attestation (ERC-1271) can be checked on
chain alone.
"""

from __future__ import annotations

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from .events import DataSetAttested

_TYPES = {
    "Attestation": [
        {"name": "datasetId", "type": "bytes32"},
        {"name": "attester", "type": "address"},
        {"name": "revision", "type": "uint32"},
        {"name": "statement", "type": "string"},
    ]
}
MAX_STATEMENT = 256
"""Bytes of the longest statement. The registry's constant."""


def sign_attestation(
    account: LocalAccount, chain_id: int, registry: str, dataset_id: bytes, statement: str, revision: int
) -> bytes:
    """An account's signature, 65 bytes, over what it says of a data set.

    Args:
        account: the attester's.
        chain_id: EIP-155 id of the chain.
        registry: address of the `DataRegistry`.
        dataset_id: 32 bytes.
        statement: what it vouches for, at most `MAX_STATEMENT` bytes.
        revision: what `DataRegistry.attestation_of` tells.
    """
    message = _message(account.address, chain_id, registry, dataset_id, statement, revision)
    return bytes(account.sign_message(message).signature)


def is_attested(event: DataSetAttested, chain_id: int, registry: str) -> bool:
    """Whether a logged attestation carries the attester's own signature. False for a contract's.

    Args:
        event: as some node served it.
        chain_id: EIP-155 id of the chain.
        registry: address of the `DataRegistry`.
    """
    message = _message(event.attester, chain_id, registry, event.dataset_id, event.statement, event.revision)
    try:
        signer = Account.recover_message(message, signature=event.signature)
    except Exception:  # noqa: BLE001 - whatever the library makes of a stranger's bytes, it is no signature
        return False
    return bool(to_checksum_address(signer) == to_checksum_address(event.attester))


def _message(
    attester: str, chain_id: int, registry: str, dataset_id: bytes, statement: str, revision: int
) -> SignableMessage:
    domain = {
        "name": "Assay DataRegistry",
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": registry,
    }
    values = {
        "datasetId": dataset_id,
        "attester": attester,
        "revision": revision,
        "statement": statement,
    }
    return encode_typed_data(domain, _TYPES, values)
