"""`assay job`: ask, follow, read the answer."""

from .app import app

__all__ = ["app"]
