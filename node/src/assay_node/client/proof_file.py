"""A proof as a file: everything a verifier needs but the key, as JSON a person can read.

{
  "format": "assay/proof", "version": 1,
  "vk_hash": "0x..",              keccak256 of the verifying key's bytes
  "public": ["0x..", ...],        the statement, words below r, 64 digits each
  "proof": "0x..",                256 or 320 bytes
  "model_commitment": "0x.." | null
}

Hexadecimal digits are in lower case: of one proof there is one file, and readers agree on what it says.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from eth_utils.crypto import keccak
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
)

from assay_prover import InvalidProof, strict_json, verify

from .errors import ClientError

MAX_PROOF_FILE = 1 << 24  # bytes; a statement of 200,000 words fits

_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")
_WORD = re.compile(r"0x[0-9a-f]{64}")


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise ValueError("expected 0x and pairs of hexadecimal digits in lower case")
    return bytes.fromhex(value[2:])


def _word(value: object, info: ValidationInfo) -> int:
    if info.mode == "python" and type(value) is int:
        return value
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError("expected 0x and 64 hexadecimal digits in lower case")
    return int(value, 16)


def _version(value: object) -> object:
    if type(value) is not int:  # True equals 1
        raise ValueError("expected a number")
    return value


HexBytes = Annotated[bytes, BeforeValidator(_bytes), PlainSerializer(lambda value: "0x" + value.hex())]
Word = Annotated[int, BeforeValidator(_word), PlainSerializer(lambda value: f"0x{value:064x}")]


class ProofFile(BaseModel):
    """One proof with its statement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["assay/proof"] = "assay/proof"
    version: Annotated[Literal[1], BeforeValidator(_version)] = 1
    vk_hash: HexBytes
    public: tuple[Word, ...]
    proof: HexBytes
    model_commitment: HexBytes | None = None

    @classmethod
    def read(cls, path: Path) -> ProofFile:
        """Read ``path``; ClientError if it is missing, too large or no proof file."""
        try:
            if path.stat().st_size > MAX_PROOF_FILE:
                raise ClientError(f"{path} is too large for a proof file")
            data = path.read_bytes()
            strict_json.loads(data, what="its JSON", max_bytes=MAX_PROOF_FILE, max_depth=8)
            return cls.model_validate_json(data)
        except OSError as error:
            raise ClientError(f"{path} cannot be read: {error.strerror}") from error
        except strict_json.JsonError as error:
            raise ClientError(f"{path} is not a proof file: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise ClientError(f"{path} is not a proof file: {where}: {first['msg']}") from error

    def write(self, path: Path) -> None:
        """Write to ``path`` whole or not at all."""
        write_atomically(path, json.dumps(self.model_dump(mode="json"), indent=2).encode() + b"\n")

    def check(self, verifying_key: bytes) -> None:
        """Raise InvalidProof, InvalidInput or InvalidKey unless the proof holds under ``verifying_key``."""
        if keccak(verifying_key) != self.vk_hash:
            raise InvalidProof(
                f"the proof was made for the key 0x{self.vk_hash.hex()}, "
                f"and this one is 0x{keccak(verifying_key).hex()}"
            )
        verify(verifying_key, list(self.public), self.proof, self.model_commitment)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file under another name and rename it; ClientError if the place does not permit it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ClientError(f"{path} cannot be written: {error.strerror}") from error
