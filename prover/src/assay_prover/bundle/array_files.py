"""Archives of integer arrays (.npz) from anyone: nothing is allocated on the word of a header.

Members are stored, not compressed, and together no longer than the file, so that a few bytes cannot unfold.
An array's header must give exactly the bytes that follow it.
"""

from __future__ import annotations

import io
import zipfile
from math import prod
from typing import Any

import numpy as np

from assay_prover.errors import BundleError
from assay_prover.reference.tensor import Int64Array

MAX_MEMBERS = 1 << 18


def open_archive(data: bytes, name: str) -> zipfile.ZipFile:
    """A zip file whose members are stored and lie within it.

    Args:
        data: the file.
        name: of the file, for messages.

    Raises:
        BundleError: refused.
        zipfile.BadZipFile: no zip file.
    """
    archive = zipfile.ZipFile(io.BytesIO(data))
    members = archive.infolist()
    if any(info.compress_type != zipfile.ZIP_STORED for info in members):
        raise BundleError(f"{name} is refused: compressed members")
    if len(members) > MAX_MEMBERS or sum(info.file_size for info in members) > len(data):
        raise BundleError(f"{name} is refused: its members are larger than the file, or too many")
    if len({info.filename for info in members}) < len(members):
        raise BundleError(f"{name} is refused: a member is there twice")
    return archive


def read_integers(member: bytes) -> Int64Array:
    """An array of signed integers of any width, as int64.

    Raises:
        ValueError: not an array in numpy's format of version 1, of another kind, or of another size than it
            says.
    """
    stream = io.BytesIO(member)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array of another format's version")
    shape, by_columns, kind = np.lib.format.read_array_header_1_0(stream)
    if kind.kind != "i":
        raise ValueError("an array of other numbers than integers")
    here = len(member) - stream.tell()
    if prod(shape) * kind.itemsize != here or min(shape, default=0) < 0:
        raise ValueError(f"an array of shape {shape} in {here} bytes")
    values: np.ndarray[Any, Any] = np.frombuffer(member, dtype=kind, offset=stream.tell())
    return np.array(values.reshape(shape, order="F" if by_columns else "C"), dtype=np.int64, order="C")
