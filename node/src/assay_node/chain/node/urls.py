"""URLs of JSON-RPC endpoints: several in a row, checked, and never printed whole.

Providers put API keys into user names, paths and queries, and HTTP libraries quote URLs in their errors.
Whatever is opened as an endpoint is noted here, and `mask` takes the secret parts of all of them out of any
text that leaves the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

SHORTEST_SECRET, SHORTEST_WORD = 4, 16
"""Characters from which a user name, a password or a value counts as secret, and from which a part of the
path does that has no digit in it: `mainnet` would be taken out of every sentence."""
MASK = "***"

_secrets: set[str] = set()
_URL_WITH_USER = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]+@", re.IGNORECASE)


def rpc_urls(given: str | Iterable[str]) -> tuple[str, ...]:
    """Endpoints in order of preference, from one text or several; each may hold more, apart by commas.

    Raises:
        ValueError: none is given, or one is no http(s) URL; the message does not quote it.
    """
    texts = [given] if isinstance(given, str) else list(given)
    # A comma belongs to a URL unless what follows it begins another one.
    urls = [url.strip() for text in texts for url in re.split(r"[,\s]+(?=https?://|$)", text.strip()) if url]
    if not urls:
        raise ValueError("no URL of a node is given")
    for url in urls:
        _check(url)
    return tuple(dict.fromkeys(urls))


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port  # which raises ValueError for one that is no number, or too large
    except ValueError:
        known = False
    if not known or re.search(r"[\s\x00-\x1f]", url):
        raise ValueError("the URL of a node begins with http:// or https:// and a host")


def shown(url: str) -> str:
    """The URL without what may be secret: scheme, host, port, and ``/..`` if anything follows."""
    parts = urlsplit(url)
    more = parts.username or parts.query or parts.path.strip("/")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" + ("/.." if more else "")


def guard(urls: Sequence[str]) -> None:
    """Notes the secret parts of URLs, for `mask`."""
    for url in urls:
        parts = urlsplit(url)
        found = {parts.username or "", parts.password or "", parts.query}
        found |= {value for _, value in parse_qsl(parts.query)}
        found |= {part for part in (parts.path.strip("/"), *parts.path.split("/")) if _is_like_a_key(part)}
        found |= {unquote(part) for part in found}
        _secrets.update(part for part in found if len(part) >= SHORTEST_SECRET)


def _is_like_a_key(part: str) -> bool:
    digits = any(letter.isdigit() for letter in part)
    return len(part) >= (SHORTEST_SECRET * 2 if digits else SHORTEST_WORD)


def mask(text: str) -> str:
    """A text without the secrets of any URL that was opened, and without user names in other URLs."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    return _URL_WITH_USER.sub(rf"\g<scheme>{MASK}@", text) if "@" in text else text
