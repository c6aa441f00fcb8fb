"""Says what is waited for, wherever it is waited: a transaction, confirmations, a node that does not answer.

A wait of a few seconds is silent. A longer one is logged, and told to whoever listens (the command line
prints it), and again at growing intervals, so that nobody sits before a program that seems to hang.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

_log = structlog.get_logger(__name__)

FIRST_WORD = 5.0
"""Seconds of silence; then twice that, and so on, up to the longest."""
LONGEST_SILENCE = 120.0

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("waiting_listener", default=None)


@contextmanager
def listening(tell: Callable[[str], None]) -> Iterator[None]:
    """Has `tell` called with a sentence about each long wait, in this context and the tasks it starts.

    Example:
        with listening(lambda text: print(text, file=sys.stderr)):
            await outbox.wait(key)
    """
    token = _listener.set(tell)
    try:
        yield
    finally:
        _listener.reset(token)


class Waiting:
    """One wait. To be told each time it was looked and what is waited for is not there.

    Args:
        what: what is waited for, as the end of "waiting for ...".
        clock: seconds; monotonic.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._began = clock()
        self._silence = FIRST_WORD
        self._due = self._began + FIRST_WORD

    def still(self, detail: str = "") -> None:
        """It is not there yet; `detail` says why, as far as is known."""
        now = self._clock()
        if now < self._due:
            return
        self._silence = min(LONGEST_SILENCE, 2 * self._silence)
        self._due = now + self._silence
        seconds = round(now - self._began)
        _log.info("chain.waiting", waiting_for=self._what, seconds=seconds, detail=detail)
        tell = _listener.get()
        if tell is not None:
            tell(f"waiting for {self._what} for {seconds} s" + (f": {detail}" if detail else ""))
