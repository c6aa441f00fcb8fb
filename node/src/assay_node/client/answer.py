"""Reads a proven answer, and compares it with the one that the model gives on this machine.

A proof under keys that one party made is no evidence against that party: it can prove any answer. Where the
weights are at hand, which is wherever they are constants of the circuit, that costs a computation in integers
to find out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay_prover import Bundle, InputError
from assay_prover.bundle.encoding import Decoded
from assay_prover.circuit import unpack_parts

from .errors import AnswerMismatch, EvidenceMismatch


def read_answer(
    bundle: Bundle, words: Sequence[int], integers: np.ndarray, salt: int | None
) -> tuple[Decoded, bool]:
    """The answer in a statement's output words, and whether it was computed here with the same result.

    Args:
        bundle: the model's, with or without its weights.
        words: the statement's output.
        integers: the input, as the statement's input words commit to it or hold it; of the input's shape.
        salt: the input's; None if it is public.

    Raises:
        AnswerMismatch: the model gives another answer, or the words are none that any answer has.
        BundleError: the output is committed, and the weights to open it with are not here.
    """
    visibility = bundle.manifest.output.visibility
    expected = bundle.infer(integers) if bundle.has_weights or visibility == "committed" else None
    try:
        decoded = bundle.decode_output(
            list(words),
            salt=None if visibility == "public" else salt,
            outputs=expected if visibility == "committed" else None,
        )
    except InputError as error:
        raise _mismatch(str(error)) from error
    if expected is not None and not np.array_equal(decoded.integers, expected):
        raise _mismatch(f"it says {_shown(decoded.integers)}, the model {_shown(expected)} in integers")
    return decoded, expected is not None


def public_input(bundle: Bundle, words: Sequence[int]) -> np.ndarray:
    """The integers that a public input's words hold, of the input's shape.

    Raises:
        EvidenceMismatch: they hold no input of this model.
    """
    info = bundle.manifest.input
    try:
        integers = unpack_parts(list(words), info.parts)
        return bundle.check_integers(integers.reshape(info.shape))
    except (ValueError, InputError) as error:
        raise EvidenceMismatch(f"the job's input is none that the model takes ({error})") from error


def _mismatch(detail: str) -> AnswerMismatch:
    return AnswerMismatch(
        "the proof verifies, and the model computed on this machine does not give this answer "
        f"({detail}): whoever made the model's keys has forged it",
        "Do not rely on the answer, nor on any other of this model",
    )


def _shown(values: np.ndarray) -> str:
    flat = values.reshape(-1)
    return ", ".join(str(int(value)) for value in flat[:6]) + (", .." if flat.size > 6 else "")
