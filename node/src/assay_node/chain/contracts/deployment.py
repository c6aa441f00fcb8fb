"""Where the contracts are: a small JSON file that every command reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from eth_utils.address import is_address, to_checksum_address
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from assay_prover import strict_json

from ..errors import DeploymentError

MAX_BYTES = 1 << 20
"""Of a deployment file, which may come from anyone."""


def _address(value: str) -> str:
    if not is_address(value):
        raise ValueError("not an address")
    return to_checksum_address(value)


Address = Annotated[str, AfterValidator(_address)]


class Deployment(BaseModel):
    """Addresses of one deployment.

    Attributes:
        chain_id: EIP-155 chain id.
        block: block of the first contract; logs before it need not be read.
        genesis: hash of the chain's first block, which tells chains of one id apart; None in files of
            versions that did not write it.
        verifier, models, vault, workers, market: the contracts that jobs need.
        data, certificates: the contracts of data sets and origins; None in deployments of versions that had
            none, where `assay deploy --missing` adds them.
        local: it is on a chain of one's own, for development: whoever bids may win a private input there,
            and workers may be on this machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(default=1, ge=1, le=1)
    chain_id: int = Field(gt=0)
    block: int = Field(ge=0)
    genesis: Annotated[str, Field(pattern="^0x[0-9a-f]{64}$")] | None = None
    verifier: Address
    models: Address
    vault: Address
    workers: Address
    market: Address
    data: Address | None = None
    certificates: Address | None = None
    local: bool = False

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """From a file. Raises `DeploymentError`."""
        try:
            document = strict_json.load(path, max_bytes=MAX_BYTES)
            return cls.model_validate_json(strict_json.dumps(document))
        except OSError as error:
            raise DeploymentError(
                f"cannot read the deployment file {path} ({error.strerror})",
                "Deploy first, or name another file",
            ) from error
        except (ValidationError, strict_json.JsonError) as error:
            raise DeploymentError(
                f"{path} is no deployment file ({_first(error)})", "Deploy again, or name another file"
            ) from error

    def save(self, path: Path) -> None:
        """To a file, replacing it in one step. Raises `DeploymentError`."""
        temporary = path.with_name(path.name + ".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self.model_dump(), indent=2) + "\n", encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            raise DeploymentError(f"cannot write {path} ({error.strerror})", "Check the folder") from error


def _first(error: ValidationError | strict_json.JsonError) -> str:
    if isinstance(error, strict_json.JsonError):
        return str(error)
    detail = error.errors()[0]
    where = ".".join(str(part) for part in detail["loc"])
    return f"{where}: {detail['msg']}" if where else detail["msg"]
