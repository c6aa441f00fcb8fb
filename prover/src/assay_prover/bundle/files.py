"""A bundle's files: what they are called, how one is there completely or not at all, and which folders are
replaced: those that this program made.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import secrets
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

from assay_prover import strict_json
from assay_prover.errors import BundleError

MANIFEST, CIRCUIT, PICTURE, SLICES = "manifest.json", "circuit.npz", "report.svg", "slices"
PROVING_KEY, VERIFYING_KEY, SETUP = "proving.key", "verifying.key", "setup.json"
WEIGHTS, COMMITMENT, OPENING = "weights.npz", "model.commitment", "model.opening"
MAX_MANIFEST_BYTES = 16 << 20

_KEYS = {PROVING_KEY, VERIFYING_KEY, SETUP}
_OWN = {MANIFEST, CIRCUIT, PICTURE, WEIGHTS, COMMITMENT, OPENING, *_KEYS}
# What an interrupted write leaves behind: `.name.` and a few hexadecimal digits, of keys also
# `.partial-1234`.
_PARTIAL = re.compile(r"\.[a-z.]+\.[0-9a-f]{8}(?:\.partial-\d+)?")
_SLICE = re.compile(r"\d{2}")
_EXCHANGE, _HERE = 2, -100  # RENAME_EXCHANGE and AT_FDCWD of Linux


def sync(path: Path) -> None:
    """Flush a file or a directory's entries to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Write beside the target, flush, rename over it."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def check_target(path: Path, *, overwrite: bool) -> None:
    """Whether a bundle may be put here; to be asked before time is spent on it.

    Raises:
        BundleError: something is there, and it may not be replaced, or is no bundle and nothing else.
    """
    if not path.exists() and not path.is_symlink():
        return
    if not overwrite:
        raise BundleError(f"{path} exists already; overwrite it or choose another place")
    if foreign := _foreign(path):
        raise BundleError(f"{path} is not replaced: {foreign}. Choose another place, or remove it yourself")


def _foreign(path: Path) -> str | None:
    """What in a folder is not of a bundle; None if all of it is."""
    if path.is_symlink() or not path.is_dir():
        return "it is no folder"
    entries = sorted(path.iterdir())
    if not entries:
        return None
    try:
        document = strict_json.load(path / MANIFEST, max_bytes=MAX_MANIFEST_BYTES)
    except (OSError, strict_json.JsonError):
        return f"it has no {MANIFEST} of a bundle"
    if not isinstance(document, dict) or document.get("format") != "assay-bundle":
        return f"its {MANIFEST} is not that of a bundle"
    for entry in entries:
        if entry.name == SLICES and not entry.is_symlink() and entry.is_dir():
            for part in sorted(entry.iterdir()):
                if part.is_symlink() or not part.is_dir() or not _SLICE.fullmatch(part.name):
                    return f"{SLICES}/{part.name} is no part of a bundle"
                for file in sorted(part.iterdir()):
                    if not _is_own(file, _KEYS):
                        return f"{SLICES}/{part.name}/{file.name} is no part of a bundle"
        elif not _is_own(entry, _OWN):
            return f"{entry.name} is no part of a bundle"
    return None


def _is_own(file: Path, names: set[str]) -> bool:
    named = file.name in names or _PARTIAL.fullmatch(file.name) is not None
    return named and (file.is_symlink() or file.is_file())


@contextlib.contextmanager
def new_directory(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A directory to fill, which takes its name when all went well, replacing another bundle if allowed.

    Whatever interrupts it, the old bundle or the new one is under the name, whole. A file that somebody put
    into the old one at the last moment stays: that folder is kept beside, and a warning says where.

    Raises:
        BundleError: see `check_target`.
    """
    check_target(path, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    partial.mkdir()
    removable = True
    try:
        yield partial
        for entry in partial.iterdir():
            sync(entry)
        # Compiling takes long enough for files to appear.
        check_target(path, overwrite=overwrite)
        if path.exists():
            _exchange(partial, path)
            # The name holds the old folder now: until it was looked through, nothing removes it.
            removable = False
            _keep_foreign(partial, path)
            removable = True
        else:
            partial.rename(path)
        sync(path.parent)
    finally:
        if removable:
            shutil.rmtree(partial, ignore_errors=True)


def _keep_foreign(replaced: Path, path: Path) -> None:
    """Put a replaced folder aside if, between the last look and the exchange, something came into it."""
    if (foreign := _foreign(replaced)) is None:
        return
    kept = path.with_name(f"{path.name}.replaced.{secrets.token_hex(4)}")
    replaced.rename(kept)
    warnings.warn(f"{path} was replaced, and its old folder is kept as {kept}: {foreign}", stacklevel=2)


def _exchange(new: Path, old: Path) -> None:
    """Swaps two folders' names, in one step where the system can."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(_HERE, os.fsencode(new), _HERE, os.fsencode(old), _EXCHANGE) == 0:
            return
    aside = old.with_name(f"{new.name}.old")
    old.rename(aside)
    try:
        new.rename(old)
    except OSError:
        aside.rename(old)
        raise
    aside.rename(new)
