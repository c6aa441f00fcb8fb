"""The floors of both distributions: a package imports from those below its own, never from beside or above.

`docs/architecture.md` shows this table; `python tests/unit/house/floors.py` writes it there.
"""

from __future__ import annotations

from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "architecture.md"
START, END = "<!-- floors: made by tests/unit/house/floors.py -->", "<!-- end of floors -->"

FLOORS: dict[str, tuple[tuple[str, ...], ...]] = {
    "assay_prover": (
        ("errors", "strict_json", "registration", "lazy_imports", "_native"),
        ("reference", "groth16", "real_numbers"),
        ("graph", "circuit"),
        ("frontend", "gadgets", "data"),
        ("passes", "lowering"),
        ("bundle",),
        ("compiler",),
        ("quote", "training"),
        ("",),
    ),
    "assay_node": (
        ("errors", "recursion_limit", "signed_delivery", "signed_reason", "amounts"),
        ("",),
        ("chain", "devnet"),
        ("client",),
        ("records",),
        ("session", "worker"),
        ("front_door",),
        ("demo", "local", "web3"),
        ("cli",),
    ),
}
"""Lowest first; rooms of one floor stand side by side. "" is the package itself, its `__init__`."""

PERMITTED = {
    ("assay_prover.bundle.bundle", "assay_prover.compiler.retrain"): "Bundle.with_weights, deprecated",
}
"""Imports inside functions that run up for the sake of a name which is going to be removed."""


def picture() -> str:
    """The floors as Mermaid, highest first."""
    lines = [START, "", "```mermaid", "flowchart TB"]
    for top, floors in FLOORS.items():
        lines.append(f"  subgraph {top}")
        for rooms in reversed(floors):
            named = " · ".join(room or top for room in rooms)
            lines.append(f'    {_identifier(top, rooms)}["{named}"]')
        chain = " --> ".join(_identifier(top, rooms) for rooms in reversed(floors))
        lines += [f"    {chain}", "  end"]
    lines += ["  assay_node --> assay_prover", "```", "", END]
    return "\n".join(lines)


def _identifier(top: str, rooms: tuple[str, ...]) -> str:
    return f"{top}_{rooms[0] or 'itself'}"


def document(text: str) -> str:
    """The document with today's picture."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return before + picture() + after


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text()))
