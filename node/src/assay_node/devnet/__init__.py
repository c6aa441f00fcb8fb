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
    _load, __dir__ = lazy_attributes(
        __name__,
        {
            ".config": "DevnetConfig",
            ".errors": "DevnetError RpcError",
            ".node": "Devnet DevnetThread run",
        },
    )

    def __getattr__(name: str) -> object:
        """A name of this package; of an installation without py-evm an error that says what to install."""
        try:
            return _load(name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] not in ("eth", "trie"):
                raise
            raise _load("DevnetError")(
                "the embedded chain needs py-evm, which is not installed: pip install 'assay-node[devnet]'"
            ) from error


__all__ = ["Devnet", "DevnetConfig", "DevnetError", "DevnetThread", "RpcError", "run"]
