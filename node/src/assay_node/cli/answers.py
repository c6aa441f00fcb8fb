"""A model's answer, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay_prover import Decoded

SHOWN = 16
"""Values that a person is shown."""


def answer_document(answer: Decoded) -> dict[str, object]:
    """The class, its name if the model has names, and the values; for ``--json``."""
    return {"label": answer.label, "name": answer.name, "values": answer.values}


def answer_fields(answer: Decoded) -> dict[str, object]:
    """The same in words."""
    values = ", ".join(f"{value:.6g}" for value in answer.values.reshape(-1)[:SHOWN])
    more = f", .. ({answer.values.size} in all)" if answer.values.size > SHOWN else ""
    if answer.label is None:
        return {"answer": values + more}
    named = str(answer.label) if answer.name is None else f"{answer.name} (class {answer.label})"
    return {"answer": named, "values": values + more}
