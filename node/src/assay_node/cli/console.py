"""Where output goes: results to stdout, everything said on the way to stderr, so that pipes carry results
alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ..amounts import ether as ether
from ..chain.node.urls import mask

# Lines are not wrapped here but by the terminal: an id broken over two lines could not be copied.
err = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, soft_wrap=True)


def emit(data: Mapping[str, Any], *, as_json: bool, human: Callable[[], None]) -> None:
    """Print one result: ``data`` as a JSON object, or what ``human`` prints."""
    if as_json:
        emit_json(data)
    else:
        human()


def emit_json(data: object) -> None:
    """Print one JSON document. Bytes become 0x-hex, paths strings; integers stay exact."""
    sys.stdout.write(mask(json.dumps(data, default=_plain, indent=2)) + "\n")
    sys.stdout.flush()


def note(message: str, *, label: str = "") -> None:
    """Say something on the way (stderr). As it is, never as markup: it may quote a stranger or a path."""
    message = mask(message)
    err.print(Text.assemble((f"{label} ", "yellow"), message) if label else Text(message))


def fields(rows: Mapping[str, object]) -> Text:
    """Names and values in two columns, a line each."""
    width = max(map(len, rows), default=0)
    lines = [
        Text.assemble((name.ljust(width + 2), "dim"), "-" if value is None else str(value))
        for name, value in rows.items()
    ]
    return Text("\n").join(lines)


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
