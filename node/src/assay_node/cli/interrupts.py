"""Ctrl-C before and after a command's own work: it ends the program without a traceback.

While modules load, an error is explained or the program winds up, there is nothing to undo, and Python's
``KeyboardInterrupt`` would surface in the middle of somebody's import.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130


@contextmanager
def quietly() -> Iterator[None]:
    """Within the block, Ctrl-C ends the process at once with status 130."""
    with _handler(signal.default_int_handler, _leave):
        yield


@contextmanager
def as_exception() -> Iterator[None]:
    """Within the block, which stands in a `quietly`, Ctrl-C raises ``KeyboardInterrupt`` as ever."""
    with _handler(_leave, signal.default_int_handler):
        yield


@contextmanager
def _handler(old: object, new: object) -> Iterator[None]:
    # Where something else handles the signal, or ignores it as shells let background jobs do, it stays so.
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) != old:
        yield
        return
    signal.signal(signal.SIGINT, new)  # type: ignore[arg-type]
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) == new:
            signal.signal(signal.SIGINT, old)


def _leave(_number: int, _frame: FrameType | None) -> None:
    try:
        os.write(2, b"interrupted\n")
    finally:
        os._exit(INTERRUPTED)
