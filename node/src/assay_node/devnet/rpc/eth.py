"""``eth_*`` methods that read: blocks, transactions, logs, state, calls, fees."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from eth.abc import BlockHeaderAPI, StateAPI
from eth_hash.auto import keccak

from assay_node.devnet.chain import Chain
from assay_node.devnet.errors import InvalidParams, RpcError
from assay_node.devnet.fees import fee_history, next_base_fee, suggested_tip
from assay_node.devnet.rpc import encode, params
from assay_node.devnet.rpc.dispatch import Handler
from assay_node.devnet.rpc.encode import Json
from assay_node.devnet.rpc.proof import account_proof
from assay_node.devnet.simulate import Call, Simulator
from assay_node.devnet.store import StoredBlock, StoredTransaction

CLIENT_VERSION = "assay-devnet/py-evm"
MAX_PERCENTILES = 100
MAX_PROVEN_SLOTS = 1_024


class EthApi:
    """Read-only methods of one chain."""

    def __init__(self, chain: Chain) -> None:
        """Answers from ``chain``."""
        self._chain = chain

    def methods(self) -> dict[str, Handler]:
        """JSON-RPC names to handlers."""
        chain = self._chain
        return {
            "web3_clientVersion": lambda: CLIENT_VERSION,
            "web3_sha3": lambda value: encode.data(keccak(params.data(value, "data"))),
            "net_version": lambda: str(chain.config.chain_id),
            "net_listening": lambda: True,
            "net_peerCount": lambda: encode.quantity(0),
            "eth_chainId": lambda: encode.quantity(chain.config.chain_id),
            "eth_protocolVersion": lambda: encode.quantity(68),
            "eth_syncing": lambda: False,
            "eth_mining": lambda: False,
            "eth_coinbase": lambda: encode.address(chain.head.coinbase),
            "eth_blockNumber": lambda: encode.quantity(chain.head.block_number),
            "eth_getBlockByNumber": self.block_by_number,
            "eth_getBlockByHash": self.block_by_hash,
            "eth_getHeaderByNumber": lambda block: self.block_by_number(block),
            "eth_getBlockTransactionCountByNumber": self.transaction_count_by_number,
            "eth_getBlockTransactionCountByHash": self.transaction_count_by_hash,
            "eth_getUncleCountByBlockNumber": lambda block: self._zero_if_mined(block),
            "eth_getUncleCountByBlockHash": lambda block: self._zero_if_mined(block),
            "eth_getTransactionByHash": self.transaction_by_hash,
            "eth_getTransactionByBlockNumberAndIndex": self.transaction_in_block,
            "eth_getTransactionByBlockHashAndIndex": self.transaction_in_block,
            "eth_getRawTransactionByHash": self.raw_transaction,
            "eth_getTransactionReceipt": self.receipt,
            "eth_getBlockReceipts": self.block_receipts,
            "eth_getLogs": self.logs,
            "eth_getBalance": lambda account, block="latest": encode.quantity(
                self._state(block).get_balance(params.address(account, "address"))
            ),
            "eth_getCode": lambda account, block="latest": encode.data(
                self._state(block).get_code(params.address(account, "address"))
            ),
            "eth_getStorageAt": self.storage_at,
            "eth_getTransactionCount": self.transaction_count,
            "eth_getProof": self.proof,
            "eth_call": self.call,
            "eth_estimateGas": self.estimate_gas,
            "eth_gasPrice": self.gas_price,
            "eth_maxPriorityFeePerGas": lambda: encode.quantity(self._tip()),
            "eth_blobBaseFee": lambda: encode.quantity(chain.state_at(chain.head).blob_base_fee),
            "eth_feeHistory": self.fee_history,
        }

    # Blocks

    def block_by_number(self, block: Any, full: Any = False) -> Json | None:
        """``eth_getBlockByNumber``; null above the head."""
        full = params.boolean(full, "full")
        if params.is_pending(block):
            pending = self._chain.pending()
            return encode.pending_block(
                pending.header, [entry.pending for entry in pending.executed], full=full
            )
        return self._block(self._chain.store.block(params.block_number(self._chain, block)), full=full)

    def block_by_hash(self, block_hash: Any, full: Any = False) -> Json | None:
        """``eth_getBlockByHash``; null for a hash that is not on the chain (any more)."""
        stored = self._chain.store.block_by_hash(params.hash32(block_hash, "hash"))
        return self._block(stored, full=params.boolean(full, "full"))

    def _block(self, stored: StoredBlock | None, *, full: bool) -> Json | None:
        if stored is None:
            return None
        return encode.block(stored, self._chain.store.transactions(stored.header.block_number), full=full)

    def transaction_count_by_number(self, block: Any) -> str | None:
        """``eth_getBlockTransactionCountByNumber``."""
        if params.is_pending(block):
            return encode.quantity(len(self._chain.pending().executed))
        return self._count(self._chain.store.block(params.block_number(self._chain, block)))

    def transaction_count_by_hash(self, block_hash: Any) -> str | None:
        """``eth_getBlockTransactionCountByHash``."""
        return self._count(self._chain.store.block_by_hash(params.hash32(block_hash, "hash")))

    def _count(self, stored: StoredBlock | None) -> str | None:
        if stored is None:
            return None
        return encode.quantity(len(self._chain.store.transactions(stored.header.block_number)))

    def _zero_if_mined(self, block: Any) -> str:
        params.header(self._chain, block)
        return encode.quantity(0)

    # Transactions and logs

    def transaction_by_hash(self, tx_hash: Any) -> Json | None:
        """``eth_getTransactionByHash``, pending ones included."""
        key = params.hash32(tx_hash, "hash")
        stored = self._chain.store.transaction(key)
        if stored is not None:
            return encode.mined_transaction(stored, self._header_of(stored))
        pending = self._chain.pool.get(key)
        return None if pending is None else encode.pooled_transaction(pending)

    def transaction_in_block(self, block: Any, index: Any) -> Json | None:
        """``eth_getTransactionByBlockNumberAndIndex`` and ``..HashAndIndex``."""
        header = params.header(self._chain, block)
        transactions = self._chain.store.transactions(header.block_number)
        position = params.quantity(index, "index")
        return (
            encode.mined_transaction(transactions[position], header) if position < len(transactions) else None
        )

    def raw_transaction(self, tx_hash: Any) -> str | None:
        """``eth_getRawTransactionByHash``."""
        key = params.hash32(tx_hash, "hash")
        found = self._chain.store.transaction(key) or self._chain.pool.get(key)
        return None if found is None else encode.data(found.raw)

    def receipt(self, tx_hash: Any) -> Json | None:
        """``eth_getTransactionReceipt``; null until mined."""
        stored = self._chain.store.transaction(params.hash32(tx_hash, "hash"))
        return None if stored is None else self._receipt(stored, self._header_of(stored))

    def block_receipts(self, block: Any) -> list[Json] | None:
        """``eth_getBlockReceipts``; null for a block that is not on the chain (any more), or not yet."""
        if params.is_pending(block):
            return None
        header = params.find_header(self._chain, block)
        if header is None:
            return None
        return [self._receipt(tx, header) for tx in self._chain.store.transactions(header.block_number)]

    def _receipt(self, stored: StoredTransaction, header: BlockHeaderAPI) -> Json:
        return encode.receipt(stored, header, self._chain.store.transaction_logs(stored))

    def _header_of(self, stored: StoredTransaction) -> BlockHeaderAPI:
        return params.header(self._chain, stored.block)

    def logs(self, criteria: Any) -> list[Json]:
        """``eth_getLogs``."""
        found = params.log_filter(self._chain, criteria).select(self._chain.store)
        headers = {number: params.header(self._chain, number) for number in {entry.block for entry in found}}
        return [encode.log(entry, headers[entry.block]) for entry in found]

    # State

    def _state(self, block: Any) -> StateAPI:
        if params.is_pending(block):
            return self._chain.pending().vm.state
        return self._chain.state_at(params.header(self._chain, block))

    def storage_at(self, account: Any, slot: Any, block: Any = "latest") -> str:
        """``eth_getStorageAt``: 32 bytes."""
        state = self._state(block)
        return encode.word(
            state.get_storage(params.address(account, "address"), params.quantity(slot, "slot"))
        )

    def transaction_count(self, account: Any, block: Any = "latest") -> str:
        """``eth_getTransactionCount``; with ``pending``, the pool is counted."""
        sender = params.address(account, "address")
        if params.is_pending(block):
            return encode.quantity(self._chain.next_nonce(sender))
        return encode.quantity(self._state(block).get_nonce(sender))

    def proof(self, account: Any, slots: Any, block: Any = "latest") -> Json:
        """``eth_getProof`` (EIP-1186): an account and slots of its storage, with the nodes of their tries."""
        key = params.address(account, "address")
        if not isinstance(slots, list) or len(slots) > MAX_PROVEN_SLOTS:
            raise InvalidParams(f"storageKeys: expected at most {MAX_PROVEN_SLOTS} keys")
        wanted = [params.quantity(slot, "storageKeys") for slot in slots]
        if params.is_pending(block):
            raise RpcError("the pending block has no state root yet")
        header = params.header(self._chain, block)
        return account_proof(self._chain.store.nodes, header.state_root, key, wanted)

    # Calls

    def call(self, transaction: Any, block: Any = "latest", overrides: Any = None) -> str:
        """``eth_call`` in the context of a block, ``latest`` unless told; reverts carry their data."""
        call = params.call(self._chain, transaction, overrides)
        return encode.data(self._simulator(block, call).run(call).output())

    def estimate_gas(self, transaction: Any, block: Any = "pending", overrides: Any = None) -> str:
        """``eth_estimateGas``, by default in the next block's context.

        A chain that mines on demand may be silent for hours; with the newest block's timestamp an estimate
        would fail for a deadline that has long passed by the clock.
        """
        call = params.call(self._chain, transaction, overrides)
        return encode.quantity(self._simulator(block, call).estimate(call))

    def _simulator(self, block: Any, call: Call) -> Simulator:
        if not params.is_pending(block):
            return self._chain.simulator(params.header(self._chain, block), call)
        if len(self._chain.pool):
            pending = self._chain.pending()
            return Simulator.after(pending.vm, call)
        return self._chain.simulator(self._chain.pending_header(), call)

    # Fees

    def _tip(self) -> int:
        return suggested_tip(self._chain.store, self._chain.head.block_number)

    def gas_price(self) -> str:
        """``eth_gasPrice``: next base fee plus the suggested tip."""
        return encode.quantity(next_base_fee(self._chain.head) + self._tip())

    def fee_history(self, count: Any, newest: Any, percentiles: Any = None) -> Json:
        """``eth_feeHistory``."""
        wanted = [] if percentiles is None else percentiles
        numbers = isinstance(wanted, list) and all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in wanted
        )
        if not numbers or len(wanted) > MAX_PERCENTILES:
            raise InvalidParams(f"reward percentiles: expected at most {MAX_PERCENTILES} numbers")
        if any(not 0 <= value <= 100 for value in wanted):
            raise InvalidParams("invalid reward percentile: they must lie between 0 and 100")
        if any(value >= following for value, following in pairwise(wanted)):
            raise InvalidParams("invalid reward percentile: they must ascend, without repetition")
        blocks = params.quantity(count, "blockCount", maximum=2**31)
        header = self._chain.head if params.is_pending(newest) else params.find_header(self._chain, newest)
        if header is None:
            raise RpcError(
                f"request beyond head block: requested {newest}, head {self._chain.head.block_number}"
            )
        if blocks == 0:
            return {"oldestBlock": "0x0", "baseFeePerGas": [], "gasUsedRatio": []}
        history = fee_history(self._chain.store, header.block_number, blocks, wanted)
        answer: Json = {
            "oldestBlock": encode.quantity(history.oldest),
            "baseFeePerGas": [encode.quantity(fee) for fee in history.base_fees],
            "gasUsedRatio": history.gas_used_ratios,
            "baseFeePerBlobGas": ["0x1"] * len(history.base_fees),  # no blobs: always the minimum
            "blobGasUsedRatio": [0.0] * len(history.gas_used_ratios),
        }
        if wanted:
            answer["reward"] = [[encode.quantity(tip) for tip in row] for row in history.rewards]
        return answer
