"""Merkle proofs of accounts and their storage (EIP-1186), from the tries that the chain's nodes make up."""

from __future__ import annotations

from typing import Any, cast

import rlp
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3
from eth.db.atomic import AtomicDB
from eth.rlp.accounts import Account
from eth_hash.auto import keccak
from eth_typing import Address, Hash32
from trie.hexary import HexaryTrie

from assay_node.devnet.rpc import encode
from assay_node.devnet.rpc.encode import Json

HASH_BYTES = 32


def account_proof(nodes: AtomicDB, state_root: Hash32, address: Address, slots: list[int]) -> Json:
    """What ``eth_getProof`` answers; an account or a slot that is not there is proven to be absent.

    Args:
        nodes: trie nodes by hash.
        state_root: of the block that is asked about.
        address: the account.
        slots: of its storage.
    """
    state = HexaryTrie(nodes, state_root)
    key = keccak(address)
    encoded = state[key]
    account = rlp.decode(encoded, sedes=Account) if encoded else Account(0, 0, BLANK_ROOT_HASH, EMPTY_SHA3)
    return {
        "address": encode.address(address),
        "accountProof": _path(state, key),
        "balance": encode.quantity(account.balance),
        "codeHash": encode.data(account.code_hash),
        "nonce": encode.quantity(account.nonce),
        "storageHash": encode.data(account.storage_root),
        "storageProof": [_slot(nodes, account.storage_root, slot) for slot in slots],
    }


def _slot(nodes: AtomicDB, root: Hash32, slot: int) -> Json:
    storage = HexaryTrie(nodes, root)
    key = keccak(slot.to_bytes(32))
    encoded = storage[key]
    value = int.from_bytes(rlp.decode(encoded)) if encoded else 0
    return {"key": encode.quantity(slot), "value": encode.quantity(value), "proof": _path(storage, key)}


def _path(trie: HexaryTrie, key: bytes) -> list[str]:
    """The nodes from the root towards a key, encoded; none of an empty trie.

    A node of less than 32 bytes stands within its parent, and is not listed unless it is the root.
    """
    encoded = [rlp.encode(node) for node in cast(Any, trie).get_proof(key)]
    return [encode.data(node) for index, node in enumerate(encoded) if index == 0 or len(node) >= HASH_BYTES]
