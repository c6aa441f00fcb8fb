"""The transaction pool: pending and queued transactions by sender and nonce, with geth's rules.

A transaction whose nonce is ahead of its sender's waits until the gap is filled. One with the nonce of
another in the pool replaces it if both its fees are at least 10 % higher. The pool is small and its
capacity is a hard limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Final

from eth_typing import Address, Hash32

from assay_node.devnet.errors import RpcError
from assay_node.devnet.transactions import PendingTransaction

PRICE_BUMP_PERCENT: Final = 10
CAPACITY: Final = 5_120
ACCOUNT_CAPACITY: Final = 1_024


class Pool:
    """Transactions accepted but not mined."""

    def __init__(self) -> None:
        """An empty pool."""
        self._by_sender: dict[Address, dict[int, PendingTransaction]] = {}
        self._by_hash: dict[Hash32, PendingTransaction] = {}

    def __len__(self) -> int:
        """How many transactions wait."""
        return len(self._by_hash)

    def __iter__(self) -> Iterator[PendingTransaction]:
        """In order of arrival."""
        return iter(list(self._by_hash.values()))

    def get(self, tx_hash: bytes) -> PendingTransaction | None:
        """The pending transaction with that hash."""
        return self._by_hash.get(Hash32(tx_hash))

    def next_nonce(self, sender: Address, state_nonce: int) -> int:
        """The nonce a sender's next transaction should have: the first one free from ``state_nonce`` up."""
        queue = self._by_sender.get(sender, {})
        nonce = state_nonce
        while nonce in queue:
            nonce += 1
        return nonce

    def add(self, new: PendingTransaction, state_nonce: int, balance: int) -> PendingTransaction | None:
        """Accept ``new`` and return what it replaces, if anything; RpcError with geth's message if refused.

        Args:
            new: the transaction, already checked by ``admit``.
            state_nonce: its sender's nonce in the newest block.
            balance: its sender's balance in the newest block, wei.
        """
        if new.hash in self._by_hash:
            raise RpcError("already known")
        if new.nonce < state_nonce:
            raise RpcError(f"nonce too low: next nonce {state_nonce}, tx nonce {new.nonce}")
        queue = self._by_sender.get(new.sender, {})
        old = queue.get(new.nonce)
        _check_balance(new, old, queue, balance)
        if old is not None:
            if not _outbids(new, old):
                raise RpcError("replacement transaction underpriced")
        elif len(self._by_hash) >= CAPACITY:
            raise RpcError("txpool is full")
        elif len(queue) >= ACCOUNT_CAPACITY:
            raise RpcError(f"account limit exceeded: {len(queue)} transactions of this sender are waiting")
        if old is not None:
            del self._by_hash[old.hash]
        self._by_sender.setdefault(new.sender, {})[new.nonce] = new
        self._by_hash[new.hash] = new
        return old

    def remove(self, tx_hash: Hash32) -> bool:
        """Take a transaction out; False if it is not there."""
        gone = self._by_hash.pop(tx_hash, None)
        if gone is None:
            return False
        queue = self._by_sender[gone.sender]
        del queue[gone.nonce]
        if not queue:
            del self._by_sender[gone.sender]
        return True

    def clear(self) -> list[Hash32]:
        """Empty the pool and return the hashes that were in it."""
        hashes = list(self._by_hash)
        self._by_hash.clear()
        self._by_sender.clear()
        return hashes

    def stale(self, state_nonce: Callable[[Address], int]) -> list[Hash32]:
        """Hashes of transactions whose nonce has been used by a mined one."""
        return [
            tx.hash
            for sender, queue in self._by_sender.items()
            for nonce, tx in queue.items()
            if nonce < state_nonce(sender)
        ]

    def selection(self, base_fee: int, state_nonce: Callable[[Address], int]) -> Selection:
        """A block producer's view: what can be mined at ``base_fee``, best tip first."""
        return Selection(self._by_sender, base_fee, state_nonce)

    def counts(self, state_nonce: Callable[[Address], int]) -> tuple[int, int]:
        """``(pending, queued)``: transactions without and with a nonce gap before them."""
        pending = 0
        for sender, queue in self._by_sender.items():
            nonce = state_nonce(sender)
            pending += self.next_nonce(sender, nonce) - nonce if nonce in queue else 0
        return pending, len(self) - pending


class Selection:
    """Transactions by effective tip, ties by arrival, each sender's in nonce order."""

    def __init__(
        self,
        by_sender: dict[Address, dict[int, PendingTransaction]],
        base_fee: int,
        state_nonce: Callable[[Address], int],
    ) -> None:
        """See ``Pool.selection``."""
        self._queues = by_sender
        self._base_fee = base_fee
        self._heap: list[tuple[int, int, PendingTransaction]] = []
        self._pushed = 0
        for sender in by_sender:
            self._push(sender, state_nonce(sender))

    def _push(self, sender: Address, nonce: int) -> None:
        tx = self._queues[sender].get(nonce)
        if tx is not None and tx.fee_cap >= self._base_fee:
            # `_pushed` breaks ties, so that transactions themselves are never compared.
            heapq.heappush(self._heap, (-tx.effective_tip(self._base_fee), self._pushed, tx))
            self._pushed += 1

    def pop(self) -> PendingTransaction | None:
        """The best remaining transaction. Its sender's next one joins only after ``took``."""
        return heapq.heappop(self._heap)[2] if self._heap else None

    def took(self, tx: PendingTransaction) -> None:
        """``tx`` is in the block: its sender's next transaction is now a candidate."""
        self._push(tx.sender, tx.nonce + 1)


def _outbids(new: PendingTransaction, old: PendingTransaction) -> bool:
    threshold = 100 + PRICE_BUMP_PERCENT
    return new.fee_cap * 100 >= old.fee_cap * threshold and new.tip_cap * 100 >= old.tip_cap * threshold


def _check_balance(
    new: PendingTransaction,
    old: PendingTransaction | None,
    queue: dict[int, PendingTransaction],
    balance: int,
) -> None:
    queued = sum(tx.cost for tx in queue.values()) - (old.cost if old else 0)
    if queued + new.cost <= balance:
        return
    detail = f"balance {balance}, tx cost {new.cost}, overshot {queued + new.cost - balance}"
    if queued:
        detail = f"queued cost {queued}, {detail}"
    raise RpcError(f"insufficient funds for gas * price + value: {detail}")
