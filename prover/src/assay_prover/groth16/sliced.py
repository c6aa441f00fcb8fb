"""Keys and proofs of sliced models, and the verifier that takes them like any other ("Slices" in
docs/protocol.md).

A sliced key is the keys of the slices after one another, a sliced proof the commitments at the cuts and then
the proofs. Here each slice is checked on its own, where the contract puts all into one pairing check.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay_prover import _native
from assay_prover._native import InvalidInput, InvalidKey, InvalidProof

MAGIC = b"ASVS\x01"
MAX_SLICES = 16
_WORD, _POINT = 32, 64
_GAMMA = 7 * _WORD
_COMMITTED, _PRIVATE = 1, 2


class _Key:
    """One slice's key, as far as its header tells."""

    def __init__(self, data: bytes) -> None:
        header = data[:_WORD]
        if (
            len(header) < _WORD
            or header[:5] != b"ASVK\x01"
            or header[5] > 3
            or any(header[6:8] + header[12:])
        ):
            raise InvalidKey("a slice's verifying key has no valid header")
        self.flags = header[5]
        self.n = int.from_bytes(header[8:12], "big")
        extra = (self.flags & _COMMITTED) + (self.flags >> 1)
        points = 1 + self.n + (self.flags & _COMMITTED)
        self.ic = _WORD * (1 + 2 + 3 * 4 + 4 * extra)
        size = self.ic + _POINT * points
        if len(data) < size:
            raise InvalidKey("a sliced verifying key is cut off")
        self.data = data[:size]

    @property
    def secrets(self) -> list[bytes]:
        """Of gamma and the deltas the x coordinates, which tell points apart up to sign."""
        return [self.data[start : start + 2 * _WORD] for start in range(_GAMMA, self.ic, 4 * _WORD)]

    @property
    def proof_bytes(self) -> int:
        return 320 if self.flags & _COMMITTED else 256

    @property
    def commitment_bytes(self) -> int:
        return _POINT if self.flags & _PRIVATE else 0


def is_sliced(key: bytes) -> bool:
    """Whether these are the bytes of a sliced verifying key."""
    return key[:5] == MAGIC


def join_keys(keys: Sequence[bytes]) -> bytes:
    """The sliced key of 2 to 16 keys in order.

    Raises:
        InvalidKey: their statements cannot be those of slices, or two share a delta.
    """
    joined = (MAGIC + bytes([len(keys)])).ljust(_WORD, b"\0") + b"".join(keys)
    _split(joined)
    return joined


def split_key(key: bytes) -> list[bytes]:
    """The slices' keys.

    Raises:
        InvalidKey: malformed, statements that are not those of slices, or a delta that two share.
    """
    return [part.data for part in _split(key)]


def _split(key: bytes) -> list[_Key]:
    count = key[5] if len(key) >= _WORD else 0
    if not is_sliced(key) or not 2 <= count <= MAX_SLICES or any(key[6:_WORD]):
        raise InvalidKey("no header of a sliced verifying key")
    parts, offset = [], _WORD
    for index in range(count):
        part = _Key(key[offset:])
        inner = 0 < index < count - 1
        if part.n < 3 or (inner and part.n != 3):
            raise InvalidKey(f"slice {index} cannot have a statement of {part.n} words")
        parts.append(part)
        offset += len(part.data)
    if offset != len(key):
        raise InvalidKey("bytes after a sliced verifying key")
    for index, part in enumerate(parts):
        # What is in one proving key would serve in the other's proofs. Equal gammas do no harm.
        others = {secret for other in parts if other is not part for secret in other.secrets}
        if others.intersection(part.secrets[1:]):
            raise InvalidKey(f"slice {index} shares a delta with another slice")
    return parts


def join_proofs(cuts: Sequence[int], proofs: Sequence[bytes]) -> bytes:
    """The sliced proof: the words at the cuts, then the proofs.

    Args:
        cuts: one word for each cut, one less than there are proofs.
        proofs: of the slices, in order.

    Raises:
        ValueError: another number of cuts.
    """
    if len(cuts) + 1 != len(proofs):
        raise ValueError(f"{len(proofs)} slices have {len(proofs) - 1} cuts, not {len(cuts)}")
    return b"".join(word.to_bytes(_WORD, "big") for word in cuts) + b"".join(proofs)


def verify(key: bytes, public: Sequence[int], proof: bytes, model_commitment: bytes | None = None) -> None:
    """Check a proof against a verifying key, of a sliced model or not; returns nothing.

    Args:
        key: bytes as in docs/protocol.md.
        public: the statement: binding, input words, output words.
        proof: 256 or 320 bytes; sliced, as `join_proofs` makes them.
        model_commitment: M with private weights; sliced, those of the slices that have one, joined.

    Raises:
        InvalidProof: it does not prove the statement, or is no proof's encoding.
        InvalidInput: a word of r or more, a wrong number of words, a commitment missing or unexpected.
        InvalidKey: malformed.
    """
    if not is_sliced(key):
        _native.verify(key, public, proof, model_commitment)
        return
    parts = _split(key)
    for part, statement, piece, commitment in _slices(parts, list(public), proof, model_commitment or b""):
        _native.verify(part.data, statement, piece, commitment)


def _slices(
    parts: list[_Key], public: list[int], proof: bytes, commitments: bytes
) -> list[tuple[_Key, list[int], bytes, bytes | None]]:
    n_in, n_out = parts[0].n - 2, parts[-1].n - 2
    if len(public) != 1 + n_in + n_out:
        raise InvalidInput(f"the statement has {len(public)} words, the key is for {1 + n_in + n_out}")
    offset = _WORD * (len(parts) - 1)
    if len(proof) != offset + sum(part.proof_bytes for part in parts):
        raise InvalidProof(f"a sliced proof under this key does not have {len(proof)} bytes")
    if len(commitments) != sum(part.commitment_bytes for part in parts):
        raise InvalidInput(f"{len(commitments)} bytes are not the model commitments of these slices")
    cuts = [[int.from_bytes(proof[i : i + _WORD], "big")] for i in range(0, offset, _WORD)]
    ends = [public[1 : 1 + n_in], *cuts, public[1 + n_in :]]
    found, taken = [], 0
    for part, entering, leaving in zip(parts, ends, ends[1:], strict=False):
        commitment = commitments[taken : taken + part.commitment_bytes] or None
        piece = proof[offset : offset + part.proof_bytes]
        found.append((part, [public[0], *entering, *leaving], piece, commitment))
        offset += part.proof_bytes
        taken += part.commitment_bytes
    return found
