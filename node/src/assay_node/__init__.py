"""Assay's market node: worker, client, command line and devnet."""

__version__ = "0.1.0"
