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
from rich.table import Table

err = Console(stderr=True, highlight=False)
out = Console(highlight=False)


def emit(data: Mapping[str, Any], *, as_json: bool, human: Callable[[], None]) -> None:
    """Print one result: ``data`` as a JSON object, or what ``human`` prints."""
    if as_json:
        emit_json(data)
    else:
        human()


def emit_json(data: object) -> None:
    """Print one JSON document. Bytes become 0x-hex, paths strings; integers stay exact."""
    sys.stdout.write(json.dumps(data, default=_plain, indent=2) + "\n")
    sys.stdout.flush()


def note(message: str) -> None:
    """Say something on the way (stderr)."""
    err.print(message)


def fields(rows: Mapping[str, object]) -> Table:
    """Names and values in two columns."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, "-" if value is None else str(value))
    return table


def ether(wei: int) -> str:
    """An amount as a person reads it: exact, in ether, without trailing zeros."""
    whole, rest = divmod(abs(wei), 10**18)
    digits = f"{whole:,}" + (f".{rest:018d}".rstrip("0") if rest else "")
    return f"{'-' if wei < 0 else ''}{digits} ETH"


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
