"""How a worker is set up: one JSON file, checked in full before anything starts."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..chain import Address, FeePolicy, FinalityPolicy
from ..chain.node.fees import GWEI
from ..chain.node.urls import rpc_urls
from .errors import WorkerError


def _loopback(value: str) -> str:
    if value != "localhost" and not ipaddress.ip_address(value).is_loopback:
        raise ValueError("metrics are served on loopback only")
    return value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("not a plain http(s) URL")
    return value.rstrip("/")


def _node_urls(value: str | list[str]) -> str | list[str]:
    rpc_urls(value)
    return value


class PricingConfig(BaseModel):
    """What the operator asks for.

    Attributes:
        wei_per_second: price of one second of this machine proving.
        margin_percent: on top of all costs, in an opening bid.
        floor_percent: on top of all costs, in the lowest bid; not above `margin_percent`.
        seconds_fixed: seconds a proof takes whatever its size, until one has been measured.
        constraints_per_second: proving speed, until one has been measured.
        gas_price_cap: wei per gas above which jobs are declined.
        max_bids: bids in one round before the job is left to others.
        undercut_percent: how far below the leading bid the next one goes.
        deadline_margin: a job is taken only if its proving window is this many times the estimate,
        inclusion_seconds: and this much longer, which a transaction may take to be mined; its window to
            accept must be as long, too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    wei_per_second: int = Field(default=20_000 * GWEI, ge=0)
    margin_percent: float = Field(default=30.0, ge=0.0, le=1000.0)
    floor_percent: float = Field(default=5.0, ge=0.0, le=1000.0)
    seconds_fixed: float = Field(default=0.5, ge=0.0)
    constraints_per_second: float = Field(default=50_000.0, gt=0.0)
    gas_price_cap: int = Field(default=200 * GWEI, gt=0)
    max_bids: int = Field(default=3, ge=1, le=20)
    undercut_percent: int = Field(default=5, ge=1, le=50)
    deadline_margin: float = Field(default=1.5, ge=1.0, le=100.0)
    inclusion_seconds: int = Field(default=60, ge=0)

    @model_validator(mode="after")
    def _floor_is_below(self) -> Self:
        if self.floor_percent > self.margin_percent:
            raise ValueError("floor_percent is above margin_percent")
        return self


class WorkerConfig(BaseModel):
    """A worker's settings. Paths in a file are relative to the file.

    Attributes:
        rpc_url: the node's JSON-RPC endpoint; several, in order of preference, as a list or apart by commas.
            They may hold API keys, in path or query.
        deployment: deployment file.
        keystore: keystore file of the operating account; its password is given apart.
        encryption_key: key file inputs are sealed to, under the same password.
        password_file: first line is the password; else the environment or a prompt.
        payout: account that earnings are withdrawn to; None leaves them in the vault.
        withdraw_above: vault balance in wei from which earnings are withdrawn.
        state_dir: databases; must survive restarts.
        bundles: model bundles this worker proves, with keys.
        inbox_host, inbox_port: where the inbox listens; port 0 takes any free one.
        endpoint: URL under which requesters reach the inbox, as registered on chain; None derives it from
            host and port, for a worker on one machine with its requesters.
        metrics_host, metrics_port: health and Prometheus metrics, loopback only; None turns them off.
        max_input_bytes: largest sealed input taken.
        max_jobs: jobs led, won or accepted at any time.
        prover: "process" proves in a child process, which a crash of the prover does not outlive; "thread" in
            this one.
        prover_threads: threads of one proof; None takes all cores.
        prover_table_mb: memory in MiB for tables of multiples, which make proofs of small models faster;
            models get theirs in the order in which they are opened. 0 makes none.
        poll_seconds: pause between two looks at the chain.
        fees: what gas may cost.
        rescue_seconds: this long before a proof's deadline, or half its window if that is less, its gas may
            cost more than `fees` allows: late, it costs the collateral. 0 never does.
        rescue_percent: how much of what would be lost, collateral and price less royalty, it may cost then.
        finality: depths; None takes the chain's.
        pricing: what to ask for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rpc_url: Annotated[str | list[str], AfterValidator(_node_urls)] = Field(repr=False)
    deployment: Path
    keystore: Path
    encryption_key: Path
    password_file: Path | None = None
    payout: Address | None = None
    withdraw_above: int = Field(default=10**16, gt=0)
    state_dir: Path
    bundles: list[Path] = Field(min_length=1)
    inbox_host: str = "127.0.0.1"
    inbox_port: int = Field(default=8700, ge=0, le=65535)
    endpoint: Annotated[str, AfterValidator(_http_url)] | None = None
    metrics_host: Annotated[str, AfterValidator(_loopback)] = "127.0.0.1"
    metrics_port: int | None = Field(default=8701, ge=0, le=65535)
    max_input_bytes: int = Field(default=4 << 20, ge=1 << 10, le=1 << 30)
    max_jobs: int = Field(default=4, ge=1, le=1000)
    prover: Literal["process", "thread"] = "process"
    prover_threads: int | None = Field(default=None, ge=1)
    prover_table_mb: int = Field(default=256, ge=0)
    poll_seconds: float = Field(default=1.0, gt=0.0, le=60.0)
    fees: FeePolicy = FeePolicy()
    rescue_seconds: int = Field(default=180, ge=0)
    rescue_percent: int = Field(default=90, ge=0, le=100)
    finality: FinalityPolicy | None = None
    pricing: PricingConfig = PricingConfig()

    @classmethod
    def of(cls, **settings: Any) -> WorkerConfig:
        """From settings that a person chose. Raises `WorkerError` with the first that cannot be."""
        try:
            return cls(**settings)
        except ValidationError as error:
            raise WorkerError(f"no worker can be set up so ({_first(error)})", "Correct it") from error

    @classmethod
    def load(cls, path: Path | str) -> WorkerConfig:
        """From a JSON file. Raises `WorkerError` with the first thing wrong in it."""
        path = Path(path)
        try:
            config = cls.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise WorkerError(
                f"cannot read {path} ({error.strerror})", "Run `assay worker init` first"
            ) from error
        except (ValidationError, UnicodeDecodeError) as error:
            raise WorkerError(f"{path} is no worker configuration ({_first(error)})", "Correct it") from error
        base = path.parent
        return config.model_copy(
            update={
                "deployment": base / config.deployment,
                "keystore": base / config.keystore,
                "encryption_key": base / config.encryption_key,
                "password_file": None if config.password_file is None else base / config.password_file,
                "state_dir": base / config.state_dir,
                "bundles": [base / bundle for bundle in config.bundles],
            }
        )

    def save(self, path: Path) -> None:
        """To a new JSON file. Raises `WorkerError` if there is one already."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                try:
                    file.write(self.model_dump_json(indent=2) + "\n")
                    file.flush()
                except OSError:
                    path.unlink()
                    raise
        except FileExistsError as error:
            raise WorkerError(f"{path} exists already", "Edit it, or name another file") from error
        except OSError as error:
            raise WorkerError(f"cannot write {path} ({error.strerror})", "Check the folder") from error


def _first(error: ValidationError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not text"
    detail = error.errors()[0]
    where = ".".join(str(part) for part in detail["loc"])
    return f"{where}: {detail['msg']}" if where else str(detail["msg"])
