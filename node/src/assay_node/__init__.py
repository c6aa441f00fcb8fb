"""Assay's market node: worker, client, command line and devnet.

`Client` is the requester's side in one class; the packages below have the rest.
"""

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from .front_door import Client, Verified
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(__name__, {".front_door": "Client Verified"})

from . import recursion_limit

recursion_limit.keep()

__version__ = "0.1.0"

__all__ = ["Client", "Verified"]
