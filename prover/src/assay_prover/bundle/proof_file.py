"""A proof as a file: everything that a verifier needs but the key, as JSON that a person can read.

{
  "format": "assay/proof", "version": 1,
  "vk_hash": "0x..",              keccak256 of the verifying key's bytes
  "public": ["0x..", ...],        the statement: binding, input words, output words; below r, 64 digits each
  "proof": "0x..",                256 or 320 bytes; more of a sliced model
  "model_commitment": "0x.." | null
}

Hexadecimal digits are in lower case: of one proof there is one file, and readers agree on what it says.

Whoever asked keeps a second file, which opens the answer and is nobody else's business:

{
  "format": "assay/answer", "version": 1,
  "salt": "0x.." | null,          hides the input and decrypts the output
  "outputs": [...] | null         the integers behind a committed output, which its opening takes
}
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
)

from assay_prover import strict_json
from assay_prover.bundle.files import replace_file
from assay_prover.errors import ProofFileError
from assay_prover.groth16 import FIELD_ORDER, InvalidProof, verify, verifying_key_hash
from assay_prover.reference.tensor import Int64Array

MAX_PROOF_FILE = 1 << 24
"""Bytes; a statement of 200,000 words fits."""


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


class _JsonFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    _name: ClassVar[str]

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a file that `save` wrote.

        Raises:
            ProofFileError: it is missing, too large, or something else.
        """
        path = Path(path)
        what = cls._name
        try:
            with path.open("rb") as file:
                data = file.read(MAX_PROOF_FILE + 1)
            strict_json.loads(data, what="its JSON", max_bytes=MAX_PROOF_FILE, max_depth=8)
            return cls.model_validate_json(data)
        except OSError as error:
            raise ProofFileError(f"{path} cannot be read: {error.strerror}") from error
        except strict_json.JsonError as error:
            raise ProofFileError(f"{path} is not {what}: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise ProofFileError(f"{path} is not {what}: {where}: {first['msg']}") from error

    def _text(self) -> bytes:
        return (strict_json.dumps(self.model_dump(mode="json"), indent=2) + "\n").encode()


class ProofFile(_JsonFile):
    """One proof with its statement; for everyone.

    Example:
        >>> proved = bundle.prover().prove(bundle.encode_input(x), salt=salt)    # doctest: +SKIP
        >>> proved.save("proof.json")                                            # doctest: +SKIP
        >>> ProofFile.load("proof.json").check(bundle.verifying_key)             # doctest: +SKIP
    """

    _name = "a proof file"
    format: Literal["assay/proof"] = "assay/proof"
    version: Annotated[Literal[1], BeforeValidator(_version)] = 1
    vk_hash: HexBytes
    public: tuple[Word, ...]
    proof: HexBytes
    model_commitment: HexBytes | None = None

    def save(self, path: Path | str) -> None:
        """Write the file, whole or not at all. Raises `ProofFileError`."""
        try:
            replace_file(Path(path), self._text())
        except OSError as error:
            raise ProofFileError(f"{path} cannot be written: {error.strerror}") from error

    def check(self, verifying_key: bytes) -> None:
        """Return only if the proof holds under ``verifying_key``.

        Raises:
            InvalidProof, InvalidInput, InvalidKey: it does not, or statement or key are malformed.
        """
        found = verifying_key_hash(verifying_key)
        if found != self.vk_hash:
            raise InvalidProof(
                f"the proof was made for the key 0x{self.vk_hash.hex()}, and this one is 0x{found.hex()}"
            )
        verify(verifying_key, list(self.public), self.proof, self.model_commitment)


class AnswerFile(_JsonFile):
    """What opens the answer of a proof: for whoever asked, and nobody else."""

    _name = "an answer file"
    format: Literal["assay/answer"] = "assay/answer"
    version: Annotated[Literal[1], BeforeValidator(_version)] = 1
    salt: Word | None = None
    outputs: tuple[int, ...] | None = None

    @classmethod
    def of(cls, salt: int | None, outputs: Int64Array | None) -> AnswerFile:
        """From a salt, and the integers of a committed output, `[*output shape]`; None for none."""
        return cls(salt=salt, outputs=None if outputs is None else tuple(int(v) for v in outputs.ravel()))

    def integers(self, shape: tuple[int, ...]) -> Int64Array | None:
        """The integers behind a committed output, of the output's shape. Raises `ProofFileError`."""
        if self.outputs is None:
            return None
        try:
            return np.array(self.outputs, dtype=np.int64).reshape(shape)
        except (ValueError, OverflowError) as error:
            raise ProofFileError("the answer file is of another model: its outputs do not fit") from error

    def save(self, path: Path | str) -> None:
        """Write a file that only its owner may read. Never over another one. Raises `ProofFileError`."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._text())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ProofFileError(f"{path} cannot be written: {error.strerror}") from error

    def model_post_init(self, _context: Any) -> None:
        """Refuse a salt that is none.

        Raises:
            ValueError: it is outside [0, r).
        """
        if self.salt is not None and not 0 <= self.salt < FIELD_ORDER:
            raise ValueError("the salt is outside [0, r)")
