"""Commitment to packed words and encryption of words under one salt (docs/protocol.md, "The statement").

Statement. commitment = h, where h = Poseidon(d, salt, up to 14 words), then h = Poseidon(h, up to 15 words)
until none is left; d is 1 for an input, 3 for an output, 3 + k for cut k, whose first word is the prover's
blinding. Ciphertext i = word_i + Poseidon(2, salt, i).

Constraints. Those of the Poseidon permutations; one row for each public word.

Cost. 612 constraints for each 14 or 15 words committed to; 265 for each word encrypted.

Soundness. Poseidon is collision resistant, and the number of words is fixed by the model, so the chain has
one preimage the prover can know: the salt and the words are those the requester committed to. The pad is a
function of that salt. The leading constant keeps the uses of one salt apart: no commitment to an input can be
passed off as one to an output, and equal values give unrelated words. Encryption needs a committed input:
without it the salt would be the prover's own. A committed output does not: whoever chose the salt, the
commitment has one opening that anyone can know, and it is the network's answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay_prover.circuit.field import FieldConcat, FieldConstant, FieldSlice, FieldSum, FieldTensor
from assay_prover.circuit.statement import CHAIN_WORDS, ENCRYPTION_DOMAIN, FIRST_WORDS
from assay_prover.gadgets.poseidon import poseidon

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder


def commitment(b: Builder, salt: FieldTensor, words: FieldTensor, domain: int) -> FieldTensor:
    """The hiding commitment, one combination."""
    done = min(FIRST_WORDS, words.size)
    state = poseidon(b, FieldConcat([FieldConstant([domain]), salt, FieldSlice(words, 0, done)]))
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
