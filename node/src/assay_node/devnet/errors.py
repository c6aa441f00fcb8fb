"""Errors of the devnet: one for its operator, one for its JSON-RPC callers.

DevnetError        the devnet cannot start or go on: one line for a person
RpcError           a request failed: a JSON-RPC error object
  InvalidParams    -32602
  ExecutionError   -32000, a call failed without returning data
  ExecutionReverted    3, with the revert data untouched
"""

from __future__ import annotations

from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_ERROR = -32000
RESPONSE_TOO_LARGE = -32003
EXECUTION_REVERTED = 3  # geth's code for a revert whose data is in `error.data`

_ERROR_STRING = bytes.fromhex("08c379a0")  # Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)
_PANIC_REASONS = {
    0x00: "generic panic",
    0x01: "assert(false)",
    0x11: "arithmetic underflow or overflow",
    0x12: "division or modulo by zero",
    0x21: "enum overflow",
    0x22: "invalid encoded storage byte array accessed",
    0x31: "out-of-bounds array access; popping on an empty array",
    0x32: "out-of-bounds access of an array or bytesN",
    0x41: "out of memory",
    0x51: "uninitialized function",
}


class DevnetError(Exception):
    """The devnet cannot start or continue; the message is one line that says what to do."""


class RpcError(Exception):
    """A JSON-RPC error: ``code``, ``message`` and optionally ``data``."""

    def __init__(self, message: str, *, code: int = SERVER_ERROR, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.data = data

    def to_json(self) -> dict[str, Any]:
        """The ``error`` member of a response."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


class InvalidParams(RpcError):
    """The parameters do not fit the method."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=INVALID_PARAMS)


class ExecutionError(RpcError):
    """A call or estimate failed for a reason other than REVERT."""


class ExecutionReverted(RpcError):
    """A call or estimate hit REVERT; ``data`` is exactly what the contract returned."""

    def __init__(self, output: bytes) -> None:
        reason = revert_reason(output)
        message = "execution reverted" + (f": {reason}" if reason else "")
        super().__init__(message, code=EXECUTION_REVERTED, data="0x" + output.hex())


def revert_reason(output: bytes) -> str | None:
    """Text of ``Error(string)`` or ``Panic(uint256)``; None for custom errors and malformed data."""
    from eth_abi.abi import decode  # a tenth of a second, which only a revert is worth
    from eth_abi.exceptions import DecodingError

    selector, arguments = output[:4], output[4:]
    try:
        if selector == _ERROR_STRING:
            return str(decode(["string"], arguments)[0])
        if selector == _PANIC:
            code = int(decode(["uint256"], arguments)[0])
            return f"panic: {_PANIC_REASONS.get(code, 'unknown panic code')} (0x{code:02x})"
    except (DecodingError, UnicodeDecodeError, OverflowError):
        return None
    return None
