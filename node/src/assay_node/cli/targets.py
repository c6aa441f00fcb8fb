"""Files and folders that commands write: looked at before the work begins, and never somebody else's.

A command replaces what this program made, and nothing else: a path typed wrong must not cost a thesis. What
is checked here is checked again by whoever writes; the point is to fail before money or minutes are spent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from assay_prover import strict_json

from ..errors import AssayError

MARKER = ".made-by-assay"
"""Stands in a folder that a command empties before it uses it again."""

_MOST = 1 << 24
"""Bytes of a file that are looked at to see what it is."""


def writable(path: Path) -> None:
    """Check that a file can be written at ``path``. Raises AssayError.

    Missing folders are made, as writing would make them.
    """
    if path.is_dir():
        raise AssayError(f"{path} is a folder", "Name a file")
    probe = path.with_name(f".{path.name[:100]}.{os.getpid()}.probe")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        probe.unlink()
    except OSError as error:
        raise AssayError(f"cannot write {path} ({error.strerror})", "Name another place") from error


def replaceable(path: Path, *, made_here: Callable[[bytes], bool]) -> None:
    """Check that a file can be written at ``path``, and that what is there is one that this program made.

    Args:
        path: the file.
        made_here: whether a file's first 16 MiB are what the command writes.

    Raises:
        AssayError: it cannot be written, or is there and something else.
    """
    writable(path)
    try:
        with path.open("rb") as file:
            ours = made_here(file.read(_MOST))
    except FileNotFoundError:
        return
    except OSError as error:
        raise AssayError(f"cannot read {path} ({error.strerror})", "Name another place") from error
    if not ours:
        raise AssayError(f"{path} is there already, and assay did not write it", "Name another file")


def document_with(field: str, value: str | None = None) -> Callable[[bytes], bool]:
    """For `replaceable`: whether a file is a JSON object with a field, of this value if one is given.

    That the words occur in it says nothing: they do in notes about such files, too.
    """

    def made_here(data: bytes) -> bool:
        try:
            found = strict_json.loads(data, what="the file", max_bytes=_MOST)
        except strict_json.JsonError:
            return False
        return isinstance(found, dict) and field in found and value in (None, found[field])

    return made_here


def absent(path: Path) -> None:
    """Check that a file can be written at ``path`` and that none is there. Raises AssayError."""
    writable(path)
    if path.exists() or path.is_symlink():
        raise AssayError(f"{path} is there already", "It is never replaced: name another file")


def fresh_folder(path: Path, *, made_here: re.Pattern[str]) -> None:
    """Make an empty folder, removing what an earlier run of the same command left there, and nothing else.

    Args:
        path: the folder.
        made_here: what the command calls its files, as paths from the folder with slashes between; and its
            folders, with a slash at the end.

    Raises:
        AssayError: the folder holds something that the command does not make, or has no mark of this program,
            or cannot be made.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise AssayError(f"{path} is no folder", "Name another place")
        if path.exists() and any(path.iterdir()):
            if not (path / MARKER).is_file():
                raise AssayError(
                    f"{path} holds files that assay did not make", "Move them, or name another place"
                )
            _remove(*_contents(path, made_here))
        path.mkdir(parents=True, exist_ok=True)
        (path / MARKER).touch()
    except OSError as error:
        raise AssayError(f"cannot use {path} ({error.strerror})", "Name another place") from error


def _contents(path: Path, made_here: re.Pattern[str]) -> tuple[list[Path], list[Path]]:
    """Files and folders in a folder, all of which the command makes. Raises AssayError."""
    files: list[Path] = []
    folders: list[Path] = []
    for root, names, others in os.walk(path):
        folders += [Path(root) / name for name in names if not (Path(root) / name).is_symlink()]
        files += [Path(root) / name for name in others]
        files += [Path(root) / name for name in names if (Path(root) / name).is_symlink()]
    named = [(file, file.relative_to(path).as_posix()) for file in files]
    named += [(folder, folder.relative_to(path).as_posix() + "/") for folder in folders]
    for entry, name in named:
        ours = name == MARKER or made_here.fullmatch(name) is not None
        if not ours or entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            raise AssayError(
                f"{path} holds {name}, which assay did not make", "Move it, or name another place"
            )
    return files, folders


def _remove(files: list[Path], folders: list[Path]) -> None:
    """What was looked through, one by one: what came since then stays, and the folder with it."""
    for file in sorted(files, key=lambda each: each.name == MARKER):  # the mark last: this can be cut short
        file.unlink()
    for folder in reversed(folders):
        folder.rmdir()


def set_aside(path: Path) -> Path | None:
    """Rename a file that is about to be replaced to the first free ``NAME.1.json``, ``NAME.2.json``, ...

    Returns:
        Where it is now; None if there was none.

    Raises:
        AssayError: it cannot be renamed.
    """
    if not path.exists():
        return None
    number = 1
    while (kept := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists():
        number += 1
    try:
        path.rename(kept)
    except OSError as error:
        raise AssayError(
            f"cannot keep {path} as {kept.name} ({error.strerror})", "Move it yourself"
        ) from error
    return kept
