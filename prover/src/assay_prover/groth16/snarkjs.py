"""Files of snarkjs and circom, for circuits without a challenge and without private weights.

Circuits (``.r1cs``), witnesses (``.wtns``), proving keys (``.zkey``), ``verification_key.json``,
``proof.json`` and ``public.json``. Whatever is out of range, truncated or too long raises InvalidInput.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from assay_prover import _native, strict_json
from assay_prover._native import InvalidInput, Layout
from assay_prover.groth16.arrays import Block, Limbs

StrPath: TypeAlias = str | PathLike[str]

_WORD = 32
_G1 = 2
_G2 = 4
_VK_HEAD = 1 + _G1 + 3 * _G2
_MAX_BYTES = 1 << 24  # a statement of 200,000 words fits
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")  # 2^256 has 78 digits


@dataclass(frozen=True)
class Circuit:
    """A circuit as circom compiled it.

    Attributes:
        layout: wires in circom's order, outputs before public inputs.
        n_outputs: how many of the public wires are outputs.
        block: all rows, ready for ``SetupBuilder.push`` and ``check_r1cs``.
    """

    layout: Layout
    n_outputs: int
    block: Block

    @property
    def n_constraints(self) -> int:
        """Number of rows."""
        return len(self.block[0][0]) - 1


def read_r1cs(path: StrPath) -> Circuit:
    """Reads a circuit."""
    layout, n_outputs, block = _native.r1cs_read(Path(path).read_bytes())
    return Circuit(layout, n_outputs, block)


def _with_limbs(block: Block) -> Block:
    a, b, c = (
        (ptr, col, coef if coef.ndim == 2 else _native.field_from_small(coef.astype("int64")))
        for ptr, col, coef in block
    )
    return a, b, c


def write_r1cs(circuit: Circuit, path: StrPath) -> None:
    """Writes a circuit; small coefficients become limbs."""
    data = _native.r1cs_write(circuit.layout, circuit.n_outputs, _with_limbs(circuit.block))
    Path(path).write_bytes(data)


def read_wtns(path: StrPath) -> Limbs:
    """All wires, the leading 1 included."""
    return _native.wtns_read(Path(path).read_bytes())


def write_wtns(values: Limbs, path: StrPath) -> None:
    """Writes all wires, the leading 1 included."""
    Path(path).write_bytes(_native.wtns_write(values))


def import_zkey(zkey_path: StrPath, pk_path: StrPath) -> bytes:
    """Turns snarkjs' proving key into a key of this library; returns the verifying key."""
    return _native.zkey_import(zkey_path, pk_path)


def setup_zkey(
    circuit: Circuit,
    zkey_path: StrPath,
    pk_path: StrPath,
    *,
    threads: int | None = None,
    seed: bytes | None = None,
) -> bytes:
    """Single-party setup of a plain circuit, for development.

    Writes the proving key twice, for snarkjs and for this library, and returns the verifying key of both.
    There was no ceremony and the ``.zkey`` does not claim one: ``snarkjs zkey verify`` refuses it.

    Args:
        seed: 32 bytes that make the keys reproducible and worthless, for tests alone.
    """
    block = _with_limbs(circuit.block)
    return _native.zkey_setup(
        circuit.layout, circuit.n_outputs, block, zkey_path, pk_path, threads=threads, seed=seed
    )


def _words(data: bytes) -> list[str]:
    return [str(int.from_bytes(data[i : i + _WORD], "big")) for i in range(0, len(data), _WORD)]


def _g1(words: list[str]) -> list[str]:
    return ["0", "1", "0"] if words == ["0", "0"] else [*words, "1"]


def _g2(words: list[str]) -> list[list[str]]:
    x1, x0, y1, y0 = words
    return [[x0, x1], [y0, y1], ["1", "0"]]


def _integer(value: object) -> bytes:
    """One spelling for each number: digits alone, without leading zeros, or a JSON integer."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        raise InvalidInput(f"expected a number in decimal digits, not {_shown(value)}")
    if not 0 <= number < 1 << 8 * _WORD:
        raise InvalidInput(f"expected a number below 2^256, not {_shown(value)}")
    return number.to_bytes(_WORD, "big")


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _affine(value: object, size: int, one: object) -> list[object]:
    """The coordinates of a projective point whose last coordinate must be one."""
    if not isinstance(value, list) or len(value) != 3 or value[2] != one:
        raise InvalidInput(f"expected an affine point, not {_shown(value)}")
    flat = value[:2] if size == _G1 else [c for pair in value[:2] for c in _pair(pair)]
    if len(flat) != size:
        raise InvalidInput(f"expected {size} coordinates, not {len(flat)}")
    return flat


def _pair(value: object) -> list[object]:
    if not isinstance(value, list) or len(value) != 2:
        raise InvalidInput(f"expected two coordinates, not {_shown(value)}")
    return [value[1], value[0]]


def _g1_bytes(value: object) -> bytes:
    if value == ["0", "1", "0"]:
        return bytes(_G1 * _WORD)
    return b"".join(map(_integer, _affine(value, _G1, "1")))


def _g2_bytes(value: object) -> bytes:
    return b"".join(map(_integer, _affine(value, _G2, ["1", "0"])))


def _json(text: str, what: str) -> object:
    try:
        return strict_json.loads(text, what=what, max_bytes=_MAX_BYTES)
    except strict_json.JsonError as error:
        raise InvalidInput(str(error)) from error


def _document(text: str, what: str) -> dict[str, object]:
    document = _json(text, what)
    if not isinstance(document, dict):
        raise InvalidInput(f"{what}: not an object")
    # rapidsnark names no curve
    if document.get("protocol") != "groth16" or document.get("curve", "bn128") not in ("bn128", "bn254"):
        raise InvalidInput(f"{what}: not Groth16 over bn128")
    return document


def verifying_key_to_json(vk: bytes) -> str:
    """``verification_key.json`` of a plain key (without ``vk_alphabeta_12``, which nothing reads)."""
    _native.check_verifying_key(vk)
    if vk[5] != 0:
        raise InvalidInput("only keys without a challenge and without private weights have this form")
    words = _words(vk)
    ic = words[_VK_HEAD:]
    return json.dumps(
        {
            "protocol": "groth16",
            "curve": "bn128",
            "nPublic": len(ic) // _G1 - 1,
            "vk_alpha_1": _g1(words[1:3]),
            "vk_beta_2": _g2(words[3:7]),
            "vk_gamma_2": _g2(words[7:11]),
            "vk_delta_2": _g2(words[11:15]),
            "IC": [_g1(ic[i : i + _G1]) for i in range(0, len(ic), _G1)],
        },
        indent=1,
    )


def verifying_key_from_json(text: str) -> bytes:
    """The normative bytes of a ``verification_key.json``; unsafe keys are refused (InvalidKey)."""
    document = _document(text, "verification key")
    ic = document.get("IC")
    n_public = document.get("nPublic")
    if not isinstance(ic, list) or type(n_public) is not int or not 0 <= n_public == len(ic) - 1:
        raise InvalidInput("verification key: IC and nPublic disagree")
    header = b"ASVK\x01" + bytes(3) + n_public.to_bytes(4, "big") + bytes(20)
    points = [_g1_bytes(document.get("vk_alpha_1"))]
    points += [_g2_bytes(document.get(f"vk_{name}_2")) for name in ("beta", "gamma", "delta")]
    vk = header + b"".join([*points, *map(_g1_bytes, ic)])
    _native.check_verifying_key(vk)
    return vk


def proof_to_json(proof: bytes) -> str:
    """``proof.json`` of a plain proof (256 bytes)."""
    if len(proof) != 8 * _WORD:
        raise InvalidInput(f"a plain proof has 256 bytes, not {len(proof)}")
    words = _words(proof)
    return json.dumps(
        {
            "pi_a": _g1(words[:2]),
            "pi_b": _g2(words[2:6]),
            "pi_c": _g1(words[6:]),
            "protocol": "groth16",
            "curve": "bn128",
        },
        indent=1,
    )


def proof_from_json(text: str) -> bytes:
    """The 256 bytes of a ``proof.json``; points are checked when the proof is verified."""
    document = _document(text, "proof")
    parts = _g1_bytes(document.get("pi_a")), _g2_bytes(document.get("pi_b")), _g1_bytes(document.get("pi_c"))
    return b"".join(parts)


def public_to_json(public: list[int]) -> str:
    """``public.json``."""
    return json.dumps([str(x) for x in public], indent=1)


def public_from_json(text: str) -> list[int]:
    """The statement of a ``public.json``; its range is checked when the proof is verified."""
    values = _json(text, "public inputs")
    if not isinstance(values, list):
        raise InvalidInput("public inputs: not a list")
    return [int.from_bytes(_integer(value), "big") for value in values]
