"""Checks that passed on this machine, so that they need not be made twice.

A check is named by a hash of everything that it read, the version of this library included: another file, or
another circuit, has another name. The names are kept in the user's cache and never beside the file, because a
bundle from a stranger would bring its own. Whoever can write into that folder has the user's rights already.
"""

from __future__ import annotations

import contextlib
import os
import stat
from hashlib import sha256
from pathlib import Path

from assay_prover._native import __version__

_known: set[str] = set()
"""Of this process: where the user has no home, a check is made once a process."""


def name_of(kind: str, *parts: bytes) -> str:
    """The name of a check.

    Args:
        kind: which check.
        parts: hashes of what it reads; their lengths are part of the name.
    """
    digest = sha256(f"assay/check/v1/{kind}/{__version__}".encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def is_known(name: str) -> bool:
    """Whether the check passed before."""
    if name in _known:
        return True
    folder = _folder()
    if folder is None or not (folder / name).is_file():
        return False
    _known.add(name)
    return True


def remember(name: str) -> None:
    """The check passed. Where nothing can be written, this process alone remembers it."""
    _known.add(name)
    folder = _folder(make=True)
    if folder is not None:
        with contextlib.suppress(OSError):
            (folder / name).touch(mode=0o600)


def _folder(*, make: bool = False) -> Path | None:
    """`$XDG_CACHE_HOME/assay/checks`, if it is the user's own and nobody else may write to it."""
    try:
        base = os.environ.get("XDG_CACHE_HOME")
        folder = (Path(base) if base else Path.home() / ".cache") / "assay" / "checks"
        if make:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except (OSError, RuntimeError):  # no home, or nothing there
        return None
    if not folder.is_absolute() or not stat.S_ISDIR(found.st_mode):
        return None
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        return None
    return folder
