"""Where a stranger's endpoint really leads: judged by the address that is connected to, when it is.

A worker writes its endpoint itself, and a requester sends there from inside its own network. What the text
looks like says little: ``http://0x7f.1/``, ``http://2852039166/`` and a name whose DNS answer changes between
two look-ups all lead inwards. So the check is made on the socket's address, in the moment it is made, by the
code that connects to that very address; there is no second look-up in between.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from .errors import DeliveryRefused

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_INWARD = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b:1::/48",  # NAT64 of a site's own (RFC 8215)
        "192.88.99.0/24",  # 6to4 relays, withdrawn (RFC 7526)
        "fec0::/10",  # site-local, deprecated (RFC 3879), routed inside by those who still use it
    )
)


class InwardAddress(OSError):
    """A connection that was about to be made to this machine or a private network."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is on this machine or a private network")
        self.address = address


def is_inward(address: str) -> bool:
    """Whether an IP address is this machine's, a private network's, or otherwise no host of the internet.

    IPv6 forms that carry an IPv4 address (mapped, compatible, NAT64, 6to4) are judged by that address too.
    What is no address at all counts as inward.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    if not found.is_global or found.is_multicast or any(found in network for network in _INWARD):
        return True
    if isinstance(found, ipaddress.IPv4Address):
        return False
    inner = [found.ipv4_mapped, found.sixtofour]
    if found in _NAT64 or int(found) < 1 << 32:
        inner.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
    return any(carried is not None and is_inward(str(carried)) for carried in inner)


def connector(*, allow_local: bool) -> aiohttp.TCPConnector:
    """A connector that opens no socket to an inward address, unless ``allow_local``.

    An attempt raises `InwardAddress`, which aiohttp wraps: see `inward_cause`.
    """
    if allow_local:
        return aiohttp.TCPConnector()

    def outward_socket(info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        family, kind, protocol, _, address = info
        host = str(address[0])
        if is_inward(host):
            raise InwardAddress(host)
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    # No cache of names: a session lives for one delivery, and each connection is judged by itself anyway.
    return aiohttp.TCPConnector(use_dns_cache=False, socket_factory=outward_socket)


def inward_cause(error: BaseException | None) -> InwardAddress | None:
    """The refused address behind a connection error, however deep it is wrapped."""
    pending, seen = [error], set()
    while pending:
        found = pending.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, InwardAddress):
            return found
        if isinstance(found, BaseExceptionGroup):
            pending.extend(found.exceptions)
        pending += [found.__cause__, found.__context__, getattr(found, "os_error", None)]
    return None


def inbox_url(endpoint: str, job_id: bytes) -> str:
    """Where a job's input is posted. DeliveryRefused if the registered endpoint is no http(s) URL.

    Plain http is taken as it is: the body is sealed, so what an onlooker learns is that a delivery took
    place.
    """
    return job_url(endpoint, job_id, "input")


def job_url(endpoint: str, job_id: bytes, what: str) -> str:
    """Where a worker is spoken to about a job.

    Args:
        endpoint: as it is registered.
        job_id: 32 bytes.
        what: `input` or `reason`.

    Raises:
        DeliveryRefused: the endpoint is no plain http(s) URL.
    """
    try:
        parts = urlsplit(endpoint)
        plain = (
            endpoint.isascii()
            and endpoint.isprintable()
            and parts.scheme in ("http", "https")
            and parts.hostname is not None
            and parts.port != 0
            and not (parts.query or parts.fragment or parts.username or parts.password)
        )
    except ValueError:  # a port out of range, a bracket that is not closed
        plain = False
    if not plain:
        raise DeliveryRefused(
            f"the worker registered {endpoint!r} as its endpoint, which is no plain http(s) URL"
        )
    return f"{endpoint.rstrip('/')}/v1/jobs/0x{job_id.hex()}/{what}"
