"""Who paid what: every receipt of the demo's blocks, and everybody's holdings before and after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ..chain import Chain, Rpc


async def holdings(chain: Chain, address: str) -> int:
    """What an address owns in wei: its account, its vault balance, and its stake, locked part included."""
    record = await chain.workers.worker_of(address)
    return await chain.node.balance(address) + await chain.vault.balance_of(address) + record.stake


async def gas_paid(node: Rpc, first: int, last: int) -> dict[str, int]:
    """Wei each sender paid for gas in blocks first..last, by lower-case address."""
    paid: dict[str, int] = defaultdict(int)
    for number in range(first, last + 1):
        for receipt in await node.request("eth_getBlockReceipts", hex(number)):
            paid[receipt["from"].lower()] += int(receipt["gasUsed"], 16) * int(
                receipt["effectiveGasPrice"], 16
            )
    return paid


def intrinsic_gas(calldata: bytes) -> int:
    """What a transaction costs before any code runs: 21,000, and 16 or 4 for each byte (EIP-2028)."""
    return 21_000 + sum(16 if byte else 4 for byte in calldata)


async def snapshot(chain: Chain, addresses: Iterable[str]) -> dict[str, int]:
    """Holdings of several addresses, by lower-case address."""
    return {address.lower(): await holdings(chain, address) for address in addresses}
