"""The `assay` command line, one file per command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

from .interrupts import quietly

if TYPE_CHECKING:
    from .app import build
else:
    __getattr__, __dir__ = lazy_attributes(__name__, {".app": "build"})

__all__ = ["build", "main"]


def main() -> None:
    """Run the command line. Never a traceback unless ASSAY_DEBUG is set."""
    with quietly():
        from .app import run  # Ctrl-C while this loads is what `quietly` is for

        run()
