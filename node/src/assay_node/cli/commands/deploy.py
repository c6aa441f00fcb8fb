"""`assay deploy`: the contracts, on any chain."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ... import chain
from .. import options
from ..console import emit, ether, fields, note, out
from ..logs import configure_logs
from ..session import deployment_path, open_outbox, unlock


def deploy(
    *,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Where to write the addresses. Default: in the home."
        ),
    ] = None,
    rpc: options.Rpc = options.DEFAULT_RPC,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Deploy verifier, model registry, vault, worker registry and market.

    Nobody owns them: there is no upgrade, no pause and no fee. Commands find the addresses by the chain's id.

    Examples:

      assay deploy --key dev0

      assay deploy --rpc https://rpc.example.org --key alice -o mynet.json
    """
    configure_logs()
    signer = unlock(home, key, password_file)

    async def act() -> None:
        async with chain.Rpc(rpc) as node, open_outbox(node, signer, home) as outbox:
            deployed = await chain.deploy_all(outbox, progress=lambda name: note(f"deploying {name}"))
        target = out_file or deployment_path(home, deployed.deployment.chain_id)
        deployed.deployment.save(target)
        addresses = deployed.deployment.model_dump()
        document = {"deployment": addresses, "gas": deployed.gas, "cost_wei": deployed.cost, "file": target}

        def human() -> None:
            out.print(
                fields(
                    {
                        **addresses,
                        "gas": f"{sum(deployed.gas.values()):,}",
                        "cost": ether(deployed.cost),
                        "written to": target,
                    }
                )
            )

        emit(document, as_json=json, human=human)

    asyncio.run(act())
