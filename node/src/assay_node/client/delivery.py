"""Delivers a private input to the worker that won the job.

The body is a sealed box (X25519, XSalsa20-Poly1305) to the key the worker registered on chain, of the
canonical JSON ``{"input": base64 of int64 little-endian, "salt": "0x..", "shape": [..], "v": 1}``. The box
hides the input from everyone between; that the worker got *this* input is shown by the job's commitment,
which the worker checks before it accepts. Nothing here authenticates the sender: whoever knows an opening of
the commitment may deliver it.
"""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from nacl.public import PublicKey, SealedBox

from assay_node.client.errors import DeliveryError, DeliveryRefused
from assay_node.client.store import JobSecrets

MAX_ANSWER = 4096  # bytes of a worker's answer that are read, for the error message
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0  # seconds between attempts, doubling
_ANSWERED = {
    404: "does not know the job",
    409: "has not seen its award",
    425: "is not ready",
    429: "is busy",
    503: "is busy",
}
_FINAL = {
    400: "cannot read it",
    413: "finds it too large",
    415: "does not take this kind of body",
    422: "finds that it does not match the job's commitment",
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where and for whom an input is sealed: a worker as registered on chain."""

    worker: str
    endpoint: str
    encryption_key: bytes


def seal(secrets: JobSecrets, encryption_key: bytes) -> bytes:
    """The request body for a worker whose registered X25519 key is ``encryption_key``, 32 bytes."""
    if secrets.salt is None:
        raise DeliveryError("a job with a public input needs no delivery: its words are on chain")
    return bytes(SealedBox(PublicKey(encryption_key)).encrypt(secrets.to_json()))


def inbox_url(endpoint: str, job_id: bytes) -> str:
    """Where a job's input is posted. DeliveryRefused if the registered endpoint is no http(s) URL.

    Plain http is taken as it is: the body is sealed, so what an onlooker learns is that a delivery took
    place.
    """
    try:
        endpoint.encode("ascii")
        parts = urlsplit(endpoint)
        _ = parts.port  # raises ValueError if it is no number
    except ValueError as error:
        raise DeliveryRefused(
            f"the worker registered {endpoint!r} as its endpoint, which is no URL"
        ) from error
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not endpoint.isprintable()
        or parts.username
        or parts.query
        or parts.fragment
    ):
        raise DeliveryRefused(
            f"the worker registered {endpoint!r} as its endpoint, which is no plain http(s) URL"
        )
    return f"{endpoint.rstrip('/')}/v1/jobs/0x{job_id.hex()}/input"


def is_local(endpoint: str) -> bool:
    """Whether an endpoint names this machine or its own network.

    Endpoints are written by strangers: a requester on a public chain must not be made to send requests to
    services behind its own firewall. Names are not resolved here; a name that resolves inwards is the
    resolver's matter.
    """
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not address.is_global


async def deliver(
    recipient: Recipient,
    job_id: bytes,
    secrets: JobSecrets,
    *,
    patience: float,
    allow_local: bool = False,
    session: aiohttp.ClientSession | None = None,
) -> bool:
    """Deliver the input, trying again for up to ``patience`` seconds.

    Returns True once the worker found that the input matches, False if it has stored it to check later.
    Raises DeliveryRefused for an answer that is final (an input that does not match, a malformed endpoint, an
    endpoint on a local network unless ``allow_local``), DeliveryError if the worker could not be convinced in
    time.
    """
    url = inbox_url(recipient.endpoint, job_id)
    if not allow_local and is_local(recipient.endpoint):
        raise DeliveryRefused(
            f"worker {recipient.worker} registered the local address {recipient.endpoint}",
            "Allow local endpoints if the worker is yours",
        )
    body = seal(secrets, recipient.encryption_key)
    if session is not None:
        return await _deliver(session, url, body, recipient, patience)
    async with aiohttp.ClientSession(trust_env=False) as own:
        return await _deliver(own, url, body, recipient, patience)


async def _deliver(
    session: aiohttp.ClientSession, url: str, body: bytes, recipient: Recipient, patience: float
) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    pause = _FIRST_PAUSE
    while True:
        status, said = await _post(session, url, body, timeout=max(1.0, min(30.0, deadline - loop.time())))
        if status in (200, 202):
            return status == 200
        if status in _FINAL:
            raise DeliveryRefused(
                f"worker {recipient.worker} does not take the input: it {_FINAL[status]} ({status}{said})"
            )
        if loop.time() + pause > deadline:
            why = "cannot be reached" if status is None else _ANSWERED.get(status, f"answers {status}")
            raise DeliveryError(
                f"worker {recipient.worker} at {recipient.endpoint} {why}{said}",
                "The input is kept here; deliver it again before the award lapses",
            )
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _post(
    session: aiohttp.ClientSession, url: str, body: bytes, *, timeout: float
) -> tuple[int | None, str]:
    """Status (None if there was no answer) and a short, printable piece of what was said."""
    try:
        async with session.post(
            url,
            data=body,
            headers={"Content-Type": "application/octet-stream"},
            allow_redirects=False,  # a redirect would carry the input to an address nobody registered
            timeout=aiohttp.ClientTimeout(total=timeout),
        ) as response:
            text = (await response.content.read(MAX_ANSWER)).decode(errors="replace")
            return response.status, _clip(text)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return None, _clip(str(error) or type(error).__name__)


def _clip(text: str) -> str:
    """A stranger's words, made fit for one line of a terminal."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f": {clean[:160]}" if clean else ""
