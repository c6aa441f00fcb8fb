"""What a transaction's gas may cost: what the market asks, within the operator's cap and the account's funds.

The cap is on a unit of gas, and is a matter of taste: dear gas can be waited out. Not so for a transaction
whose absence costs more than its gas, such as a proof that must be there before a deadline. Whoever knows
what is at stake says so with `allow`, and that transaction may then cost as much, whatever the cap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...amounts import ether
from ..contracts.types import Call
from ..errors import InsufficientFunds
from ..node.data_fees import DataFees, data_fee
from ..node.fees import FeePolicy, Fees
from ..node.types import Node
from .outbox_store import Attempt, Intent, IntentStatus, OutboxStore


@dataclass(frozen=True, slots=True)
class Market:
    """What fees depend on.

    Attributes:
        base_fee: of the next block, wei per gas.
        tips: paid lately, wei per gas.
        balance: of the account, wei.
        data_price: wei beside the gas for 1,000 bytes of a transaction, on rollups that charge so.
    """

    base_fee: int
    tips: tuple[int, ...]
    balance: int
    data_price: int = 0


class Budget:
    """Fees for one account's transactions.

    Args:
        policy: the operator's.
        node: where market and balance are looked up.
        store: what is promised already.
        address: the account.
    """

    def __init__(self, policy: FeePolicy, node: Node, store: OutboxStore, address: str) -> None:
        self._policy = policy
        self._node = node
        self._store = store
        self._address = address
        self._allowed: dict[str, int] = {}
        self._data_fees = DataFees(node)

    def allow(self, key: str, spend: int) -> bool:
        """Lets the gas of an intent cost up to `spend` wei, with that of the transactions that go before it.

        Nonces are used in order, so one that is stuck holds up all behind it. In memory alone: after a
        restart it is said again.

        Returns:
            Whether that is more than was allowed before.
        """
        more = spend > self._allowed.get(key, 0)
        if more:
            self._allowed[key] = spend
        return more

    def allows_more(self, key: str) -> bool:
        """Whether anything was allowed to an intent."""
        return key in self._allowed

    async def look(self) -> Market:
        """What fees depend on, in one request: base fee, tips, the account's balance."""
        (base_fee, tips), balance, data_price = await asyncio.gather(
            self._policy.market(self._node), self._node.balance(self._address), self._data_fees.beside_gas()
        )
        return Market(base_fee, tuple(tips), balance, data_price)

    def offer(self, key: str, call: Call, gas: int, nonce: int, market: Market) -> Fees:
        """Fees for a new intent.

        Args:
            key: of the intent.
            call: what it does.
            gas: its limit.
            nonce: that it will have.
            market: as `look` gave it a moment ago.

        Raises:
            FeesTooHigh: the next block's base fee alone is above the cap.
            InsufficientFunds: the account cannot pay them, beside what is promised.
        """
        base_fee, tips = market.base_fee, list(market.tips)
        pending = self._pending()
        cap = self._cap(nonce, pending)
        if key in self._allowed:
            cap = max(cap, self._allowed[key] // (gas + sum(intent.gas for intent in pending)))
        fees = self._policy.offer(base_fee, tips, cap)
        promised = self._promised(pending, market) + data_fee(market.data_price, len(call.data))
        affordable = (market.balance - promised - call.value) // gas
        if base_fee <= affordable < fees.max_fee and cap > self._policy.max_fee_cap:
            # Less headroom than usual is better than no transaction.
            fees = self._policy.offer(base_fee, tips, affordable)
        if fees.max_fee > affordable:
            raise self.unfunded(call, market.balance, promised + gas * fees.max_fee)
        return fees

    def replacement(self, intent: Intent, newest: Attempt, gas: int, market: Market) -> Fees | None:
        """Fees for a transaction that takes the place of `newest`; None if cap or funds allow none.

        Args:
            intent: what it is for.
            newest: what the pool may have now.
            gas: of the replacement.
            market: as `look` gave it a moment ago.

        Raises:
            FeesTooHigh: the next block's base fee alone is above the cap.
        """
        base_fee, tips = market.base_fee, list(market.tips)
        pending = self._pending()
        cap = self._cap(intent.nonce, pending)
        asked = self._policy.offer(base_fee, tips, cap)
        promised = self._promised((other for other in pending if other.row != intent.row), market)
        promised += data_fee(market.data_price, len(intent.call.data))
        affordable = (market.balance - promised - intent.call.value) // gas
        if affordable < asked.max_fee:
            if affordable < base_fee:
                return None  # no node would take it
            cap = affordable
            asked = self._policy.offer(base_fee, tips, cap)
        return self._policy.replacement(newest.fees, asked, cap)

    def unfunded(self, call: Call, balance: int, gas_cost: int = 0) -> InsufficientFunds:
        """The error for an account that cannot pay a call and its gas."""
        what = f"cannot {call.description}: " if call.description else ""
        needed = ether(call.value + gas_cost) if gas_cost else f"{ether(call.value)} and gas"
        return InsufficientFunds(
            f"{what}account {self._address} has {ether(balance)} and needs {needed}",
            "Send it some: assay send, or assay faucet on a development chain",
        )

    def _cap(self, nonce: int, pending: Sequence[Intent]) -> int:
        """Most wei per gas for a nonce: the policy's, or what is allowed to one at it or behind it."""
        cap = self._policy.max_fee_cap
        gas = 0
        for intent in pending:  # by nonce
            gas += intent.gas
            if intent.nonce >= nonce:
                cap = max(cap, self._allowed.get(intent.key, 0) // gas)
        return cap

    def _pending(self) -> list[Intent]:
        return [intent for intent in self._store.active() if intent.status is IntentStatus.PENDING]

    def _promised(self, pending: Iterable[Intent], market: Market) -> int:
        """Wei that transactions under way may still take."""
        return sum(
            intent.call.value
            + intent.gas * self._store.attempts(intent)[0].fees.max_fee
            + data_fee(market.data_price, len(intent.call.data))
            for intent in pending
        )
