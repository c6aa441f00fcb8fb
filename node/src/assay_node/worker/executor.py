"""Runs the prover beside the event loop: one proof at a time, the most urgent first.

One at a time because a proof uses all cores; two at once would both be late. In a child process by default: a
prover that is killed for memory, or crashes, costs a proof and not the worker. Every proof is verified before
it is handed back, against the statement the contract will rebuild and not the one the prover says it proved.

A model is proven slice by slice, most having one. Each finished slice is handed on before the next begins, so
that a worker that is killed has lost one at most.
"""

from __future__ import annotations

import asyncio
import heapq
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor as Pool
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from assay_prover import AssayProverError, Bundle, Cancelled, InputError, ModelProver, join_proofs, verify

from .pricing.trial import try_proof

_log = structlog.get_logger(__name__)

LAST_STEP = 5.0
"""Seconds in which a proof that is to stop must come to its next step; then its process is killed."""


@dataclass(frozen=True)
class ProofTask:
    """What to prove.

    Attributes:
        bundle: bundle folder.
        integers: the input.
        salt: opening of the commitment; None if the input is public.
        binding: first word of the statement.
        blinding: of the cuts; None if the model is one slice.
        input_words: as the job was posted with.
        threads: of the proof; None takes all cores.
        verifying_key, model_commitment: what the whole proof must hold under.
        slices: of the model.
        kept: the first of them, proven before.
        table_bytes: memory for tables of multiples beside the keys of all models that this process proves.
    """

    bundle: Path
    integers: NDArray[np.int64]
    salt: int | None
    binding: int
    blinding: int | None
    input_words: tuple[int, ...]
    threads: int | None
    verifying_key: bytes
    model_commitment: bytes | None
    slices: int = 1
    kept: tuple[SliceProof, ...] = ()
    table_bytes: int = 0


@dataclass(frozen=True, slots=True)
class SliceProof:
    """A slice's proof that verified, and the words of its statement that leave it."""

    proof: bytes
    leaving: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class ProofResult:
    """A proof that verified."""

    proof: bytes
    output_words: tuple[int, ...]
    seconds: float


class ProofError(Exception):
    """The prover came to nothing; the text says why."""


class InputUnprovable(ProofError):
    """No proof of this input exists: its sender's fault, and not the model's."""


class StaleSlices(ProofError):
    """Slices do not make a valid proof together.

    Attributes:
        earlier_run: some were kept from one, which may be why; else it is the model's fault.
    """

    earlier_run = True


class ProofCancelled(Exception):
    """The proof was stopped on demand."""


class _Flag(Protocol):
    def is_set(self) -> bool: ...
    def set(self) -> None: ...
    def clear(self) -> None: ...


_provers: dict[tuple[Path, int | None], tuple[Bundle, ModelProver]] = {}
_child_stop: _Flag | None = None


def prove(task: ProofTask, index: int, entering: tuple[int, ...], stop: _Flag) -> SliceProof:
    """Proves and checks one slice, in this thread.

    Args:
        task: the whole proof.
        index: which slice of it.
        entering: the words that enter it: the job's input, or what left the slice before.
        stop: set to stop.

    Raises:
        ProofError: the prover refused, or its proof is not one of the job's statement.
        StaleSlices: what the slice before left is not what enters this one.
        ProofCancelled: `stop` was set.
    """
    started = time.perf_counter()

    def progress(_stage: str, _fraction: float) -> bool:
        return not stop.is_set()

    try:
        bundle, prover = _prover(task.bundle, task.threads, task.table_bytes)
        proved = prover.prove_slice(
            index,
            task.integers,
            salt=task.salt,
            binding=task.binding,
            blinding=task.blinding,
            progress=progress,
        )
        leaving = tuple(int(word) for word in proved.leaving)
        if index and tuple(proved.public[1 : -len(leaving)]) != entering:
            raise StaleSlices(f"slice {index} was proven before under another input, salt or blinding")
        bundle.verify_slice(index, [task.binding, *entering, *leaving], proved.proof)
    except Cancelled as error:
        raise ProofCancelled from error
    except InputError as error:
        raise InputUnprovable(str(error)) from error
    except AssayProverError as error:
        raise ProofError(str(error)) from error
    except MemoryError as error:
        raise ProofError("out of memory") from error
    return SliceProof(bytes(proved.proof), leaving, time.perf_counter() - started)


def join(task: ProofTask, parts: Sequence[SliceProof]) -> ProofResult:
    """The proof that the slices make, verified once more as a whole: some may be from an earlier run.

    Raises:
        StaleSlices: it is not valid.
    """
    outputs = parts[-1].leaving
    seconds = sum(part.seconds for part in parts)
    if len(parts) == 1:
        return ProofResult(parts[0].proof, outputs, seconds)
    proof = join_proofs([part.leaving[0] for part in parts[:-1]], [part.proof for part in parts])
    try:
        public = [task.binding, *task.input_words, *outputs]
        verify(task.verifying_key, public, proof, task.model_commitment)
    except AssayProverError as error:
        raise StaleSlices(str(error)) from error
    return ProofResult(proof, outputs, seconds)


def _prover(path: Path, threads: int | None, table_bytes: int) -> tuple[Bundle, ModelProver]:
    """The prover of a bundle, opened once for each process: its key is mapped, not read."""
    if (path, threads) not in _provers:
        bundle = Bundle.open(path)
        left = max(table_bytes - sum(prover.table_bytes for _, prover in _provers.values()), 0)
        _provers[path, threads] = (bundle, bundle.prover(threads=threads, table_bytes=left))
    return _provers[path, threads]


def _start_child(parent: int, stop: _Flag) -> None:
    """Prepares a prover process. It ends with its parent, even when that is killed without a word."""
    global _child_stop
    _child_stop = stop
    # Ctrl-C and a supervisor's SIGTERM reach the whole group; what becomes of a proof is the worker's to say.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def _warm_up(path: Path, threads: int | None, table_bytes: int) -> float | None:
    """Opens a bundle's key ahead of its first job: starting a process and building a circuit take seconds.

    Gives the seconds of a proof that was tried; see `try_proof`. Raises `AssayProverError`.
    """
    return try_proof(*_prover(path, threads, table_bytes))


def _prove_in_child(task: ProofTask, index: int, entering: tuple[int, ...]) -> SliceProof:
    assert _child_stop is not None  # noqa: S101 - set by the initializer
    return prove(task, index, entering, _child_stop)


def guarded(call: Callable[[], Returned]) -> Returned:
    """What a call into the prover gives. A panic of its core is no `Exception`: it would end the worker, or
    get lost between two processes. Here it is a proof that failed.

    Raises:
        ProofError: in place of whatever is no `Exception`.
    """
    try:
        return call()
    except (Exception, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic's type cannot be named: pyo3 exports none
        raise ProofError(f"the prover panicked: {error}") from None  # its own type cannot be pickled


@dataclass(order=True, slots=True)
class _Queued:
    deadline: int
    order: int
    job_id: bytes


Done = Callable[[bytes, ProofResult | Exception], Awaitable[None]]
Prepare = Callable[[bytes], Awaitable[ProofTask]]
Keep = Callable[[bytes, int, SliceProof], None]
Opened = Callable[[Path, str, float | None], None]
Returned = TypeVar("Returned")


class Executor:
    """A queue of proofs.

    Args:
        prepare: makes the task of a job when its turn comes; an exception is that job's failure.
        done: told the result: a `ProofResult`, `ProofCancelled`, or whatever went wrong.
        keep: given each finished slice of a model that has several, to be handed back as `ProofTask.kept`.
        kind: "process" or "thread".
        warm: bundles to open ahead of their first job.
        opened: told of each of them that its keys were opened and checked (""), or why not, and how many
            seconds a proof took that was tried; None if none was.
        threads, table_bytes: of a proof, as the tasks will say.
    """

    def __init__(
        self,
        prepare: Prepare,
        done: Done,
        keep: Keep,
        *,
        kind: Literal["process", "thread"] = "process",
        warm: Sequence[Path] = (),
        opened: Opened | None = None,
        threads: int | None = None,
        table_bytes: int = 0,
    ) -> None:
        self._prepare = prepare
        self._done = done
        self._keep = keep
        self._kind = kind
        self._warm = list(warm)
        self._opened = opened
        self._turn = asyncio.Lock()
        """One thing at once is in the pool: if its process dies, that is what it died of."""
        self._warming: asyncio.Task[None] | None = None
        self._threads = threads
        self._table_bytes = table_bytes
        self._pool: Pool | None = None
        context = multiprocessing.get_context("spawn")
        self._stop: _Flag = context.Event() if kind == "process" else threading.Event()
        self._queue: list[_Queued] = []
        self._orders = 0
        self._running: bytes | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Executor:
        """Starts taking proofs."""
        self._pool = self._new_pool()
        self._warming = asyncio.create_task(self._warm_all(), name="warming up")
        self._task = asyncio.create_task(self._run(), name="executor")
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stops the proof under way at its next step, and its process if that does not come soon."""
        self._stop.set()
        tasks = [task for task in (self._task, self._warming) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._pool is None:
            return
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        ending = asyncio.create_task(
            asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True), name="prover ends"
        )
        if processes:
            await asyncio.wait({ending}, timeout=LAST_STEP)
            for process in processes:
                if process.is_alive():
                    _log.warning("prover.killed", after=LAST_STEP)
                    process.kill()
        await ending

    def check(self) -> None:
        """Raises what ended the executor: `done` failed, so a result is not on disk; the worker ends too."""
        for task in (self._task, self._warming):
            if task is not None and task.done() and not task.cancelled():
                task.result()

    @property
    def running(self) -> bytes | None:
        """The job being proven."""
        return self._running

    def waiting(self) -> list[bytes]:
        """Jobs whose turn has not come."""
        return [queued.job_id for queued in sorted(self._queue)]

    def add(self, job_id: bytes, deadline: int) -> None:
        """Queues a job's proof, by deadline."""
        self._orders += 1
        heapq.heappush(self._queue, _Queued(deadline, self._orders, job_id))
        self._wake.set()

    async def stop(self, job_id: bytes) -> None:
        """Takes a job out of the queue, or stops its proof at the next step. `done` is told either way."""
        if self._running == job_id:
            self._stop.set()
            return
        kept = [queued for queued in self._queue if queued.job_id != job_id]
        if len(kept) < len(self._queue):
            heapq.heapify(kept)
            self._queue = kept
            await self._done(job_id, ProofCancelled())

    async def _run(self) -> None:
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            self._running = heapq.heappop(self._queue).job_id
            self._stop.clear()
            try:
                outcome: ProofResult | Exception = await self._prove(
                    self._running, await self._prepare(self._running)
                )
            except Exception as error:  # noqa: BLE001 - any failure is the job's, and is handed on
                outcome = error
            job_id, self._running = self._running, None
            await self._done(job_id, outcome)

    async def _prove(self, job_id: bytes, task: ProofTask) -> ProofResult:
        try:
            return await self._prove_slices(job_id, task)
        except StaleSlices as error:
            error.earlier_run = bool(task.kept)
            raise

    async def _prove_slices(self, job_id: bytes, task: ProofTask) -> ProofResult:
        parts = list(task.kept)
        while len(parts) < task.slices:
            entering = parts[-1].leaving if parts else task.input_words
            part = await self._in_pool(task, len(parts), entering)
            if task.slices > 1:
                self._keep(job_id, len(parts), part)
                _log.info("slice.proven", job="0x" + job_id.hex(), slice=len(parts) + 1, of=task.slices)
            parts.append(part)
        return await asyncio.to_thread(guarded, partial(join, task, parts))

    async def _in_pool(self, task: ProofTask, index: int, entering: tuple[int, ...]) -> SliceProof:
        async with self._turn:
            if self._kind == "process":
                return await self._call(partial(_prove_in_child, task, index, entering))
            return await self._call(partial(prove, task, index, entering, self._stop))

    async def _warm_all(self) -> None:
        """Opens and checks the keys of all bundles, and says of each what came of it."""
        for path in tuple(self._warm):
            async with self._turn:
                _log.info("model.opening", bundle=str(path))
                began, fault, tried = time.monotonic(), "", None
                try:
                    tried = await self._call(partial(_warm_up, path, self._threads, self._table_bytes))
                except Exception as error:  # noqa: BLE001 - whatever it is, the model cannot be proven
                    fault = str(error) or type(error).__name__
            seconds = round(time.monotonic() - began, 1)
            if fault:
                self._warm.remove(path)  # no second process dies of it
                _log.error("model.cannot_prove", bundle=str(path), seconds=seconds, reason=fault)
            else:
                proof = None if tried is None else round(tried, 3)
                _log.info("model.opened", bundle=str(path), seconds=seconds, proof_seconds=proof)
            if self._opened is not None:
                self._opened(path, fault, tried)

    async def _call(self, call: Callable[[], Returned]) -> Returned:
        """Calls in the pool; a process that died before is replaced, and has its keys opened again."""
        loop = asyncio.get_running_loop()
        if self._pool is None:
            self._pool = self._new_pool()
            if self._warming is None or self._warming.done():
                self._warming = asyncio.create_task(self._warm_all(), name="warming up")
        try:
            return await loop.run_in_executor(self._pool, partial(guarded, call))
        except BrokenProcessPool as error:
            self._pool.shutdown(wait=False)
            self._pool = None
            _log.exception("prover.died")
            raise ProofError("the prover's process died, most likely for lack of memory") from error

    def _new_pool(self) -> Pool:
        if self._kind == "thread":
            return ThreadPoolExecutor(1, thread_name_prefix="prover")
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, _start_child, (os.getpid(), self._stop))
