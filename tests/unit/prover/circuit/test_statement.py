"""Packing, commitment and encryption as docs/protocol.md writes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_prover import _native
from assay_prover.circuit import (
    FIELD_ORDER,
    OUTPUT_DOMAIN,
    commit,
    decrypt,
    encrypt,
    pack_range,
    range_bits,
    unpack_range,
)
from assay_prover.circuit.packing import pack, unpack, values_per_word


@given(st.data())
def test_packing_is_the_sum_of_shifted_values(data: st.DataObject) -> None:
    bits = data.draw(st.integers(1, 62))
    values = data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=1, max_size=70))
    per_word = 253 // bits
    expected = [
        sum(v << (bits * place) for place, v in enumerate(values[start : start + per_word]))
        for start in range(0, len(values), per_word)
    ]
    words = pack(np.array(values, dtype=np.int64), bits)
    assert words == expected
    assert max(words) < 1 << 253 < FIELD_ORDER
    np.testing.assert_array_equal(unpack(words, bits, len(values)), values)


@given(st.integers(-(1 << 40), 1 << 40), st.lists(st.integers(0, 1000), min_size=1, max_size=40))
def test_signed_ranges_round_trip(lo: int, offsets: list[int]) -> None:
    values = np.array(offsets, dtype=np.int64) + lo
    bits = range_bits(lo, lo + 1000)
    assert bits == 10
    np.testing.assert_array_equal(unpack_range(pack_range(values, lo, bits), lo, bits, len(offsets)), values)


@pytest.mark.parametrize(
    ("lo", "hi", "bits"), [(0, 0, 1), (0, 1, 1), (-1, 1, 2), (0, 255, 8), (-128, 128, 9)]
)
def test_range_bits(lo: int, hi: int, bits: int) -> None:
    assert range_bits(lo, hi) == bits


@pytest.mark.parametrize("value", [-1, 256, 1 << 40])
def test_a_value_outside_its_bits_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="8 unsigned bits"):
        pack(np.array([1, value, 2], dtype=np.int64), 8)


def test_words_that_no_packing_gives_are_refused() -> None:
    with pytest.raises(ValueError, match="take 2 words"):
        unpack([1], 8, 40)
    with pytest.raises(ValueError, match="not a packing"):
        unpack([1 << 24], 8, 3)
    with pytest.raises(ValueError, match="not a packing"):
        unpack([FIELD_ORDER + 5], 8, 31)
    with pytest.raises(ValueError, match="cannot be packed"):
        values_per_word(0)


@pytest.mark.parametrize("count", [1, 13, 14, 15, 29, 30, 44])
def test_commitment_is_the_chain_of_the_protocol(count: int) -> None:
    words = [1000 + i for i in range(count)]
    state = _native.poseidon([1, 77, *words[:14]])
    rest = words[14:]
    while rest:
        state = _native.poseidon([state, *rest[:15]])
        rest = rest[15:]
    assert commit(words, 77) == state
    assert commit(words, 78) != state
    assert commit([*words[:-1], words[-1] + 1], 77) != state


def test_one_salt_commits_to_the_same_words_differently_as_input_and_as_output() -> None:
    words = [5, 6]
    assert commit(words, 77, OUTPUT_DOMAIN) == _native.poseidon([3, 77, 5, 6])
    assert len({commit(words, 77), commit(words, 77, OUTPUT_DOMAIN), _native.poseidon([2, 77, 5, 6])}) == 3


def test_encryption_adds_a_pad_for_each_word_and_decryption_takes_it_away() -> None:
    words, salt = [0, 5, (1 << 253) - 1], FIELD_ORDER - 3
    sealed = encrypt(words, salt)
    assert sealed == [(w + _native.poseidon([2, salt, i])) % FIELD_ORDER for i, w in enumerate(words)]
    assert decrypt(sealed, salt) == words
    assert decrypt(sealed, salt - 1) != words


@pytest.mark.parametrize("salt", [-1, FIELD_ORDER, FIELD_ORDER + 7])
def test_salts_are_canonical(salt: int) -> None:
    for use in (commit, encrypt, decrypt):
        with pytest.raises(ValueError, match="salt"):
            use([1], salt)
