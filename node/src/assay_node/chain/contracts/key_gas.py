"""What registering a verifying key costs in gas, and how large a statement a key can be for.

A key is stored as contract code, in several contracts where one cannot hold it (EIP-170), all in one
transaction. What bounds it is what a transaction may cost (EIP-7825). The figures are upper bounds within 3 %
of the contracts' own gas snapshots (contracts/snapshots/registry.json), which a test compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_TRANSACTION_GAS = 16_777_216
"""EIP-7825: no transaction of any chain that follows it may have a higher gas limit."""
PART_BYTES = 24_575
"""Bytes of a key that one contract holds: EIP-170's limit less the STOP byte."""

_BASE = 265_000
"""The transaction, the registry's storage and the event, with a URI of up to 31 bytes."""
_BYTE = 232
"""Of a key: 200 of code deposit, 16 of calldata, the check of its points, memory."""
_PART = 50_000
"""Of a key in several parts: a contract created, and its place in the index."""
_PAIRING, _PAIR = 45_000, 34_000
"""The check that G2 points are in their subgroup, once a slice; and for each point."""
_COMMITMENT = 46_000
_STORAGE_WORD = 22_700

_HEADER_BYTES, _G1_BYTES, _G2_BYTES = 32, 64, 128
_COMMITTED, _PRIVATE_WEIGHTS = 1, 2


@dataclass(frozen=True, slots=True)
class KeyShape:
    """What decides the size of one verifying key, of a model or of a slice of one.

    Attributes:
        words: of the statement: the binding, the inputs and the outputs.
        committed: proofs have a commitment round.
        private_weights: weights are bound by a model commitment.
    """

    words: int
    committed: bool
    private_weights: bool

    @property
    def g2_points(self) -> int:
        """beta, gamma, delta, and one delta more for each mode."""
        return 3 + int(self.committed) + int(self.private_weights)

    @property
    def key_bytes(self) -> int:
        """Bytes of the key: header, alpha, the points in G2, and one point in G1 for each wire."""
        wires = 1 + self.words + int(self.committed)
        return _HEADER_BYTES + _G1_BYTES + _G2_BYTES * self.g2_points + _G1_BYTES * wires


def shapes_of(verifying_key: bytes) -> list[KeyShape]:
    """The shapes of the keys in a verifying key: one, or one for each slice.

    Raises:
        ValueError: these are not the bytes of a verifying key of version 1.
    """
    if verifying_key[:5] == b"ASVS\x01" and len(verifying_key) >= _HEADER_BYTES:
        count, at = verifying_key[5], _HEADER_BYTES
    else:
        count, at = 1, 0
    shapes = []
    for _ in range(count):
        header = verifying_key[at : at + _HEADER_BYTES]
        if len(header) < _HEADER_BYTES or header[:5] != b"ASVK\x01" or header[5] > 3:
            raise ValueError(f"no verifying key begins at byte {at}")
        flags = header[5]
        words = int.from_bytes(header[6:12], "big")
        shape = KeyShape(words, bool(flags & _COMMITTED), bool(flags & _PRIVATE_WEIGHTS))
        shapes.append(shape)
        at += shape.key_bytes
    if at != len(verifying_key):
        raise ValueError(f"a verifying key of {len(verifying_key)} bytes says that it has {at}")
    return shapes


def register_gas(shapes: Sequence[KeyShape], *, uri_bytes: int = 0) -> int:
    """Gas of the transaction that registers a model, an upper bound.

    Args:
        shapes: of its verifying key: one, or those of its slices.
        uri_bytes: length of the model's URI in UTF-8.

    Example:
        >>> register_gas([KeyShape(4, committed=True, private_weights=False)]) < 700_000
        True
    """
    size = sum(shape.key_bytes for shape in shapes) + (_HEADER_BYTES if len(shapes) > 1 else 0)
    parts = -(-size // PART_BYTES)
    checks = sum(_PAIRING + _PAIR * shape.g2_points for shape in shapes)
    commitments = _COMMITMENT * sum(shape.private_weights for shape in shapes)
    uri = _STORAGE_WORD * -(-uri_bytes // 32) if uri_bytes > 31 else 0
    return _BASE + _BYTE * size + checks + commitments + uri + (_PART * parts if parts > 1 else 0)


def most_words(*, committed: bool, private_weights: bool) -> int:
    """Words of the largest statement whose key can be registered, the binding included.

    Example:
        >>> most_words(committed=True, private_weights=False) > 1000
        True
    """
    words = 0
    step = 1 << 16
    while step:
        shape = KeyShape(words + step, committed, private_weights)
        if register_gas([shape]) <= MAX_TRANSACTION_GAS:
            words += step
        step >>= 1
    return words
