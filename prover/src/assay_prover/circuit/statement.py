"""The statement of every circuit, and its functions outside one: packing, commitment, encryption.

Public inputs, in order: the binding; the input's words or its commitment; the output's words, plain or
encrypted, or its commitment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from assay_prover import _native
from assay_prover.circuit.layout import FIELD_ORDER
from assay_prover.circuit.packing import pack, unpack, values_per_word
from assay_prover.reference.tensor import Int64Array

INPUT_DOMAIN = 1
ENCRYPTION_DOMAIN = 2
OUTPUT_DOMAIN = 3
CUT_DOMAIN = 3
"""What one salt is used for, as the first element of every hash of it; cut k > 0 has CUT_DOMAIN + k."""

FIRST_WORDS = 14
CHAIN_WORDS = 15


InputVisibility = Literal["private", "public"]
OutputVisibility = Literal["encrypted", "committed", "public"]


@dataclass(frozen=True)
class Part:
    """A run of consecutive values with a packing of its own: integers in [lo, lo + 2^bits - 1].

    Raises:
        ValueError: no values, or more bits than a word packs.
    """

    size: int
    lo: int
    bits: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.size < 1:
            raise ValueError("a part of the statement has at least one value")
        values_per_word(self.bits)

    @property
    def hi(self) -> int:
        """The largest integer the packing holds."""
        return self.lo + (1 << self.bits) - 1

    @property
    def words(self) -> int:
        """Words that it takes."""
        return -(-self.size // values_per_word(self.bits))


@dataclass(frozen=True)
class StatementSpec:
    """What a proof says: who sees input and output, and their declared ranges.

    Input and a committed output of one statement are under one salt. With a public input that salt is the
    prover's own choice, and nobody else can open the output until the prover says it.

    The input's integers are in [input_lo, input_lo + 2^input_bits - 1]; with `input_parts` those of each part
    are in the part's range, the parts follow one another, and each begins a new word. The output's are in
    [output_lo, output_hi]; None takes the worst case of the network.

    A slice of a network (`slice`) has a cut for its input, its output or both: all tensors that are alive
    there, behind a commitment of the cut's own domain. `entering` and `leaving` are the cuts' numbers, from
    1; 0 is the model's own input or output. A cut's ranges are those of its tensors. The first word under
    the commitment is the prover's blinding, so that the requester's salt does not open a cut.

    Raises:
        ValueError: an encrypted output of a public input (nothing would bind the salt), or a cut that is not
            committed to.
    """

    input_visibility: InputVisibility
    output_visibility: OutputVisibility
    input_lo: int
    input_bits: int
    output_lo: int | None = None
    output_hi: int | None = None
    entering: int = 0
    leaving: int = 0
    input_parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        """Refuse combinations that would not be sound."""
        if self.input_visibility not in ("private", "public"):
            raise ValueError(f"input is private or public, not {self.input_visibility!r}")
        if self.output_visibility not in ("encrypted", "committed", "public"):
            raise ValueError(f"output is encrypted, committed or public, not {self.output_visibility!r}")
        if self.output_visibility == "encrypted" and self.input_visibility != "private":
            raise ValueError(
                "an encrypted output needs a private input: the commitment is what binds the requester's salt"
            )
        if (self.entering and self.input_visibility != "private") or (
            self.leaving and self.output_visibility != "committed"
        ):
            raise ValueError("the activations at a cut are behind a commitment")
        values_per_word(self.input_bits)

    def slice(self, index: int, count: int) -> StatementSpec:
        """The statement of slice `index`, from 0, when the network is cut into `count`."""
        last = index + 1 == count
        return replace(
            self,
            input_visibility="private" if index else self.input_visibility,
            output_visibility=self.output_visibility if last else "committed",
            entering=index,
            leaving=0 if last else index + 1,
        )

    @property
    def input_domain(self) -> int:
        """First element of the input's commitment."""
        return CUT_DOMAIN + self.entering if self.entering else INPUT_DOMAIN

    @property
    def output_domain(self) -> int:
        """First element of the output's commitment."""
        return CUT_DOMAIN + self.leaving if self.leaving else OUTPUT_DOMAIN

    @property
    def input_hi(self) -> int:
        """The largest integer the input's packing holds."""
        return self.input_lo + (1 << self.input_bits) - 1

    def parts_of(self, size: int) -> tuple[Part, ...]:
        """The parts of a model's input of `size` values.

        Raises:
            ValueError: the parts are of another size.
        """
        parts = self.input_parts or (Part(size, self.input_lo, self.input_bits),)
        if sum(part.size for part in parts) != size:
            raise ValueError(f"the statement's parts are not those of {size} input values")
        return parts

    @property
    def needs_salt(self) -> bool:
        """Whether proving takes a salt."""
        return self.input_visibility == "private" or self.output_visibility == "committed"

    @property
    def needs_blinding(self) -> bool:
        """Whether proving takes a blinding: there is a cut."""
        return bool(self.entering or self.leaving)


def range_bits(lo: int, hi: int) -> int:
    """Bits of an offset value of a declared range, at least 1.

    Raises:
        ValueError: the range is empty.
    """
    if hi < lo:
        raise ValueError(f"empty range [{lo}, {hi}]")
    return max((hi - lo).bit_length(), 1)


def pack_range(values: Int64Array, lo: int, bits: int) -> list[int]:
    """Words of signed integers of a declared range: a flat array, each from `lo` to `lo + 2**bits - 1`."""
    return pack(np.asarray(values, dtype=np.int64) - lo, bits)


def unpack_range(words: Sequence[int], lo: int, bits: int, size: int) -> Int64Array:
    """The integers behind the words, as a flat array of `size`."""
    return unpack(words, bits, size) + lo


def pack_parts(values: Int64Array, parts: Sequence[Part]) -> list[int]:
    """Words of consecutive parts, each beginning a new word.

    Args:
        values: flat, all parts after one another.
        parts: ranges and sizes.

    Raises:
        ValueError: another number of values, or one outside its part's range.
    """
    flat = np.asarray(values, dtype=np.int64).ravel()
    if flat.size != sum(part.size for part in parts):
        raise ValueError(f"{flat.size} values are not those of the parts")
    words, start = list[int](), 0
    for part in parts:
        words += pack_range(flat[start : start + part.size], part.lo, part.bits)
        start += part.size
    return words


def unpack_parts(words: Sequence[int], parts: Sequence[Part]) -> Int64Array:
    """The integers behind the words of consecutive parts, as a flat array.

    Raises:
        ValueError: the wrong number of words, or bits set outside the values' places.
    """
    if len(words) != sum(part.words for part in parts):
        raise ValueError(f"{len(words)} words are not those of the parts")
    found, start = [], 0
    for part in parts:
        found.append(unpack_range(words[start : start + part.words], part.lo, part.bits, part.size))
        start += part.words
    return np.concatenate(found)


def bounds_of(parts: Sequence[Part]) -> tuple[Int64Array, Int64Array]:
    """The least and the greatest integer of each value: two flat arrays over all parts."""
    sizes = [part.size for part in parts]
    return (
        np.repeat(np.array([part.lo for part in parts], dtype=np.int64), sizes),
        np.repeat(np.array([part.hi for part in parts], dtype=np.int64), sizes),
    )


def commit(words: Sequence[int], salt: int, domain: int = INPUT_DOMAIN) -> int:
    """The hiding commitment to packed words under a salt in [0, r); `domain` is what they are."""
    _check_salt(salt)
    state = _native.poseidon([domain, salt, *words[:FIRST_WORDS]])
    for start in range(FIRST_WORDS, len(words), CHAIN_WORDS):
        state = _native.poseidon([state, *words[start : start + CHAIN_WORDS]])
    return int(state)


def pad(salt: int, index: int) -> int:
    """The pad of output word `index`."""
    _check_salt(salt)
    return int(_native.poseidon([ENCRYPTION_DOMAIN, salt, index]))


def encrypt(words: Sequence[int], salt: int) -> list[int]:
    """Output words under their pads."""
    return [(word + pad(salt, i)) % FIELD_ORDER for i, word in enumerate(words)]


def decrypt(words: Sequence[int], salt: int) -> list[int]:
    """The output words behind their pads."""
    return [(word - pad(salt, i)) % FIELD_ORDER for i, word in enumerate(words)]


def _check_salt(salt: int) -> None:
    if not 0 <= salt < FIELD_ORDER:
        raise ValueError("a salt is a field element in [0, r)")
