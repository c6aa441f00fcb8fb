"""`assay model payout` and `retire`: what its owner may still change of a registered model; nothing else."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from .... import chain as chains
from ... import options
from ...connection import Account, acting
from ...console import emit, fields, out


@acting
def payout(
    model_id: options.ModelId,
    address: Annotated[
        str,
        typer.Argument(
            parser=options.parse_address, metavar="ADDRESS", help="Whose vault balance royalties go to."
        ),
    ],
    *,
    at: Account,
    json: options.Json = False,
) -> None:
    """Have the royalties of a model of yours credited to another account, from the next settlement on.

    Example:

      assay model payout 0x9c..4e 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
    """
    _change(at, model_id, payout_to=address, json=json)


@acting
def retire(
    model_id: options.ModelId,
    *,
    at: Account,
    json: options.Json = False,
) -> None:
    """Take no more jobs for a model of yours. For good; jobs already posted are settled as ever.

    Example:

      assay model retire 0x9c..4e
    """
    _change(at, model_id, payout_to=None, json=json)


def _change(
    at: Account,
    model_id: bytes,
    *,
    payout_to: str | None,
    json: bool,
) -> None:
    """Changes the payout account, or retires the model if there is none."""

    def call(chain: chains.Chain) -> chains.Call:
        return (
            chain.models.retire(model_id)
            if payout_to is None
            else chain.models.set_payout(model_id, payout_to)
        )

    signer = at.unlock()

    async def act() -> None:
        async with at.connect() as session, session.outbox(signer) as outbox:
            # The nonce is in the name: going back to an earlier account is another intent.
            name = f"model/{model_id.hex()}/{payout_to or 'retire'}/{await outbox.next_nonce()}"
            receipt = await outbox.send(name, call(session.chain))
            model = await session.chain.models.model_of(model_id)
        document = {
            "model_id": "0x" + model_id.hex(),
            "payout": model.payout,
            "retired": model.retired,
            "gas": receipt.gas_used,
        }
        emit(document, as_json=json, human=lambda: out.print(fields(document)))

    asyncio.run(act())
