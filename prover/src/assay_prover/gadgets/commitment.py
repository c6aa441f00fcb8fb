"""Commitment to packed words and encryption of words under one salt (docs/protocol.md, "The statement").

Statement. commitment = h, where h = Poseidon(1, salt, up to 14 words), then h = Poseidon(h, up to 15 words)
until none is left. Ciphertext i = word_i + Poseidon(2, salt, i).

Constraints. Those of the Poseidon permutations; one row for each public word.

Cost. 612 constraints for each 14 or 15 words of input; 265 for each word of output.

Soundness. Poseidon is collision resistant, and the number of words is fixed by the model, so the chain has
one preimage the prover can know: the salt and the words are those the requester committed to. The pad is a
function of that salt. The leading 1 and 2 keep commitment and pads apart. Encryption therefore needs a
committed input: without it the salt would be the prover's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay_prover.circuit.field import FieldConcat, FieldConstant, FieldSlice, FieldSum, FieldTensor
from assay_prover.circuit.statement import CHAIN_WORDS, COMMITMENT_DOMAIN, ENCRYPTION_DOMAIN, FIRST_WORDS
from assay_prover.gadgets.poseidon import poseidon

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder


def commitment(b: Builder, salt: FieldTensor, words: FieldTensor) -> FieldTensor:
    """The hiding commitment, one combination."""
    done = min(FIRST_WORDS, words.size)
    state = poseidon(b, FieldConcat([FieldConstant([COMMITMENT_DOMAIN]), salt, FieldSlice(words, 0, done)]))
    while done < words.size:
        stop = min(done + CHAIN_WORDS, words.size)
        state = poseidon(b, FieldConcat([state, FieldSlice(words, done, stop)]))
        done = stop
    return state


def encrypt(b: Builder, salt: FieldTensor, words: FieldTensor) -> FieldTensor:
    """Each word plus its pad."""
    pads = [
        poseidon(b, FieldConcat([FieldConstant([ENCRYPTION_DOMAIN]), salt, FieldConstant([i])]))
        for i in range(words.size)
    ]
    return FieldSum([words, FieldConcat(pads)])
