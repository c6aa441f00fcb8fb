"""Packing integers into field words, as docs/protocol.md "The statement" writes it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay_prover.circuit.field import from_limbs
from assay_prover.reference.tensor import Int64Array

WORD_BITS = 253
"""2^253 < r: a word of this many bits is its own canonical representative."""


def values_per_word(bits: int) -> int:
    """How many values of `bits` bits (1..62) share a word."""
    if not 1 <= bits <= 62:
        raise ValueError(f"values of {bits} bits cannot be packed")
    return WORD_BITS // bits


def pack(values: Int64Array, bits: int) -> list[int]:
    """Unsigned values of `bits` bits, first in the least significant place.

    Raises:
        ValueError: a value outside [0, 2^bits).
    """
    flat = np.asarray(values, dtype=np.int64).ravel()
    if flat.size and (int(flat.min()) < 0 or int(flat.max()) >> bits):
        raise ValueError(f"a value does not fit {bits} unsigned bits")
    per_word = values_per_word(bits)
    n_words = -(-flat.size // per_word)
    planes = np.unpackbits(flat.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")[
        :, :bits
    ]
    grid = np.zeros((n_words * per_word, bits), dtype=np.uint8)
    grid[: flat.size] = planes
    words = np.zeros((n_words, 256), dtype=np.uint8)
    words[:, : per_word * bits] = grid.reshape(n_words, per_word * bits)
    return from_limbs(np.packbits(words, axis=1, bitorder="little").view("<u8"))


def unpack(words: Sequence[int], bits: int, size: int) -> Int64Array:
    """The `size` values that `pack` would have written as these words.

    Raises:
        ValueError: the wrong number of words, or bits set outside the values' places.
    """
    per_word = values_per_word(bits)
    if len(words) != -(-size // per_word):
        raise ValueError(f"{size} values of {bits} bits take {-(-size // per_word)} words, got {len(words)}")
    mask = (1 << bits) - 1
    values: list[int] = []
    for number, word in enumerate(words):
        count = min(per_word, size - number * per_word)
        if word < 0 or word >> (count * bits):
            raise ValueError(f"word {number} is not a packing of {count} values of {bits} bits")
        values.extend((word >> (bits * place)) & mask for place in range(count))
    return np.array(values, dtype=np.int64)
