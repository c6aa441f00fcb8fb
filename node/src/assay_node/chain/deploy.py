"""Deploys the contracts.

They point to each other in a circle (the vault knows its operators, they know the vault), so addresses are
computed before they exist: CREATE's address is keccak256(rlp([sender, nonce])), and the constructors check
each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import rlp
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from .contracts.artifacts import artifact
from .contracts.deployment import Deployment
from .contracts.types import Call
from .errors import DeploymentError
from .outbox.outbox import Outbox
from .outbox.submission import came_to_nothing

CORE = ("Groth16Verifier", "ModelRegistry", "Vault", "WorkerRegistry", "Market")
"""What jobs need. They name each other, so they are created in one go."""
RECORDS = {"DataRegistry": "data", "Certificates": "certificates"}
"""Contracts of records beside the market, by their field in the deployment; older ones lack some."""
CONTRACTS = (*CORE, *RECORDS)
"""In the order in which they are deployed."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What deploying cost, beside where things are."""

    deployment: Deployment
    gas: dict[str, int]
    cost: int
    """Wei paid for gas."""


def create_address(sender: str, nonce: int) -> str:
    """The address of the contract that `sender` creates with its transaction `nonce`."""
    encoded: bytes = rlp.encode([bytes.fromhex(sender[2:]), nonce])
    return to_checksum_address(keccak(encoded)[12:])


async def deploy_all(outbox: Outbox, *, progress: Callable[[str], None] | None = None) -> Deployed:
    """Deploys all `CONTRACTS`, in this order.

    A deployment that was cut short goes on where it was, as long as the account has sent nothing else since.

    Args:
        outbox: the deployer's. It must have nothing pending, and nobody else may use its key meanwhile: the
            constructors would notice and revert.
        progress: told the name of each contract before it is created, or found to be there.

    Raises:
        DeploymentError: something is pending, or a contract is not where it was computed to be.
        InsufficientFunds, ContractReverted, NodeUnavailable: as of any transaction.
    """
    sender = outbox.account.address
    following = await outbox.next_nonce()
    nonce = _interrupted(outbox, following)
    if nonce is None:
        nonce = following
        if nonce != await outbox.node.nonce(sender):
            raise DeploymentError("the deployer has pending transactions", "Wait until they are mined")
    at, creations = _plan(sender, nonce)
    gas: dict[str, int] = {}
    cost, block = 0, 0
    for name, data in creations.items():
        if progress is not None:
            progress(name)
        receipt = await outbox.send(_key(nonce, name), Call(None, data, description=f"deploy {name}"))
        if to_checksum_address(receipt.contract_address or "0x" + "00" * 20) != at[name]:
            raise DeploymentError(
                f"{name} is not at the computed address", "Let nobody else use this key, and deploy again"
            )
        gas[name] = receipt.gas_used
        cost += receipt.gas_used * receipt.effective_gas_price
        block = block or receipt.block_number
    first = await outbox.node.header(0)
    deployment = Deployment(
        genesis=None if first is None else "0x" + first.hash.hex(),
        chain_id=outbox.chain_id,
        block=block,
        verifier=at["Groth16Verifier"],
        models=at["ModelRegistry"],
        vault=at["Vault"],
        workers=at["WorkerRegistry"],
        market=at["Market"],
        data=at["DataRegistry"],
        certificates=at["Certificates"],
    )
    return Deployed(deployment, gas, cost)


async def deploy_missing(
    outbox: Outbox, deployment: Deployment, *, progress: Callable[[str], None] | None = None
) -> Deployed:
    """Deploys the contracts of this version that a deployment lacks, and names them in it.

    Args:
        outbox: of whoever pays for them; anyone may.
        deployment: of an earlier version, or one that this was cut short on.
        progress: as of `deploy_all`.

    Returns:
        The deployment with all contracts; no gas if it lacked none.

    Raises:
        InsufficientFunds, ContractReverted, NodeUnavailable: as of any transaction.
        DeploymentError: the node tells no address of a contract that it says it has made.
    """
    at = {name: getattr(deployment, field) for name, field in (_CORE_FIELDS | RECORDS).items()}
    gas: dict[str, int] = {}
    cost = 0
    for name, field in RECORDS.items():
        if at[name] is not None:
            continue
        if progress is not None:
            progress(name)
        compiled = artifact(name)
        data = compiled.creation_code + compiled.interface.encode_constructor(*_arguments(name, at))
        receipt = await outbox.send(
            f"deploy/{deployment.market}/{name}", Call(None, data, description=f"deploy {name}")
        )
        if receipt.contract_address is None:
            raise DeploymentError(f"the node tells no address of {name}", "Use another node")
        at[name] = to_checksum_address(receipt.contract_address)
        gas[name] = receipt.gas_used
        cost += receipt.gas_used * receipt.effective_gas_price
        deployment = deployment.model_copy(update={field: at[name]})
    return Deployed(deployment, gas, cost)


_CORE_FIELDS = {
    "Groth16Verifier": "verifier",
    "ModelRegistry": "models",
    "Vault": "vault",
    "WorkerRegistry": "workers",
    "Market": "market",
}


def _key(nonce: int, name: str) -> str:
    """Names the intent that creates a contract, of the deployment whose first transaction has `nonce`."""
    return f"deploy/{nonce}/{name}"


def _plan(sender: str, nonce: int) -> tuple[dict[str, str], dict[str, bytes]]:
    """Address and creation code of each contract, if the first is created by transaction `nonce`."""
    at = {name: create_address(sender, nonce + index) for index, name in enumerate(CONTRACTS)}
    creations = {}
    for name in CONTRACTS:
        compiled = artifact(name)
        creations[name] = compiled.creation_code + compiled.interface.encode_constructor(
            *_arguments(name, at)
        )
    return at, creations


def _arguments(name: str, at: Mapping[str, str]) -> tuple[object, ...]:
    """What a contract's constructor is told: addresses of others."""
    if name == "Vault":
        return ([at["WorkerRegistry"], at["Market"]],)
    takes = {
        "ModelRegistry": ("Groth16Verifier",),
        "WorkerRegistry": ("Vault", "Market"),
        "Market": ("Groth16Verifier", "ModelRegistry", "Vault", "WorkerRegistry"),
        "Certificates": ("Market", "DataRegistry"),
    }
    return tuple(at[each] for each in takes.get(name, ()))


def _interrupted(outbox: Outbox, following: int) -> int | None:
    """The first nonce of a deployment of these very contracts that ends with the account's last transaction
    and lacks some of them; None if there is none.
    """
    for done in range(1, len(CONTRACTS)):
        nonce = following - done
        if nonce < 0:
            return None
        _, creations = _plan(outbox.account.address, nonce)
        intents = [outbox.intent(_key(nonce, name)) for name in CONTRACTS[:done]]
        if all(
            intent is not None
            and intent.nonce == nonce + index
            and intent.call.data == creations[name]
            and not came_to_nothing(intent)
            for index, (name, intent) in enumerate(zip(CONTRACTS, intents, strict=False))
        ):
            return nonce
    return None
