"""Executing transactions into a block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import rlp
from eth.abc import BlockHeaderAPI, ComputationAPI, ReceiptAPI, StateAPI
from eth.db.trie import make_trie_root_and_nodes
from eth.vm.forks.prague.blocks import PragueBlock
from eth_hash.auto import keccak
from eth_typing import Address, Hash32
from eth_utils.exceptions import ValidationError

from assay_node.devnet.pool import Pool
from assay_node.devnet.store import StoredLog, StoredTransaction
from assay_node.devnet.transactions import PendingTransaction
from assay_node.devnet.vm import DevnetVM, HeaderSource, base_fee_of

TOPIC_BYTES = 32
BLOOM_BYTES = 256
_MIN_TRANSACTION_GAS = 21_000


class ExecutionFault(Exception):
    """The EVM implementation itself failed on a transaction."""

    def __init__(self, tx_hash: Hash32) -> None:
        super().__init__(f"the EVM implementation failed on transaction 0x{tx_hash.hex()}")
        self.tx_hash = tx_hash


StateEdit = Callable[[StateAPI], None]


@dataclass(slots=True)
class Executed:
    """One transaction with its result."""

    pending: PendingTransaction
    receipt: ReceiptAPI
    computation: ComputationAPI
    gas_used: int


@dataclass(slots=True)
class Draft:
    """A block under construction; nothing of it is in the database until ``seal``."""

    vm: DevnetVM
    header: BlockHeaderAPI
    executed: list[Executed] = field(default_factory=list)
    invalid: list[Hash32] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A finished block as rows of the store."""

    header: BlockHeaderAPI
    size: int
    transactions: list[StoredTransaction]
    logs: list[StoredLog]


def next_header(
    parent: BlockHeaderAPI, *, timestamp: int, extra_data: bytes = b"", base_fee: int | None = None
) -> BlockHeaderAPI:
    """The header of the block after ``parent`` before any transaction; the gas limit stays constant.

    ``base_fee`` overrides EIP-1559's. PREVRANDAO is the hash of the parent's hash: different in each block,
    the same again when a chain is replayed.
    """
    header: BlockHeaderAPI = DevnetVM.create_header_from_parent(
        parent,
        gas_limit=parent.gas_limit,
        timestamp=timestamp,
        extra_data=extra_data,
        mix_hash=keccak(b"assay/devnet/prevrandao" + parent.hash),
        parent_beacon_block_root=bytes(32),
    )
    return header if base_fee is None else header.copy(base_fee_per_gas=base_fee)


def draft(source: HeaderSource, chain_id: int, header: BlockHeaderAPI, pool: Pool) -> Draft:
    """Execute the best transactions of ``pool`` on top of ``header``'s parent, in memory.

    A transaction that has become invalid (its sender's balance went elsewhere) is listed in ``invalid``,
    not executed.
    """
    vm = DevnetVM(header, source, chain_id)
    vm.block_preprocessing(PragueBlock(header=header, transactions=(), uncles=(), withdrawals=()))
    result = Draft(vm, header)
    selection = pool.selection(base_fee_of(header), vm.state.get_nonce)
    while result.header.gas_limit - result.header.gas_used >= _MIN_TRANSACTION_GAS:
        pending = selection.pop()
        if pending is None:
            break
        if pending.tx.gas > result.header.gas_limit - result.header.gas_used:
            continue  # waits for the next block, and its sender's later ones with it
        try:
            receipt, computation = vm.apply_transaction(result.header, pending.tx)
        except ValidationError:  # raised before the state is touched
            result.invalid.append(pending.hash)
            continue
        except Exception as error:
            raise ExecutionFault(pending.hash) from error
        gas_used = receipt.gas_used - result.header.gas_used
        result.header = vm.add_receipt_to_header(result.header, receipt)
        result.executed.append(Executed(pending, receipt, computation, gas_used))
        selection.took(pending)
    return result


def seal(block: Draft, edit: StateEdit | None = None) -> Sealed:
    """Write the draft's state to the node store and give the block its roots. Call inside ``Store.atomic``.

    ``edit`` changes the state after the transactions, for test methods such as ``anvil_setBalance``.
    """
    state = block.vm.state
    if edit is not None:
        edit(state)
    state.persist()
    signed = [entry.pending.tx for entry in block.executed]
    header = block.header.copy(
        state_root=state.state_root,
        transaction_root=make_trie_root_and_nodes(signed)[0],
        receipt_root=make_trie_root_and_nodes([entry.receipt for entry in block.executed])[0],
    )
    size = len(rlp.encode(PragueBlock(header=header, transactions=tuple(signed), uncles=(), withdrawals=())))
    transactions: list[StoredTransaction] = []
    logs: list[StoredLog] = []
    for index, entry in enumerate(block.executed):
        first_log = len(logs)
        logs.extend(
            StoredLog(
                block=header.block_number,
                index=first_log + offset,
                tx_index=index,
                tx_hash=entry.pending.hash,
                address=log.address,
                topics=tuple(topic.to_bytes(TOPIC_BYTES, "big") for topic in log.topics),
                data=bytes(log.data),
            )
            for offset, log in enumerate(entry.receipt.logs)
        )
        transactions.append(_stored(entry, header, index, first_log, len(logs) - first_log))
    return Sealed(header, size, transactions, logs)


def _stored(
    entry: Executed, header: BlockHeaderAPI, index: int, first_log: int, log_count: int
) -> StoredTransaction:
    message = entry.computation.msg
    base_fee = base_fee_of(header)
    return StoredTransaction(
        hash=entry.pending.hash,
        block=header.block_number,
        index=index,
        raw=entry.pending.raw,
        sender=entry.pending.sender,
        status=0 if entry.computation.is_error else 1,
        gas_used=entry.gas_used,
        cumulative=entry.receipt.gas_used,
        price=base_fee + entry.pending.effective_tip(base_fee),
        contract=Address(message.storage_address) if message.is_create else None,
        bloom=entry.receipt.bloom.to_bytes(BLOOM_BYTES, "big"),
        first_log=first_log,
        log_count=log_count,
    )
