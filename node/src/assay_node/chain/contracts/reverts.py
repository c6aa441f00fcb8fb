"""Revert data to one readable line.

Which contract's error it is cannot be told from the caller's side (the market passes the vault's errors on),
so all the contracts' ABIs are searched, and their libraries' errors. An error that has no sentence here is
shown as Solidity writes it: none is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from ...amounts import ether
from ..errors import ContractReverted, RpcError
from ..node.node_errors import revert_data
from .interface import Interface
from .types import JobState

_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")
_PANICS = {
    0x01: "assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "bad enum value",
    0x32: "index out of range",
    0x41: "out of memory",
}


def _job(args: dict[str, Any]) -> str:
    return f"job 0x{args['job_id'].hex()}"


def _time(stamp: int) -> str:
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "JobUnknown": lambda a: f"the market has no {_job(a)}",
    "WrongState": lambda a: f"{_job(a)} is {JobState(a['state']).name.lower()}, which does not allow this",
    "NotRequester": lambda a: f"{a['caller']} did not post {_job(a)}",
    "NotAwardedWorker": lambda a: f"{_job(a)} is not awarded to {a['caller']}",
    "TooLate": lambda a: f"{_job(a)}: the deadline for this was {_time(a['deadline'])}",
    "TooEarly": lambda a: f"{_job(a)}: this opens after {_time(a['deadline'])}",
    "ModelIsRetired": lambda a: f"model 0x{a['model_id'].hex()} is retired and takes no new jobs",
    "WindowOutOfRange": lambda a: (
        f"a window of {a['window']} s is outside {a['minimum']} to {a['maximum']} s"
    ),
    "WrongInputCount": lambda a: f"the model takes {a['expected']} input words, not {a['got']}",
    "WrongOutputCount": lambda a: f"the model gives {a['expected']} output words, not {a['got']}",
    "InputTooLarge": lambda a: f"word {a['index']} of the statement is not below the group order",
    "InputMismatch": lambda a: f"these input words are not those {_job(a)} was posted with",
    "PriceAboveCeiling": lambda a: (
        f"{_job(a)}: a price of {ether(a['price'])} is above the ceiling of {ether(a['ceiling'])}"
    ),
    "BidNotLower": lambda a: (
        f"{_job(a)}: a bid of {ether(a['price'])} is not below one's own of {ether(a['standing'])}"
    ),
    "WorkerGaveUpJob": lambda a: (
        f"{a['worker']} declined an award of {_job(a)} or let it lapse, and may not bid on it again"
    ),
    "RequesterAwards": lambda a: f"{_job(a)} is awarded by its requester alone",
    "RoundsOutOfRange": lambda a: f"a job has 1 to {a['maximum']} bidding rounds, not {a['rounds']}",
    "NoBid": lambda a: f"{_job(a)} has no bid of {a['worker']} in this round",
    "ModelUnknown": lambda a: f"the registry has no model 0x{a['model_id'].hex()}",
    "ModelAlreadyRegistered": lambda a: f"model 0x{a['model_id'].hex()} is already registered",
    "ModelAlreadyRetired": lambda a: f"model 0x{a['model_id'].hex()} is already retired",
    "NotModelOwner": lambda a: f"{a['caller']} does not own model 0x{a['model_id'].hex()}",
    "WorkerUnknown": lambda a: f"{a['worker']} is not registered as a worker",
    "WorkerAlreadyRegistered": lambda a: f"{a['worker']} is already registered as a worker",
    "InsufficientBalance": lambda a: (
        f"{a['account']} has {ether(a['balance'])} in the vault and needs {ether(a['needed'])}"
    ),
    "InsufficientStake": lambda a: (
        f"{a['worker']} has {ether(a['free'])} of free stake and needs {ether(a['needed'])}"
    ),
    "StakeStillLeaving": lambda a: f"the stake may be withdrawn from {_time(a['leaves_at'])} on",
    "NothingLeaving": lambda a: f"{a['worker']} has given notice of no stake to withdraw",
    "WrongSigner": lambda a: f"this description of {a['worker']} is not signed by it, but by {a['signer']}",
    "DataSetUnknown": lambda a: f"the registry has no data set 0x{a['dataset_id'].hex()}",
    "WrongAttestation": lambda a: (
        f"this is no signature of {a['attester']} over these words and its revision {a['revision']}; one "
        "that was sent or withdrawn counts no more"
    ),
    "AlreadyCertified": lambda a: f"the origin of model 0x{a['model_id'].hex()} is on record already",
    "JobNotSettled": lambda a: f"{_job(a)} is {JobState(a['state']).name.lower()}: only a settled one counts",
    "OtherInput": lambda a: f"the input of {_job(a)} is not data set 0x{a['dataset_id'].hex()}",
    "PaymentRefused": lambda a: f"{a['to']} refused a payment of {ether(a['amount'])}",
    "ProofInvalid": lambda _: "the proof is invalid",
    "DeploymentFailed": lambda _: "a data contract could not be created: too little gas, most likely",
}


def decode_revert(data: bytes, interfaces: Iterable[Interface]) -> ContractReverted:
    """The error that revert data stands for, with a readable text."""
    if not data:
        return ContractReverted("the contract reverted without a reason", "", {}, data)
    try:
        if data[:4] == _ERROR_STRING:
            (text,) = decode(["string"], data[4:])
            return ContractReverted(f"the contract refused: {text}", "Error", {"message": text}, data)
        if data[:4] == _PANIC:
            (code,) = decode(["uint256"], data[4:])
            reason = _PANICS.get(code, f"code {code:#x}")
            return ContractReverted(f"the contract panicked: {reason}", "Panic", {"code": code}, data)
    except (DecodingError, ValueError, OverflowError):
        return ContractReverted(f"the contract reverted with 0x{data.hex()}", "", {}, data)
    for contract in interfaces:
        decoded = contract.decode_error(data)
        if decoded is not None:
            return ContractReverted(_sentence(decoded.name, decoded.args), decoded.name, decoded.args, data)
    return ContractReverted(f"the contract reverted with 0x{data.hex()}", "", {}, data)


def as_revert(error: RpcError, interfaces: Iterable[Interface]) -> ContractReverted | None:
    """A node's error as a decoded revert; None if it is no revert."""
    data = revert_data(error)
    return None if data is None else decode_revert(data, interfaces)


def _sentence(name: str, args: dict[str, Any]) -> str:
    build = _SENTENCES.get(name)
    if build is not None:
        try:
            return build(args)
        except KeyError:
            pass  # an error of the same name with other parameters: shown as Solidity writes it
    shown = ", ".join(
        f"{key}={'0x' + value.hex() if isinstance(value, bytes) else value}" for key, value in args.items()
    )
    return f"the contract refused: {name}({shown})"
