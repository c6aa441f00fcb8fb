"""What a node's error means: a revert, a rate limit, a cap on logs, or something that passes.

Nodes agree on the form of an error and on little else. Codes and texts here are those of geth, reth,
nethermind, erigon, anvil, hardhat and of the large providers.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from ..errors import RpcError
from .urls import mask

METHOD_NOT_FOUND = -32601
_LIMIT_CODE = -32005
_BUSY_CODES = {429, -32016, -32029, -32090, -32097, -33000, -33200, -33300, -33400}
_BUSY = re.compile(
    r"rate.?limit|too many request|request (count|limit)|call rate|compute units|throttl|requests per|"
    r"per second|capacity|quota",
    re.IGNORECASE,
)
_TRANSIENT_CODE = -32603
_TRANSIENT = re.compile(
    r"header not found|unknown block|timed? ?out|temporar|try again|overload|server is busy|internal error",
    re.IGNORECASE,
)


def revert_data(error: RpcError) -> bytes | None:
    """The revert data in a node's error, or None if the error is not a revert.

    Nodes differ in where it is: a hex string in `data` (geth, anvil), a "Reverted 0x.." text (older
    OpenEthereum), an object with a `data` or `result` field (hardhat, ganache).
    """
    data: Any = error.data
    if isinstance(data, Mapping):
        data = data.get("data") or data.get("result")
    if isinstance(data, str):
        text = data.removeprefix("Reverted ").strip()
        if text.startswith("0x"):
            with contextlib.suppress(ValueError):
                return bytes.fromhex(text[2:])
    if error.code == 3 or "revert" in error.message.lower():
        return b""
    return None


def rpc_error(method: str, failure: object) -> RpcError:
    """A node's error, with its code and data as they came."""
    if not isinstance(failure, Mapping):
        return RpcError(method, -32000, mask(str(failure)[:500]))
    detail = cast(Mapping[str, Any], failure)
    code, message = detail.get("code"), detail.get("message")
    error = RpcError(
        method,
        code if isinstance(code, int) and not isinstance(code, bool) else -32000,
        mask(message[:2000]) if isinstance(message, str) and message else "unknown error",
        detail.get("data"),
    )
    plain = error.data is None and "revert" not in error.message.lower()
    error.transient = plain and (error.code == _TRANSIENT_CODE or bool(_TRANSIENT.search(error.message)))
    return error


def is_busy(error: RpcError) -> bool:
    """Whether an error is a rate limit. Caps on the range of logs, which share its code, are not."""
    if error.code in _BUSY_CODES:
        return True
    if error.code == _LIMIT_CODE:
        if error.method == "eth_getLogs" and re.search(r"results|range|blocks|logs", error.message, re.I):
            return False
        return error.method != "eth_getLogs" or bool(re.search(r"rate|request", error.message, re.I))
    return error.data is None and error.code < -31999 and bool(_BUSY.search(error.message))


def seconds_of(retry_after: str) -> float:
    """Seconds that a Retry-After header asks to wait: a number, or a date."""
    try:
        seconds = float(retry_after)
        return max(0.0, seconds) if seconds == seconds else 1.0
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(retry_after)
    except (TypeError, ValueError):
        return 1.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
