"""Reads JSON that a stranger wrote, within bounds, and writes JSON that everybody can read.

``json.loads`` accepts more than JSON (``NaN``, ``Infinity``, a key twice, numbers that overflow to infinity)
and recurses once per level of nesting. How deep it may go is the interpreter's recursion limit, which other
libraries raise beyond what the C stack holds, so that nested brackets end the process. `loads` measures the
nesting before it parses, without recursion.

Example:
    >>> loads('{"scale": 0.5}', what="manifest.json")
    {'scale': 0.5}
    >>> loads("[" * 100_000, what="the answer")
    Traceback (most recent call last):
    assay_prover.strict_json.JsonError: the answer: nested deeper than 64 levels
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from pathlib import Path
from typing import NoReturn

MAX_DEPTH = 64
MAX_BYTES = 4 << 20
MAX_NUMBER_LENGTH = 400
"""Digits of the longest number accepted; 2^1024 has 309 digits."""

# Possessive, and with an optional end, so that no text makes it go back: the time is linear.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class JsonError(ValueError):
    """Text that is not strict JSON, or beyond the bounds of its reader."""


def loads(data: str | bytes, *, what: str, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> object:
    """Parses one JSON value.

    The parsed value takes at most some 30 times the memory of the text, which `max_bytes` bounds.

    Args:
        data: the text, or its UTF-8 bytes; a byte order mark is skipped.
        what: what is read, for the messages.
        max_bytes: the longest text accepted, in UTF-8 bytes.
        max_depth: how many lists and objects may stand inside one another.

    Returns:
        dict, list, str, int, finite float, bool or None.

    Raises:
        JsonError: the text is too long or too deep, is not UTF-8 or not JSON, names a key twice, or has a
            number that is not finite or longer than `MAX_NUMBER_LENGTH`, or half of a surrogate pair.
    """
    # A character is at least one byte: text that is too long is refused before it is encoded.
    if len(data) > max_bytes or len(raw := _bytes(data, what)) > max_bytes:
        raise JsonError(f"{what}: longer than {max_bytes:,} bytes")
    if _depth(raw) > max_depth:
        raise JsonError(f"{what}: nested deeper than {max_depth} levels")
    try:
        return _parse(raw.decode("utf-8-sig"))
    except UnicodeError as error:
        raise JsonError(f"{what}: not UTF-8: {error}") from error
    except _Refused as error:
        raise JsonError(f"{what}: {error}") from error
    except ValueError as error:
        raise JsonError(f"{what}: not JSON: {error}") from error


def load(path: Path, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> object:
    """Parses a file, of which at most `max_bytes` are read; messages give its name.

    Raises:
        JsonError: as `loads`.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    return loads(data, what=path.name, max_bytes=max_bytes, max_depth=max_depth)


def dumps(value: object, *, indent: int | None = None, sort_keys: bool = False, compact: bool = False) -> str:
    """Writes JSON that `loads` reads back.

    Args:
        value: what to write.
        indent: spaces per level; None writes one line.
        sort_keys: orders the keys of every object.
        compact: leaves out the blanks after commas and colons.

    Raises:
        ValueError: `value` holds NaN or an infinity, or refers to itself.
        TypeError: `value` holds something that JSON has no form for.
    """
    separators = (",", ":") if compact else None
    return json.dumps(value, indent=indent, sort_keys=sort_keys, separators=separators, allow_nan=False)


class _Refused(ValueError):
    """JSON as such, but with a value that is not accepted."""


def _bytes(data: str | bytes, what: str) -> bytes:
    try:
        return data.encode() if isinstance(data, str) else data
    except UnicodeError as error:
        raise JsonError(f"{what}: not UTF-8: {error}") from error


def _depth(data: bytes) -> int:
    """The deepest nesting of brackets outside strings."""
    brackets = _STRING.sub(b"", data).translate(None, _NOT_BRACKETS)
    return max(accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0)


def _parse(text: str) -> object:
    value = json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_float=_finite,
        parse_int=_integer,
        object_pairs_hook=_object,
    )
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    if len(text) > MAX_NUMBER_LENGTH or not math.isfinite(value := float(text)):
        raise _Refused(f"the number {_shown(text)} is out of range")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_LENGTH:
        raise _Refused(f"the number {_shown(text)} is out of range")
    return int(text)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise _Refused(f"the key {_shown(name)} is given twice")
        members[name] = value
    return members


def _check_surrogates(value: object) -> None:
    """Half of a surrogate pair, escaped, parses, but cannot be written or printed afterwards."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            item.encode()
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.keys())
            waiting.extend(item.values())


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:40] + "...")
