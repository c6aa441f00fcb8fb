"""`assay faucet`: money for an account on a chain of one's own."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ... import chain
from ...chain.errors import ChainError, RpcError
from .. import options
from ..console import emit, ether, out
from ..logs import configure_logs
from ..session import account_address, development_node

DEFAULT_AMOUNT = 100 * 10**18


def faucet(
    receiver: Annotated[
        str, typer.Argument(metavar="NAME|ADDRESS", help="A key in the home, or any address.")
    ] = options.DEFAULT_KEY,
    amount: Annotated[int, options.amount_argument("How much.")] = DEFAULT_AMOUNT,
    *,
    rpc: options.Rpc = options.DEFAULT_RPC,
    home: options.Home = options.DEFAULT_HOME,
    json: options.Json = False,
) -> None:
    """Give an account money on a development chain: the devnet, anvil, hardhat, geth --dev.

    It comes from the node's own unlocked accounts; no other chain has such.

    Examples:

      assay faucet alice

      assay faucet 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 5ether
    """
    configure_logs()
    target = account_address(home, receiver)

    async def act() -> None:
        async with chain.Rpc(rpc) as node:
            if not await development_node(node):
                raise ChainError(
                    f"{node} is no development chain on this machine", "Buy or bridge the chain's currency"
                )
            source = await _richest(node)
            transfer = {"from": source, "to": target, "value": hex(amount)}
            sent = await node.request("eth_sendTransaction", transfer, retry=False)
            for _ in range(100):
                receipt = await node.receipt(bytes.fromhex(str(sent)[2:]))
                if receipt is not None:
                    break
                await asyncio.sleep(0.1)
            balance = await node.balance(target)
        document = {"to": target, "amount_wei": amount, "balance_wei": balance, "tx": sent}
        emit(
            document,
            as_json=json,
            human=lambda: out.print(f"{target} got {ether(amount)} and has {ether(balance)}"),
        )

    asyncio.run(act())


async def _richest(node: chain.Rpc) -> str:
    """The node's unlocked account that has most."""
    try:
        accounts = await node.request("eth_accounts")
    except RpcError:
        accounts = []
    if not isinstance(accounts, list) or not accounts:
        raise ChainError("the node has no unlocked accounts", "Send from an account of yours: assay send")
    balances = {str(account): await node.balance(str(account)) for account in accounts[:20]}
    return max(balances, key=lambda account: balances[account])
