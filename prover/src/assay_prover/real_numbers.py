"""Arrays of real numbers from whatever callers hold: taken by their kind, never changed on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay_prover.errors import InputError

_EXACT = 1 << 53
"""Whole numbers up to here are float64 numbers, too."""

_KINDS = {
    "c": "complex numbers",
    "O": "Python objects",
    "U": "text",
    "S": "bytes",
    "M": "dates",
    "m": "durations",
    "V": "records",
}


def real_numbers(what: str, values: Any) -> NDArray[np.float64]:
    """The values as float64, of the same shape.

    Args:
        what: what they are, for the message: "the input", "the samples of 'x'".
        values: an array, or what NumPy makes one of.

    Raises:
        InputError: complex numbers, text, dates, objects, masked values, or numbers that float64 has not
            enough digits for.
    """
    if np.ma.isMaskedArray(values) and np.ma.getmaskarray(values).any():
        raise InputError(f"{what}: some values are masked; fill them, or leave the samples out")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: rows of different lengths, or no numbers ({error})") from error
    if array.dtype.kind not in "biuf":
        held = _KINDS.get(array.dtype.kind, str(array.dtype))
        raise InputError(f"{what}: expected real numbers, got {held}")
    converted = array.astype(np.float64)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        large = array[(array > _EXACT) | (array < -_EXACT)]
        exact = [int(value) for value in large.astype(np.float64)] == large.tolist()
    elif array.dtype.itemsize > 8:
        exact = bool(((converted == array) | np.isnan(array)).all())
    else:
        exact = True
    if not exact:
        raise InputError(f"{what}: numbers of more digits than float64 keeps (16); scale or round them first")
    return converted
