"""Proofs from known trapdoors, for the Solidity verifier's tests.

Writes ``groth16.json`` beside this file: for each of the four modes a verifying key, the model commitment,
and valid proofs, in the bytes of ``docs/protocol.md``. Whoever knows the toxic waste can prove any
statement: pick A, B and D at random and solve the pairing equation for C in the exponent. That needs no
circuit and shares no code with the prover, so agreement with it means something. Every proof is checked
against py_ecc's pairing before it is written. Nothing is drawn from a random source; the file is the same
on every run, and ``--check`` says whether it is up to date.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.optimized_bn128 import (
    FQ12,
    G1,
    G2,
    Z1,
    b2,
    curve_order,
    field_modulus,
    is_on_curve,
    multiply,
    neg,
    normalize,
    pairing,
)

COMMITTED = 1
PRIVATE_WEIGHTS = 2
MODES = {
    "plain": 0,
    "committed": COMMITTED,
    "private": PRIVATE_WEIGHTS,
    "committedPrivate": COMMITTED | PRIVATE_WEIGHTS,
}
INPUTS = 3
PROOFS = 3
SLICES = 8
TARGET = Path(__file__).with_name("groth16.json")

ORDER: int = curve_order
Point = Any  # py_ecc's projective points carry no useful type


def scalar(name: str) -> int:
    """A fixed non-zero scalar, uniform up to 2^-256 or so."""
    return (
        int.from_bytes(hashlib.sha512(b"assay test vectors/" + name.encode()).digest(), "big") % (ORDER - 1)
        + 1
    )


def words(*values: int) -> bytes:
    """Big-endian 32-byte words."""
    return b"".join(value.to_bytes(32, "big") for value in values)


def g1_bytes(point: Point) -> bytes:
    """``x || y``, zeros for infinity."""
    if point[2] == Z1[2]:
        return words(0, 0)
    x, y = normalize(point)
    return words(int(x), int(y))


def g2_bytes(point: Point) -> bytes:
    """``x.c1 || x.c0 || y.c1 || y.c0``, as EIP-197 has it."""
    x, y = normalize(point)
    return words(*(int(c) for c in (x.coeffs[1], x.coeffs[0], y.coeffs[1], y.coeffs[0])))


@dataclass(frozen=True)
class Trapdoor:
    """Exponents of everything in one verifying key and of the model commitment."""

    flags: int
    alpha: int
    beta: int
    gamma: int
    delta: int
    delta_1: int
    delta_m: int
    model: int
    ic: tuple[int, ...]

    @classmethod
    def make(cls, mode: str) -> Trapdoor:
        """The fixed trapdoor of a mode."""
        flags = MODES[mode]
        wires = 1 + INPUTS + (flags & COMMITTED)
        return cls(
            flags=flags,
            alpha=scalar(f"{mode}/alpha"),
            beta=scalar(f"{mode}/beta"),
            gamma=scalar(f"{mode}/gamma"),
            delta=scalar(f"{mode}/delta"),
            delta_1=scalar(f"{mode}/delta_1"),
            delta_m=scalar(f"{mode}/delta_m"),
            model=scalar(f"{mode}/model"),
            ic=tuple(scalar(f"{mode}/ic{i}") for i in range(wires)),
        )

    @property
    def key(self) -> bytes:
        """The verifying key's bytes."""
        header = b"ASVK\x01" + bytes([self.flags, 0, 0]) + INPUTS.to_bytes(4, "big") + bytes(20)
        g2 = [self.beta, self.gamma, self.delta]
        g2 += [self.delta_1] * bool(self.flags & COMMITTED) + [self.delta_m] * bool(
            self.flags & PRIVATE_WEIGHTS
        )
        return (
            header
            + g1_bytes(multiply(G1, self.alpha))
            + b"".join(g2_bytes(multiply(G2, exponent)) for exponent in g2)
            + b"".join(g1_bytes(multiply(G1, exponent)) for exponent in self.ic)
        )

    @property
    def commitment(self) -> bytes:
        """M, or nothing."""
        return g1_bytes(multiply(G1, self.model)) if self.flags & PRIVATE_WEIGHTS else b""

    def statement_exponent(self, inputs: list[int], d_bytes: bytes) -> int:
        """Exponent of IC(x, c)."""
        wires = [1, *inputs]
        if self.flags & COMMITTED:
            transcript = keccak(b"assay/groth16/challenge/v1") + keccak(self.key) + words(*inputs)
            digest = keccak(transcript + self.commitment + d_bytes)
            wires.append(int.from_bytes(digest, "big") % ORDER)
        return sum(wire * exponent for wire, exponent in zip(wires, self.ic, strict=True)) % ORDER

    def prove(self, inputs: list[int], name: str) -> bytes:
        """A valid proof of any statement, checked against the pairing equation."""
        a, b = scalar(f"{name}/a"), scalar(f"{name}/b")
        d = scalar(f"{name}/d") if self.flags & COMMITTED else 0
        m = self.model if self.flags & PRIVATE_WEIGHTS else 0
        d_bytes = g1_bytes(multiply(G1, d)) if d else b""
        ic = self.statement_exponent(inputs, d_bytes)
        rest = a * b - self.alpha * self.beta - ic * self.gamma - d * self.delta_1 - m * self.delta_m
        c = rest * pow(self.delta, -1, ORDER) % ORDER

        product = FQ12.one()
        for g1, g2 in (
            (neg(multiply(G1, a)), multiply(G2, b)),
            (multiply(G1, self.alpha), multiply(G2, self.beta)),
            (multiply(G1, ic), multiply(G2, self.gamma)),
            (multiply(G1, c), multiply(G2, self.delta)),
            (multiply(G1, d), multiply(G2, self.delta_1)),
            (multiply(G1, m), multiply(G2, self.delta_m)),
        ):
            product = product * pairing(g2, g1)
        if product != FQ12.one():
            raise AssertionError(f"{name}: the solved proof does not satisfy the pairing equation")
        return g1_bytes(multiply(G1, a)) + g2_bytes(multiply(G2, b)) + g1_bytes(multiply(G1, c)) + d_bytes


def outside_subgroup() -> bytes:
    """A point on the twist that is not in G2.

    The twist's order is a large multiple of r, so the first x that lies on it will do.
    """
    for x0 in range(1, 100):
        x = FQ2([x0, 0])
        rhs = x * x * x + b2
        # Square root in Fp2 for p = 3 mod 4 (Adj and Rodriguez-Henriquez, algorithm 9).
        a1 = rhs ** ((field_modulus - 3) // 4)
        alpha = a1 * a1 * rhs
        root = a1 * rhs
        minus_one = FQ2([field_modulus - 1, 0])
        i = FQ2([0, 1])
        y = i * root if alpha == minus_one else (FQ2.one() + alpha) ** ((field_modulus - 1) // 2) * root
        point = (x, y, FQ2.one())
        if y * y == rhs and is_on_curve(point, b2) and multiply(point, ORDER)[2] != FQ2.zero():
            return g2_bytes(point)
    raise AssertionError("no such point among the first hundred")


def toy() -> dict[str, Any]:
    """Trapdoors for proofs made in Solidity: exponents, with the G2 points the EVM cannot compute."""
    names = ("alpha", "beta", "gamma", "delta", "delta1", "deltaM", "b")
    exponents = {name: scalar(f"toy/{name}") for name in names}
    return {
        **{name: hex(value) for name, value in exponents.items()},
        "g2": {name: "0x" + g2_bytes(multiply(G2, exponents[name])).hex() for name in names[1:]},
    }


def toy_slices() -> list[dict[str, Any]]:
    """Trapdoors of slices, as in `toy`: half of them of one ceremony but for the deltas, the others apart."""
    phase_one, phase_two = ("alpha", "beta", "gamma"), ("delta", "delta1", "deltaM")
    result = []
    for i in range(SLICES):
        source = "toy" if i < SLICES // 2 else f"toy/slice{i}"
        exponents = {name: scalar(f"{source}/{name}") for name in phase_one}
        exponents |= {name: scalar(f"toy/slice{i}/{name}") for name in phase_two}
        points = {name: "0x" + g2_bytes(multiply(G2, exponents[name])).hex() for name in list(exponents)[1:]}
        result.append({**{name: hex(value) for name, value in exponents.items()}, "g2": points})
    return result


def vectors() -> dict[str, Any]:
    """The whole file."""
    result: dict[str, Any] = {
        "g2Generator": "0x" + g2_bytes(G2).hex(),
        "g2OutsideSubgroup": "0x" + outside_subgroup().hex(),
        "toy": toy(),
        "toySlices": toy_slices(),
    }
    for mode in MODES:
        trapdoor = Trapdoor.make(mode)
        statements = [[scalar(f"{mode}/{k}/x{i}") for i in range(INPUTS)] for k in range(PROOFS)]
        # The edges of a scalar.
        statements[1] = [0, 1, ORDER - 1]
        result[mode] = {
            "vk": "0x" + trapdoor.key.hex(),
            "modelCommitment": "0x" + trapdoor.commitment.hex(),
            "inputs": [[hex(x) for x in statement] for statement in statements],
            "proofs": ["0x" + trapdoor.prove(s, f"{mode}/{k}").hex() for k, s in enumerate(statements)],
        }
    return result


def main() -> int:
    """Writes the file, or compares it with ``--check``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if the file would change")
    text = json.dumps(vectors(), indent=2) + "\n"
    if parser.parse_args().check:
        if TARGET.read_text() != text:
            print(f"{TARGET.name} is out of date", file=sys.stderr)
            return 1
        return 0
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
