"""Samples as integers, integers as a statement's words, words as an answer: what the manifest says of both.

Pure functions of the manifest's entries; `Bundle` has them as methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay_prover.bundle.manifest import InputInfo, OutputInfo, PortInfo
from assay_prover.circuit import (
    FIELD_ORDER,
    OUTPUT_DOMAIN,
    commit,
    decrypt,
    pack_parts,
    pack_range,
    unpack_range,
)
from assay_prover.errors import InputError
from assay_prover.real_numbers import real_numbers
from assay_prover.reference.tensor import Int64Array

Given = NDArray[Any] | Mapping[str, NDArray[Any]]
"""A sample: one array, or one for each port by its name."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """An output made readable: real values, their integers, and the class (None if there are no classes).

    `name` is the class's name, where the model was compiled with names.
    """

    values: NDArray[np.float64]
    integers: Int64Array
    label: int | None
    name: str | None = None


def encode_input(info: InputInfo, x: Given, *, saturate: bool = False) -> Int64Array:
    """See `Bundle.encode_input`."""
    if info.ports:
        return _encode_ports(info.ports, x, saturate=saturate)
    if isinstance(x, Mapping):
        raise InputError("the model's input has no parts with names: give one array")
    values = real_numbers("the input", x)
    if values.shape not in (info.shape, (1, *info.shape)):
        many = values.ndim == len(info.shape) + 1 and values.shape[1:] == info.shape
        advice = f"; these are {len(values)} samples: give one of them" if many else ""
        raise InputError(f"the input has shape {values.shape}, the model takes {info.shape}{advice}")
    values = values.reshape(info.shape)
    if np.isnan(values).any() or (not saturate and np.isinf(values).any()):
        raise InputError("the input holds NaN or infinity")
    scaled, least, most = _steps(info, values)
    outside = (scaled < least) | (scaled > most)
    if outside.any() and not saturate:
        place = np.unravel_index(int(np.argmax(outside)), outside.shape)
        lo, hi = info.declared_range
        if info.features:
            feature = info.features[int(np.argmax(outside))]
            lo, hi = feature.lo, feature.hi
        where = "" if not place else f" at {[int(i) for i in place]}"
        raise InputError(
            f"{int(outside.sum())} input values are outside the declared range [{lo:g}, {hi:g}], "
            f"first {values[place]:g}{where}; "
            "--clip (saturate=True in Python) takes the nearest value inside"
        )
    return np.asarray(np.clip(scaled, least, most), dtype=np.int64)


def _encode_ports(ports: Sequence[PortInfo], x: Given, *, saturate: bool) -> Int64Array:
    """The integers of all ports, one after another."""
    names = [port.name for port in ports]
    if not isinstance(x, Mapping) or set(x) != set(names):
        given = f"got {', '.join(map(str, x))}" if isinstance(x, Mapping) else "got one array"
        raise InputError(f"the input consists of {', '.join(names)}: give each by its name; {given}")
    found = []
    for port in ports:
        values = real_numbers(f"the input {port.name!r}", x[port.name])
        if values.shape not in (port.shape, (1, *port.shape)):
            raise InputError(
                f"the input {port.name!r} has shape {values.shape}, the model takes {port.shape}"
            )
        if np.isnan(values).any() or (not saturate and np.isinf(values).any()):
            raise InputError(f"the input {port.name!r} holds NaN or infinity")
        steps, part = np.rint(values.ravel() / port.scale) + port.zero, port.part
        outside = (steps < part.lo) | (steps > part.hi)
        if outside.any() and not saturate:
            place = int(np.argmax(outside))
            lo, hi = ((end - port.zero) * port.scale for end in (part.lo, part.hi))
            raise InputError(
                f"the input {port.name!r} is outside its range [{lo:g}, {hi:g}] at {place}: "
                f"{values.ravel()[place]:g}; --clip (saturate=True in Python) takes the nearest value inside"
            )
        found.append(np.clip(steps, part.lo, part.hi).astype(np.int64))
    return np.concatenate(found)


def _steps(info: InputInfo, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], Any, Any]:
    """Each value's integer, and the least and greatest that are declared."""
    if not info.features:
        return np.rint(values / info.scale) + info.zero, info.lo, info.hi
    scale, zero, lo, hi = (
        np.array([getattr(feature, name) for feature in info.features]).reshape(values.shape)
        for name in ("scale", "zero", "lo", "hi")
    )
    ends = (np.clip(np.rint(end / scale) + zero, info.lo, info.hi) for end in (lo, hi))
    return (np.rint(values / scale) + zero, *ends)


def check_integers(info: InputInfo, ints: Int64Array) -> Int64Array:
    """See `Bundle.check_integers`."""
    values = np.asarray(ints)
    if values.dtype.kind not in "iu" or values.shape not in (info.shape, (1, *info.shape)):
        raise InputError(f"expected integers of shape {info.shape}, got {values.dtype} {values.shape}")
    values = values.reshape(info.shape)
    lo, hi = info.bounds
    wrong = (values < lo) | (values > hi)
    if wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise InputError(f"the integers leave the declared range [{lo[place]}, {hi[place]}]")
    return values.astype(np.int64)


def input_words(info: InputInfo, ints: Int64Array, salt: int | None) -> list[int]:
    """See `Bundle.input_words`."""
    if (salt is not None) != (info.visibility == "private"):
        raise InputError("a private input needs a salt" if salt is None else "a public input takes no salt")
    words = pack_parts(check_integers(info, ints), info.parts)
    if salt is None:
        return words
    if not 0 <= salt < FIELD_ORDER:
        raise InputError("the salt is outside [0, r)")
    return [commit(words, salt)]


def decode_output(
    out: OutputInfo, words: Sequence[int], salt: int | None, outputs: Int64Array | None
) -> Decoded:
    """See `Bundle.decode_output`."""
    if (salt is not None) != (out.visibility != "public"):
        raise InputError(
            f"an output that is {out.visibility} needs its salt"
            if salt is None
            else "a public output takes no salt"
        )
    if (outputs is not None) != (out.visibility == "committed"):
        raise InputError("a committed output, and no other, is opened with the integers it holds")
    if len(words) != out.words or any(not 0 <= word < FIELD_ORDER for word in words):
        raise InputError(f"expected {out.words} field elements, got {len(words)} words")
    if salt is not None and not 0 <= salt < FIELD_ORDER:
        raise InputError("the salt is outside [0, r)")
    if salt is not None and outputs is not None:
        return _opened(out, words[0], salt, outputs)
    plain = list(words) if salt is None else decrypt(words, salt)
    size = int(np.prod(out.shape))
    try:
        integers = unpack_range(plain, out.lo, out.bits, size).reshape(out.shape)
    except ValueError as error:
        hint = "the salt is not the one the input was committed with" if salt is not None else str(error)
        raise InputError(f"the words are no packed output: {hint}") from error
    if integers.size and int(integers.max()) > out.hi:
        raise InputError("the words are no packed output: a value exceeds the declared range")
    return _readable(out, integers)


def _opened(out: OutputInfo, word: int, salt: int, outputs: Int64Array) -> Decoded:
    integers = np.asarray(outputs)
    if integers.dtype.kind not in "iu" or integers.shape != out.shape:
        raise InputError(f"expected integers of shape {out.shape}, got {integers.dtype} {integers.shape}")
    if integers.size and not out.lo <= int(integers.min()) <= int(integers.max()) <= out.hi:
        raise InputError("the commitment does not open to these integers: they leave the declared range")
    if commit(pack_range(integers, out.lo, out.bits), salt, OUTPUT_DOMAIN) != word:
        raise InputError("the commitment does not open to these integers under this salt")
    return _readable(out, integers.astype(np.int64))


def read_output(out: OutputInfo, integers: Int64Array) -> Decoded:
    """See `Bundle.read_output`."""
    values = np.asarray(integers)
    if values.dtype.kind not in "iu" or values.shape not in (out.shape, (1, *out.shape)):
        raise InputError(f"expected integers of shape {out.shape}, got {values.dtype} {values.shape}")
    return _readable(out, values.reshape(out.shape).astype(np.int64))


def _readable(out: OutputInfo, integers: Int64Array) -> Decoded:
    values = np.asarray(integers * out.scale, dtype=np.float64)
    if out.kind == "label":
        values = integers.astype(np.float64)
        label = int(integers.ravel()[0]) if integers.size == 1 else None
    else:
        label = int(integers.argmax()) if integers.size > 1 and out.kind == "logits" else None
    known = label is not None and 0 <= label < len(out.labels)
    return Decoded(values, integers, label, out.labels[label] if known and label is not None else None)
