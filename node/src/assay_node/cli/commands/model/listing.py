"""`assay model list`: what can be asked on this chain."""

from __future__ import annotations

import asyncio
from typing import Any

from .... import chain, client
from ... import options
from ...connection import Connection, connected
from ...console import emit_json, ether, out


@connected
def list_(
    *,
    at: Connection,
    json: options.Json = False,
) -> None:
    """List the registered models, the newest first, with a suggested ceiling and how their keys were made.

    Example:

      assay model list --json
    """

    async def look() -> list[tuple[client.ListedModel, dict[str, Any]]]:
        async with at.connect() as session:
            return [
                (found, await _document(session.chain, found))
                for found in await client.list_models(session.chain)
            ]

    models = asyncio.run(look())
    if json:
        emit_json([document for _, document in models])
        return
    if not models:
        out.print("no model is registered on this chain; publish one with: assay model publish")
    for _, document in models:
        retired = " [red]retired[/]" if document["retired"] else ""
        out.print(
            f"0x{document['model_id'].hex()}{retired}  [dim]{document['input']} input, {document['output']} "
            f"output, {document['weights']} weights, setup: {document['setup']}, "
            f"{document['settled']} settled lately, suggested ceiling "
            f"{ether(document['suggested_price_wei'])}[/]"
        )


async def _document(connected: chain.Chain, found: client.ListedModel) -> dict[str, Any]:
    model, spec = found.model, found.model.spec
    hint = await client.price_hint(connected, found.model_id, model)
    output = "encrypted" if spec.output_encrypted else "committed" if spec.output_committed else "public"
    try:
        setup: str = client.setup_of(model, found.model_id).kind
    except client.UncheckedSetup:
        setup = "ceremony claimed, not checked"
    return {
        "model_id": found.model_id,
        "owner": model.owner,
        "retired": model.retired,
        "input": "private" if spec.input_private else "public",
        "output": output,
        "weights": "private" if model.model_commitment else "constant",
        "setup": setup,
        "vk_hash": model.vk_hash,
        "uri": spec.uri,
        "royalty_bps": spec.royalty_bps,
        "settled": len(hint.settled),
        "lowest_price_wei": min(hint.settled, default=None),
        "highest_price_wei": max(hint.settled, default=None),
        "gas_wei": hint.gas,
        "suggested_price_wei": hint.suggested,
    }
