"""A whole market on this machine: chain, contracts, a published model and workers, kept in one folder.

`assay up` runs it; a test or a notebook may, too::

    async with local_market(LocalConfig(folder=Path("market"))) as market:
        print(market.rpc_url, market.models)
"""

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from .market import LocalConfig, LocalMarket, PublishedBundle, local_market
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__, {".market": "LocalConfig LocalMarket PublishedBundle local_market"}
    )

__all__ = ["LocalConfig", "LocalMarket", "PublishedBundle", "local_market"]
