"""Delivers a private input to the worker that won the job.

The body is a sealed box (X25519, XSalsa20-Poly1305) to the key the worker signed, of the canonical JSON
``{"input": base64 of int64 little-endian, "salt": "0x..", "shape": [..], "v": 1}``. The box hides the input
from everyone between; that the worker got *this* input is shown by the job's commitment, which the worker
checks before it proves. Two headers, signed by the requester, let its inbox serve it before strangers (see
"Delivering a private input" in docs/protocol.md). To whom an input may go at all is decided in `recipients`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox

from assay_prover.strict_json import JsonError, loads

from .endpoints import connector, inbox_url, inward_cause
from .errors import DeliveryError, DeliveryRefused
from .store import JobSecrets

MAX_ANSWER = 4096  # bytes of a worker's answer that are read, for the error message
QUESTION_SECONDS = 10.0
"""Time a worker has to answer whether it wants the input again."""
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

Sign = Callable[[bytes], Mapping[str, str]]
"""Makes the headers that go with a body; see `signed_delivery.delivery_headers`."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where and for whom an input is sealed: what a worker's account signed of itself."""

    worker: str
    endpoint: str
    encryption_key: bytes


def seal(secrets: JobSecrets, encryption_key: bytes) -> bytes:
    """The request body for a worker whose signed X25519 key is ``encryption_key``, 32 bytes."""
    if secrets.salt is None:
        raise DeliveryError("a job with a public input needs no delivery: its words are on chain")
    try:
        return bytes(SealedBox(PublicKey(encryption_key)).encrypt(secrets.to_json()))
    except (CryptoError, ValueError) as error:  # a point of low order, say: anyone could open such a box
        raise DeliveryRefused(
            "the worker's encryption key is no usable X25519 key", "Award the job to another worker"
        ) from error


async def deliver(
    recipient: Recipient,
    job_id: bytes,
    secrets: JobSecrets,
    *,
    sign: Sign,
    patience: float,
    allow_local: bool = False,
) -> bool:
    """Deliver the input, trying again for up to ``patience`` seconds.

    Returns True once the worker found that the input matches, False if it has stored it to check later.

    Raises:
        DeliveryRefused: for good: an input that does not match, a malformed endpoint, one that leads to this
            machine or a private network unless ``allow_local``.
        DeliveryError: the worker could not be convinced in time.
    """
    url = inbox_url(recipient.endpoint, job_id)
    body = seal(secrets, recipient.encryption_key)
    headers = {"Content-Type": "application/octet-stream", **sign(body)}
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    pause = _FIRST_PAUSE
    async with _session(allow_local) as session:
        while True:
            limit = max(1.0, min(30.0, deadline - loop.time()))
            status, said = await _ask(session, "POST", url, recipient, limit, data=body, headers=headers)
            shown = _clip(said)
            if status in (200, 202):
                return status == 200
            if status in _FINAL:
                raise DeliveryRefused(
                    f"worker {recipient.worker} does not take the input: it {_FINAL[status]} "
                    f"({status}{shown})"
                )
            if loop.time() + pause > deadline:
                why = "cannot be reached" if status is None else _ANSWERED.get(status, f"answers {status}")
                raise DeliveryError(
                    f"worker {recipient.worker} at {recipient.endpoint} {why}{shown}",
                    "The input is kept here; deliver it again before the award lapses",
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


async def wants_input(recipient: Recipient, job_id: bytes, *, allow_local: bool = False) -> bool:
    """Whether the worker says that it has lost the input of a job of its own, and wants it again.

    No answer, or none that makes sense, is no wish. Raises DeliveryRefused for an endpoint that leads
    inwards.
    """
    url = inbox_url(recipient.endpoint, job_id)
    try:
        answer = loads(
            await question(recipient, url, QUESTION_SECONDS, allow_local=allow_local),
            what="the worker's answer",
        )
    except JsonError:
        return False
    return isinstance(answer, dict) and answer.get("input") == "wanted"


async def question(recipient: Recipient, url: str, patience: float, *, allow_local: bool) -> str:
    """What a worker answers to a GET with status 200, at most `MAX_ANSWER` bytes of it; "" for no answer.

    Args:
        recipient: the worker, for messages.
        url: where it is asked; see `endpoints.job_url`.
        patience: seconds.
        allow_local: ask at endpoints on this machine or a private network.

    Raises:
        DeliveryRefused: the endpoint leads inwards.
    """
    async with _session(allow_local) as session:
        status, said = await _ask(session, "GET", url, recipient, patience)
    return said if status == 200 else ""


def _session(allow_local: bool) -> aiohttp.ClientSession:
    # trust_env: a proxy would be asked for whatever a stranger registered, on its own network.
    return aiohttp.ClientSession(
        trust_env=False, connector=connector(allow_local=allow_local), cookie_jar=aiohttp.DummyCookieJar()
    )


async def _ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    recipient: Recipient,
    timeout: float,
    *,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int | None, str]:
    """Status (None if there was no answer) and the beginning of what was said."""
    try:
        async with session.request(
            method,
            url,
            data=data,
            headers=headers,
            allow_redirects=False,  # a redirect would carry the input to an address nobody registered
            timeout=aiohttp.ClientTimeout(total=timeout),
        ) as response:
            text = (await response.content.read(MAX_ANSWER)).decode(errors="replace")
            return response.status, text
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        inward = inward_cause(error)
        if inward is not None:
            raise DeliveryRefused(
                f"worker {recipient.worker} registered {recipient.endpoint}, which leads to "
                f"{inward.address}, on this machine or a private network",
                "If the worker is yours, allow that with --allow-local",
            ) from error
        return None, str(error) or type(error).__name__


def _clip(text: str) -> str:
    """A stranger's words, made fit for one line of a terminal."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f": {clean[:160]}" if clean else ""
