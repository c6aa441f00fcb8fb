"""The JSON-RPC 2.0 envelope: requests, batches, notifications, errors."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from assay_node.devnet.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    InvalidParams,
    RpcError,
)

Handler = Callable[..., Any]

MAX_BATCH: Final = 1_000

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Method names to handlers; a handler takes the positional parameters and returns JSON."""

    def __init__(self, methods: Mapping[str, Handler]) -> None:
        """``methods`` must not change afterwards."""
        self._methods = {name: (handler, inspect.signature(handler)) for name, handler in methods.items()}

    def handle(self, body: bytes) -> bytes | None:
        """Answer a request body; None when there is nothing to answer (notifications only)."""
        try:
            request = json.loads(body)
        except (ValueError, RecursionError):
            return _encode(_failure(None, RpcError("parse error: the body is not JSON", code=PARSE_ERROR)))
        if not isinstance(request, list):
            answer = self._answer(request)
            return None if answer is None else _encode(answer)
        if not request:
            return _encode(_failure(None, RpcError("empty batch", code=INVALID_REQUEST)))
        if len(request) > MAX_BATCH:
            return _encode(
                _failure(None, RpcError(f"batch too large: at most {MAX_BATCH}", code=INVALID_REQUEST))
            )
        answers = [answer for item in request if (answer := self._answer(item)) is not None]
        return _encode(answers) if answers else None

    def _answer(self, request: Any) -> dict[str, Any] | None:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _failure(
                None, RpcError("invalid request: expected an object with a method", code=INVALID_REQUEST)
            )
        identifier = request.get("id")
        try:
            result = self.call(request["method"], request.get("params"))
            answer = {"jsonrpc": "2.0", "id": identifier, "result": result}
        except RpcError as error:
            answer = _failure(identifier, error)
        except Exception as error:  # noqa: BLE001 - a defect in one method must not end the node; it is logged and answered
            _log.exception("rpc method failed", method=request["method"])
            answer = _failure(identifier, RpcError(f"internal error: {error!r}", code=INTERNAL_ERROR))
        return answer if "id" in request else None

    def call(self, method: str, params: Any) -> Any:
        """Run one method; RpcError if it does not exist, its parameters do not fit, or it fails."""
        found = self._methods.get(method)
        if found is None:
            raise RpcError(f"the method {method} does not exist/is not available", code=METHOD_NOT_FOUND)
        handler, signature = found
        arguments = [] if params is None else params
        if not isinstance(arguments, list):
            raise InvalidParams("params must be an array: these methods take positional parameters")
        try:
            bound = signature.bind(*arguments)
        except TypeError as error:
            raise InvalidParams(f"{method}: {error}") from error
        return handler(*bound.args)


def _failure(identifier: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "error": error.to_json()}


def _encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
