"""Keys, statements and proofs to ask about: valid ones from known trapdoors, and each way to spoil one.

Whoever knows the toxic waste can prove any statement: A, B and D at random, and C from the equation. So a
case takes no circuit, and its proof is as valid as any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

from .trapdoor import (
    COMMITTED,
    G1_LEN,
    G2_LEN,
    ORDER,
    PRIME,
    PRIVATE,
    WORD,
    Trapdoor,
    g1,
    g2,
    outside_subgroup,
    word,
)


@dataclass(frozen=True)
class Case:
    """What is asked about.

    Attributes:
        name: how it was made.
        key: verifying key, of a sliced model or not.
        statement: words, as integers of up to 256 bits.
        proof, commitments: as in docs/protocol.md.
        n_in, n_out: how the registry is told to split the statement.
        good_commitments: those that belong to the key.
        expected: what all must say, if it is known.
        doors: what the key is made of.
    """

    name: str
    key: bytes
    statement: list[int]
    proof: bytes
    commitments: bytes
    n_in: int
    n_out: int
    good_commitments: bytes
    expected: bool | None
    doors: list[Trapdoor] = field(repr=False)

    @property
    def sliced(self) -> bool:
        return len(self.doors) > 1


def valid(rng: Random, *, most_slices: int = 3) -> Case:
    """A valid case of any mode, sliced or not."""
    count = min(rng.choice([1, 1, 2, 3]), most_slices)
    n_in, n_out = rng.randint(1, 2), rng.randint(1, 2)
    statement = [rng.choice([0, 1, ORDER - 1, rng.randrange(ORDER)]) for _ in range(1 + n_in + n_out)]
    if count == 1:
        door = Trapdoor.random(rng, rng.randrange(4), len(statement))
        return _case("valid", [door], door.key, statement, door.prove(rng, statement), n_in, n_out)
    sizes = [2 + n_in, *[3] * (count - 2), 2 + n_out]
    doors = [Trapdoor.random(rng, rng.randrange(4), n) for n in sizes]
    if rng.random() < 0.5:  # of one ceremony: alpha, beta and gamma shared
        for door in doors[1:]:
            door.alpha, door.beta, door.gamma = doors[0].alpha, doors[0].beta, doors[0].gamma
            door.write()
    cuts = [rng.randrange(ORDER) for _ in range(count - 1)]
    ends = [statement[1 : 1 + n_in], *([cut] for cut in cuts), statement[1 + n_in :]]
    proofs = [
        door.prove(rng, [statement[0], *entering, *leaving])
        for door, (entering, leaving) in zip(doors, pairwise(ends), strict=True)
    ]
    proof = b"".join([*map(word, cuts), *proofs])
    return _case("valid", doors, join(doors), statement, proof, n_in, n_out)


def join(doors: list[Trapdoor]) -> bytes:
    """The sliced key."""
    return (b"ASVS\x01" + bytes([len(doors)])).ljust(WORD, b"\0") + b"".join(door.key for door in doors)


def _case(
    name: str, doors: list[Trapdoor], key: bytes, statement: list[int], proof: bytes, n_in: int, n_out: int
) -> Case:
    commitments = b"".join(door.commitment for door in doors)
    return Case(name, key, statement, proof, commitments, n_in, n_out, commitments, True, doors)


# ------------------------------------------------------------------------------------------------------
# ways to spoil a case: each changes one thing; None where the case has no such thing

Change = Callable[[Case, Random], Case | None]


def _words_of(data: bytes) -> int:
    return len(data) // WORD


def _with(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def statement_changed(case: Case, rng: Random) -> Case:
    i = rng.randrange(len(case.statement))
    other = [*case.statement]
    other[i] = (other[i] + rng.choice([1, ORDER - 1, rng.randrange(1, ORDER)])) % ORDER
    return replace(case, statement=other, expected=False)


def statement_above_the_order(case: Case, rng: Random) -> Case:
    i = rng.randrange(len(case.statement))
    other = [*case.statement]
    other[i] += ORDER * rng.randint(1, 4)
    return replace(case, statement=other, expected=False)


def statement_longer_or_shorter(case: Case, rng: Random) -> Case:
    other = [*case.statement, 0] if rng.random() < 0.5 else case.statement[:-1]
    return replace(case, statement=other, expected=False)


def proof_word_replaced(case: Case, rng: Random) -> Case:
    at = WORD * rng.randrange(_words_of(case.proof))
    value = int.from_bytes(case.proof[at : at + WORD], "big")
    new = rng.choice(
        [0, 1, PRIME - 1, PRIME, ORDER, 2**256 - 1, (value + PRIME) % 2**256, PRIME - value % PRIME]
    )
    return replace(case, proof=_with(case.proof, at, word(new)), expected=None)


def proof_bit_flipped(case: Case, rng: Random) -> Case:
    at = rng.randrange(len(case.proof))
    flipped = bytes([case.proof[at] ^ (1 << rng.randrange(8))])
    return replace(case, proof=_with(case.proof, at, flipped), expected=False)


def proof_point_at_infinity(case: Case, rng: Random) -> Case:
    start = WORD * (len(case.doors) - 1)
    at, size = rng.choice([(0, G1_LEN), (G1_LEN, G2_LEN), (192, G1_LEN)])
    return replace(case, proof=_with(case.proof, start + at, bytes(size)), expected=False)


def proof_with_b_outside_the_subgroup(case: Case, rng: Random) -> Case:
    start = WORD * (len(case.doors) - 1) + G1_LEN
    return replace(case, proof=_with(case.proof, start, outside_subgroup(rng)), expected=False)


def proof_longer_or_shorter(case: Case, rng: Random) -> Case:
    size = rng.choice([1, WORD, G1_LEN])
    other = case.proof + bytes(size) if rng.random() < 0.5 else case.proof[:-size]
    return replace(case, proof=other, expected=False)


def proof_negated(case: Case, rng: Random) -> Case | None:
    """-A and -B in place of A and B: another name of a valid proof."""
    start = WORD * (len(case.doors) - 1)
    proof = case.proof
    for at in (start + 32, start + 128, start + 160):
        value = int.from_bytes(proof[at : at + WORD], "big")
        proof = _with(proof, at, word((PRIME - value) % PRIME))
    return replace(case, proof=proof, expected=True)


def proof_with_a_negated(case: Case, rng: Random) -> Case:
    at = WORD * len(case.doors)
    value = int.from_bytes(case.proof[at : at + WORD], "big")
    return replace(case, proof=_with(case.proof, at, word((PRIME - value) % PRIME)), expected=False)


def proof_with_a_at_infinity_made_to_fit(case: Case, rng: Random) -> Case | None:
    """A at infinity and C solved for: the equation holds, and nothing in the protocol forbids it."""
    if case.sliced:
        return None
    return replace(case, proof=case.doors[0].prove(rng, case.statement, a=0), expected=True)


def proof_of_another_key(case: Case, rng: Random) -> Case | None:
    if case.sliced:
        return None
    other = Trapdoor.random(rng, case.doors[0].flags, case.doors[0].n)
    return replace(case, proof=other.prove(rng, case.statement), expected=False)


def slices_swapped(case: Case, rng: Random) -> Case | None:
    if len(case.doors) != 2 or case.doors[0].flags & 1 != case.doors[1].flags & 1:
        return None
    half = (len(case.proof) - WORD) // 2
    cut, first, second = (
        case.proof[:WORD],
        case.proof[WORD : WORD + half],
        case.proof[WORD + half :],
    )
    return replace(case, proof=cut + second + first, expected=False)


def cut_changed(case: Case, rng: Random) -> Case | None:
    if not case.sliced:
        return None
    at = WORD * rng.randrange(len(case.doors) - 1)
    value = int.from_bytes(case.proof[at : at + WORD], "big")
    new = rng.choice([(value + 1) % ORDER, value + ORDER, 2**256 - 1])
    return replace(case, proof=_with(case.proof, at, word(new)), expected=False)


def errors_that_cancel_in_a_plain_product(case: Case, rng: Random) -> Case | None:
    """C of two slices changed so that the product of both equations would hold without coefficients."""
    if not case.sliced:
        return None
    start = WORD * (len(case.doors) - 1)
    sizes = [320 if door.flags & COMMITTED else 256 for door in case.doors]
    statement_of = _slice_statements(case)
    error = rng.randrange(1, ORDER)
    proofs, at = [], start
    for i, door in enumerate(case.doors):
        piece = case.proof[at : at + sizes[i]]
        at += sizes[i]
        if i < 2:
            # D stays, so that the challenge does; A and B are new, C is solved for and moved by the error.
            sign = 1 if i == 0 else -1
            piece = _moved(door, statement_of[i], rng, sign * error)
        proofs.append(piece)
    return replace(case, proof=case.proof[:start] + b"".join(proofs), expected=False)


def _slice_statements(case: Case) -> list[list[int]]:
    count = len(case.doors)
    cuts = [int.from_bytes(case.proof[WORD * i : WORD * (i + 1)], "big") for i in range(count - 1)]
    ends = [case.statement[1 : 1 + case.n_in], *([cut] for cut in cuts), case.statement[1 + case.n_in :]]
    return [[case.statement[0], *a, *b] for a, b in pairwise(ends)]


def _moved(door: Trapdoor, statement: list[int], rng: Random, error: int) -> bytes:
    """A proof whose equation is off by the error in the exponent: alpha beta is taken for that much more."""
    shifted = replace(door, alpha=(door.alpha + error * pow(door.beta, -1, ORDER)) % ORDER)
    shifted.key = door.key
    return shifted.prove(rng, statement)


def commitment_changed(case: Case, rng: Random) -> Case | None:
    if not case.commitments:
        return None
    new = rng.choice([g1(rng.randrange(1, ORDER)), bytes(G1_LEN), word(1) + word(1), word(PRIME) + word(2)])
    return replace(case, commitments=_with(case.commitments, 0, new), expected=False)


def commitment_longer_or_shorter(case: Case, rng: Random) -> Case:
    other = (
        case.commitments + g1(5) if rng.random() < 0.5 or not case.commitments else case.commitments[:-G1_LEN]
    )
    return replace(case, commitments=other, expected=False)


def commitment_at_infinity_made_to_fit(case: Case, rng: Random) -> Case | None:
    """M at infinity hides nothing: a verifier takes it, for the equation holds, and the registry does not."""
    if case.sliced or not case.doors[0].flags & PRIVATE:
        return None
    door = replace(case.doors[0], model=0)
    return replace(case, commitments=bytes(G1_LEN), proof=door.prove(rng, case.statement), expected=True)


def key_header_changed(case: Case, rng: Random) -> Case:
    at = rng.choice([0, 3, 4, 5, 6, 7, 8, 11, 12, 31])
    return replace(
        case, key=_with(case.key, at, bytes([case.key[at] ^ (1 << rng.randrange(8))])), expected=False
    )


def key_longer_or_shorter(case: Case, rng: Random) -> Case:
    size = rng.choice([1, WORD, G1_LEN])
    other = case.key + bytes(size) if rng.random() < 0.5 else case.key[:-size]
    return replace(case, key=other, expected=False)


def key_bit_flipped(case: Case, rng: Random) -> Case:
    at = rng.randrange(len(case.key))
    return replace(
        case, key=_with(case.key, at, bytes([case.key[at] ^ (1 << rng.randrange(8))])), expected=False
    )


def key_word_replaced(case: Case, rng: Random) -> Case:
    at = WORD * rng.randrange(_words_of(case.key))
    value = int.from_bytes(case.key[at : at + WORD], "big")
    new = rng.choice([0, 1, PRIME, ORDER, 2**256 - 1, (value + PRIME) % 2**256, (PRIME - value) % PRIME])
    return replace(case, key=_with(case.key, at, word(new)), expected=None)


def key_point_replaced(case: Case, rng: Random) -> Case:
    """A point of the key at infinity, another point, or one outside its group."""
    key, start = case.key, (WORD if case.sliced else 0)
    door = case.doors[0]
    count = len(door.deltas) + 2
    spots = [(start + 0x20, G1_LEN), *((start + 0x60 + G2_LEN * i, G2_LEN) for i in range(count))]
    spots += [(start + 0x60 + G2_LEN * count + G1_LEN * i, G1_LEN) for i in range(len(door.ic))]
    at, size = rng.choice(spots)
    if size == G1_LEN:
        new = rng.choice([bytes(G1_LEN), g1(1), word(1) + word(1)])
    else:
        new = rng.choice([bytes(G2_LEN), g2(1), g2(-1), outside_subgroup(rng)])
    return replace(case, key=_with(key, at, new), expected=None)


def key_with_related_secrets(case: Case, rng: Random) -> Case | None:
    """gamma and the deltas equal or opposite, or a delta at the generator or its opposite."""
    if case.sliced:
        return None
    door = replace(case.doors[0], deltas=[*case.doors[0].deltas])
    i = rng.randrange(len(door.deltas))
    others = [door.gamma, *(delta for j, delta in enumerate(door.deltas) if j != i), 1]
    door.deltas[i] = rng.choice(others) * rng.choice([1, -1]) % ORDER
    door.write()
    return replace(case, key=door.key, proof=door.prove(rng, case.statement), expected=False)


def key_with_gamma_at_the_generator(case: Case, rng: Random) -> Case | None:
    """As snarkjs has it, and harmless; so is IC_0 at infinity."""
    if case.sliced:
        return None
    door = replace(case.doors[0], gamma=1, ic=[0, *case.doors[0].ic[1:]])
    door.write()
    return replace(case, key=door.key, proof=door.prove(rng, case.statement), expected=True)


def slices_that_share_a_delta(case: Case, rng: Random) -> Case | None:
    if not case.sliced:
        return None
    doors = [replace(door, deltas=[*door.deltas]) for door in case.doors]
    i, j = rng.sample(range(len(doors)), 2)
    taken = rng.choice([doors[i].gamma, *doors[i].deltas])
    doors[j].deltas[rng.randrange(len(doors[j].deltas))] = taken * rng.choice([1, -1]) % ORDER
    doors[j].write()
    statements = _slice_statements(case)
    proofs = [door.prove(rng, statement) for door, statement in zip(doors, statements, strict=True)]
    start = WORD * (len(doors) - 1)
    return replace(case, key=join(doors), proof=case.proof[:start] + b"".join(proofs), expected=False)


CHANGES: tuple[Change, ...] = (
    statement_changed,
    statement_above_the_order,
    statement_longer_or_shorter,
    proof_word_replaced,
    proof_bit_flipped,
    proof_point_at_infinity,
    proof_with_b_outside_the_subgroup,
    proof_longer_or_shorter,
    proof_negated,
    proof_with_a_negated,
    proof_with_a_at_infinity_made_to_fit,
    proof_of_another_key,
    slices_swapped,
    cut_changed,
    errors_that_cancel_in_a_plain_product,
    commitment_changed,
    commitment_longer_or_shorter,
    commitment_at_infinity_made_to_fit,
    key_header_changed,
    key_longer_or_shorter,
    key_bit_flipped,
    key_word_replaced,
    key_point_replaced,
    key_with_related_secrets,
    key_with_gamma_at_the_generator,
    slices_that_share_a_delta,
)


def spoilt(change: Change, rng: Random, *, most_slices: int = 3) -> Case:
    """A valid case with this change, drawn until the change applies."""
    while True:
        case = change(valid(rng, most_slices=most_slices), rng)
        if case is not None:
            return replace(case, name=change.__name__)


def cases(seed: int) -> Iterator[Case]:
    """Cases without end: a valid one, then each change of a valid one, over and over."""
    rng = Random(seed)  # noqa: S311 - repeatable on purpose
    while True:
        yield valid(rng)
        for change in CHANGES:
            yield spoilt(change, rng)
