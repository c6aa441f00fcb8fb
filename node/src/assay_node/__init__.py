"""Assay's market node: worker, client, command line, devnet and explorer."""

__version__ = "0.1.0"
