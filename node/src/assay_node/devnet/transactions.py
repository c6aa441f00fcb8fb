"""Raw bytes to a transaction that may enter the pool: everything that needs no state.

Messages are geth's, so that clients which match on them behave as they would on a real node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eth.abc import SignedTransactionAPI
from eth.constants import CREATE_CONTRACT_ADDRESS, GAS_TX
from eth.exceptions import UnrecognizedTransactionType
from eth.vm.forks.cancun.constants import BLOB_TX_TYPE
from eth.vm.forks.prague.constants import STANDARD_TOKEN_COST, TOTAL_COST_FLOOR_PER_TOKEN
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth.vm.forks.shanghai.constants import INITCODE_WORD_COST, MAX_INITCODE_SIZE
from eth_keys.exceptions import BadSignature
from eth_typing import Address, Hash32
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from assay_node.devnet.errors import RpcError

MAX_TRANSACTION_BYTES: Final = 128 * 1024  # what geth's pool takes
MAX_NONCE: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class PendingTransaction:
    """A decoded transaction whose signature, chain id and intrinsic gas have been checked."""

    tx: SignedTransactionAPI
    raw: bytes
    hash: Hash32
    sender: Address
    nonce: int
    fee_cap: int
    tip_cap: int

    @property
    def cost(self) -> int:
        """The most wei it can take from its sender."""
        return int(self.tx.value + self.tx.gas * self.fee_cap)

    def effective_tip(self, base_fee: int) -> int:
        """Wei per gas for the block's producer; negative when the transaction cannot pay the base fee."""
        return min(self.tip_cap, self.fee_cap - base_fee)


def decode_transaction(raw: bytes) -> SignedTransactionAPI:
    """Decode an EIP-2718 envelope or legacy RLP; RpcError if it is neither."""
    try:
        return PragueTransactionBuilder.decode(raw)
    except UnrecognizedTransactionType as error:
        raise RpcError("transaction type not supported") from error
    except (RLPException, ValidationError, IndexError, TypeError, ValueError) as error:
        raise RpcError(f"the transaction cannot be decoded: {error}") from error


def admit(raw: bytes, *, chain_id: int, gas_limit: int) -> PendingTransaction:
    """Decode ``raw`` and check what can be checked without state; RpcError with geth's message otherwise."""
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise RpcError(f"oversized data: transaction size {len(raw)}, limit {MAX_TRANSACTION_BYTES}")
    tx = decode_transaction(raw)
    if tx.type_id == BLOB_TX_TYPE:
        raise RpcError("transaction type not supported: this devnet carries no blobs")
    if tx.chain_id is None:
        raise RpcError("only replay-protected (EIP-155) transactions allowed over RPC")
    if tx.chain_id != chain_id:
        raise RpcError(f"invalid chain id for signer: have {tx.chain_id} want {chain_id}")
    try:
        tx.validate()
        sender = tx.sender
    except (ValidationError, BadSignature, ValueError) as error:
        raise RpcError(f"invalid sender: {error}") from error
    if tx.nonce >= MAX_NONCE:
        raise RpcError("nonce has max value")
    if tx.max_priority_fee_per_gas > tx.max_fee_per_gas:
        raise RpcError(
            "max priority fee per gas higher than max fee per gas: "
            f"maxPriorityFeePerGas: {tx.max_priority_fee_per_gas}, maxFeePerGas: {tx.max_fee_per_gas}"
        )
    if tx.gas > gas_limit:
        raise RpcError(f"exceeds block gas limit: gas {tx.gas}, limit {gas_limit}")
    _check_gas(tx)
    return PendingTransaction(
        tx=tx,
        raw=raw,
        hash=Hash32(tx.hash),
        sender=sender,
        nonce=tx.nonce,
        fee_cap=tx.max_fee_per_gas,
        tip_cap=tx.max_priority_fee_per_gas,
    )


def _check_gas(tx: SignedTransactionAPI) -> None:
    intrinsic = tx.intrinsic_gas
    if tx.to == CREATE_CONTRACT_ADDRESS:
        if len(tx.data) > MAX_INITCODE_SIZE:
            raise RpcError(f"max initcode size exceeded: code size {len(tx.data)}, limit {MAX_INITCODE_SIZE}")
        intrinsic += initcode_gas(tx.data)
    if tx.gas < intrinsic:
        raise RpcError(f"intrinsic gas too low: gas {tx.gas}, minimum needed {intrinsic}")
    floor = floor_gas(tx.data)
    if tx.gas < floor:
        raise RpcError(f"insufficient gas for floor data gas cost: gas {tx.gas}, minimum needed {floor}")


def initcode_gas(data: bytes) -> int:
    """EIP-3860's charge for creation code, which py-evm takes during execution."""
    return INITCODE_WORD_COST * ((len(data) + 31) // 32)


def floor_gas(data: bytes) -> int:
    """EIP-7623: the least a transaction with this data pays. py-evm charges it, but checks no limit."""
    zeros = data.count(b"\x00")
    tokens = zeros + (len(data) - zeros) * STANDARD_TOKEN_COST
    return int(GAS_TX + tokens * TOTAL_COST_FLOOR_PER_TOKEN)
