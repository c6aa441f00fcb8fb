"""How a worker is set up: one JSON file, checked in full before anything starts."""

from __future__ import annotations

import ipaddress
import os
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


def _overlap(inbox: str, metrics: str) -> bool:
    """Whether two addresses to listen on exclude each other on one port."""
    return inbox == metrics or inbox in {"", "0.0.0.0", "::"}  # noqa: S104 - compared, not bound to


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
        seconds_fixed: seconds a proof takes whatever its size, until one has been made. Models of up to 2^20
            constraints are tried when their keys are opened.
        constraints_per_second: proving speed, until a proof has been made.
        gas_price_cap: wei per gas above which jobs are declined.
        max_bids: bids in one round before the job is left to others.
        undercut_percent: how far below the leading bid the next one goes.
        deadline_margin: a job is taken only if its window is this many times the estimate of all proofs that
            are due before its own and of that,
        inclusion_seconds: and this much longer, which a transaction may take to be mined. Twice what is
            measured counts if that is more.
        collateral_risk_percent: share of the collateral that is added to the cost of a job which must be
            accepted before its proof can be there.
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
    inclusion_seconds: int = Field(default=60, ge=0, le=86_400)
    collateral_risk_percent: float = Field(default=1.0, ge=0.0, le=100.0)

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
        check_rpc_url: another operator's endpoint: what money depends on is asked of both, and nothing is
            done where they differ. None believes the first.
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
        max_jobs: jobs with an input to be proven, at any time; more awards are declined.
        max_bids: bids of which the bidding lasts, at any time.
        max_bid_window: seconds; jobs that take bids for longer are left alone. A leading bid reserves stake
            until the bidding is over.
        max_collateral: wei of collateral, of all jobs together, that may be at risk before the proof is
            there. With 0 a job with collateral is taken only if its proof can be made and mined within the
            window to accept, so that none is ever locked.
        decline_seconds: this long before an award's deadline, or an eighth of the window if that is less, an
            award without a proof is given back, which leaves no mark on the worker's record.
        input_patience: seconds from an award after which it is given back if no input has come.
        prover: "process" proves in a child process, which a crash of the prover does not outlive; "thread" in
            this one.
        prover_threads: threads of one proof; None takes all cores.
        prover_table_mb: memory in MiB for tables of multiples, which make proofs of small models faster;
            models get theirs in the order in which they are opened. 0 makes none.
        poll_seconds: pause between two looks at the chain.
        drain_seconds: how long a worker that is told to stop goes on with what it has accepted and with
            proofs that are done; told again, it stops at once.
        keep_jobs: closed jobs kept in full; of older ones a line of the record stays.
        fees: what gas may cost.
        rescue_seconds: this long before a proof's deadline, or half its window if that is less, its gas may
            cost more than `fees` allows: late, it costs the collateral. 0 never does.
        rescue_percent: how much of what would be lost, collateral and price less royalty, it may cost then.
        finality: depths; None takes the chain's.
        pricing: what to ask for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rpc_url: Annotated[str | list[str], AfterValidator(_node_urls)] = Field(repr=False)
    check_rpc_url: Annotated[str | list[str], AfterValidator(_node_urls)] | None = Field(
        default=None, repr=False
    )
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
    max_jobs: int = Field(default=256, ge=1, le=10_000)
    max_bids: int = Field(default=2000, ge=1, le=100_000)
    max_bid_window: int = Field(default=21_600, ge=1, le=86_400)
    max_collateral: int = Field(default=0, ge=0)
    decline_seconds: int = Field(default=30, ge=1, le=3600)
    input_patience: int = Field(default=1800, ge=1, le=604_800)
    prover: Literal["process", "thread"] = "process"
    prover_threads: int | None = Field(default=None, ge=1)
    prover_table_mb: int = Field(default=256, ge=0, le=1 << 20)
    poll_seconds: float = Field(default=1.0, gt=0.0, le=60.0)
    drain_seconds: float = Field(default=30.0, ge=0.0, le=3600.0)
    keep_jobs: int = Field(default=1000, ge=0, le=1_000_000)
    fees: FeePolicy = FeePolicy()
    rescue_seconds: int = Field(default=180, ge=0)
    rescue_percent: int = Field(default=90, ge=0, le=100)
    finality: FinalityPolicy | None = None
    pricing: PricingConfig = PricingConfig()

    @model_validator(mode="after")
    def _fits_this_machine(self) -> Self:
        same = self.metrics_port is not None and self.inbox_port == self.metrics_port != 0
        if same and _overlap(self.inbox_host, self.metrics_host):
            raise ValueError(f"inbox_port and metrics_port are both {self.inbox_port}")
        cores = os.cpu_count() or 1
        if self.prover_threads is not None and self.prover_threads > 4 * cores:
            raise ValueError(f"prover_threads is {self.prover_threads}, this machine has {cores} cores")
        return self

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
        """To a new JSON file, which its owner alone may read: the URLs of nodes hold API keys.

        Raises `WorkerError` if there is one already.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
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
