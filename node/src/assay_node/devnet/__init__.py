"""An embedded Ethereum node for development and tests: py-evm under Prague rules behind JSON-RPC.

``Devnet`` runs inside an event loop, ``DevnetThread`` beside synchronous code, ``run`` in the foreground.
"""

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from assay_node.devnet.config import DevnetConfig
    from assay_node.devnet.errors import DevnetError, RpcError
    from assay_node.devnet.node import Devnet, DevnetThread, run
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            ".config": "DevnetConfig",
            ".errors": "DevnetError RpcError",
            ".node": "Devnet DevnetThread run",
        },
    )

__all__ = ["Devnet", "DevnetConfig", "DevnetError", "DevnetThread", "RpcError", "run"]
