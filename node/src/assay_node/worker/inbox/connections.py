"""Who may hold a connection to the inbox: everybody for a moment, nobody in the way of others.

When there are enough connections, the oldest one of whoever has most is closed for the new one. So sockets
that idle, or send a byte a second, shut out nobody: not from another address, nor from their own (behind a
reverse proxy all have one). What is not closed is the connection of a requester that has shown who it is.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import Any

MAX_CONNECTIONS = 256
"""Connections open at once."""
MAX_OF_ONE_ADDRESS = 128
"""Of them from one address (IPv6: one /64, which is what one customer has)."""


class Connections:
    """The connections of one server.

    Args:
        make: makes the protocol that speaks HTTP on a new connection.
    """

    def __init__(self, make: Callable[[], asyncio.Protocol]) -> None:
        self._make = make
        self._open: dict[asyncio.BaseTransport, str] = {}
        """Address by transport, oldest first."""
        self._trusted: set[asyncio.BaseTransport] = set()
        self._working: set[asyncio.BaseTransport] = set()

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Counted(self._make(), self)

    def trust(self, transport: asyncio.BaseTransport | None) -> None:
        """The other side has shown that it is the requester of a job in hand."""
        if transport in self._open:
            self._trusted.add(transport)

    def working(self, transport: asyncio.BaseTransport | None, *, is_working: bool) -> None:
        """A request on this connection is being answered, or no longer is."""
        if transport is None:
            return
        if is_working and transport in self._open:
            self._working.add(transport)
        else:
            self._working.discard(transport)

    def close(self, transport: asyncio.BaseTransport | None) -> None:
        """Closes a connection at once."""
        if transport in self._open:
            self.lost(transport)
            _abort(transport)

    def made(self, transport: asyncio.BaseTransport) -> bool:
        """A connection has come; whether it may stay. Another may be closed for it."""
        address = _address(transport)
        of_address = sum(other == address for other in self._open.values())
        victim = None
        if of_address >= MAX_OF_ONE_ADDRESS:
            victim = self._victim(address)
        elif len(self._open) >= MAX_CONNECTIONS:
            (crowded, _), *_ = Counter(self._open.values()).most_common(1)
            victim = self._victim(crowded) or self._victim(None)
        else:
            self._open[transport] = address
            return True
        if victim is None:
            return False  # all others are requesters of jobs in hand
        self.close(victim)
        self._open[transport] = address
        return True

    def lost(self, transport: asyncio.BaseTransport | None) -> None:
        """A connection is gone."""
        if transport is not None:
            self._open.pop(transport, None)
            self._trusted.discard(transport)
            self._working.discard(transport)

    def _victim(self, address: str | None) -> asyncio.BaseTransport | None:
        """The oldest untrusted connection of an address (None: of any), an idle one first."""
        candidates = [
            transport
            for transport, known in self._open.items()
            if transport not in self._trusted and address in (None, known)
        ]
        idle = (transport for transport in candidates if transport not in self._working)
        return next(idle, candidates[0] if candidates else None)


class _Counted(asyncio.Protocol):
    """Hands everything on to another protocol, if the connection may stay."""

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner: asyncio.Protocol | None = inner
        self._connections = connections
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._connections.made(transport):
            self._inner = None
            _abort(transport)
            return
        self._transport = transport
        assert self._inner is not None  # noqa: S101 - set until refused
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._inner is not None:
            self._connections.lost(self._transport)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()


def _abort(transport: asyncio.BaseTransport | None) -> None:
    assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of TCP
    transport.abort()


def _address(transport: asyncio.BaseTransport) -> str:
    peer: Any = transport.get_extra_info("peername")
    return counted_as(str(peer[0]) if peer else "")


def counted_as(host: str) -> str:
    """Under which name an address is counted: itself, or of IPv6 the first 64 bits, which one customer has.

    Example:
        >>> counted_as("2001:db8::7"), counted_as("::ffff:192.0.2.1")
        ('2001:db8::', '192.0.2.1')
    """
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:  # a Unix socket has no address
        return host
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(found) >> 64 << 64))
