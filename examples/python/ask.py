"""Ask a model for an answer, pay for it, and read it verified.

Start a market in another terminal (`assay up`), point this shell at it (`. ~/.assay/up/env`), then:

    python ask.py ~/.assay/up/bc_mlp ~/.assay/up/patients.npz 3
"""

from __future__ import annotations

import asyncio
import os
import sys

import numpy as np

from assay_node import Client
from assay_prover import Bundle


async def main(bundle_dir: str, samples: str, row: int) -> None:
    """Ask about one row of a file and print what came of it."""
    bundle = Bundle.open(bundle_dir)
    sample = np.load(samples)["x"][row]
    home, model_id = os.environ["ASSAY_HOME"], os.environ["ASSAY_MODEL"]
    async with Client.open(os.environ["ASSAY_RPC"], home=home) as client:
        answer = await client.ask(
            bundle, model_id, sample, max_price=10**16, bid_window=5, say=lambda text: print("  ", text)
        )
    settled = answer.evidence.settled
    print(f"answer   {answer.name or answer.label}")
    print(f"paid     {settled.price / 10**18:.6f} ETH to {settled.worker}")
    print(f"trust    {answer.setup.trust(recomputed=answer.recomputed)}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
