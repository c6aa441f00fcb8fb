"""The prover's process: how it ends, and that it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path, PosixPath
from typing import Any
from unittest.mock import Mock

import pytest

from assay_node.worker import executor as module
from assay_node.worker.executor import Executor, ProofError, SliceProof, StaleSlices
from assay_prover import _native
from assay_prover.groth16 import InternalError

PROGRAM = """
import asyncio, signal
from pathlib import Path, PosixPath
import structlog
from assay_node.worker.executor import Executor

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # nothing is said

async def nothing(*_): ...

async def main():
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Executor(nothing, nothing, nothing, warm=[Path("/nonexistent")]) as executor:
        await asyncio.wrap_future(executor._pool.submit(int))  # the process runs
        print("ready", flush=True)
        await stop.wait()
    print("stopped", flush=True)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_ends_it_without_a_word(number: signal.Signals, tmp_path) -> None:
    """No traceback of the child's, no warning of semaphores that nobody took back."""
    (tmp_path / "program.py").write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, "-W", "default", tmp_path / "program.py"],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, number)
    said, _ = process.communicate(timeout=60)
    assert (said, process.returncode) == ("stopped\n", 0)


async def test_a_prover_that_comes_to_no_step_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_STEP", 0.2)

    async def nothing(*_: object) -> None: ...

    async with Executor(nothing, nothing, lambda *_: None) as executor:  # type: ignore[arg-type]
        assert executor._pool is not None
        stuck = executor._pool.submit(time.sleep, 3600)
        while not stuck.running():
            await asyncio.sleep(0.05)
    assert stuck.done()


async def test_a_model_that_cannot_prove_is_told_before_there_are_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None: ...

    log = Mock()
    monkeypatch.setattr(module, "_log", log)
    told: list[tuple[Path, str, float | None]] = []
    executor = Executor(
        nothing,  # type: ignore[arg-type]
        nothing,
        lambda *_: None,
        kind="thread",
        warm=[tmp_path],
        opened=lambda *each: told.append(each),
    )
    async with executor:
        assert executor._warming is not None
        await executor._warming
    log.info.assert_called_once_with("model.opening", bundle=str(tmp_path))
    (failed,) = log.error.call_args_list
    assert failed.args == ("model.cannot_prove",)
    assert "manifest.json" in failed.kwargs["reason"]
    assert told == [(tmp_path, failed.kwargs["reason"], None)]


async def test_keys_that_open_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None: ...

    told: list[tuple[Path, str, float | None]] = []
    monkeypatch.setattr(module, "_warm_up", lambda *_: 0.25)
    async with Executor(
        nothing,  # type: ignore[arg-type]
        nothing,
        lambda *_: None,
        kind="thread",
        warm=[tmp_path],
        opened=lambda *each: told.append(each),
    ) as executor:
        assert executor._warming is not None
        await executor._warming
    assert told == [(tmp_path, "", 0.25)]


class Deadly(PosixPath):
    """Stands for a bundle whose opening kills the prover's process."""

    def __reduce__(self) -> Any:
        return os._exit, (1,)


async def test_a_bundle_that_kills_the_prover_puts_out_no_other(tmp_path: Path) -> None:
    async def nothing(*_: object) -> None: ...

    told: list[str] = []
    warm = [Deadly(tmp_path), tmp_path]
    async with Executor(
        nothing,  # type: ignore[arg-type]
        nothing,
        lambda *_: None,
        warm=warm,
        opened=lambda _, fault, __: told.append(fault),
    ) as executor:
        assert executor._warming is not None
        await executor._warming
    died, unreadable = told
    assert "process died" in died
    assert "manifest.json" in unreadable


@pytest.mark.parametrize("kept", [(), (SliceProof(b"", (1,), 1.0),)])
async def test_slices_that_do_not_fit_are_the_models_fault_unless_some_were_kept(
    kept: tuple[SliceProof, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None: ...

    async def unfit(*_: object) -> None:
        raise StaleSlices("they do not fit")

    executor = Executor(nothing, nothing, lambda *_: None, kind="thread")  # type: ignore[arg-type]
    monkeypatch.setattr(executor, "_in_pool", unfit)
    task: Any = Mock(kept=kept, slices=2)
    with pytest.raises(StaleSlices) as found:
        await executor._prove(bytes(32), task)
    assert found.value.earlier_run is bool(kept)


NO_EXCEPTION = """
class Panic(BaseException): ...
raise Panic("no exception")
"""


@pytest.mark.parametrize("kind", ["thread", "process"])
async def test_a_panic_of_the_core_is_a_failed_proof_and_the_next_is_proven(kind: Any) -> None:
    """Whether it is caught where it happens or comes out as no `Exception`, in whichever process."""

    async def nothing(*_: object) -> None: ...

    async with Executor(nothing, nothing, lambda *_: None, kind=kind) as executor:  # type: ignore[arg-type]
        with pytest.raises((ProofError, InternalError), match="panicked: index out of bounds"):
            await executor._call(partial(_native.panic_for_test, "index out of bounds"))
        with pytest.raises(ProofError, match="panicked: no exception"):
            await executor._call(partial(exec, NO_EXCEPTION))
        assert await executor._call(partial(int, "7")) == 7
        executor.check()


@pytest.mark.parametrize("name", ["private", "public"])
async def test_a_proof_is_tried_when_keys_are_opened(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With half a second assumed for each proof, windows seem to hold a fraction of what fits."""
    bundle: Path = request.getfixturevalue(f"{name}_bundle")
    seconds = module._warm_up(bundle, None, 0)
    assert seconds is not None
    assert seconds > 0
    monkeypatch.setattr("assay_node.worker.pricing.trial.TRIAL_CONSTRAINTS", 1)
    assert module._warm_up(bundle, None, 0) is None
