"""The JSON-RPC 2.0 envelope: requests, batches, notifications, errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from assay_node.devnet.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RESPONSE_TOO_LARGE,
    InvalidParams,
    RpcError,
)
from assay_prover import strict_json

Handler = Callable[..., Any]

MAX_BODY_BYTES: Final = 5 * 1024 * 1024  # geth's limits, as those that follow
MAX_BATCH: Final = 1_000
MAX_ANSWER_BYTES: Final = 25_000_000

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Method names to handlers; a handler takes the positional parameters and returns JSON."""

    def __init__(self, methods: Mapping[str, Handler]) -> None:
        """``methods`` must not change afterwards."""
        self._methods = {name: (handler, inspect.signature(handler)) for name, handler in methods.items()}

    def answer(self, request: object) -> bytes | None:
        """Answer one request; None for a notification."""
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return encode_failure(
                RpcError("invalid request: expected an object with a method", code=INVALID_REQUEST)
            )
        identifier = request.get("id")
        try:
            result = self.call(request["method"], request.get("params"))
            answer = encode({"jsonrpc": "2.0", "id": identifier, "result": result})
            if len(answer) > MAX_ANSWER_BYTES:
                answer = encode_failure(too_large(), identifier)
        except RpcError as error:
            answer = encode_failure(error, identifier)
        except Exception as error:  # noqa: BLE001 - a defect in one method must not end the node; it is logged and answered
            _log.exception("rpc method failed", method=request["method"])
            failure = RpcError(f"internal error: {error!r}", code=INTERNAL_ERROR)
            answer = encode_failure(failure, identifier)
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


def parse(body: bytes) -> object:
    """The request in a body, or the list of requests of a batch; RpcError if it is neither."""
    try:
        request = strict_json.loads(body, what="the body", max_bytes=MAX_BODY_BYTES)
    except strict_json.JsonError as error:
        raise RpcError(f"parse error: {error}", code=PARSE_ERROR) from error
    if isinstance(request, list):
        if not request:
            raise RpcError("empty batch", code=INVALID_REQUEST)
        if len(request) > MAX_BATCH:
            raise RpcError(f"batch too large: at most {MAX_BATCH}", code=INVALID_REQUEST)
    return request


def identifier_of(request: object) -> object:
    """The id of a request, as far as it has one."""
    return request.get("id") if isinstance(request, dict) else None


def too_large() -> RpcError:
    """The answer is more than a client should be sent."""
    return RpcError(f"response too large: more than {MAX_ANSWER_BYTES} bytes", code=RESPONSE_TOO_LARGE)


def encode_failure(error: RpcError, identifier: object = None) -> bytes:
    """An error response."""
    return encode({"jsonrpc": "2.0", "id": identifier, "error": error.to_json()})


def encode(value: object) -> bytes:
    """Strict JSON, without blanks."""
    return strict_json.dumps(value, compact=True).encode()
