"""Transactions as they are signed: type 2 (EIP-1559), for one account on one chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from ..contracts.types import Call
from ..node.fees import Fees
from .outbox_store import Attempt

EMPTY_GAS = 21_000
"""Of a transaction that does nothing but use its nonce."""


@dataclass(frozen=True, slots=True)
class Signer:
    """An account on a chain."""

    account: LocalAccount
    chain_id: int

    @property
    def address(self) -> str:
        """The account's address."""
        return str(self.account.address)

    def sign(self, call: Call, gas: int, nonce: int, fees: Fees) -> Attempt:
        """The transaction that does `call`."""
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.tip,
            "value": call.value,
            "data": call.data,
        }
        if call.to is not None:
            transaction["to"] = bytes.fromhex(call.to.removeprefix("0x"))
        signed = self.account.sign_transaction(transaction)
        return Attempt(bytes(signed.hash), bytes(signed.raw_transaction), fees, False, None)

    def sign_empty(self, nonce: int, fees: Fees) -> Attempt:
        """The transaction that gives a nonce up."""
        attempt = self.sign(Call(self.address, b""), EMPTY_GAS, nonce, fees)
        return Attempt(attempt.tx_hash, attempt.raw, attempt.fees, True, None)
