"""Gas that the verifier contract's execution takes, measured by real transactions on the embedded devnet.

A transaction is charged an intrinsic part (21,000 and its calldata, 4 or 16 gas a byte) before the contract
runs; what it used beyond that is the execution alone, access to the verifying key's data contract (2,600,
cold) included.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from web3 import HTTPProvider, Web3
from web3.types import TxParams

from assay_node.chain.contracts.artifacts import artifact
from assay_node.devnet import DevnetConfig, DevnetThread

BASE_GAS, ZERO_BYTE_GAS, BYTE_GAS = 21_000, 4, 16
FLOOR_GAS_PER_TOKEN = 10
"""EIP-7623: at least 10 gas for each zero byte and 40 for each other byte of calldata are charged."""


class VerifierGas:
    """A devnet with the verifier deployed; a context manager."""

    def __init__(self) -> None:
        self._net = DevnetThread(DevnetConfig(port=0))

    def __enter__(self) -> Self:
        self._net.start()
        self._web3 = Web3(HTTPProvider(self._net.url))
        self._sender = self._web3.eth.accounts[0]
        compiled = artifact("Groth16Verifier")
        self._interface = compiled.interface
        self._verifier = self._send({"data": compiled.creation_code})["contractAddress"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._net.stop()

    def measure(self, verifying_key: bytes, public: list[int], proof: bytes, commitment: bytes = b"") -> int:
        """Execution gas of `verify` on a valid proof; RuntimeError if the contract does not accept it."""
        code = b"\0" + verifying_key
        # PUSH2 length, DUP1, PUSH1 10, RETURNDATASIZE (0), CODECOPY, RETURNDATASIZE (0), RETURN
        creation = bytes.fromhex(f"61{len(code):04x}80600a3d393df3") + code
        key = self._send({"data": creation})["contractAddress"]
        data = self._interface.encode_call("verify", key, public, proof, commitment)
        receipt = self._send({"to": self._verifier, "data": data})
        zeros = data.count(0)
        intrinsic = BASE_GAS + ZERO_BYTE_GAS * zeros + BYTE_GAS * (len(data) - zeros)
        floor = BASE_GAS + FLOOR_GAS_PER_TOKEN * (zeros + 4 * (len(data) - zeros))
        used = int(receipt["gasUsed"])
        if used <= floor:
            raise RuntimeError("the data floor hides the execution's gas: the statement is too long")
        return used - intrinsic

    def _send(self, transaction: TxParams) -> Any:
        sent = self._web3.eth.send_transaction({"from": self._sender, "gas": 16_000_000, **transaction})
        receipt = self._web3.eth.wait_for_transaction_receipt(sent, poll_latency=0.02)
        if receipt["status"] != 1:
            raise RuntimeError("the devnet did not accept the transaction")
        return receipt
