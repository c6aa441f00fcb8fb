"""Assay's market node: worker, client, command line and devnet."""

from . import recursion_limit

recursion_limit.keep()

__version__ = "0.1.0"
