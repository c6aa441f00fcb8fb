"""Server-side filters (``eth_newFilter`` and friends). They live in memory and are forgotten on restart."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from eth_typing import Hash32

from assay_node.devnet.chain import Chain
from assay_node.devnet.errors import RpcError
from assay_node.devnet.rpc import encode, params
from assay_node.devnet.rpc.dispatch import Handler
from assay_node.devnet.rpc.eth import EthApi

MAX_FILTERS: Final = 1_000  # the one used longest ago is forgotten first


@dataclass(slots=True)
class _Filter:
    kind: str  # logs, blocks or transactions
    next_block: int
    criteria: dict[str, Any] = field(default_factory=dict)
    seen: set[Hash32] = field(default_factory=set)  # pending transactions already reported


class FilterApi:
    """Filters of one chain."""

    def __init__(self, chain: Chain, eth: EthApi) -> None:
        """``eth`` answers log queries."""
        self._chain = chain
        self._eth = eth
        self._filters: OrderedDict[str, _Filter] = OrderedDict()
        self._ids = count(1)

    def methods(self) -> dict[str, Handler]:
        """JSON-RPC names to handlers."""
        return {
            "eth_newFilter": self.new_log_filter,
            "eth_newBlockFilter": lambda: self._add(_Filter("blocks", self._above_head())),
            "eth_newPendingTransactionFilter": lambda: self._add(
                _Filter("transactions", self._above_head(), seen={tx.hash for tx in self._chain.pool})
            ),
            "eth_getFilterChanges": self.changes,
            "eth_getFilterLogs": self.all_logs,
            "eth_uninstallFilter": lambda key: self._filters.pop(key, None) is not None,
        }

    def _above_head(self) -> int:
        return int(self._chain.head.block_number) + 1

    def _add(self, new: _Filter) -> str:
        key = encode.quantity(next(self._ids))
        self._filters[key] = new
        if len(self._filters) > MAX_FILTERS:
            self._filters.popitem(last=False)
        return key

    def _get(self, key: Any) -> _Filter:
        found = self._filters.get(key) if isinstance(key, str) else None
        if found is None:
            raise RpcError("filter not found")
        self._filters.move_to_end(key)
        return found

    def new_log_filter(self, criteria: Any) -> str:
        """``eth_newFilter``: logs of blocks mined from now on, or from a later ``fromBlock``."""
        parsed = params.log_filter(self._chain, {**params.mapping(criteria, "filter"), "toBlock": None})
        return self._add(_Filter("logs", max(parsed.first, self._above_head()), dict(criteria)))

    def changes(self, key: Any) -> list[Any]:
        """``eth_getFilterChanges``: what is new since the last call."""
        found = self._get(key)
        first, above = min(found.next_block, self._above_head()), self._above_head()
        found.next_block = above
        if found.kind == "blocks":
            return [
                encode.data(entry)
                for entry in reversed(self._chain.store.block_hashes(above - 1, above - first))
            ]
        if found.kind == "transactions":
            pending = [tx.hash for tx in self._chain.pool]
            mined = [
                tx.hash for number in range(first, above) for tx in self._chain.store.transactions(number)
            ]
            new = [tx_hash for tx_hash in dict.fromkeys([*mined, *pending]) if tx_hash not in found.seen]
            found.seen = set(pending) | set(mined)
            return [encode.data(tx_hash) for tx_hash in new]
        if first == above:
            return []
        last = min(above - 1, params.block_number(self._chain, found.criteria.get("toBlock")))
        if last < first:
            return []
        return list(self._eth.logs({**found.criteria, "fromBlock": hex(first), "toBlock": hex(last)}))

    def all_logs(self, key: Any) -> list[Any]:
        """``eth_getFilterLogs``: everything the filter's criteria match."""
        found = self._get(key)
        if found.kind != "logs":
            raise RpcError("filter not found: this one is not of logs")
        return list(self._eth.logs(found.criteria))
