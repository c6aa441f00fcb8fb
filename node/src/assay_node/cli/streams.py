"""Standard input, output and error: closed, pipes whose reader went away, of another encoding."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO


def prepare() -> None:
    """Make the three streams usable, whatever the caller did to them.

    A closed one becomes the null device: the next file opened would otherwise take its number, and be written
    to. What an encoding lacks is written as an escape, as a path that is no text is.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream: Any = getattr(sys, name)  # None if it is closed
        if stream is None:
            mode = "r" if number == 0 else "w"
            stream = os.fdopen(_null(number), mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
        if number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def discard(stream: TextIO) -> None:
    """Send what is left of a stream nowhere, so that closing it at exit cannot fail again."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # no file behind it
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


def _null(number: int) -> int:
    opened = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    return number
