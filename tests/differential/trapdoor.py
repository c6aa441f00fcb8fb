"""Group elements as bytes, and a trapdoor: whoever knows it can prove any statement."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from eth_utils.crypto import keccak
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.optimized_bn128 import G1, G2, b2, curve_order, field_modulus, is_inf, multiply, normalize

ORDER, PRIME = curve_order, field_modulus
COMMITTED, PRIVATE = 1, 2
WORD, G1_LEN, G2_LEN = 32, 64, 128


def word(value: int) -> bytes:
    return value.to_bytes(WORD, "big")


def g1(exponent: int) -> bytes:
    """[exponent]_1, zeros for infinity."""
    point = multiply(G1, exponent % ORDER)
    return bytes(G1_LEN) if is_inf(point) else b"".join(word(int(c)) for c in normalize(point))


def g2(exponent: int) -> bytes:
    """[exponent]_2, zeros for infinity."""
    return twist(multiply(G2, exponent % ORDER))


def twist(point: Any) -> bytes:
    """A point of the twist in EIP-197's order."""
    if is_inf(point):
        return bytes(G2_LEN)
    return b"".join(word(int(c)) for axis in normalize(point) for c in reversed(axis.coeffs))


def outside_subgroup(rng: Random) -> bytes:
    """A point of the twist that is not in G2: nearly every point of it is."""
    while True:
        x = FQ2([rng.randrange(PRIME), rng.randrange(PRIME)])
        rhs = x * x * x + b2
        a1 = rhs ** ((PRIME - 3) // 4)
        alpha = a1 * a1 * rhs
        i = FQ2([0, 1])
        y = (
            i * a1 * rhs
            if alpha == FQ2([PRIME - 1, 0])
            else (FQ2.one() + alpha) ** ((PRIME - 1) // 2) * a1 * rhs
        )
        if y * y == rhs:
            return twist((x, y, FQ2.one()))


@dataclass
class Trapdoor:
    """Exponents of one verifying key and of the commitment to its model."""

    flags: int
    n: int
    alpha: int
    beta: int
    gamma: int
    deltas: list[int]
    ic: list[int]
    model: int
    key: bytes = b""

    @classmethod
    def random(cls, rng: Random, flags: int, n: int) -> Trapdoor:
        def some() -> int:
            return rng.randrange(2, ORDER)

        ic = [some() for _ in range(1 + n + (flags & COMMITTED))]
        deltas = [some() for _ in range(1 + (flags & 1) + (flags >> 1))]
        made = cls(flags, n, some(), some(), some(), deltas, ic, some() if flags & PRIVATE else 0)
        made.write()
        return made

    def write(self) -> None:
        """Makes the key's bytes anew."""
        header = b"ASVK\x01" + bytes([self.flags, 0, 0]) + self.n.to_bytes(4, "big") + bytes(20)
        points = [g2(exponent) for exponent in (self.beta, self.gamma, *self.deltas)]
        self.key = header + g1(self.alpha) + b"".join([*points, *map(g1, self.ic)])

    @property
    def commitment(self) -> bytes:
        return g1(self.model) if self.flags & PRIVATE else b""

    def prove(self, rng: Random, statement: list[int], *, a: int | None = None) -> bytes:
        """A valid proof; `a` chooses A's exponent, 0 being infinity."""
        a, b = rng.randrange(1, ORDER) if a is None else a, rng.randrange(1, ORDER)
        scalars, deltas = [1, *statement], list(self.deltas)
        delta, rest, tail = deltas.pop(0), 0, b""
        if self.flags & COMMITTED:
            d = rng.randrange(1, ORDER)
            tail, rest = g1(d), d * deltas.pop(0)
            words = b"".join(map(word, statement))
            digest = keccak(
                keccak(b"assay/groth16/challenge/v1") + keccak(self.key) + words + self.commitment + tail
            )
            scalars.append(int.from_bytes(digest, "big") % ORDER)
        if self.flags & PRIVATE:
            rest += self.model * deltas.pop(0)
        point = sum(x * y for x, y in zip(scalars, self.ic, strict=True))
        c = (a * b - self.alpha * self.beta - point * self.gamma - rest) * pow(delta, -1, ORDER) % ORDER
        return g1(a) + g2(b) + g1(c) + tail
