"""`assay vault`: what the market owes an account."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from ...chain.errors import SenderBusy
from ...errors import AssayError
from .. import options
from ..console import emit, ether, fields, note, out
from ..session import Signer, account_address, connect, unlock

app = typer.Typer(
    no_args_is_help=True, help="The vault: earnings, refunds and royalties until they are withdrawn."
)


ASKED_SECONDS = 90
"""How long a running worker is waited for."""

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

    A worker that runs with the key sends by itself alone: it is asked to withdraw to its own account,
    and does so in its next round.

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
        report(wanted, receipt.tx_hash, receipt.gas_used)

    def report(wanted: int, tx_hash: bytes | None, gas: int | None) -> None:
        document = {"amount_wei": wanted, "to": target, "tx": tx_hash, "gas": gas}
        emit(document, as_json=json, human=lambda: out.print(f"withdrew {ether(wanted)} to {target}"))

    try:
        asyncio.run(act())
    except SenderBusy as busy:
        if target != signer.address:
            raise SenderBusy(
                busy.what, "Withdraw to the account itself, without --to, or stop the worker first"
            ) from busy
        report(asyncio.run(_ask_worker(signer, amount, rpc, deployment, home)), None, None)


async def _ask_worker(
    signer: Signer, amount: int | None, rpc: list[str], deployment: Path | None, home: Path
) -> int:
    """Have the worker that runs with this key withdraw, and wait until it has: the wei that it withdrew."""
    from ...worker.payouts import ask_to_withdraw, request_file

    async with connect(rpc, deployment, home) as session:
        vault = session.chain.vault
        before = await vault.balance_of(signer.address)
        if before == 0:
            raise AssayError(f"{signer.address} has nothing in the vault", "There is nothing to withdraw")
        if amount is not None and amount > before:
            raise AssayError(
                f"{signer.address} has {ether(before)} in the vault, less than {ether(amount)}",
                "Withdraw less, or everything by naming no amount",
            )
        request = request_file(signer.lock_dir, session.chain.deployment.chain_id, signer.address)
        ask_to_withdraw(request, amount)
        note("a worker runs with this key and was asked to withdraw in its next round")
        try:
            for _ in range(ASKED_SECONDS):
                if (now := await vault.balance_of(signer.address)) < before:
                    return before - now if amount is None else amount
                await asyncio.sleep(1)
        finally:
            request.unlink(missing_ok=True)
    raise AssayError(
        f"the worker did not withdraw within {ASKED_SECONDS} s", "See its log, or stop it and withdraw then"
    )
