"""A running devnet: a chain on a thread of its own behind an HTTP server.

Everything that touches the chain runs on that one thread, in the order of arrival. The event loop only
carries bytes, so it stays responsive while a block is executed.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog
from eth_account.signers.local import LocalAccount

from assay_node.devnet.chain import Chain
from assay_node.devnet.config import DevnetConfig
from assay_node.devnet.errors import DevnetError, RpcError
from assay_node.devnet.rpc.control import ControlApi
from assay_node.devnet.rpc.dispatch import (
    MAX_ANSWER_BYTES,
    Dispatcher,
    encode_failure,
    identifier_of,
    parse,
    too_large,
)
from assay_node.devnet.rpc.eth import EthApi
from assay_node.devnet.rpc.filters import FilterApi
from assay_node.devnet.rpc.send import SendApi
from assay_node.devnet.server import HttpServer

_log = structlog.get_logger(__name__)

_START_TIMEOUT_S = 60.0
BATCH_TURN = 8
"""Requests of a batch that are answered together; then other clients have their turn."""
# EVM calls recurse in py-evm, partly in C, and py_ecc raises Python's recursion limit to 100,000: a deep
# call, or a deeply nested request, would overrun a default stack and kill the process. It is address space;
# pages are taken as they are used.
_CHAIN_STACK_BYTES = 512 * 1024 * 1024

T = TypeVar("T")


class Devnet:
    """An Ethereum node for development, in this process.

    Example::

        async with Devnet(DevnetConfig(port=0)) as net:
            web3 = AsyncWeb3(AsyncHTTPProvider(net.url))
    """

    def __init__(self, config: DevnetConfig | None = None) -> None:
        """Nothing happens before ``start``."""
        self.config = config or DevnetConfig()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="devnet-chain")
        self._server = HttpServer(
            self._answer,
            host=self.config.host,
            port=self.config.port,
            cors_origins=self.config.cors_origins,
        )
        self._chain: Chain | None = None
        self._dispatcher: Dispatcher | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._interval: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """``http://host:port``."""
        return self._server.url

    @property
    def port(self) -> int:
        """The port listened on; known after ``start`` when the configuration says 0."""
        return self._server.port

    @property
    def accounts(self) -> list[LocalAccount]:
        """The development accounts with their keys."""
        return list(self._running().accounts)

    async def start(self) -> None:
        """Open the chain and listen; DevnetError says what is in the way."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._start_chain_thread()
            await self._on_chain_thread(self._open)
            await self._server.start()
        except OSError as error:
            await self.stop()
            raise DevnetError(_bind_message(self.config, error)) from error
        except BaseException:
            await self.stop()
            raise
        if self.config.block_time is not None:
            self._start_interval(self.config.block_time)

    async def stop(self) -> None:
        """Stop listening, let the request under way finish, close the chain. Harmless when not running."""
        if self._interval is not None:
            self._interval.cancel()
            await asyncio.gather(self._interval, return_exceptions=True)
            self._interval = None
        await self._server.stop()
        if self._chain is not None:
            await self._on_chain_thread(self._chain.close)
            self._chain = None
        self._executor.shutdown(wait=True)

    async def __aenter__(self) -> Self:
        """``start``."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """``stop``."""
        await self.stop()

    async def rpc(self, method: str, *params: Any) -> Any:
        """Call a JSON-RPC method without HTTP.

        Raises:
            RpcError: the method failed.
            DevnetError: the devnet is not running.
        """
        dispatcher = self._dispatcher
        if dispatcher is None:
            raise DevnetError("the devnet is not running")
        return await self._on_chain_thread(lambda: dispatcher.call(method, list(params)))

    # On the chain's thread

    def _open(self) -> None:
        chain = Chain(self.config)
        eth = EthApi(chain)
        control = ControlApi(chain, self._interval_from_chain_thread)
        self._chain = chain
        self._dispatcher = Dispatcher(
            eth.methods()
            | SendApi(chain, eth).methods()
            | FilterApi(chain, eth).methods()
            | control.methods()
        )

    def _interval_from_chain_thread(self, seconds: float) -> None:
        if self._loop is None:
            raise DevnetError("the devnet is not running")
        self._running().automine = False
        self._loop.call_soon_threadsafe(self._start_interval, seconds)

    # On the event loop

    async def _start_chain_thread(self) -> None:
        previous = threading.stack_size(_CHAIN_STACK_BYTES)  # of threads started from here on, so put it back
        try:
            started = self._executor.submit(int)  # the executor starts its only thread at its first task
        finally:
            threading.stack_size(previous)
        await asyncio.wrap_future(started)

    async def _on_chain_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    async def _answer(self, body: bytes) -> bytes | None:
        """The response to a request's body; None when there is nothing to answer (notifications only)."""
        if self._dispatcher is None:
            raise DevnetError("the devnet is not running")
        try:
            request = parse(body)
        except RpcError as error:
            return encode_failure(error)
        if not isinstance(request, list):
            return (await self._turn([request]))[0]
        answers: list[bytes] = []
        size = 0
        for first in range(0, len(request), BATCH_TURN):
            turn = request[first : first + BATCH_TURN]
            if size > MAX_ANSWER_BYTES:
                answers.extend(encode_failure(too_large(), identifier_of(item)) for item in turn)
                continue
            answered = [answer for answer in await self._turn(turn) if answer is not None]
            answers.extend(answered)
            size += sum(map(len, answered))
        return b"[" + b",".join(answers) + b"]" if answers else None

    async def _turn(self, requests: list[object]) -> list[bytes | None]:
        dispatcher = self._dispatcher
        assert dispatcher is not None  # noqa: S101 - looked at by _answer
        return await self._on_chain_thread(lambda: [dispatcher.answer(request) for request in requests])

    def _start_interval(self, seconds: float) -> None:
        if self._interval is not None:
            self._interval.cancel()
            self._interval = None
        if seconds > 0:
            self._interval = asyncio.get_running_loop().create_task(self._mine_every(seconds))

    async def _mine_every(self, seconds: float) -> None:
        chain = self._running()
        while True:
            await asyncio.sleep(seconds)
            try:
                await self._on_chain_thread(lambda: chain.mine())
            except Exception:  # noqa: BLE001 - a defect; the node keeps answering and says so each time
                _log.exception("block not mined")

    def _running(self) -> Chain:
        if self._chain is None:
            raise DevnetError("the devnet is not running")
        return self._chain


class DevnetThread:
    """A devnet on a thread, for programs without an event loop.

    Example::

        with DevnetThread(DevnetConfig(port=0)) as net:
            web3 = Web3(HTTPProvider(net.url))
    """

    def __init__(self, config: DevnetConfig | None = None) -> None:
        """Nothing happens before ``start``."""
        self.devnet = Devnet(config)
        self._thread = threading.Thread(target=self._main, name="devnet", daemon=True)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """``http://host:port``."""
        return self.devnet.url

    @property
    def accounts(self) -> list[LocalAccount]:
        """The development accounts with their keys."""
        return self.devnet.accounts

    def start(self) -> Self:
        """Return when it listens; DevnetError if it cannot."""
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S):
            raise DevnetError(f"the devnet did not start within {_START_TIMEOUT_S:.0f} s")
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def stop(self) -> None:
        """Stop it and wait for its thread."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def __enter__(self) -> Self:
        """``start``."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """``stop``."""
        self.stop()

    def _main(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await self.devnet.start()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that called start
            self._failure = error
            self._ready.set()
            return
        self._ready.set()
        await self._stop.wait()
        await self.devnet.stop()


def run(config: DevnetConfig | None = None, *, on_ready: Callable[[Devnet], None] | None = None) -> None:
    """Run a devnet in the foreground until SIGINT or SIGTERM; DevnetError if it cannot start.

    ``on_ready`` is called once it listens, with the devnet (its ``url`` and ``accounts``).
    """

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with Devnet(config) as net:
            if on_ready is not None:
                on_ready(net)
            await stop.wait()

    asyncio.run(serve())


def _bind_message(config: DevnetConfig, error: OSError) -> str:
    where = f"{config.host}:{config.port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use: stop what listens there, or choose another port (0 takes any free one)"
    return f"cannot listen on {where}: {error.strerror or error}"
