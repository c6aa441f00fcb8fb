"""`assay deploy`: the contracts, on any chain."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ... import chain
from ...chain.errors import ChainError, DeploymentError
from ...errors import AssayError
from .. import options, targets
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
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Deploy although FILE names a deployment; the file is kept as FILE.1, FILE.2, .."
        ),
    ] = False,
    missing: Annotated[
        bool,
        typer.Option(
            "--missing",
            help="Keep the deployment that FILE names and add the contracts that it lacks, being of an "
            "earlier version.",
        ),
    ] = False,
    local: Annotated[
        bool,
        typer.Option(
            "--local",
            help="Mark it as one on a chain of your own: any worker may win private inputs there. The mark "
            "counts in the home's own deployments alone, not with --out elsewhere.",
        ),
    ] = False,
    rpc: options.Rpc = options.DEFAULT_RPC,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Deploy verifier, model registry, vault, worker registry, market, data registry and certificates.

    Nobody owns them: there is no upgrade, no pause and no fee. Commands find the addresses by the chain's id
    and its first block. Balances and jobs belong to a deployment: another one starts empty.

    Examples:

      assay deploy --key dev0

      assay deploy --rpc https://rpc.example.org --key alice -o mynet.json

      assay deploy --missing --rpc https://rpc.example.org --key alice -o mynet.json
    """
    configure_logs()
    if missing and (again or local):
        raise AssayError("--missing keeps a deployment", "Say it without --again and --local")
    if out_file is not None:
        _check_target(out_file, again=again or missing)
    signer = unlock(home, key, password_file)

    async def act() -> None:
        async with chain.Rpc(rpc) as node:
            if local and chain.is_public(await node.chain_id()):
                raise AssayError(
                    f"chain {await node.chain_id()} is not one of your own", "Deploy there without --local"
                )
            target = out_file or await deployment_path(home, node)
            earlier = await _earlier(node, target) if missing else None
            if earlier is None:
                _check_target(target, again=again or not await _is_there(node, target))
            async with open_outbox(node, signer, home) as outbox:
                deployed = await _made(outbox, earlier)
        made = deployed.deployment
        if earlier is None:
            made = made.model_copy(update={"local": local})
        addresses = made.model_dump()
        try:
            kept = targets.set_aside(target)
            made.save(target)
        except AssayError:
            # The contracts are there and paid for: where, must not be lost with the disk.
            note(chain_text(addresses), label="deployed, but not written down:")
            raise
        document = {"deployment": addresses, "gas": deployed.gas, "cost_wei": deployed.cost, "file": target}

        def human() -> None:
            out.print(
                fields(
                    {
                        **addresses,
                        "gas": f"{sum(deployed.gas.values()):,}",
                        "cost": ether(deployed.cost),
                        "written to": target,
                        **({"earlier one kept as": kept} if kept else {}),
                    }
                )
            )

        emit(document, as_json=json, human=human)

    asyncio.run(act())


def _progress(name: str) -> None:
    note(f"deploying {name}")


async def _made(outbox: chain.Outbox, earlier: chain.Deployment | None) -> chain.Deployed:
    if earlier is None:
        return await chain.deploy_all(outbox, progress=_progress)
    return await chain.deploy_missing(outbox, earlier, progress=_progress)


async def _earlier(node: chain.Node, target: Path) -> chain.Deployment:
    """The deployment that a file names, once it was found on the node's chain."""
    found = chain.Deployment.load(target)
    await chain.Chain(node, found).check()
    return found


def chain_text(addresses: dict[str, object]) -> str:
    """A deployment on one line, as its file would have it."""
    from assay_prover import strict_json

    return strict_json.dumps(addresses)


def _check_target(target: Path, *, again: bool) -> None:
    targets.writable(target)
    if not target.exists():
        return
    chain.Deployment.load(target)  # a file that is none is not touched, whatever was asked for
    if not again:
        raise AssayError(
            f"{target} names a deployment already; balances and jobs there would be out of sight",
            "Use it, name another file with --out, or say --again, which keeps it beside the new one",
        )


async def _is_there(node: chain.Node, target: Path) -> bool:
    """Whether the deployment that a file names is on the node's chain, as far as can be told."""
    try:
        await chain.Chain(node, chain.Deployment.load(target)).check()
    except (ChainError, DeploymentError):
        return False
    return True
