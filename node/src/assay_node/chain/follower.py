"""Follows the contracts' events block by block, through re-orgs, crashes and stingy nodes.

Only `eth_getLogs` over bounded ranges, never a filter kept by the server: a filter is lost when the server
restarts or its load balancer picks another machine, and then events are missed without a word. The cursor is
a block's number *and hash*; where the hash is no longer the chain's, the cursor goes back to the newest
position that still is and says so, also if the batch that went wrong was delivered and never committed.
Delivery is at least once: a batch is committed by its reader, after the reader has stored what it made of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from .contracts.events import ChainEvent, decode_event
from .contracts.interface import Interface
from .database import Database
from .errors import ChainError, NodeUnavailable, RateLimited, RpcError
from .node.finality import Confirmations
from .node.types import Header, Log, Node

_log = structlog.get_logger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS cursor_positions (
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (name, number)
);
CREATE TABLE IF NOT EXISTS cursor_deliveries (
    name TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL
)
"""
POSITIONS_KEPT = 512
"""Positions a rewind can go back to one by one; a deeper re-org starts over from the deployment's block."""
PATIENCE_WITH_LAG = 5
"""Polls a node may be behind the cursor before that is taken for a re-org to a shorter chain."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What happened since the last committed batch.

    Attributes:
        rewound_to: if not None, blocks above this one are gone: forget what they said. There are no events
            then.
        events: events in chain order.
        number: the cursor after this batch.
        hash: that block's hash; empty only after a rewind to before the first block.
    """

    rewound_to: int | None
    events: tuple[ChainEvent, ...]
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class _Found:
    """Logs, the last block they were looked for in, and whether the cursor's block is still below it."""

    end: Header
    logs: list[Log]
    joined: bool


class Follower:
    """A cursor over some contracts' logs.

    Args:
        node: where to read.
        database: where the cursor lives; `SCHEMA` must be among its migrations. Share the reader's, so that
            the cursor and what was made of the events are on one disk.
        name: of the cursor; several may share a database.
        contracts: interface by address.
        start: first block of interest.
        confirmations: how many blocks must follow before one is read; none by default.
        check: raises for an event that cannot be true, before it is handed on.
        max_range: most blocks asked for at once; halved when a node refuses, and slowly raised again.
    """

    def __init__(
        self,
        node: Node,
        database: Database,
        name: str,
        contracts: Mapping[str, Interface],
        *,
        start: int,
        confirmations: Confirmations | None = None,
        max_range: int = 2_000,
        check: Callable[[ChainEvent], None] = lambda _: None,
    ) -> None:
        self._node = node
        self._database = database
        self._name = name
        self._contracts = contracts
        self._start = start
        self._confirmations = confirmations
        self._max_range = max_range
        self._check = check
        self._range = max_range
        self._behind = 0

    @property
    def position(self) -> int:
        """The last block read, as committed."""
        position = self._position()
        return self._start - 1 if position is None else position[0]

    async def poll(self, newest: Header | None = None) -> Batch | None:
        """The next batch, or None if there is nothing new. Nothing is remembered until `commit`.

        One HTTP request if `newest` is given and there is a new block, none if there is none.

        Args:
            newest: the newest block's header, asked for before; by default it is asked for.

        Raises:
            NodeUnavailable, RpcError: the node does not answer even for a single block.
        """
        position = self._position()
        delivered = self._database.row(
            "SELECT number, hash FROM cursor_deliveries WHERE name = ?", self._name
        )
        if delivered is not None and not await self._is_canonical(delivered["number"], delivered["hash"]):
            # The reader may have stored what it made of a batch, died, and the chain has changed its mind
            # since.
            return await self._rewind()
        newest = newest or await self._node.header("latest")
        if newest is None:
            raise NodeUnavailable("the node has no newest block", "Use another node")
        depth = 0 if self._confirmations is None else self._confirmations.see(newest)
        head = newest.number - depth
        if position is not None:
            if newest.number < position[0]:
                # A node behind its siblings looks like a chain cut short. The first mends itself.
                self._behind += 1
                return await self._rewind() if self._behind > PATIENCE_WITH_LAG else None
            self._behind = 0
            if newest.number == position[0] and newest.hash == position[1]:
                return None
        first = self._start if position is None else position[0] + 1
        found = await self._logs(first, newest, head, position) if first <= head else None
        if position is not None and (found is None or not found.joined):
            # Whether the cursor's block is gone, or the node was asked on both sides of a change.
            return None if await self._is_canonical(*position) else await self._rewind()
        if found is None:
            return None
        end, logs = found.end, found.logs
        events = [event for log in logs if (event := decode_event(self._contracts, log)) is not None]
        for event in events:
            self._check(event)
        self._database.execute(
            "INSERT OR REPLACE INTO cursor_deliveries VALUES (?, ?, ?)", self._name, end.number, end.hash
        )
        return Batch(None, tuple(events), end.number, end.hash)

    def commit(self, batch: Batch) -> None:
        """Moves the cursor; to be called once the batch's consequences are stored."""
        with self._database.transaction():
            if batch.rewound_to is not None:
                self._database.execute(
                    "DELETE FROM cursor_positions WHERE name = ? AND number > ?", self._name, batch.rewound_to
                )
            self._database.execute("DELETE FROM cursor_deliveries WHERE name = ?", self._name)
            if batch.hash:
                self._database.execute(
                    "INSERT OR REPLACE INTO cursor_positions VALUES (?, ?, ?)",
                    self._name,
                    batch.number,
                    batch.hash,
                )
            self._database.execute(
                "DELETE FROM cursor_positions WHERE name = ? AND number NOT IN"
                " (SELECT number FROM cursor_positions WHERE name = ? ORDER BY number DESC LIMIT ?)",
                self._name,
                self._name,
                POSITIONS_KEPT,
            )

    def _position(self) -> tuple[int, bytes] | None:
        row = self._database.row(
            "SELECT number, hash FROM cursor_positions WHERE name = ? ORDER BY number DESC LIMIT 1",
            self._name,
        )
        return None if row is None else (row["number"], row["hash"])

    async def _is_canonical(self, number: int, block_hash: bytes) -> bool:
        header = await self._node.header(number)
        return header is not None and header.hash == block_hash

    async def _rewind(self) -> Batch:
        self._behind = 0
        rows = self._database.rows(
            "SELECT number, hash FROM cursor_positions WHERE name = ? ORDER BY number DESC", self._name
        )
        for row in rows:
            if await self._is_canonical(row["number"], row["hash"]):
                _log.warning("chain.reorganised", cursor=self._name, back_to=row["number"])
                return Batch(row["number"], (), row["number"], row["hash"])
        _log.warning("chain.reorganised", cursor=self._name, back_to=self._start - 1)
        return Batch(self._start - 1, (), self._start - 1, b"")

    async def _logs(
        self, first: int, newest: Header, head: int, position: tuple[int, bytes] | None
    ) -> _Found | None:
        """Logs from `first` on, over as many blocks as the node allows, and the last of those blocks.

        The last block's header is known before the logs are asked for. If it and the cursor's block are still
        canonical when they are there, the logs are of one chain. None if the node does not have the last
        block (yet, or any more), or has another one by now.
        """
        while True:
            last = min(head, first + self._range - 1)
            end = newest if last == newest.number else await self._node.header(last)
            if end is None:
                return None
            follows = position is not None and first == last and end.parent_hash == position[1]
            try:
                logs, still, before = await asyncio.gather(
                    self._node.logs(first, last, list(self._contracts)),
                    self._node.header(last),
                    _none() if position is None or follows else self._node.header(position[0]),
                )
            except RateLimited:
                raise
            except (RpcError, NodeUnavailable) as error:
                if last == first:
                    raise
                # "query returned more than 10000 results", "block range too large", a time-out: providers
                # have no common code for it, so every refusal of a longer range is answered with a shorter
                # one.
                self._range = max(1, (last - first + 1) // 2)
                _log.info("chain.range_halved", blocks=self._range, reason=str(error))
                continue
            if any(not first <= log.block_number <= last for log in logs):
                raise ChainError("the node gave logs outside the range it was asked for", "Use another node")
            self._range = min(self._max_range, self._range + max(1, self._range // 4))
            if still is None or still.hash != end.hash or not _in_blocks(logs, end):
                return None
            joined = position is None or follows or (before is not None and before.hash == position[1])
            return _Found(end, logs, joined)


def _in_blocks(logs: list[Log], end: Header) -> bool:
    """Whether the logs of each block have one block's hash, and those of the last block its hash."""
    hashes = {end.number: end.hash}
    return all(hashes.setdefault(log.block_number, log.block_hash) == log.block_hash for log in logs)


async def _none() -> None:
    return None
