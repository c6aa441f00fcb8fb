"""`assay vault`: what the market owes an account."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from ...errors import AssayError
from .. import options
from ..console import emit, ether, fields, out
from ..session import account_address, connect, unlock

app = typer.Typer(
    no_args_is_help=True, help="The vault: earnings, refunds and royalties until they are withdrawn."
)


Address = Annotated[
    str | None, typer.Argument(parser=options.parse_address, metavar="ADDRESS", help="Default: the key's.")
]


@app.command("balance")
def balance(
    address: Address = None,
    *,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    json: options.Json = False,
) -> None:
    """Show an account's free balance in the vault and its own on the chain. Needs no password.

    Examples:

      assay vault balance --key alice

      assay vault balance 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 --json
    """
    who = address or account_address(home, key)

    async def act() -> None:
        async with connect(rpc, deployment, home) as session:
            free = await session.chain.vault.balance_of(who)
            own = await session.chain.node.balance(who)
        emit(
            {"address": who, "vault_wei": free, "account_wei": own},
            as_json=json,
            human=lambda: out.print(
                fields({"address": who, "in the vault": ether(free), "in the account": ether(own)})
            ),
        )

    asyncio.run(act())


@app.command("withdraw")
def withdraw(
    amount: Annotated[int | None, options.amount_argument("How much. Default: everything.")] = None,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", parser=options.parse_address, metavar="ADDRESS", help="Default: the account itself."
        ),
    ] = None,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Pay out the vault's balance.

    Examples:

      assay vault withdraw --key alice

      assay vault withdraw 0.5ether --to 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
    """
    signer = unlock(home, key, password_file)
    target = to or str(signer.address)

    async def act() -> None:
        async with connect(rpc, deployment, home) as session, session.outbox(signer) as outbox:
            vault = session.chain.vault
            wanted = amount if amount is not None else await vault.balance_of(signer.address)
            if wanted == 0:
                raise AssayError(f"{signer.address} has nothing in the vault", "There is nothing to withdraw")
            receipt = await outbox.send(f"withdraw/{os.urandom(8).hex()}", vault.withdraw(wanted, target))
        document = {"amount_wei": wanted, "to": target, "tx": receipt.tx_hash, "gas": receipt.gas_used}
        emit(document, as_json=json, human=lambda: out.print(f"withdrew {ether(wanted)} to {target}"))

    asyncio.run(act())
