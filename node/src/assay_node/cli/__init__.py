"""The `assay` command line, one file per command."""

from .app import build, main

__all__ = ["build", "main"]
