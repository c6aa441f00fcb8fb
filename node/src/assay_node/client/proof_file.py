"""Proof files of the market: the prover's (`assay_prover.ProofFile`), with this package's errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from assay_prover import ProofFile as ProverProofFile
from assay_prover import ProofFileError

from .errors import ClientError


class ProofFile(ProverProofFile):
    """One proof with its statement."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``path``; ClientError if it is missing, too large or no proof file."""
        try:
            return cls.load(path)
        except ProofFileError as error:
            raise ClientError(
                str(error), "Name a file that `assay prove` or `assay verify --save` wrote"
            ) from error

    def write(self, path: Path) -> None:
        """Write to ``path`` whole or not at all; ClientError if the place does not permit it."""
        try:
            self.save(path)
        except ProofFileError as error:
            raise ClientError(str(error), "Name another place") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file under another name and rename it; ClientError if the place does not permit it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ClientError(f"{path} cannot be written: {error.strerror}") from error
