"""Keys and proofs checked from docs/protocol.md alone, with py_ecc's curves: slow, and nobody else's code."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from eth_utils.crypto import keccak
from py_ecc.optimized_bn128 import (
    FQ,
    FQ2,
    FQ12,
    G2,
    Z1,
    Z2,
    add,
    b,
    b2,
    curve_order,
    field_modulus,
    final_exponentiate,
    is_inf,
    is_on_curve,
    multiply,
    neg,
    normalize,
    pairing,
)

Point = Any
COMMITTED, PRIVATE = 1, 2
_WORD, _G1, _G2 = 32, 64, 128


class Refused(Exception):
    """These bytes are no key, proof or statement of the protocol."""


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + _WORD], "big") for i in range(0, len(data), _WORD)]


def read_g1(data: bytes) -> Point:
    """A point of G1, infinity as zeros. Raises Refused."""
    x, y = _words(data)
    if x >= field_modulus or y >= field_modulus:
        raise Refused("not canonical")
    if x == y == 0:
        return Z1
    point = (FQ(x), FQ(y), FQ(1))
    if not is_on_curve(point, b):
        raise Refused("not on the curve")
    return point


def read_g2(data: bytes) -> Point:
    """A point of the subgroup of G2, infinity as zeros. Raises Refused."""
    words = _words(data)
    if any(word >= field_modulus for word in words):
        raise Refused("not canonical")
    if not any(words):
        return Z2
    point = (FQ2([words[1], words[0]]), FQ2([words[3], words[2]]), FQ2.one())
    if not is_on_curve(point, b2) or not is_inf(multiply(point, curve_order)):
        raise Refused("not in the subgroup")
    return point


def _finite(point: Point) -> Point:
    if is_inf(point):
        raise Refused("infinity")
    return point


def _x(point: Point) -> Any:
    return normalize(point)[0]


@dataclass(frozen=True)
class Key:
    """One verifying key, read and found good."""

    data: bytes
    flags: int
    n: int
    alpha: Point
    beta: Point
    gamma: Point
    deltas: list[Point]
    ic: list[Point]

    @property
    def proof_bytes(self) -> int:
        return 320 if self.flags & COMMITTED else 256

    @property
    def commitment_bytes(self) -> int:
        return _G1 if self.flags & PRIVATE else 0


def _key_size(data: bytes) -> int:
    header = data[:_WORD]
    if len(header) < _WORD or header[:5] != b"ASVK\x01" or header[5] > 3 or any(header[6:8] + header[12:]):
        raise Refused("header")
    committed, private = header[5] & 1, header[5] >> 1
    wires = 1 + int.from_bytes(header[8:12], "big") + committed
    return _WORD + _G1 + _G2 * (3 + committed + private) + _G1 * wires


def read_key(data: bytes) -> Key:
    """One verifying key. Raises Refused unless a proof under it means what it says."""
    if len(data) != _key_size(data):
        raise Refused("length")
    flags, n = data[5], int.from_bytes(data[8:12], "big")
    alpha, at = _finite(read_g1(data[_WORD : _WORD + _G1])), _WORD + _G1
    g2 = []
    for _ in range(3 + (flags & 1) + (flags >> 1)):
        g2.append(_finite(read_g2(data[at : at + _G2])))
        at += _G2
    beta, gamma, *deltas = g2
    ic = [read_g1(data[i : i + _G1]) for i in range(at, len(data), _G1)]
    for point in ic[1:]:
        _finite(point)
    xs = [_x(point) for point in (gamma, *deltas)]
    if any(xs[i] == xs[j] for i in range(len(xs)) for j in range(i)) or _x(G2) in xs[1:]:
        raise Refused("gamma and the deltas")
    return Key(data, flags, n, alpha, beta, gamma, deltas, ic)


def read_keys(data: bytes) -> list[Key]:
    """The keys of the slices, or the one key. Raises Refused."""
    if data[:5] != b"ASVS\x01" or len(data) < _WORD:
        return [read_key(data)]
    count, at = data[5], _WORD
    if not 2 <= count <= 16 or any(data[6:_WORD]):
        raise Refused("header of slices")
    keys = []
    for index in range(count):
        size = _key_size(data[at:])
        keys.append(read_key(data[at : at + size]))
        at += size
        n = keys[-1].n
        if n < 3 or (0 < index < count - 1 and n != 3):
            raise Refused("words of a slice")
    if at != len(data):
        raise Refused("length")
    for i, key in enumerate(keys):
        others = [_x(p) for j, other in enumerate(keys) if j != i for p in (other.gamma, *other.deltas)]
        if any(_x(delta) in others for delta in key.deltas):
            raise Refused("a delta that two slices share")
    return keys


def holds(key: Key, statement: list[int], proof: bytes, commitment: bytes) -> bool:
    """Whether the equation of one key holds. Raises Refused for what is no statement, proof or commitment."""
    if len(statement) != key.n or any(word >= curve_order for word in statement):
        raise Refused("statement")
    if len(proof) != key.proof_bytes or len(commitment) != key.commitment_bytes:
        raise Refused("length")
    a, b_, c = read_g1(proof[:64]), read_g2(proof[64:192]), read_g1(proof[192:256])
    pairs, deltas, scalars = [], list(key.deltas), list(statement)
    pairs.append((c, deltas.pop(0)))
    if key.flags & COMMITTED:
        pairs.append((read_g1(proof[256:]), deltas.pop(0)))
        words = b"".join(word.to_bytes(_WORD, "big") for word in statement)
        transcript = (
            keccak(b"assay/groth16/challenge/v1") + keccak(key.data) + words + commitment + proof[256:]
        )
        scalars.append(int.from_bytes(keccak(transcript), "big") % curve_order)
    if key.flags & PRIVATE:
        pairs.append((read_g1(commitment), deltas.pop(0)))
    total = key.ic[0]
    for scalar, point in zip(scalars, key.ic[1:], strict=True):
        total = add(total, multiply(point, scalar))
    pairs += [(neg(a), b_), (key.alpha, key.beta), (total, key.gamma)]
    product = FQ12.one()
    for left, right in pairs:
        product = product * pairing(right, left, final_exponentiate=False)
    return bool(final_exponentiate(product) == FQ12.one())


def accepts(data: bytes, statement: list[int], proof: bytes, commitments: bytes) -> bool:
    """Whether a proof, sliced or not, is valid for a statement under a good key."""
    try:
        keys = read_keys(data)
        if data[:5] != b"ASVS\x01":
            return holds(keys[0], statement, proof, commitments)
        return _slices_hold(keys, statement, proof, commitments)
    except Refused:
        return False


def _slices_hold(keys: list[Key], statement: list[int], proof: bytes, commitments: bytes) -> bool:
    n_in, at = keys[0].n - 2, _WORD * (len(keys) - 1)
    if len(statement) != 1 + n_in + keys[-1].n - 2:
        raise Refused("statement")
    if len(proof) != at + sum(key.proof_bytes for key in keys):
        raise Refused("length of the proof")
    if len(commitments) != sum(key.commitment_bytes for key in keys):
        raise Refused("length of the commitments")
    cuts = [[word] for word in _words(proof[:at])]
    ends = [statement[1 : 1 + n_in], *cuts, statement[1 + n_in :]]
    valid, taken = True, 0
    for key, (entering, leaving) in zip(keys, pairwise(ends), strict=True):
        piece, at = proof[at : at + key.proof_bytes], at + key.proof_bytes
        own, taken = commitments[taken : taken + key.commitment_bytes], taken + key.commitment_bytes
        # No short cut: what a later slice refuses, it refuses.
        valid &= holds(key, [statement[0], *entering, *leaving], piece, own)
    return valid


def key_is_good(data: bytes) -> bool:
    """Whether these bytes are a key, sliced or not, under which a proof means what it says."""
    try:
        read_keys(data)
    except Refused:
        return False
    return True


def commitments_are_good(data: bytes, commitments: bytes) -> bool:
    """Whether these are model commitments that belong to a good key: points, none of them infinity.

    M at infinity proves like any other, and hides nothing: a registry refuses it, a verifier need not.
    """
    try:
        size = sum(key.commitment_bytes for key in read_keys(data))
        for at in range(0, len(commitments), _G1):
            _finite(read_g1(commitments[at : at + _G1]))
    except (Refused, ValueError):  # ValueError: half a point
        return False
    return len(commitments) == size
