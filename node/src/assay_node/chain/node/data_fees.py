"""What a rollup charges for posting a transaction's bytes on its L1, beside the gas.

OP-stack chains (OP Mainnet, Base and others) take it from the balance apart from gas, by a price that their
GasPriceOracle knows. On Arbitrum it is a part of the gas that a transaction is estimated to take; where gas
is known from tables and not estimated, it must be added. A proof has 256 to 1,500 bytes of calldata, and at
times they cost more than the gas does.

References: OP Stack specification, "Fjord" (`getL1FeeUpperBound`); Arbitrum, `NodeInterface`.
"""

from __future__ import annotations

import asyncio

from eth_utils.crypto import keccak

from ..contracts.codec import encode
from ..errors import RpcError
from .types import Node

GAS_PRICE_ORACLE = "0x420000000000000000000000000000000000000F"
NODE_INTERFACE = "0x00000000000000000000000000000000000000C8"
ARB_SYS = "0x0000000000000000000000000000000000000064"
KILOBYTE = 1000
ENVELOPE = 200
"""Bytes of a signed transaction beside its calldata."""
MARGIN_PERCENT = 25
"""Added, as the L1's price may rise until the transaction is mined."""
_WORD = 32


def _selector(signature: str) -> bytes:
    return bytes(keccak(text=signature)[:4])


_UPPER_BOUND = _selector("getL1FeeUpperBound(uint256)")
_L1_FEE = _selector("getL1Fee(bytes)")
_L1_COMPONENT = _selector("gasEstimateL1Component(address,bool,bytes)")


class DataFees:
    """The price of a transaction's bytes on one chain.

    Args:
        node: of the chain.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._kind: str | None = None

    async def price(self) -> int:
        """Wei that 1,000 bytes of a transaction cost now, with a margin; 0 on a chain that charges none.

        Raises:
            NodeUnavailable: no answer.
        """
        kind = await self._find()
        if not kind:
            return 0
        try:
            fee = await (self._op_stack() if kind == "op" else self._arbitrum())
        except RpcError as error:
            if error.transient:
                raise
            self._kind = ""  # something else is at this address
            return 0
        return fee + fee * MARGIN_PERCENT // 100

    async def beside_gas(self) -> int:
        """As `price`, of chains that charge it beside the gas; 0 where an estimate of gas has it already."""
        return await self.price() if await self._find() == "op" else 0

    async def _find(self) -> str:
        """Which of the two kinds the chain is of; asked once."""
        if self._kind is None:
            oracle, system = await asyncio.gather(self._node.code(GAS_PRICE_ORACLE), self._node.code(ARB_SYS))
            self._kind = "op" if oracle else "arbitrum" if system == b"\xfe" else ""
        return self._kind

    async def _op_stack(self) -> int:
        bound = _UPPER_BOUND + KILOBYTE.to_bytes(_WORD, "big")
        try:
            return _word(await self._node.call(GAS_PRICE_ORACLE, bound))
        except RpcError:  # before Fjord: of 1,000 bytes that do not compress
            data = _L1_FEE + encode(["bytes"], [b"\xff" * KILOBYTE])
            return _word(await self._node.call(GAS_PRICE_ORACLE, data))

    async def _arbitrum(self) -> int:
        # Bytes that do not compress: a proof's do not.
        noise = b"".join(bytes(keccak(number.to_bytes(_WORD, "big"))) for number in range(32))[:KILOBYTE]
        data = _L1_COMPONENT + encode(["address", "bool", "bytes"], [ARB_SYS, False, noise])
        answer = await self._node.call(NODE_INTERFACE, data)
        return _word(answer) * _word(answer[_WORD:])  # gas for L1, and the base fee


def data_fee(price: int, calldata: int) -> int:
    """Wei for one transaction.

    Args:
        price: wei for 1,000 bytes, as `DataFees.price` has it.
        calldata: bytes of the call's data.
    """
    return (price * (calldata + ENVELOPE) + KILOBYTE - 1) // KILOBYTE


def _word(data: bytes) -> int:
    return int.from_bytes(data[:_WORD], "big")
