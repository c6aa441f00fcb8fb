"""A web3 provider over `Rpc`: batches, several URLs, retries and hedging, bounded and checked answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from ..chain import NodeUnavailable, Rpc, RpcError


class AssayProvider(AsyncJSONBaseProvider):
    """For `AsyncWeb3`. Requests made at the same moment share one HTTP request.

    Args:
        url: http(s) URL of a node, or several in order of preference.
        timeout: seconds for one request in all, its retries included.

    Example:
        w3 = AsyncWeb3(AssayProvider("https://mine.example,https://other.example"))
        block, balance = await asyncio.gather(w3.eth.get_block("latest"), w3.eth.get_balance(address))
    """

    def __init__(self, url: str | Iterable[str], *, timeout: float = 10.0) -> None:
        super().__init__()
        self.node = Rpc(url, timeout=timeout)

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The node's answer; an error with the code and the data that it came with.

        Raises:
            NodeUnavailable: no answer, or not JSON-RPC.
        """
        try:
            retry = not method.startswith("eth_send")  # whether it arrived is not known: see `Outbox`
            result = await self.node.request(method, *params, retry=retry)
        except RpcError as error:
            detail: dict[str, Any] = {"code": error.code, "message": error.message}
            if error.data is not None:
                detail["data"] = error.data
            return {"jsonrpc": "2.0", "id": 1, "error": detail}  # type: ignore[typeddict-item]
        return {"jsonrpc": "2.0", "id": 1, "result": result}

    async def is_connected(self, show_traceback: bool = False) -> bool:
        """Whether a node answers."""
        try:
            await self.node.block_number()
        except (NodeUnavailable, RpcError):
            if show_traceback:
                raise
            return False
        return True

    async def disconnect(self) -> None:
        """Closes the connections."""
        await self.node.close()
