"""`assay worker`: earn by proving."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

import assay_prover

from ... import chain as chains
from ... import worker
from ...errors import AssayError
from ...session import key_path
from .. import options, targets
from ..console import emit, ether, fields, note, out
from ..known_workers import KnownWorkers
from ..logs import configure_logs
from ..session import find_deployment
from .worker_allow import allow, bans_of, described
from .worker_list import list_

app = typer.Typer(no_args_is_help=True, help="Workers: set up, register, stake, run.")

ConfigFile = Annotated[
    Path,
    typer.Option(
        "--config", "-c", metavar="FILE", envvar="ASSAY_WORKER", help="As written by `assay worker init`."
    ),
]
DEFAULT_CONFIG = Path("worker.json")


app.command("list")(list_)
app.command("allow")(allow)


@app.command("init")
def init(
    bundles: Annotated[
        list[Path], typer.Argument(metavar="BUNDLE...", help="Bundles with keys, to prove for.")
    ],
    *,
    config_file: ConfigFile = DEFAULT_CONFIG,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint", metavar="URL", help="Where requesters reach the inbox. Default: this machine only."
        ),
    ] = None,
    inbox_port: Annotated[
        int | None,
        typer.Option(
            "--inbox-port", min=1, max=65535, help="Where the inbox listens. Default: 8700 or the next free."
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port",
            min=1,
            max=65535,
            help="Where health and metrics are, on loopback. Default: 8701 or the next free.",
        ),
    ] = None,
    payout: Annotated[
        str | None,
        typer.Option(
            "--payout", metavar="ADDRESS", help="Where earnings go. Default: they stay in the vault."
        ),
    ] = None,
    margin: Annotated[
        float, typer.Option("--margin", min=0, metavar="PERCENT", help="On top of costs.")
    ] = 30.0,
    rpc: options.Rpc = options.DEFAULT_RPC,
    check_rpc: options.CheckRpc = None,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Write a worker's configuration and its encryption key.

    The encryption key is stored under the same password as the account's.

    Examples:

      assay worker init bc_mlp --key dev1 -c w1/worker.json

      assay worker init bc_mlp digits --endpoint https://worker.example.org --payout 0xf39F...2266 --margin 50
    """
    for bundle in bundles:
        if not assay_prover.Bundle.open(bundle).has_keys:
            raise AssayError(f"{bundle} has no keys", f"Run: assay model setup {bundle}")
    targets.writable(config_file)
    if config_file.exists():
        raise AssayError(f"{config_file} exists already", "Edit it, or name another file with --config")
    known = KnownWorkers(home)
    inbox_port = inbox_port or known.free_port()
    metrics_port = metrics_port or known.free_port(inbox_port)
    account = key_path(home, key)
    password = chains.read_password(file=password_file, prompt=f"Password of {key}: ")
    address = chains.load_account(account, password).address

    async def find() -> Path:
        async with chains.Rpc(rpc) as node:
            return await find_deployment(home, node)

    deployment = deployment or asyncio.run(find())
    chains.Deployment.load(deployment)
    folder = config_file.resolve().parent
    config = worker.WorkerConfig.of(
        rpc_url=rpc,
        check_rpc_url=check_rpc,
        deployment=deployment.resolve(),
        keystore=account.resolve(),
        encryption_key=folder / "encryption.json",
        password_file=None if password_file is None else password_file.resolve(),
        payout=payout,
        state_dir=folder / "state",
        bundles=[bundle.resolve() for bundle in bundles],
        inbox_port=inbox_port,
        endpoint=endpoint or f"http://127.0.0.1:{inbox_port}",
        metrics_port=metrics_port,
        pricing=worker.PricingConfig(margin_percent=margin, floor_percent=min(margin, 5.0)),
    )
    if not config.encryption_key.exists():
        chains.create_encryption_key(config.encryption_key, password)
    config.save(config_file)
    known.add(config_file)
    document = {"config": config_file, "address": address, "endpoint": _endpoint(config)}
    emit(document, as_json=json, human=lambda: out.print(fields(document)))
    if not json:
        note(
            f"Next: assay worker register -c {config_file} --stake 1ether; assay worker run -c {config_file}"
        )


@app.command("register")
def register(
    *,
    stake: Annotated[int, options.amount_option("--stake", "Stake this much as well.")] = 0,
    config_file: ConfigFile = DEFAULT_CONFIG,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Register the worker's endpoint and encryption key on chain, or bring them up to date.

    Examples:

      assay worker register --stake 1ether

      assay worker register -c w1/worker.json
    """
    from ...client.stake import add_stake

    config = worker.WorkerConfig.load(config_file)

    async def act() -> None:
        async with _operator(config, password_file) as (chain, outbox):
            key = chains.load_encryption_key(config.encryption_key, _password(config, password_file))
            await worker.register(chain, outbox, _endpoint(config), key.public_key.encode())
            if stake:
                await add_stake(chain, outbox, stake)
            await _show(chain, outbox.account.address, json=json)

    asyncio.run(act())


@app.command("stake")
def stake(
    amount: Annotated[int, options.amount_argument("How much.")],
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Give notice instead that this much of the free stake leaves.")
    ] = False,
    config_file: ConfigFile = DEFAULT_CONFIG,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Add to the worker's stake, or give notice that a part of it leaves.

    What is added comes from the vault balance if that has enough, else from the account. Stake leaves a day
    after the notice, by `assay worker unstake`; what backs a job cannot leave. A worker that is running sends
    with the same key: stop it first.

    Examples:

      assay worker stake 1ether

      assay worker stake 0.5ether --remove
    """
    from ...client.stake import add_stake, request_unstake

    config = worker.WorkerConfig.load(config_file)

    async def act() -> None:
        async with _operator(config, password_file) as (chain, outbox):
            await (request_unstake if remove else add_stake)(chain, outbox, amount)
            await _show(chain, outbox.account.address, json=json)

    asyncio.run(act())


@app.command("unstake")
def unstake(
    *,
    config_file: ConfigFile = DEFAULT_CONFIG,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Move the stake that notice was given of to the vault, once a day has passed.

    Notice is given by `assay worker stake AMOUNT --remove`; `assay worker status` shows how much is leaving
    and from when on. `assay vault withdraw` then pays it out.

    Example:

      assay worker unstake
    """
    from ...client.stake import withdraw_stake

    config = worker.WorkerConfig.load(config_file)

    async def act() -> None:
        async with _operator(config, password_file) as (chain, outbox):
            await withdraw_stake(chain, outbox)
            await _show(chain, outbox.account.address, json=json)

    asyncio.run(act())


@app.command("status")
def status(*, config_file: ConfigFile = DEFAULT_CONFIG, json: options.Json = False) -> None:
    """Show what the chain knows of the worker, and which models it does not bid on. Needs no password.

    Example:

      assay worker status --json
    """
    config = worker.WorkerConfig.load(config_file)

    configure_logs()

    async def act() -> None:
        async with _connected(config) as chain:
            bans: list[worker.Ban] = []
            try:
                with bans_of(config) as known:
                    bans = [] if known is None else list(known.all().values())
            except chains.DatabaseFailed as error:  # another user's, for instance: the chain tells the rest
                note(f"which models are not bid on is not known: {error}", label="warning:")
            await _show(chain, chains.keystore_address(config.keystore), json=json, bans=bans)

    asyncio.run(act())


@app.command("run")
def run(*, config_file: ConfigFile = DEFAULT_CONFIG) -> None:
    """Run the worker: bid, receive inputs, prove, submit, be paid. Stop it with Ctrl-C; killed, it resumes.

    Logs go to stderr, health and metrics to the loopback port of the configuration.

    Examples:

      assay worker run

      ASSAY_PASSWORD=... assay worker run -c w1/worker.json
    """
    configure_logs(logging.INFO)
    worker.run_worker(config_file)


def _endpoint(config: worker.WorkerConfig) -> str:
    return config.endpoint or f"http://{config.inbox_host}:{config.inbox_port}"


def _password(config: worker.WorkerConfig, override: Path | None) -> str:
    return chains.read_password(
        file=override or config.password_file, prompt="Password of the worker's key: "
    )


@asynccontextmanager
async def _connected(config: worker.WorkerConfig) -> AsyncIterator[chains.Chain]:
    """The chain as the worker sees it when it runs: with the second node, if there is one."""
    async with chains.open_node(config.rpc_url, config.check_rpc_url) as node:
        yield await chains.Chain.connect(node, chains.Deployment.load(config.deployment))


@asynccontextmanager
async def _operator(
    config: worker.WorkerConfig, password_file: Path | None
) -> AsyncIterator[tuple[chains.Chain, chains.Outbox]]:
    """The worker's chain and its own outbox: the one it runs with, so that no nonce is used twice."""
    configure_logs()
    account = chains.load_account(config.keystore, _password(config, password_file))
    async with _connected(config) as chain:
        outbox = await chains.Outbox.open(
            chain.node,
            account,
            config.state_dir / "outbox.sqlite",
            lock_dir=config.keystore.parent,
            fees=config.fees,
            finality=config.finality,
        )
        async with outbox:
            yield chain, outbox


async def _show(chain: chains.Chain, address: str, *, json: bool, bans: Sequence[worker.Ban] = ()) -> None:
    record = await chain.workers.worker_of(address)
    vault, own = await chain.vault.balance_of(address), await chain.node.balance(address)
    document = {
        "address": address,
        "registered": record.registered,
        "endpoint": record.endpoint,
        "encryption_key": record.encryption_key,
        "stake_wei": record.stake,
        "reserved_wei": record.reserved,
        "leaving_wei": record.leaving,
        "leaves_at": record.leaves_at or None,
        "vault_wei": vault,
        "account_wei": own,
        "completed": record.completed,
        "missed": record.missed,
        "failed": record.failed,
        "not_bid_on": [described(ban) for ban in bans],
    }

    stake = f"{ether(record.stake)}, {ether(record.reserved)} of it behind jobs"
    if record.leaving:
        leaves_at = datetime.fromtimestamp(record.leaves_at, UTC)
        stake += f"; {ether(record.leaving)} leave from {leaves_at:%Y-%m-%d %H:%M:%S UTC} on"

    def human() -> None:
        out.print(
            fields(
                {
                    "address": address,
                    "endpoint": record.endpoint if record.registered else "not registered",
                    "stake": stake,
                    "in the vault": ether(vault),
                    "in the account": ether(own),
                    "jobs": f"{record.completed} completed, {record.missed} missed, {record.failed} failed",
                }
            )
        )
        for ban in bans:
            note(
                f"the model of {ban.bundle} is not bid on: {ban.sentence}. Once that is mended: "
                f"assay worker allow {ban.bundle}",
                label="warning:",
            )

    emit(document, as_json=json, human=human)
