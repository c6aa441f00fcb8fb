"""What a chain's limits make of a statement: said before keys are made, and refused before gas is paid.

A verifying key is stored on chain, 64 bytes for each word of the statement, in one transaction. What a
transaction may cost (EIP-7825) bounds the statement; nothing that happens before publishing would notice.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay_prover import Bundle

from ..chain.contracts.key_gas import MAX_TRANSACTION_GAS, KeyShape, most_words, register_gas, shapes_of
from .errors import ClientError

ADVICE = (
    "Make the statement shorter: a private input is one word (--input private), an output that is committed "
    "is one (--output committed), and narrower values share a word"
)


def size_warning(shapes: Sequence[KeyShape]) -> str:
    """Why a model of these circuits could not be published on most chains; empty if it could.

    Args:
        shapes: one for each slice.

    Example:
        >>> size_warning([KeyShape(4, committed=True, private_weights=False)])
        ''
    """
    gas = register_gas(shapes)
    if gas <= MAX_TRANSACTION_GAS:
        return ""
    words = sum(shape.words for shape in shapes)
    first = shapes[0]
    limit = most_words(committed=first.committed, private_weights=first.private_weights)
    return (
        f"the statement has {words} words; registering its key takes some {gas:,} gas, and a transaction may "
        f"have {MAX_TRANSACTION_GAS:,} (EIP-7825), which is enough for {limit} words in one circuit. "
        f"It could not be published. {ADVICE}"
    )


def shapes_of_bundle(bundle: Bundle) -> list[KeyShape]:
    """The shapes that the keys of a bundle have or will have: one for each of its circuits."""
    return [
        KeyShape(part.layout.n_public, part.layout.committed, bundle.is_private)
        for part in bundle.manifest.slices
    ]


def require_publishable(verifying_key: bytes) -> None:
    """Raise ClientError for a key that no transaction could register."""
    warning = size_warning(shapes_of(verifying_key))
    if warning:
        what, _, advice = warning.rpartition(". Make")
        raise ClientError(what, f"Make{advice}")
