"""Assay for programs that use web3: `w3.assay`, and a web3 provider on this package's transport.

Needs the extra `assay-node[web3]`.

Example::

    from web3 import AsyncWeb3, Web3
    from assay_node.web3 import AssayModule, AssayProvider, AsyncAssayModule

    w3 = Web3(Web3.HTTPProvider(url), external_modules={"assay": AssayModule})
    print(w3.assay.models())
    answer = w3.assay.ask("bc_mlp", model_id, x, max_price=10**16, key="alice")

    w3 = AsyncWeb3(AssayProvider([url, another]), external_modules={"assay": AsyncAssayModule})
    job = await w3.assay.job(job_id)
"""

from .module import AssayModule, AsyncAssayModule
from .provider import AssayProvider

__all__ = ["AssayModule", "AssayProvider", "AsyncAssayModule"]
