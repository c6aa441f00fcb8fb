"""Documents of these commands for people."""

from __future__ import annotations

from typing import Any


def words_of(document: dict[str, Any]) -> dict[str, object]:
    """Names with blanks, ids in hexadecimal."""
    return {
        name.replace("_", " "): "0x" + value.hex() if isinstance(value, bytes) else value
        for name, value in document.items()
    }
