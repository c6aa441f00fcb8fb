"""The prover's process: how it ends, and that it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from assay_node.worker import executor as module
from assay_node.worker.executor import Executor

PROGRAM = """
import asyncio, signal
from pathlib import Path
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
    executor = Executor(nothing, nothing, lambda *_: None, kind="thread", warm=[tmp_path])  # type: ignore[arg-type]
    async with executor:
        assert executor._pool is not None
        await asyncio.wrap_future(executor._pool.submit(int))  # after what was to be opened
    log.info.assert_called_once_with("model.opening", bundle=str(tmp_path))
    (failed,) = log.error.call_args_list
    assert failed.args == ("model.cannot_prove",)
    assert "manifest.json" in failed.kwargs["reason"]
