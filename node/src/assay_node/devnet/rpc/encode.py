"""Blocks, transactions, receipts and logs as JSON-RPC wants them."""

from __future__ import annotations

from typing import Any, cast

from eth.abc import BlockHeaderAPI, SignedTransactionAPI
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.vm.forks.berlin.constants import ACCESS_LIST_TRANSACTION_TYPE
from eth.vm.forks.prague.constants import SET_CODE_TRANSACTION_TYPE
from eth_utils.address import to_checksum_address

from assay_node.devnet.store import StoredBlock, StoredLog, StoredTransaction
from assay_node.devnet.transactions import PendingTransaction, decode_transaction

Json = dict[str, Any]

_EIP155_OFFSET = 35


def quantity(value: int) -> str:
    """Hex without leading zeros."""
    return hex(value)


def data(value: bytes) -> str:
    """Hex, two digits a byte."""
    return "0x" + value.hex()


def address(value: bytes) -> str:
    """EIP-55 checksummed."""
    return str(to_checksum_address(value))


def word(value: int) -> str:
    """32 bytes big-endian."""
    return data(value.to_bytes(32, "big"))


def block(stored: StoredBlock, transactions: list[StoredTransaction], *, full: bool) -> Json:
    """A mined block, with transactions in full or by hash."""
    header = stored.header
    body = (
        [mined_transaction(tx, header) for tx in transactions]
        if full
        else [data(tx.hash) for tx in transactions]
    )
    return {**_header(header), "hash": data(header.hash), "size": quantity(stored.size), "transactions": body}


def pending_block(header: BlockHeaderAPI, transactions: list[PendingTransaction], *, full: bool) -> Json:
    """The block under construction: no hash, nonce or bloom yet (EIP-1474)."""
    body = [pooled_transaction(tx) for tx in transactions] if full else [data(tx.hash) for tx in transactions]
    unknown = {"hash": None, "nonce": None, "logsBloom": None, "stateRoot": None}
    return {**_header(header), **unknown, "size": quantity(0), "transactions": body}


def _header(api_header: BlockHeaderAPI) -> Json:
    header = cast(Any, api_header)  # py-evm's interface leaves out or makes optional what each fork added
    return {
        "number": quantity(header.block_number),
        "parentHash": data(header.parent_hash),
        "nonce": data(header.nonce),
        "mixHash": data(header.mix_hash),
        "sha3Uncles": data(header.uncles_hash),
        "logsBloom": data(header.bloom.to_bytes(256, "big")),
        "stateRoot": data(header.state_root),
        "transactionsRoot": data(header.transaction_root),
        "receiptsRoot": data(header.receipt_root),
        "miner": address(header.coinbase),
        "difficulty": quantity(0),
        "totalDifficulty": quantity(0),
        "extraData": data(header.extra_data),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "baseFeePerGas": quantity(header.base_fee_per_gas),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": data(header.parent_beacon_block_root),
        "withdrawalsRoot": data(header.withdrawals_root),
        "requestsHash": data(header.requests_hash),
        "withdrawals": [],
        "uncles": [],
    }


def mined_transaction(stored: StoredTransaction, header: BlockHeaderAPI) -> Json:
    """A transaction in ``header``'s block."""
    return {
        **_transaction(decode_transaction(stored.raw), stored.hash, stored.sender),
        "blockHash": data(header.hash),
        "blockNumber": quantity(stored.block),
        "transactionIndex": quantity(stored.index),
        "gasPrice": quantity(stored.price),
    }


def pooled_transaction(pending: PendingTransaction) -> Json:
    """A transaction that no block holds yet."""
    return {
        **_transaction(pending.tx, pending.hash, pending.sender),
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
        "gasPrice": quantity(pending.fee_cap),
    }


def _transaction(tx: SignedTransactionAPI, tx_hash: bytes, sender: bytes) -> Json:
    kind = tx.type_id or 0
    fields: Json = {
        "type": quantity(kind),
        "hash": data(tx_hash),
        "from": address(sender),
        "to": None if tx.to == CREATE_CONTRACT_ADDRESS else address(tx.to),
        "nonce": quantity(tx.nonce),
        "gas": quantity(tx.gas),
        "value": quantity(tx.value),
        "input": data(tx.data),
        "chainId": quantity(tx.chain_id) if tx.chain_id is not None else None,
        "r": quantity(tx.r),
        "s": quantity(tx.s),
    }
    if kind == 0:
        v = tx.y_parity + (27 if tx.chain_id is None else _EIP155_OFFSET + 2 * tx.chain_id)
        return {**fields, "v": quantity(v)}
    fields["v"] = fields["yParity"] = quantity(tx.y_parity)
    fields["accessList"] = [
        {"address": address(account), "storageKeys": [word(key) for key in keys]}
        for account, keys in tx.access_list
    ]
    if kind != ACCESS_LIST_TRANSACTION_TYPE:
        fields["maxFeePerGas"] = quantity(tx.max_fee_per_gas)
        fields["maxPriorityFeePerGas"] = quantity(tx.max_priority_fee_per_gas)
    if kind == SET_CODE_TRANSACTION_TYPE:
        fields["authorizationList"] = [
            {
                "chainId": quantity(entry.chain_id),
                "address": address(entry.address),
                "nonce": quantity(entry.nonce),
                "yParity": quantity(entry.y_parity),
                "r": quantity(entry.r),
                "s": quantity(entry.s),
            }
            for entry in tx.authorization_list
        ]
    return fields


def receipt(stored: StoredTransaction, header: BlockHeaderAPI, logs: list[StoredLog]) -> Json:
    """A mined transaction's receipt."""
    tx = decode_transaction(stored.raw)
    return {
        "transactionHash": data(stored.hash),
        "transactionIndex": quantity(stored.index),
        "blockHash": data(header.hash),
        "blockNumber": quantity(stored.block),
        "from": address(stored.sender),
        "to": None if tx.to == CREATE_CONTRACT_ADDRESS else address(tx.to),
        "type": quantity(tx.type_id or 0),
        "status": quantity(stored.status),
        "gasUsed": quantity(stored.gas_used),
        "cumulativeGasUsed": quantity(stored.cumulative),
        "effectiveGasPrice": quantity(stored.price),
        "contractAddress": None if stored.contract is None else address(stored.contract),
        "logsBloom": data(stored.bloom),
        "logs": [log(entry, header) for entry in logs],
    }


def log(stored: StoredLog, header: BlockHeaderAPI, *, removed: bool = False) -> Json:
    """One event of ``header``'s block."""
    return {
        "address": address(stored.address),
        "topics": [data(topic) for topic in stored.topics],
        "data": data(stored.data),
        "blockNumber": quantity(stored.block),
        "blockHash": data(header.hash),
        "blockTimestamp": quantity(header.timestamp),
        "transactionHash": data(stored.tx_hash),
        "transactionIndex": quantity(stored.tx_index),
        "logIndex": quantity(stored.index),
        "removed": removed,
    }
