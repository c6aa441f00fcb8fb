"""`assay send`: the chain's currency from one account to another."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from ... import chain
from .. import options
from ..console import emit, ether, out
from ..logs import configure_logs
from ..session import account_address, open_outbox, unlock


def send(
    receiver: Annotated[
        str, typer.Argument(metavar="NAME|ADDRESS", help="A key in the home, or any address.")
    ],
    amount: Annotated[int, options.amount_argument("How much.")],
    *,
    rpc: options.Rpc = options.DEFAULT_RPC,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Send money to an account, a worker's for its gas and stake, say.

    Examples:

      assay send worker 2ether --key dev0

      assay send 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 0.5ether
    """
    configure_logs()
    target = account_address(home, receiver)
    signer = unlock(home, key, password_file)

    async def act() -> None:
        async with chain.Rpc(rpc) as node, open_outbox(node, signer, home) as outbox:
            call = chain.Call(target, b"", amount, description=f"send {ether(amount)} to {target}")
            receipt = await outbox.send(f"send/{os.urandom(8).hex()}", call)
        document = {"to": target, "amount_wei": amount, "tx": receipt.tx_hash, "gas": receipt.gas_used}
        emit(document, as_json=json, human=lambda: out.print(f"sent {ether(amount)} to {target}"))

    asyncio.run(act())
