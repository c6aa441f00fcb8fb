"""An embedded Ethereum node for development and tests: py-evm under Prague rules behind JSON-RPC.

``Devnet`` runs inside an event loop, ``DevnetThread`` beside synchronous code, ``run`` in the foreground.
"""

from assay_node.devnet.config import DevnetConfig
from assay_node.devnet.errors import DevnetError, RpcError
from assay_node.devnet.node import Devnet, DevnetThread, run

__all__ = ["Devnet", "DevnetConfig", "DevnetError", "DevnetThread", "RpcError", "run"]
