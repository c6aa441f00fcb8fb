"""A private input on its way to the worker: a sealed box around canonical JSON.

Body: libsodium sealed box (X25519, XSalsa20-Poly1305) to the worker's registered key, of
`{"input": base64 of int64 little-endian, "salt": "0x..", "shape": [..], "v": 1}`. Nothing in it is believed:
whether the input is the job's is decided by recomputing its commitment.
"""

from __future__ import annotations

import binascii
import math
import re
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

import numpy as np
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from numpy.typing import NDArray

from assay_prover import strict_json

from .errors import InboxError

_SALT = re.compile(r"0x[0-9a-f]{1,64}")
MAX_DIMENSIONS = 16
MAX_DEPTH = 4
"""Levels of nesting in a sealed input; it has two."""
SCALAR_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""Order r of BN254's groups: a salt is below it."""


@dataclass(frozen=True, slots=True)
class PrivateInput:
    """What a requester reveals to the worker that won: the opening of its commitment.

    Attributes:
        integers: the quantised input, int64, in its shape.
        salt: uniform, 0 <= salt < r.
    """

    integers: NDArray[np.int64]
    salt: int


def open_input(key: PrivateKey, body: bytes) -> PrivateInput:
    """Opens and parses a sealed input.

    Raises:
        InboxError: 422, with what is wrong.
    """
    try:
        plain = SealedBox(key).decrypt(body)
    except (CryptoError, ValueError, TypeError) as error:
        raise InboxError(422, "the body is no box sealed to this worker's registered key") from error
    try:
        return _parse(strict_json.loads(plain, what="it", max_bytes=len(plain), max_depth=MAX_DEPTH))
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise InboxError(422, f"the sealed input is malformed ({error})") from error


def _parse(fields: Any) -> PrivateInput:
    if type(fields) is not dict or fields.keys() != {"v", "salt", "input", "shape"}:
        raise ValueError("it needs v, salt, input and shape, and nothing else")
    if type(fields["v"]) is not int or fields["v"] != 1:  # True equals 1
        raise ValueError("its version is not 1")
    text = fields["salt"]
    if type(text) is not str or not _SALT.fullmatch(text):
        raise ValueError("its salt is not 0x and hexadecimal digits in lower case")
    salt = int(text, 16)
    if salt >= SCALAR_ORDER:
        raise ValueError("its salt is not below the group order")
    shape = fields["shape"]
    if type(shape) is not list or len(shape) > MAX_DIMENSIONS:
        raise ValueError("its shape is no list of dimensions")
    if not all(type(size) is int and 0 < size < 1 << 32 for size in shape):
        raise ValueError("its shape has a dimension that is no positive integer")
    if type(fields["input"]) is not str:
        raise ValueError("its input is no base64 text")
    raw = b64decode(fields["input"], validate=True)
    if len(raw) != 8 * math.prod(shape):
        raise ValueError("its input has another length than its shape says")
    return PrivateInput(np.frombuffer(raw, dtype="<i8").astype(np.int64).reshape(shape), salt)
