"""Methods that send transactions, raw or signed here with a development account."""

from __future__ import annotations

from typing import Any

from eth_typing import Address

from assay_node.devnet.chain import Chain
from assay_node.devnet.errors import InvalidParams
from assay_node.devnet.fees import next_base_fee, suggested_tip
from assay_node.devnet.rpc import encode, params
from assay_node.devnet.rpc.dispatch import Handler
from assay_node.devnet.rpc.eth import EthApi


class SendApi:
    """``eth_sendRawTransaction``, ``eth_sendTransaction``, ``eth_accounts``."""

    def __init__(self, chain: Chain, eth: EthApi) -> None:
        """``eth`` estimates gas for transactions that do not say."""
        self._chain = chain
        self._eth = eth

    def methods(self) -> dict[str, Handler]:
        """JSON-RPC names to handlers."""
        return {
            "eth_accounts": lambda: [encode.address(account) for account in self._chain.accounts.addresses],
            "eth_sendRawTransaction": self.send_raw,
            "eth_sendTransaction": self.send,
            "eth_signTransaction": self.sign,
        }

    def send_raw(self, raw: Any) -> str:
        """``eth_sendRawTransaction``: the hash, also of a transaction that will revert."""
        return encode.data(self._chain.send(params.data(raw, "transaction")))

    def send(self, transaction: Any) -> str:
        """``eth_sendTransaction``: what is missing (nonce, gas, fees) is filled in."""
        return encode.data(self._chain.send(self._signed(transaction)))

    def sign(self, transaction: Any) -> dict[str, str]:
        """``eth_signTransaction``: the raw transaction, not sent."""
        return {"raw": encode.data(self._signed(transaction))}

    def _signed(self, transaction: Any) -> bytes:
        given = params.mapping(transaction, "transaction")
        fields = {key: value for key, value in given.items() if value is not None}
        params.check_chain_id(self._chain, fields)
        sender = params.address(fields.get("from"), "from")
        unsigned = self._unsigned(sender, fields)
        return self._chain.accounts.sign(sender, unsigned)

    def _unsigned(self, sender: Address, fields: dict[str, Any]) -> dict[str, Any]:
        unsigned: dict[str, Any] = {
            "chainId": self._chain.config.chain_id,
            "value": params.quantity(fields.get("value", 0), "value"),
            "data": params.call_data(fields),
        }
        if fields.get("to") not in (None, "0x", ""):
            unsigned["to"] = encode.address(params.address(fields["to"], "to"))
        if fields.get("accessList"):
            unsigned["accessList"] = fields["accessList"]
        if "gasPrice" in fields:
            if "maxFeePerGas" in fields or "maxPriorityFeePerGas" in fields:
                raise InvalidParams("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")
            unsigned["gasPrice"] = params.quantity(fields["gasPrice"], "gasPrice")
        else:
            unsigned |= self._dynamic_fees(fields)
        if "gas" in fields:
            unsigned["gas"] = params.quantity(fields["gas"], "gas", maximum=2**63 - 1)
        else:
            unsigned["gas"] = int(self._eth.estimate_gas(fields), 16)
        if "nonce" in fields:
            unsigned["nonce"] = params.quantity(fields["nonce"], "nonce", maximum=2**64 - 1)
        else:
            unsigned["nonce"] = self._chain.next_nonce(sender)
        return unsigned

    def _dynamic_fees(self, fields: dict[str, Any]) -> dict[str, int]:
        head = self._chain.head
        if "maxPriorityFeePerGas" in fields:
            tip = params.quantity(fields["maxPriorityFeePerGas"], "maxPriorityFeePerGas")
        else:
            tip = suggested_tip(self._chain.store, head.block_number)
        if "maxFeePerGas" in fields:
            fee = params.quantity(fields["maxFeePerGas"], "maxFeePerGas")
            return {"maxFeePerGas": fee, "maxPriorityFeePerGas": min(tip, fee)}
        # Twice the base fee stays enough for five full blocks (1.125^6 > 2).
        return {"maxFeePerGas": 2 * next_base_fee(head) + tip, "maxPriorityFeePerGas": tip, "type": 2}
