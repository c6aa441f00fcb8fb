"""Methods that steer the devnet: mining, time, snapshots, re-orgs, accounts. No real node has them.

Names follow hardhat and anvil, so that their users' scripts work; ``assay_reorg`` is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assay_node.devnet.chain import Chain, ReorgPolicy
from assay_node.devnet.errors import InvalidParams
from assay_node.devnet.rpc import encode, params
from assay_node.devnet.rpc.dispatch import Handler

MAX_SECONDS = 2**40


class ControlApi:
    """Test methods of one chain."""

    def __init__(self, chain: Chain, set_interval: Callable[[float], None]) -> None:
        """``set_interval`` starts mining every so many seconds, 0 stops it."""
        self._chain = chain
        self._set_interval = set_interval

    def methods(self) -> dict[str, Handler]:
        """JSON-RPC names to handlers, aliases included."""
        methods: dict[str, Handler] = {
            "evm_mine": self.mine,
            "evm_setAutomine": self.set_automine,
            "evm_setIntervalMining": lambda milliseconds: self.set_interval(milliseconds, 1000),
            "anvil_setIntervalMining": lambda seconds: self.set_interval(seconds, 1),
            "evm_increaseTime": self.increase_time,
            "evm_setNextBlockTimestamp": self.set_next_timestamp,
            "evm_snapshot": lambda: encode.quantity(self._chain.snapshot()),
            "evm_revert": lambda key: self._chain.revert(params.quantity(key, "snapshot", maximum=2**62)),
            "assay_reorg": self.reorg,
            "txpool_status": self.pool_status,
        }
        for prefix in ("anvil", "hardhat"):
            methods |= {
                f"{prefix}_mine": self.mine_many,
                f"{prefix}_setBalance": self.set_balance,
                f"{prefix}_setNonce": self.set_nonce,
                f"{prefix}_setCode": self.set_code,
                f"{prefix}_setStorageAt": self.set_storage,
                f"{prefix}_dropTransaction": self.drop_transaction,
                f"{prefix}_setNextBlockBaseFeePerGas": self.set_next_base_fee,
            }
        methods |= {
            "anvil_snapshot": methods["evm_snapshot"],
            "anvil_revert": methods["evm_revert"],
            "anvil_setAutomine": self.set_automine,
            "anvil_increaseTime": self.increase_time,
            "anvil_setNextBlockTimestamp": self.set_next_timestamp,
            "hardhat_getAutomine": lambda: self._chain.automine,
            "anvil_getAutomine": lambda: self._chain.automine,
        }
        return methods

    # Mining and time

    def mine(self, options: Any = None) -> str:
        """``evm_mine``: one block, optionally with a timestamp, or ``{"blocks": n, "timestamp": t}``."""
        fields = options if isinstance(options, dict) else {"timestamp": options}
        if fields.get("timestamp") is not None:
            self._chain.set_next_timestamp(
                params.quantity(fields["timestamp"], "timestamp", maximum=MAX_SECONDS)
            )
        self._chain.mine_many(params.quantity(fields.get("blocks", 1), "blocks"))
        return "0x0"

    def mine_many(self, blocks: Any = 1, interval: Any = None) -> None:
        """``anvil_mine``: a number of blocks, a number of seconds apart or, without one, by the clock."""
        seconds = None if interval is None else params.quantity(interval, "interval", maximum=MAX_SECONDS)
        self._chain.mine_many(params.quantity(blocks, "blocks"), seconds)

    def set_automine(self, enabled: Any) -> bool:
        """``evm_setAutomine``: whether each transaction gets a block at once. On: mines what waits."""
        self._chain.automine = params.boolean(enabled, "enabled")
        if self._chain.automine:
            self._chain.mine_pool()
        return True

    def set_interval(self, interval: Any, per_second: int) -> bool:
        """Mine every ``interval`` / ``per_second`` seconds; 0 stops."""
        self._set_interval(params.quantity(interval, "interval", maximum=MAX_SECONDS) / per_second)
        return True

    def increase_time(self, seconds: Any) -> str:
        """``evm_increaseTime``: move the clock forward; the total offset comes back."""
        offset = self._chain.increase_time(params.quantity(seconds, "seconds", maximum=MAX_SECONDS))
        return encode.quantity(offset) if offset >= 0 else "-" + encode.quantity(-offset)

    def set_next_timestamp(self, timestamp: Any) -> str:
        """``evm_setNextBlockTimestamp``."""
        value = params.quantity(timestamp, "timestamp", maximum=MAX_SECONDS)
        self._chain.set_next_timestamp(value)
        return encode.quantity(value)

    def set_next_base_fee(self, base_fee: Any) -> None:
        """``anvil_setNextBlockBaseFeePerGas``."""
        self._chain.set_next_base_fee(params.quantity(base_fee, "base fee", maximum=2**128))

    # History

    def reorg(self, depth: Any, options: Any = None) -> str:
        """``assay_reorg``: replace the newest ``depth`` blocks; the new head's hash comes back.

        ``options``: ``transactions`` is ``remine`` (default), ``pool`` or ``drop``; ``length`` is the
        number of replacing blocks, one more than replaced by default; ``setBack`` is how many seconds the
        clock goes back, 0 by default.
        """
        fields = params.mapping({} if options is None else options, "options")
        try:
            policy = ReorgPolicy(fields.get("transactions", ReorgPolicy.REMINE))
        except ValueError as error:
            raise InvalidParams('transactions: expected "remine", "pool" or "drop"') from error
        length = params.quantity(fields["length"], "length") if "length" in fields else None
        back = params.quantity(fields.get("setBack", 0), "setBack", maximum=MAX_SECONDS)
        return encode.data(self._chain.reorg(params.quantity(depth, "depth"), policy, length, back))

    # Accounts and pool

    def set_balance(self, account: Any, balance: Any) -> bool:
        """``anvil_setBalance``, in a block of its own."""
        key, value = params.address(account, "address"), params.quantity(balance, "balance")
        self._chain.edit_state(lambda state: state.set_balance(key, value))
        return True

    def set_nonce(self, account: Any, nonce: Any) -> bool:
        """``anvil_setNonce``, in a block of its own."""
        key, value = params.address(account, "address"), params.quantity(nonce, "nonce", maximum=2**64 - 2)
        self._chain.edit_state(lambda state: state.set_nonce(key, value))
        return True

    def set_code(self, account: Any, code: Any) -> bool:
        """``anvil_setCode``, in a block of its own."""
        key, value = params.address(account, "address"), params.data(code, "code")
        self._chain.edit_state(lambda state: state.set_code(key, value))
        return True

    def set_storage(self, account: Any, slot: Any, value: Any) -> bool:
        """``anvil_setStorageAt``, in a block of its own."""
        key, place, word = (
            params.address(account, "address"),
            params.quantity(slot, "slot"),
            params.quantity(value, "value"),
        )
        self._chain.edit_state(lambda state: state.set_storage(key, place, word))
        return True

    def drop_transaction(self, tx_hash: Any) -> bool:
        """``anvil_dropTransaction``: evict from the pool."""
        return self._chain.drop(params.hash32(tx_hash, "hash"))

    def pool_status(self) -> dict[str, str]:
        """``txpool_status``."""
        state = self._chain.state_at(self._chain.head)
        pending, queued = self._chain.pool.counts(state.get_nonce)
        return {"pending": encode.quantity(pending), "queued": encode.quantity(queued)}
