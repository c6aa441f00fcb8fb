"""Gas price suggestions and fee history, computed from the blocks themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eth.abc import BlockHeaderAPI
from eth.vm.forks.london.headers import calculate_expected_base_fee_per_gas

from assay_node.devnet.store import Store
from assay_node.devnet.vm import base_fee_of

MAX_HISTORY: Final = 1_024
SUGGESTION_BLOCKS: Final = 20
DEFAULT_TIP: Final = 10**9  # wei per gas, when recent blocks say nothing
IGNORED_TIP: Final = 2  # lower tips are no price but clients that left it out; geth ignores them too


@dataclass(frozen=True, slots=True)
class FeeHistory:
    """One entry per block, oldest first; ``base_fees`` has one more, the next block's."""

    oldest: int
    base_fees: list[int]
    gas_used_ratios: list[float]
    rewards: list[list[int]]


def next_base_fee(header: BlockHeaderAPI) -> int:
    """EIP-1559: base fee of the block after ``header``, wei per gas."""
    return calculate_expected_base_fee_per_gas(header)


def suggested_tip(store: Store, head: int) -> int:
    """The median tip of recent blocks, those below 2 wei left out; 1 gwei if there is none. Wei per gas."""
    tips: list[int] = []
    for number in range(head, max(head - SUGGESTION_BLOCKS, -1), -1):
        tips.extend(tip for tip, _ in _tips(store, number) if tip >= IGNORED_TIP)
    if not tips:
        return DEFAULT_TIP
    tips.sort()
    return tips[len(tips) // 2]


def fee_history(store: Store, newest: int, count: int, percentiles: list[float]) -> FeeHistory:
    """Base fees, fullness and, for each percentile, the tip at that share of a block's gas.

    Args:
        store: the chain.
        newest: the last block of the range.
        count: how many blocks; cut to 1,024 and to what exists.
        percentiles: ascending, each in 0 .. 100.
    """
    count = min(count, MAX_HISTORY, newest + 1)
    oldest = newest - count + 1
    history = FeeHistory(oldest, [], [], [])
    for number in range(oldest, newest + 1):
        block = store.block(number)
        if block is None:
            raise LookupError(f"block {number} is missing from the store")
        header = block.header
        history.base_fees.append(base_fee_of(header))
        history.gas_used_ratios.append(header.gas_used / header.gas_limit)
        if percentiles:
            history.rewards.append(_percentiles(_tips(store, number), header.gas_used, percentiles))
        if number == newest:
            history.base_fees.append(next_base_fee(header))
    return history


def _tips(store: Store, number: int) -> list[tuple[int, int]]:
    """``(effective tip, gas used)`` of each transaction in a block, cheapest first."""
    block = store.block(number)
    if block is None:
        return []
    base_fee = base_fee_of(block.header)
    return sorted((tx.price - base_fee, tx.gas_used) for tx in store.transactions(number))


def _percentiles(tips: list[tuple[int, int]], gas_used: int, percentiles: list[float]) -> list[int]:
    if not tips:
        return [0] * len(percentiles)
    rewards: list[int] = []
    position, cumulative = 0, tips[0][1]
    for percentile in percentiles:
        threshold = gas_used * percentile / 100
        while cumulative < threshold and position < len(tips) - 1:
            position += 1
            cumulative += tips[position][1]
        rewards.append(tips[position][0])
    return rewards
